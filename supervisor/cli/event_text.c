#include "cli/event_text.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/say.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <jansson.h>
#include <string.h>
#include <time.h>

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
        {"stopped", "stopped by the kill switch", false},
        {"would-act", "would do: %s", true},
        {"acting", "%s begins", true},
        {"healed", "healed by %s", true},
        {"applied", "%s applied", true},
        {"not-healed", "not healed by %s", true},
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

void event_row(const struct history_event *e, bool heading, int width, FILE *to)
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

void event_json(const struct history_event *e, FILE *to)
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
