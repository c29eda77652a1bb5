/* Files of procfs and cgroupfs: small, made anew by the kernel at every read from the start. */
#ifndef SUPERVISOR_SENSE_PROC_FILE_H
#define SUPERVISOR_SENSE_PROC_FILE_H

#include "sense/text.h"
#include <dirent.h>

/* One read of a kept descriptor from the start into buffer. 0 and the text, or -errno. A file
 * longer than size is given as far as it goes: its last line lacks the newline then and does not
 * count. */
int proc_file_read(int fd, char *buffer, size_t size, struct text *ret_text);

/* Opens path below directory (AT_FDCWD: as it is), reads once, closes. */
int proc_file_read_at(int directory, const char *path, char *buffer, size_t size,
                      struct text *ret_text);

/* Whether there is DIRECTORY/NAME. */
bool proc_file_exists(const char *directory, const char *name);

/* Opens for reading, closed on exec. The descriptor or -errno. */
int proc_file_open(int directory, const char *path);
/* The same for a directory. */
int proc_directory_open(int directory, const char *path);
/* PROCFS/PID as a descriptor, which goes on meaning this process if its pid is given again. -ESRCH:
 * there is no such process; -ENOENT: no PROCFS. */
int proc_process_open(const char *procfs, int64_t pid);

/* Reads the whole file in pieces and hands every whole line (without newline) to line(); a line
 * longer than PROC_LINE_MAX and a last one without a newline are left out. 0; -errno; -E2BIG after
 * PROC_FILE_MAX bytes; whatever negative value line() returns ends the reading. */
enum { PROC_LINE_MAX = 4096, PROC_FILE_MAX = 64 * 1024 * 1024 };
int proc_file_lines(int directory, const char *path, int (*line)(struct text line, void *userdata),
                    void *userdata);

/* The directory's entries, for readdir; NULL with errno. */
DIR *proc_list(int directory, const char *path);

/* For __attribute__((cleanup)). */
void proc_list_close(DIR **list);
#define CLOSE_LIST __attribute__((cleanup(proc_list_close)))

void proc_file_close(int *fd);
#define CLOSE_FD __attribute__((cleanup(proc_file_close)))

#endif
