/* Byte sizes, durations and percentages as people write and read them. */
#ifndef SUPERVISOR_BASE_SIZE_H
#define SUPERVISOR_BASE_SIZE_H

#include "base/error.h"
#include "base/fact.h"
#include <stddef.h>

/* -EINVAL or such, FAILURE_USAGE: `"VALUE" WHY`, of the value's first characters. */
enum { VALUE_SHOWN_MAX = 64 };
int value_refuse(struct error *err, int code, const char *value, const char *why);

/* "28g", "512M", "1.5GiB", "8GB" (all binary: 1 GB of a limit is 1 GiB, docs/judgement.md,
 * Deploying), "1048576" (bytes). -EINVAL with a sentence
 * ("28x" has no unit I know: use k, m, g or t), -ERANGE above 2^53. */
int size_parse(const char *text, fact *ret_bytes, struct error *err);
/* "60" or "60s", "500ms", "5m", "1.5h", "1d", "1h 30m" -> seconds; -ERANGE above 10^9. */
int duration_parse(const char *text, double *ret_seconds, struct error *err);
/* "5" or "5%" -> 5.0; -ERANGE above 10^6: the caller has the closer bound. */
int percent_parse(const char *text, double *ret_percent, struct error *err);

/* "3B", "494.03M", "137K", "70000": a count, as of a model's parameters, by thousands; -ERANGE
 * above 2^53. */
int count_parse(const char *text, fact *ret_count, struct error *err);
/* "3B", "1500M", "137": exact, as count_parse reads it back. count: known. text: at least 24 bytes.
 * Returns text. */
const char *count_exact(fact count, char *text, size_t size);

/* "25.2 GiB", "8.0 MiB", "512 B", "-" for none, "?" for unknown. text: at least 16 bytes. Returns
 * text. */
const char *size_format(fact bytes, char *text, size_t size);
/* "28g", "512m", "1610612737": exact, as size_parse reads it back. bytes: known. text: at least 24
 * bytes. Returns text. */
const char *size_exact(fact bytes, char *text, size_t size);
/* "3d 04h", "1h 04m", "12m 30s", "4.2 s", "20 ms", "?" for what is negative or no number. */
const char *duration_format(double seconds, char *text, size_t size);
/* Both in a place of their own, which lives as long as the block around it: for sentences. */
#define SHOWN(bytes)     size_format((bytes), (char[16]){0}, 16)
#define SHOWN_S(seconds) duration_format((seconds), (char[24]){0}, 24)

/* The place of the word among these, or -1. */
int word_find(const char *const *words, size_t n, const char *word);
/* Edit distance based: the candidate nearest to word, NULL if none is near enough to be meant (more
 * than a third of the letters of the longer one differ; neighbours that are swapped count once) and
 * it is not the beginning (3 letters or more) of exactly one of them. */
const char *nearest(const char *word, const char *const *candidates, size_t n);
/* What a refusal of the word ends with: `before`, the nearest one, "?"; `otherwise` where there is
 * none. Returns text. */
enum { MEANT_SIZE = 320 };
const char *meant(const char *word, const char *const *candidates, size_t n, const char *before,
                  const char *otherwise, char text[static MEANT_SIZE]);
/* In a place of its own, which lives as long as the block around it. */
#define MEANT(...) meant(__VA_ARGS__, (char[MEANT_SIZE]){0})

#endif
