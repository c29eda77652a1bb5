#include "tell/serve/metrics_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(struct metrics *m, const char *text, size_t length)
{
    if (!m->failed && buffer_append(&m->text, text, length) < 0)
        m->failed = true;
}

static void say(struct metrics *m, const char *text)
{
    put(m, text, strlen(text));
}

static void family(struct metrics *m, const char *name, const char *help, bool counter)
{
    char line[400];
    const char *end = counter && !m->open ? "_total" : "";
    m->name = name;
    m->counter = counter;
    snprintf(line, sizeof line, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help, name, end,
             counter ? "counter" : "gauge");
    say(m, line);
}

void metrics_gauge(struct metrics *metrics, const char *name, const char *help)
{
    family(metrics, name, help, false);
}

void metrics_counter(struct metrics *metrics, const char *name, const char *help)
{
    family(metrics, name, help, true);
}

static void escaped(struct metrics *m, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            say(m, "\\n");
        else if (*value == '"' || *value == '\\')
            put(m, (const char[]){'\\', *value}, 2);
        else
            put(m, value, 1);
    }
}

void metrics_sample(struct metrics *metrics, const char *const *labels, double value)
{
    char number[40];
    if (!isfinite(value))
        return;
    say(metrics, metrics->name);
    if (metrics->counter)
        say(metrics, "_total");
    for (size_t i = 0; labels[i]; i += 2) {
        say(metrics, i ? "," : "{");
        say(metrics, labels[i]);
        say(metrics, "=\"");
        escaped(metrics, labels[i + 1]);
        say(metrics, "\"");
    }
    if (labels[0])
        say(metrics, "}");
    bool whole = value == floor(value) && fabs(value) < 9007199254740992.0;
    snprintf(number, sizeof number, whole ? " %.0f\n" : " %.9g\n", value);
    say(metrics, number);
}

void metrics_end(struct metrics *metrics)
{
    if (metrics->open)
        say(metrics, "# EOF\n");
}
