/* supervisor events: what happened, from the history. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/say.h"
#include "keep/history.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

/* ---- an event as a row of a table and as a JSON line */

enum { TIME_COLUMNS = 19, NAME_COLUMNS = 16, TEXT_MAX = 1024 };

static const json_t *number(const json_t *numbers, const char *name)
{
    const json_t *value = json_object_get(numbers, name);
    return json_is_number(value) ? value : NULL;
}

static void say_bytes(char *text, const json_t *numbers, const char *name, const char *words)
{
    const json_t *value = number(numbers, name);
    if (value)
        text_append(text, TEXT_MAX, "; %s %s", words, SHOWN((fact)json_number_value(value)));
}

static void say_change_of(char *text, const json_t *numbers, const char *before, const char *after,
                          const char *words)
{
    const json_t *b = number(numbers, before), *a = number(numbers, after);
    if (!b && !a)
        return;
    text_append(text, TEXT_MAX, "; %s%s", words,
                SHOWN(b ? (fact)json_number_value(b) : FACT_UNKNOWN));
    if (a)
        text_append(text, TEXT_MAX, " -> %s", SHOWN((fact)json_number_value(a)));
}

/* "idle-leak raised", "restart for idle-leak begins, attempt 2", "healed by restart …". */
static void say_what(char *text, const struct history_event *e, const json_t *numbers)
{
    static const struct {
        const char *kind, *words; /* %s: the step */
        bool deed;                /* what it is for is said too */
    } known[] = {
        {"found", "is supervised", false},
        {"gone", "was removed", false},
        {"started", "started", false},
        {"died", "ended", false},
        {"engine-lost", "engine lost", false},
        {"engine-back", "engine back", false},
        {"ollama-lost", "Ollama does not answer", false},
        {"ollama-back", "Ollama answers again", false},
        {"cgroup-lost", "its cgroup cannot be read", false},
        {"label-refused", "label refused", false},
        {"unread", "the engine's answer is not understood", false},
        {"too-many", "too many containers", false},
        {"supervisor-started", "supervisor started", false},
        {"supervisor-ended", "supervisor ended", false},
        {"released", "released by hand", false},
        {"adopted", "adopted", false},
        {"abandoned", "abandoned", false},
        {"asked", "%s asked for by the API", false},
        {"asked-ended", "%s that was asked for has ended", false},
        {"stopped", "stopped by the kill switch", false},
        {"would-act", "would do: %s", true},
        {"acting", "%s begins", true},
        {"healed", "healed by %s", true},
        {"applied", "%s applied", true},
        {"not-healed", "not healed by %s", true},
        {"pulled", "pulled", true},
        {"not-pulled", "not pulled", true},
        {"dropped", "%s dropped", true},
        {"pending", "%s is pending", true},
        {"hold", "HOLD, no %s any more", true},
        {"hold-over", "hold over", true},
        {"back-off", "%s waits", true},
        {"locked", "%s left to another supervisor", true},
        {"not-remembered", "%s not done: it cannot be remembered", true},
        {"taken-up", "%s of an earlier supervisor taken up", true},
    };
    if (!strcmp(e->kind, "raised") || !strcmp(e->kind, "cleared")) {
        text_append(text, TEXT_MAX, "%s %s", e->verdict, e->kind);
        return;
    }
    const char *words = e->kind; /* of a newer supervisor */
    bool deed = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].kind, e->kind)) {
            words = known[i].words;
            deed = known[i].deed;
        }
    const char *at = strstr(words, "%s");
    text_append(text, TEXT_MAX, "%.*s%s%s", at ? (int)(at - words) : TEXT_MAX, words,
                !at        ? ""
                : *e->step ? e->step
                           : "remedy",
                at ? at + 2 : "");
    if (!deed)
        return;
    if (*e->verdict)
        text_append(text, TEXT_MAX, " (%s)", e->verdict);
    const json_t *attempt = number(numbers, "attempt");
    if (attempt && json_integer_value(attempt) > 1)
        text_append(text, TEXT_MAX, ", attempt %lld", (long long)json_integer_value(attempt));
}

