/* What the commands that watch or heal say, for a person. */
#ifndef SUPERVISOR_CLI_SAY_H
#define SUPERVISOR_CLI_SAY_H

#include "act/healer.h"
#include <jansson.h>
#include <stdio.h>

/* "2.0 GiB -> 9.0 MiB (2157969408 -> 9437184 bytes, 99.6 % less)"; "unknown" parts said so. */
const char *say_change(fact before, fact after, char *text, size_t size);

/* One sentence with the numbers: "the server itself holds 2.0 GiB (baseline 128 MiB) …". */
const char *say_verdict(const struct verdict *verdict, char *text, size_t size);

/* Behind what text says already, as far as there is room for it. */
void say_append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* On one line of stdout. */
void say_json(const json_t *json);

/* A progress line on stderr, only on a terminal; NULL clears it. */
void say_progress(const char *text);

#endif
