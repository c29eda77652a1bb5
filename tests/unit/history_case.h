/* A history in a test's own state directory: opened, written, read back. */
#ifndef TESTS_UNIT_HISTORY_CASE_H
#define TESTS_UNIT_HISTORY_CASE_H

#include "keep/history.h"
#include "keep_place.h"

enum { HOUR_S = 3600, DAY_S = 86400, BOUND = 64 << 20 };

extern const int64_t history_noon_ms;
extern const char history_id_a[], history_id_b[];
extern struct error history_err; /* of the last call */

/* These must succeed. */
struct keep_history *history_open_bounded(const struct place *place, fact max_bytes);
struct keep_history *history_open(const struct place *place);
struct keep_history *history_open_reader(const struct place *place);
/* The first column of the first row of history.db. */
int64_t history_number_of(const struct place *place, const char *sql);

/* An empty one of the boot "boot-one", so long after noon. */
struct history_batch history_batch_at(double boottime_s);
struct history_event history_event_of(const char *kind, const char *id, const char *name,
                                      int64_t wall_ms);
int history_write_event(struct keep_history *history, struct history_event event);

/* The events that pass the filter: their kinds, each with a space behind, and the last one. */
struct history_heard {
    size_t n;
    char kinds[512];
    int64_t first_id, last_id;
    struct history_event last;
    char name[64], outcome[64], numbers[64];
};
struct history_heard history_hear_events(const struct place *place, struct history_filter filter);
void history_hear(void *userdata, const struct history_event *event);

#endif
