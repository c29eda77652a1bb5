/* supervisor full-optimization: status, fix, limits, policy, test, status, as one report.
 * Each step is the command itself; it ends at the first one that needs a person. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/full_report.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "sense/host.h"
#include "sense/json_member.h"

#include <signal.h>
#include <string.h>

struct optimization {
    struct cli *cli;
    struct full_report report;
    struct test_wish test; /* no size: what the host can have now */
    bool skip_test;
    int signal;    /* Ctrl-C */
    int status;    /* of what failed */
    json_t *world; /* the first one */
};

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

/* While a step turns its loop the loop has them; it gives them back as they were by default. */
static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Ends the step: what its status says, then the report. true: go on. */
static bool end_step(struct optimization *o, struct full_step *step, int status)
{
    catch_signals();
    if (status >= 128 || caught) {
        o->signal = status >= 128 ? status - 128 : caught;
        step->end = STEP_INTERRUPTED;
    } else if (status != 0 && step->end != STEP_PERSON) {
        o->status = status;
        step->end = STEP_FAILED;
    }
    full_report_add(&o->report, step);
    return step->end < STEP_PERSON;
}

static bool run_status(struct optimization *o, json_t **ret_world)
{
    struct full_step step = {.name = "status", .end = STEP_DONE, .began_s = clock_boottime_s()};
    bool go_on = end_step(o, &step, step_status(o->cli, NULL, true, &step.result));
    *ret_world = step.result;
    return go_on;
}

static const json_t *row_with(const json_t *rows, const char *result)
{
    return member_find(rows, "result", result);
}

static void needs_person(struct full_step *step, const json_t *row)
{
    step->end = STEP_PERSON;
    full_row_text(row, step->why, sizeof step->why);
}

static void judge_fix(struct full_step *step, int status)
{
    const json_t *row = row_with(step->result, "not-healed");
    if (row == NULL)
        row = row_with(step->result, "unknown");
    if (row != NULL && status < 128) {
        needs_person(step, row);
        /* Where force would help the sentence says so. */
        bool force = strstr(member_string_or(row, "text", ""), "--force") != NULL;
        snprintf(step->command, sizeof step->command, "supervisor fix-ollama %s%.256s",
                 force ? "--force " : "", member_string_or(row, "container", ""));
    } else if (row_with(step->result, "would-heal") != NULL) {
        step->end = STEP_WOULD;
    } else {
        step->end = row_with(step->result, "healed") != NULL ? STEP_DONE : STEP_NOTHING;
    }
}

static void judge_enforce(struct full_step *step, int status)
{
    const json_t *row = row_with(step->result, "failed");
    const json_t *floor = json_object_get(row, "floor");
    if (row != NULL && status != 0 && status < 128) {
        needs_person(step, row);
        if (json_is_integer(floor)) /* in MiB, upwards */
            snprintf(step->command, sizeof step->command,
                     "supervisor enforce %.256s --set memory.limit=%lldm",
                     member_string_or(row, "container", ""),
                     (long long)((json_integer_value(floor) + (1 << 20) - 1) >> 20));
        else
            snprintf(step->command, sizeof step->command, "supervisor enforce %.256s",
                     member_string_or(row, "container", ""));
    } else if (row != NULL) {
        step->end = STEP_PENDING;
    } else if (row_with(step->result, "would") != NULL) {
        step->end = STEP_WOULD;
    } else {
        step->end = row_with(step->result, "done") != NULL ? STEP_DONE : STEP_NOTHING;
    }
}

/* A step that gives rows. */
struct row_step {
    const char *name;
    int (*function)(struct cli *cli, json_t **ret_rows);
    void (*judge)(struct full_step *step, int status);
};

static bool run_rows(struct optimization *o, const struct row_step *kind)
{
    struct full_step step = {.name = kind->name, .began_s = clock_boottime_s()};
    int status = kind->function(o->cli, &step.result);
    kind->judge(&step, status);
    bool go_on = end_step(o, &step, status);
    json_decref(step.result);
    return go_on;
}

/* Which containers the next three steps work on, as the commands without a name choose them. */
static bool run_on_containers(struct optimization *o)
{
    static const struct row_step steps[] = {{"fix", step_fix, judge_fix},
                                            {"limits", step_limits, judge_enforce},
                                            {"policy", step_policy, judge_enforce}};
    const json_t *c, *observed = NULL;
    size_t i, running = 0, enforced = 0;
    struct full_step step = {.name = "fix", .end = STEP_SKIPPED, .began_s = clock_boottime_s()};

    json_array_foreach(json_object_get(o->world, "containers"), i, c)
    {
        if (strcmp(member_string_or(c, "status", ""), "running") != 0)
            continue;
        bool enforce = strcmp(member_string_or(c, "mode", ""), "enforce") == 0;
        running++;
        enforced += enforce;
        observed = enforce || observed ? observed : c;
    }
    if (running == 0) {
        snprintf(step.note, sizeof step.note, "no Ollama container runs");
        return end_step(o, &step, 0);
    }
    if (enforced == 0 && running > 1) {
        step.end = STEP_PERSON;
        snprintf(step.why, sizeof step.why,
                 "none of the %zu Ollama containers is in mode enforce; name the one that is meant",
                 running);
        snprintf(step.command, sizeof step.command, "supervisor fix-ollama %.256s",
                 member_string_or(observed, "name", ""));
        return end_step(o, &step, 0);
    }
    for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (!run_rows(o, &steps[i]))
            return false;
    return true;
}

