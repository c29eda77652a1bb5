/* What intents of the past count for: the restart budget, and how a container was left. */
#include "base/clock.h"
#include "keep/private.h"

#include <stdio.h>
#include <string.h>

static const double hour_s = 3600;

struct keep_now keep_now_is(const char *boot_id)
{
    struct keep_now now = {.wall_ms = clock_wall_ms(), .boottime_s = clock_boottime_s()};
    snprintf(now.boot_id, sizeof now.boot_id, "%s", boot_id);
    return now;
}

static double age_s(const struct keep_now *now, const char *boot_id, double boottime_s,
                    int64_t wall_ms)
{
    double age = (double)(now->wall_ms - wall_ms) / 1000;
    if (!now->boot_id[0] || !boot_id[0]) /* of which boot is unknown */
        return age > 0 ? age : 0;
    if (!strcmp(boot_id, now->boot_id))
        return now->boottime_s > boottime_s ? now->boottime_s - boottime_s : 0;
    /* Of another boot: before this one began, whatever the wall clock said then. */
    return age > now->boottime_s ? age : now->boottime_s;
}

double keep_intent_age_s(const struct intent *intent, const struct keep_now *now)
{
    return age_s(now, intent->boot_id, intent->begun_boottime_s, intent->begun_wall_ms);
}

double keep_age_of(sqlite3_stmt *statement, int column, const struct keep_now *now)
{
    return age_s(now, keep_text_of(statement, column), sqlite3_column_double(statement, column + 1),
                 sqlite3_column_int64(statement, column + 2));
}

/* The first row of a statement into *last, where it is newer. */
static void take_newer(struct keep *keep, const char *sql, const char *container,
                       const struct keep_now *now, struct keep_last *last)
{
    KEEP_STATEMENT *row = keep_prepare(keep, sql, "t", container);
    if (!keep_row(keep, row) || sqlite3_column_int64(row, 0) <= last->id)
        return;
    last->id = sqlite3_column_int64(row, 0);
    last->stop = !strcmp(keep_text_of(row, 1), "stop");
    last->start = !last->stop && !strcmp(keep_text_of(row, 2), KEEP_START);
    last->state = (enum intent_state)sqlite3_column_int(row, 3);
    text_copy(last->started_at, sizeof last->started_at, keep_text_of(row, 4));
    text_copy(last->outcome, sizeof last->outcome, keep_text_of(row, 5));
    last->age_s = keep_age_of(row, 6, now);
}

#define LAST                                                                                       \
    "SELECT id, step, verdict, state, started_at, outcome, boot_id, begun_boottime_s,"             \
    " begun_wall_ms FROM intents WHERE container = ?1 AND "

int keep_last(struct keep *keep, const char *container, const struct keep_now *now,
              struct keep_last *ret_last, struct error *err)
{
    KEEP_LOCKED(keep);
    struct keep_last last = {0};
    take_newer(keep, LAST "step = 'stop' ORDER BY id DESC LIMIT 1", container, now, &last);
    take_newer(keep, LAST "step = 'restart' ORDER BY id DESC LIMIT 1", container, now, &last);
    *ret_last = last;
    return keep_done(keep, "read how it was left", err);
}

int keep_starts(struct keep *keep, const struct intent *intent, size_t *ret_n, struct error *err)
{
    KEEP_LOCKED(keep);
    int64_t n = keep_number(keep, 0,
                            "SELECT count(*) FROM intents WHERE container = ? AND step = 'restart'"
                            " AND verdict = '" KEEP_START "' AND state <> 3 AND started_at = ?",
                            "tt", intent->container, intent->started_at);
    *ret_n = (size_t)n;
    return keep_done(keep, "read the starts", err);
}

int keep_restarts(struct keep *keep, const char *key, const struct keep_now *now,
                  struct restart_history *ret_history, struct error *err)
{
    KEEP_LOCKED(keep);
    struct restart_history history = {.last_age_s = -1};
    KEEP_STATEMENT *row =
        keep_prepare(keep,
                     "SELECT id, attempt, boot_id, begun_boottime_s, begun_wall_ms FROM"
                     " intents WHERE key = ?1 AND step = 'restart' AND state <> 3 AND id >"
                     " ifnull((SELECT released_id FROM keys WHERE key = ?1), 0) ORDER BY id DESC",
                     "t", key);
    while (keep_row(keep, row)) {
        double age = keep_age_of(row, 2, now);
        if (history.last_id == 0) {
            history.last_id = sqlite3_column_int64(row, 0);
            history.last_attempt = sqlite3_column_int64(row, 1);
            history.last_age_s = age;
        }
        if (age >= hour_s)
            continue;
        history.in_last_hour++;
        if (age > history.oldest_in_hour_age_s)
            history.oldest_in_hour_age_s = age;
    }
    *ret_history = history;
    return keep_done(keep, "read the restarts", err);
}
