/* supervisor events: what happened, from the history. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/event_text.h"
#include "keep/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 100000, FOLLOW_PAUSE_S = 1 };

struct events {
    struct history_filter filter;
    const char *state;
    bool json;
    int width;
    size_t shown;
};

static void show(void *userdata, const struct history_event *event)
{
    struct events *e = userdata;
    if (e->json)
        event_json(event, stdout);
    else
        event_row(event, e->shown == 0, e->width, stdout);
    e->shown++;
    if (event->id > e->filter.after_id)
        e->filter.after_id = event->id;
}

/* "90m", "2d": so long ago; else a time: RFC 3339, or "2026-11-21", "2026-11-21 10:15[:30]" in
 * local time. */
static int since_parse(const char *text, int64_t now_ms, int64_t *ret_ms, struct error *err)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d",
                                        "%Y-%m-%dT%H:%M:%S", "%H:%M:%S",       "%H:%M"};
    double ago_s;
    if (clock_parse(text, ret_ms) == 0)
        return 0;
    if (duration_parse(text, &ago_s, NULL) == 0) {
        *ret_ms = now_ms - (int64_t)(ago_s * 1000);
        return 0;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        time_t now = (time_t)(now_ms / 1000);
        struct tm at;
        localtime_r(&now, &at); /* a time alone is today's */
        at.tm_hour = at.tm_min = at.tm_sec = 0;
        const char *end = strptime(text, forms[i], &at);
        at.tm_isdst = -1;
        time_t seconds = end && *end == '\0' ? mktime(&at) : -1;
        if (seconds != -1) {
            *ret_ms = (int64_t)seconds * 1000;
            return 0;
        }
    }
    return error_set(err, FAILURE_USAGE, -EINVAL,
                     "--since: \"%.80s\" is neither a duration (90m, 2d) nor a time (2026-11-21, "
                     "\"2026-11-21 10:15\", 10:15)",
                     text);
}

static int limit_parse(const char *text, size_t *ret_limit, struct error *err)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= 1 && value <= LIMIT_MAX) {
        *ret_limit = (size_t)value;
        return 0;
    }
    return error_set(err, FAILURE_USAGE, -EINVAL, "--limit: \"%.80s\" is no number from 1 to %d",
                     text, LIMIT_MAX);
}

/* Those behind the last one shown. -ENOENT: there is no history (yet). */
static int read_events(struct events *e, struct error *err)
{
    struct keep_history *history;
    int r = keep_history_open_reader(e->state, &history, err);
    if (r < 0)
        return r == -ENOTDIR ? -ENOENT : r;
    r = keep_history_events(history, &e->filter, show, e, NULL, err);
    keep_history_close(history);
    fflush(stdout);
    return r;
}

static int follow(struct events *e, struct error *err)
{
    static const struct timespec pause = {.tv_sec = FOLLOW_PAUSE_S};
    e->filter.limit = LIMIT_MAX;
    for (;;) {
        nanosleep(&pause, NULL);
        int r = read_events(e, err);
        if (ferror(stdout))
            return FAILURE_JOB;
        if (r < 0 && r != -ENOENT && r != -EBUSY)
            return cli_fail(err);
    }
}

int cmd_events(struct cli *cli)
{
    struct error err = {0};
    const char *since = cli_value(cli, "since"), *limit = cli_value(cli, "limit");
    struct events e = {.filter = {.container = cli->operands[0], .limit = LIMIT_DEFAULT},
                       .state = config_settings(cli->config)->state,
                       .json = cli_has(cli, "json"),
                       .width = cli_width()};
    if (since && since_parse(since, clock_wall_ms(), &e.filter.since_wall_ms, &err) < 0)
        return cli_fail(&err);
    if (since)
        e.filter.limit = LIMIT_MAX;
    if (limit && limit_parse(limit, &e.filter.limit, &err) < 0)
        return cli_fail(&err);
    int r = read_events(&e, &err);
    if (r < 0 && r != -ENOENT)
        return cli_fail(&err);
    const char *name = e.filter.container, *prefix = e.json ? "supervisor: " : "";
    FILE *to = e.json ? stderr : stdout;
    if (e.shown == 0 && r == -ENOENT)
        fprintf(to, "%sthere is no history in %s: no supervisor has run with it\n", prefix,
                e.state);
    else if (e.shown == 0)
        fprintf(to, "%snothing happened%s%s%s\n", prefix, name ? " to " : "", name ? name : "",
                since ? " since then" : "");
    if (cli_has(cli, "follow"))
        return follow(&e, &err);
    return ferror(stdout) ? FAILURE_JOB : 0;
}