static void say_event(char *text, const struct history_event *e)
{
    json_t *numbers = json_loads(e->numbers, 0, NULL);
    text[0] = '\0';
    say_what(text, e, numbers);
    if (*member_string_or(numbers, "model", ""))
        text_append(text, TEXT_MAX, ", %s", member_string_or(numbers, "model", ""));
    if (!strcmp(e->kind, "found"))
        text_append(text, TEXT_MAX, ", mode %s", member_string_or(numbers, "mode", ""));
    const json_t *exit_code = number(numbers, "exit_code"), *took_s = number(numbers, "took_s");
    if (exit_code)
        text_append(text, TEXT_MAX, ", exit %lld", (long long)json_integer_value(exit_code));
    say_change_of(text, numbers, "before", "after", "held ");
    if (!strcmp(e->kind, "healed"))
        say_bytes(text, numbers, "expected", "expected");
    say_change_of(text, numbers, "page_cache_before", "page_cache_after", "page cache ");
    if (!strcmp(e->kind, "raised"))
        say_bytes(text, numbers, "held", "held");
    if (!strcmp(e->step, "limit") || !strcmp(e->step, "high"))
        say_bytes(text, numbers, "wanted", "wanted");
    if (took_s)
        text_append(text, TEXT_MAX, " in %s", SHOWN_S(json_number_value(took_s)));
    if (*e->outcome && strcmp(e->outcome, "exited") != 0)
        text_append(text, TEXT_MAX, ": %s", e->outcome);
    json_decref(numbers);
}

/* Local time, container, what happened with its numbers; wrapped at width. heading: the names of
 * the columns go before it. */
static void event_row(const struct history_event *e, bool heading, int width, FILE *to)
{
    char text[TEXT_MAX], when[32], name[NAME_COLUMNS + 1];
    time_t at = (time_t)(e->wall_ms / 1000);
    struct tm local;
    if (heading)
        fprintf(to, "%-*s %-*s %s\n", TIME_COLUMNS, "TIME", NAME_COLUMNS, "CONTAINER", "WHAT");
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&at, &local));
    snprintf(name, sizeof name, "%s", *e->name ? e->name : "-");
    if (strlen(e->name) > NAME_COLUMNS)
        name[NAME_COLUMNS - 1] = '+'; /* cut */
    say_event(text, e);
    int column = TIME_COLUMNS + NAME_COLUMNS + 2;
    fprintf(to, "%-*s %-*s ", TIME_COLUMNS, when, NAME_COLUMNS, name);
    help_wrap(to, text, column, column, width > column + 20 ? width : column + 20);
}

/* {"id":…,"time":"…Z","boot":"…","boottime":…,"container":"…","container_id":"…","event":"raised",
 * "verdict":…,"step":…,"text":…,"numbers":{…}}; what is not there is absent. */
static void event_json(const struct history_event *e, FILE *to)
{
    char when[32];
    json_t *line = json_object(), *numbers = json_loads(e->numbers, 0, NULL);
    clock_format(e->wall_ms, when, sizeof when);
    json_object_set_new(line, "id", json_integer(e->id));
    put_text(line, "time", when);
    put_text(line, "boot", e->boot_id);
    json_object_set_new(line, "boottime", json_real(e->boottime_s));
    put_text(line, "container", e->name);
    put_text(line, "container_id", e->container);
    put_text(line, "event", e->kind);
    put_text(line, "verdict", e->verdict);
    put_text(line, "step", e->step);
    put_text(line, "text", e->outcome);
    json_object_set_new(line, "numbers", numbers ? numbers : json_object());
    json_dumpf(line, to, JSON_COMPACT | JSON_REAL_PRECISION(15));
    fputc('\n', to);
    json_decref(line);
}

/* ---- the command */

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
    fact value = 0;
    bool digits = text[strspn(text, "0123456789")] == '\0';
    if (!digits || count_parse(text, &value, NULL) < 0 || value < 1 || value > LIMIT_MAX)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--limit: \"%.80s\" is no number from 1 to %d", text, LIMIT_MAX);
    *ret_limit = (size_t)value;
    return 0;
}

/* Those behind the last one shown. -ENOENT: there is no history (yet). */
static int read_events(struct events *e, struct error *err)
{
    struct keep_history *history;
    int r = keep_history_read(e->state, false, &history, err);
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