static fact available_now(const struct optimization *o)
{
    struct host host;
    host_read_once(config_settings(o->cli->config)->procfs, &host, NULL);
    return host.available;
}

/* What the host can have now: of the usual sizes those that fit beside the reserve, else one
 * that does. The note tells what is not tried. */
static void choose_sizes(struct optimization *o, struct full_step *step)
{
    static const int usual_gib[] = {10, 20, 25}, smaller_mib[] = {8192, 4096, 2048, 1024, 512};
    fact available = available_now(o), room = available - o->test.reserve;
    char *note = step->note;

    for (size_t i = 0; i < sizeof usual_gib / sizeof usual_gib[0]; i++) {
        if ((fact)usual_gib[i] << 30 <= room)
            o->test.sizes[o->test.n++] = (fact)usual_gib[i] << 30;
        else
            text_append(note, sizeof step->note, "%s%d GiB", *note ? ", " : "", usual_gib[i]);
    }
    for (size_t i = 0; i < sizeof smaller_mib / sizeof smaller_mib[0] && o->test.n == 0; i++)
        if ((fact)smaller_mib[i] << 20 <= room)
            o->test.sizes[o->test.n++] = (fact)smaller_mib[i] << 20;
    if (*note)
        text_append(note, sizeof step->note,
                    ": not tried: the host has %s available, of which %s stay reserved",
                    SHOWN(available), SHOWN(o->test.reserve));
}

static void judge_test(struct full_step *step, int status)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(step->result, "sizes"), i, row)
    {
        fact bytes = json_integer_value(json_object_get(row, "size"));
        if (json_is_true(json_object_get(row, "had")) || status == 0 || status >= 128)
            continue;
        step->end = STEP_PERSON;
        snprintf(step->why, sizeof step->why, "%s: %s: %.600s", SHOWN(bytes),
                 member_string_or(row, "outcome", ""), member_string_or(row, "reason", ""));
        snprintf(step->command, sizeof step->command, "supervisor test %lldm",
                 (long long)(bytes >> 20));
        return;
    }
}

static bool run_test(struct optimization *o)
{
    struct full_step step = {.name = "test", .end = STEP_DONE, .began_s = clock_boottime_s()};
    int status = 0;

    if (o->skip_test) {
        step.end = STEP_SKIPPED;
        return end_step(o, &step, 0);
    }
    if (o->test.n == 0)
        choose_sizes(o, &step);
    if (o->test.n == 0) {
        step.end = STEP_SKIPPED;
    } else if (o->report.dry_run) {
        /* What was not tried makes room for what would be. */
        step.note[0] = '\0';
        step.end = STEP_WOULD;
        for (size_t i = 0; i < o->test.n; i++) /* 16 of them take 200 bytes */
            text_append(step.note, sizeof step.note, "%s%s", i ? ", " : "",
                        SHOWN(o->test.sizes[i]));
        text_append(step.note, sizeof step.note, " would be tested");
    } else {
        status = test_sizes(o->cli->config, &o->test, true, &step.result);
        judge_test(&step, status);
    }
    bool go_on = end_step(o, &step, status);
    json_decref(step.result);
    return go_on;
}

static int run(struct optimization *o)
{
    json_t *last = NULL;
    bool whole = run_status(o, &o->world) && run_on_containers(o) && run_test(o);
    bool seen = o->world != NULL && !o->signal && o->status != FAILURE_UNREACHABLE;
    if (seen) /* also after a stop: what was done until then has brought something */
        whole = run_status(o, &last) && whole;
    json_decref(last);
    json_decref(o->world);
    full_report_end(&o->report, o->signal);
    json_decref(o->report.steps);
    if (o->signal)
        return 128 + o->signal;
    return o->status ? o->status : whole ? 0 : FAILURE_JOB;
}

int cmd_full_optimization(struct cli *cli)
{
    struct optimization o = {.cli = cli,
                             .skip_test = cli_has(cli, "skip-test"),
                             .report = {.json = cli_has(cli, "json"),
                                        .dry_run = cli_has(cli, "dry-run"),
                                        .width = cli_width() > 120 ? 120 : cli_width(),
                                        .available_before = FACT_UNKNOWN,
                                        .available_after = FACT_UNKNOWN}};
    int status = test_wish_read(cli, "", &o.test);
    if (status != 0)
        return status;
    o.report.steps = json_array();
    catch_signals();
    return run(&o);
}
