/* What the commands that watch or heal say, for a person. */
#ifndef SUPERVISOR_CLI_SAY_H
#define SUPERVISOR_CLI_SAY_H

#include "act/healer.h"
#include "base/append.h"
#include <jansson.h>
#include <stdio.h>

/* "2.0 GiB -> 9.0 MiB (2157969408 -> 9437184 bytes, 99.6 % less)"; "unknown" parts said so. */
const char *say_change(fact before, fact after, char *text, size_t size);
/* In a place of its own, which lives as long as the block around it. */
#define SHOWN_CHANGE(before, after) say_change((before), (after), (char[160]){0}, 160)

/* One sentence with the numbers: "the server itself holds 2.0 GiB (baseline 128 MiB) …". */
const char *say_verdict(const struct verdict *verdict, char *text, size_t size);
/* In a place of its own as well. */
#define SHOWN_VERDICT(verdict) say_verdict((verdict), (char[600]){0}, 600)

/* On one line of stdout; takes over the reference. */
void say_json(json_t *json);
/* The same by flags of json_dumpf. */
void say_json_by(json_t *json, size_t flags);

/* A progress line on stderr, only on a terminal; "" clears it. */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define say_clear() say_progress("%s", "")

/* ---- a bar for what takes long. On a terminal it is drawn anew; elsewhere a line tells every few
 * seconds how far it is. On stderr: stdout is for results. */

struct progress {
    bool shown;     /* a bar stands on the terminal */
    char what[128]; /* of the last call */
    double started_s, told_s;
    fact first; /* bytes at its beginning: what a download goes on from */
    bool begun;
};

/* Bytes; total unknown or 0: only what has come is told. */
void progress_show(struct progress *progress, const char *what, fact current, fact total);
/* Takes the bar away; the next progress_show begins anew. */
void progress_end(struct progress *progress);

#endif
