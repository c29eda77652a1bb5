#include "cli/full_report.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/say.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <string.h>

enum { LABEL_COLUMNS = 10 };

static const char *end_name(enum step_end end)
{
    static const char *const names[] = {"done",    "nothing to do",  "would",  "pending",
                                        "skipped", "needs a person", "failed", "interrupted"};
    return names[end];
}

static bool is(const json_t *row, const char *name, const char *word)
{
    return strcmp(member_string_or(row, name, ""), word) == 0;
}

/* The label stands in the first line of a step only. */
static void line(const struct full_report *report, const char *label, const char *text)
{
    printf("%-*s", LABEL_COLUMNS, label);
    help_wrap(stdout, text, LABEL_COLUMNS, LABEL_COLUMNS, report->width);
}

const char *full_row_text(const json_t *row, char *text, size_t size)
{
    const char *name = member_string_or(row, "container", ""), *step = member_string(row, "step"),
               *verdict = member_string_or(row, "verdict", "");

    if (is(row, "result", "healed") && step && *step)
        snprintf(text, size, "%.200s: %s, healed by %s in %.1f s: %s", name, verdict, step,
                 json_number_value(json_object_get(row, "took_s")),
                 SHOWN_CHANGE(member_fact(row, "before"), member_fact(row, "after")));
    else if (step) /* a row of fix-ollama names it by itself */
        snprintf(text, size, "%.200s: %s", name, member_string_or(row, "text", ""));
    else
        snprintf(text, size, "%.200s: %s: %s", name, verdict, member_string_or(row, "text", ""));
    return text;
}

/* "2 containers, 1 of them in mode enforce; 20.7 GiB of 23.5 GiB available", then what is wrong. */
static void print_world(const struct full_report *report, const json_t *world)
{
    const json_t *containers = json_object_get(world, "containers"),
                 *host = json_object_get(world, "host"), *value;
    char text[600];
    size_t i, n = json_array_size(containers), enforced = 0;

    json_array_foreach(containers, i, value) enforced += is(value, "mode", "enforce");
    snprintf(text, sizeof text, "%zu container%s, %zu in mode enforce; %s of %s available", n,
             n == 1 ? "" : "s", enforced, SHOWN(member_fact(host, "available")),
             SHOWN(member_fact(host, "total")));
    line(report, "status", text);
    json_array_foreach(json_object_get(world, "verdicts"), i, value)
    {
        snprintf(text, sizeof text, "%.200s: %s (%s)", member_string_or(value, "container", ""),
                 member_string_or(value, "verdict", ""), member_string_or(value, "state", ""));
        line(report, "", text);
    }
}

static void print_test(const struct full_report *report, const json_t *result)
{
    const json_t *row;
    char text[900];
    size_t i;

    json_array_foreach(json_object_get(result, "sizes"), i, row)
    {
        const char *size = SHOWN(member_fact(row, "size"));
        if (json_is_true(json_object_get(row, "had")))
            snprintf(text, sizeof text, "%s: had; %s touched in %.1f s", size,
                     SHOWN(member_fact(row, "touched")),
                     json_number_value(json_object_get(row, "seconds")));
        else
            snprintf(text, sizeof text, "%s: %s: %.700s", size,
                     member_string_or(row, "outcome", ""), member_string_or(row, "reason", ""));
        line(report, i ? "" : "test", text);
    }
}

static void print_step(const struct full_report *report, const struct full_step *step)
{
    const json_t *row;
    const char *label = step->name;
    char text[1000];
    size_t i;

    if (strcmp(step->name, "status") == 0 && step->result) {
        print_world(report, step->result);
        label = "";
    } else if (json_is_object(step->result)) {
        print_test(report, step->result);
        label = json_array_size(json_object_get(step->result, "sizes")) > 0 ? "" : label;
    }
    json_array_foreach(json_is_array(step->result) ? step->result : NULL, i, row)
    {
        line(report, label, full_row_text(row, text, sizeof text));
        label = "";
    }
    if (step->note[0]) {
        line(report, label, step->note);
        label = "";
    }
    if (*label)
        line(report, label, end_name(step->end));
    fflush(stdout);
}

static void add_json(struct full_report *report, const struct full_step *step)
{
    json_t *object = json_pack("{s:s, s:s, s:f, s:o*, s:o*, s:o*}", "step", step->name, "result",
                               end_name(step->end), "took_s", clock_boottime_s() - step->began_s,
                               "note", json_told(step->note), "why", json_told(step->why),
                               "command", json_told(step->command));
    const char *name = json_is_array(step->result)         ? "rows"
                       : strcmp(step->name, "status") == 0 ? "world"
                                                           : "report";
    if (step->result)
        json_object_set(object, name, step->result);
    json_array_append_new(report->steps, object);
}

void full_report_add(struct full_report *report, const struct full_step *step)
{
    bool world = strcmp(step->name, "status") == 0, test = strcmp(step->name, "test") == 0;

    if (world && step->result) {
        fact available = member_fact(json_object_get(step->result, "host"), "available");
        if (!fact_known(report->available_before))
            report->available_before = available;
        report->available_after = available;
    }
    report->changed |= !world && !test && step->end == STEP_DONE;
    report->would |= !world && !test && step->end == STEP_WOULD;
    if (step->end >= STEP_PERSON && report->stopped.name == NULL)
        report->stopped = *step;
    add_json(report, step);
    if (!report->json)
        print_step(report, step);
}

static void end_json(const struct full_report *report, int signal)
{
    fact before = report->available_before, after = report->available_after;
    json_t *object = json_pack("{s:b, s:b, s:O, s:s*, s:o*, s:o*}", "dry_run", report->dry_run,
                               "changed", report->changed, "steps", report->steps, "stopped_at",
                               report->stopped.name, "why", json_told(report->stopped.why),
                               "command", json_told(report->stopped.command));
    if (fact_known(before) && fact_known(after)) {
        put_known(object, "available_before", before);
        put_known(object, "available_after", after);
        json_object_set_new(object, "available_change", json_integer(after - before));
    }
    if (signal)
        json_object_set_new(object, "signal", json_integer(signal));
    say_json(object);
}

void full_report_end(struct full_report *report, int signal)
{
    char text[1400];

    if (report->json) {
        end_json(report, signal);
        return;
    }
    if (fact_known(report->available_before) && fact_known(report->available_after)) {
        snprintf(text, sizeof text, "available: %s",
                 SHOWN_CHANGE(report->available_before, report->available_after));
        line(report, "memory", text);
    }
    if (signal)
        line(report, "stopped", "interrupted; what was done until then stands above");
    else if (report->stopped.name) {
        snprintf(text, sizeof text, "at %s%s%s", report->stopped.name,
                 report->stopped.why[0] ? ", which needs a person: "
                                        : ", which failed: the reason is told on stderr",
                 report->stopped.why);
        line(report, "stopped", text);
        if (report->stopped.command[0])
            line(report, "next", report->stopped.command);
    } else if (!report->changed) {
        line(report, "result",
             report->would ? "dry run: nothing was done" : "there was nothing to do");
    }
}
