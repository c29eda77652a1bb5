/* A state directory of its own for each test, and a small file system to fill up. */
#ifndef TESTS_UNIT_KEEP_PLACE_H
#define TESTS_UNIT_KEEP_PLACE_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "keep/keep.h"
#include <stdbool.h>
#include <sys/types.h>

struct place {
    char root[64];  /* a fresh directory; a file system is mounted on it where asked for */
    char state[96]; /* ROOT/state, not there yet */
    bool mounted;
};

/* cmocka's set-up and tear-down; *state is the struct place. */
int place_make(void **state);
int place_drop(void **state);

/* Mounts a tmpfs of that size ("4m"), or an ext4 in a file, on the place's root. Skips the test,
 * saying why, where that is not permitted. */
void place_mount_tmpfs(struct place *place, const char *size);
void place_mount_ext4(struct place *place, int mib);
void place_read_only(struct place *place);
/* Fills the file system to its last byte with ROOT/filler. */
void place_fill(const struct place *place);
void place_unfill(const struct place *place);

/* keep_open that must succeed. */
struct keep *place_open(const struct place *place);
/* An intent whose texts are as long as they can be. */
struct intent longest_intent(int64_t begun_wall_ms);
/* The first column of the first row in the database of the place, by SQLite itself. */
int64_t place_number(const struct place *place, const char *sql);
void place_text(const struct place *place, const char *sql, char *text, size_t size);
/* Runs SQL in that database; it must succeed. */
void place_run(const struct place *place, const char *sql);

/* A process that runs `child`, stays until *ret_pipe is closed, and then ends with 0. */
pid_t place_child(void (*child)(const char *directory), const char *directory, int *ret_pipe);

#define assert_message(err, part) assert_message_(&(err), part, __FILE__, __LINE__)
/* The message holds PART and is one sentence: no newline, no full stop at its end. */
void assert_message_(const struct error *err, const char *part, const char *file, int line);
#define assert_ok(result, err) assert_ok_(result, &(err), __FILE__, __LINE__)
void assert_ok_(int result, const struct error *err, const char *file, int line);

#endif
