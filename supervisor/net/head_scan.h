/* The grammar of a message's head (RFC 9112), byte by byte and without any leniency. It finds where
 * the head ends, and what llhttp or a lenient server in front of us could read in two ways: it is
 * fed before llhttp, which gets what passed here and nothing else. Pure; allocates nothing. */
#ifndef SUPERVISOR_NET_HEAD_SCAN_H
#define SUPERVISOR_NET_HEAD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct head_scan {
    uint8_t state;
    uint8_t at; /* byte of the version */
    uint8_t empty_lines;
};

/* Before a request line. */
void head_scan_request(struct head_scan *scan);
/* Before the status line of an answer. */
void head_scan_answer(struct head_scan *scan);
/* Before the first trailer, or the empty line where there is none. */
void head_scan_trailers(struct head_scan *scan);

/* Reads up to the end of the head, or all of data. Returns how many bytes that were; *ret_wrong is
 * NULL, or a sentence (static) about the byte behind them. */
size_t head_scan_feed(struct head_scan *scan, const char *data, size_t length,
                      const char **ret_wrong);
/* Whether a byte was read that is no empty line before the request. */
bool head_scan_begun(const struct head_scan *scan);
bool head_scan_done(const struct head_scan *scan);

#endif
