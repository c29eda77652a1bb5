/* The clocks, each with its own use. */
#ifndef SUPERVISOR_BASE_CLOCK_H
#define SUPERVISOR_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_BOOTTIME in seconds: goes on during suspend, never goes back; what holds and ages are
 * measured in. */
double clock_boottime_s(void);
/* Wall clock, Unix epoch, milliseconds: for people, the engine's `since` and the restart budget
 * only. */
int64_t clock_wall_ms(void);
/* "2026-11-21T03:48:28.972Z" into text (at least 32 bytes). */
void clock_format(int64_t wall_ms, char *text, size_t size);
/* RFC 3339 with any fraction and offset to milliseconds since the epoch; 0 or -EINVAL. */
int clock_parse(const char *text, int64_t *ret_wall_ms);
/* The boot's identity from PROCFS/sys/kernel/random/boot_id (36 characters and NUL); "" where it
 * cannot be read. */
void clock_boot_id(const char *procfs, char *text, size_t size);

#endif
