/* Growing text with a cap, and the few value formats of the API: Go durations, RFC 3339 times,
 * byte sizes. A stand-in that runs out of memory or of a kernel resource says so and ends. */
#ifndef SIMOLLAMA_TEXT_H
#define SIMOLLAMA_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Says why on stderr (printf, %m works) and ends the process with 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* calloc that does not fail. */
void *must_alloc(size_t bytes);

/* data is NUL-terminated once anything was appended; NULL while empty and never used. */
struct text {
    char *data;
    size_t len, room;
};
/* 0, or -E2BIG where more than limit bytes would be held; nothing is appended then. */
int text_append(struct text *text, const void *data, size_t len, size_t limit);
/* Formats at most TEXT_PRINT_MAX bytes, for lines whose parts are bounded already. */
#define TEXT_PRINT_MAX 8192
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first bytes. */
void text_consume(struct text *text, size_t bytes);
void text_free(struct text *text);

/* "5m", "1h30m", "-1.5s", "0": Go's time.ParseDuration. 0 and nanoseconds, or -EINVAL with Go's own
 * words for it in why. */
int duration_parse(const char *text, int64_t *ret_ns, char *why, size_t why_size);
/* "2026-11-21T03:41:42.431034603Z": wall_ns since the epoch and plus_ns more (the sum may be beyond
 * 2262, as Ollama's forever is); trailing zeros of the fraction are cut as Go does. */
#define TIME_TEXT_SIZE 40
void time_text(int64_t wall_ns, int64_t plus_ns, char text[TIME_TEXT_SIZE]);
/* "4711", "512m", "2g" (k, m, g, t of 1,024) to bytes; 0 or -EINVAL. */
int bytes_parse(const char *text, uint64_t *ret_bytes);

/* FNV-1a, 64 bits. */
uint64_t text_hash(const void *data, size_t len);

#endif
