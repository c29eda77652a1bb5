/* The texts of PROCFS/PID, brought to the facts of struct process. Pure. What is not in the text or
 * is torn stays as it was. */
#ifndef SUPERVISOR_SENSE_PROCESS_PARSE_H
#define SUPERVISOR_SENSE_PROCESS_PARSE_H

#include "sense/process.h"
#include "sense/text.h"
#include <errno.h>

/* stat: comm (which may hold blanks and parentheses), state, ppid, cpu_us, started_us. ticks:
 * sysconf(_SC_CLK_TCK). 0; -EIO: no such line; then *process is untouched. */
int process_parse_stat(struct text text, long ticks_per_s, struct process *process);

/* status: ns_pid (the innermost), rss_anon, rss_file, swap. A zombie has none of the last three.
 * True: it has memory, and the kernel does not tell of which kind (before Linux 4.5). */
bool process_parse_status(struct text text, struct process *process);
/* statm: rss_anon (what is resident less what is shared) and rss_file (what is shared), for such a
 * kernel. */
void process_parse_statm(struct text text, int64_t page_bytes, struct process *process);

/* A row of net/tcp or net/tcp6. */
struct tcp_row {
    uint16_t local_port, remote_port;
    unsigned char local[16], remote[16]; /* the addresses, in network order; */
    unsigned size;                       /* 4 or 16 bytes of each */
    unsigned state;    /* 0x01 established, 0x0A listening (include/net/tcp_states.h) */
    uint64_t rx_queue; /* of one that listens: connections that it has not accepted */
    int64_t unsent;    /* bytes that its peer has not acknowledged */
};
enum { TCP_ESTABLISHED_STATE = 0x01, TCP_SYN_RECEIVED_STATE = 0x03, TCP_LISTEN_STATE = 0x0A };
/* false: a heading or another foreign line. */
bool tcp_row_parse(struct text line, struct tcp_row *ret_row);
/* The inode of its socket, as /proc/PID/fd names it. */
bool tcp_row_inode(struct text line, int64_t *ret_inode);

/* Hands the rows of both tables of PROCFS/PID, whose descriptor is given, to row(), as
 * proc_file_lines. row() returns TCP_ROWS_NEXT to leave out the rest of its table. */
enum { TCP_ROWS_NEXT = -ECANCELED };
int tcp_rows(int process, int (*row)(struct text line, void *userdata), void *userdata);

/* A row of net/dev: the bytes its interface has received; unknown for lo and for the headings. */
fact received_parse(struct text line);

#endif
