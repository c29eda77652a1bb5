/* supervisor enforce: the memory limits and the single-model policy, once, now (rows C4, C5). */
#include "base/clock.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "cli/task.h"

#include <errno.h>
#include <string.h>

/* A verdict on a limit takes two looks, which a slow machine may make late. */
static const size_t looks_enough = 4;

struct enforce {
    struct task task;
    size_t looks;
    double began_s, until_s; /* long enough for both policies to have made up their mind */
    size_t done, failed, told;
    bool high_dropped;         /* memory.high cannot be written here */
    bool no_limits, no_policy; /* which part is left out */
    bool quiet;                /* the rows are the caller's */
    json_t *rows;
};

static bool is_policy(enum verdict_kind kind)
{
    return kind == VERDICT_TOO_MANY_MODELS;
}

static bool is_limit(enum verdict_kind kind)
{
    return kind == VERDICT_LIMIT_DRIFT || kind == VERDICT_NO_LIMIT || kind == VERDICT_HIGH_DRIFT;
}

static void say(struct enforce *e, const char *container, const char *what, const char *result,
                const char *text)
{
    if (e->task.json)
        json_array_append_new(e->rows, json_pack("{s:s, s:s, s:s, s:s}", "container", container,
                                                 "verdict", what, "result", result, "text", text));
    else
        fprintf(strcmp(result, "failed") ? stdout : stderr, "%s: %s: %s\n", container, what, text);
}

static bool is_target(const struct task *task, const char *id)
{
    for (size_t i = 0; i < task->targets.n; i++)
        if (!strcmp(task->targets.ids[i], id))
            return true;
    return false;
}

static void begin(struct task *task)
{
    struct enforce *e = task->userdata;
    const struct settings *s = config_settings(task->cli->config);
    e->began_s = clock_boottime_s();
    e->until_s = e->began_s + 3 * s->interval_s + (s->poll_s > 0 ? 3 * s->poll_s : 0);
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct enforce *e = task->userdata;
    bool more = false, busy = healer_busy(flow_healer(task->flow)) > 0;
    bool in_time = world->monotonic_s < e->until_s + 60;
    e->looks++;
    for (size_t i = 0; i < judgement->n_verdicts; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        char text[600];
        bool ours = (is_policy(v->kind) && !e->no_policy) ||
                    (is_limit(v->kind) && !e->no_limits &&
                     (v->kind != VERDICT_HIGH_DRIFT || !e->high_dropped));
        if (!ours || !is_target(task, v->id))
            continue;
        more |=
            v->state == VERDICT_SUSPECT || (v->state == VERDICT_RAISED && v->remedy != REMEDY_NONE);
        if (v->state != VERDICT_RAISED)
            continue;
        if (v->remedy == REMEDY_NONE && v->changed) {
            bool refused = v->kind == VERDICT_LIMIT_DRIFT || v->kind == VERDICT_HIGH_DRIFT;
            e->failed += refused;
            e->told++;
            say(e, v->name, verdict_kind_name(v->kind), refused ? "failed" : "told",
                say_verdict(v, text, sizeof text));
            json_t *row = json_array_get(e->rows, json_array_size(e->rows) - 1);
            if (task->json && v->kind == VERDICT_LIMIT_DRIFT && verdict_evidence(v, "floor") >= 0)
                json_object_set_new(row, "floor",
                                    json_integer((json_int_t)verdict_evidence(v, "floor")));
        } else if (v->remedy != REMEDY_NONE && (task->dry_run ? v->changed : in_time)) {
            healer_heal(flow_healer(task->flow), v, false);
        }
    }
    if (busy || (more && !task->dry_run && in_time))
        return;
    if (world->monotonic_s < e->until_s || e->looks < looks_enough) {
        say_progress("watching which model is used ...");
        return;
    }
    if (e->quiet) {
        say_progress(NULL);
    } else if (task->json) {
        say_json(e->rows);
    } else if (!e->done && !e->failed && !e->told) {
        say_progress(NULL);
        puts("nothing to enforce: limits and loaded models are as wanted");
    }
    task_end(task, e->failed ? FAILURE_JOB : 0);
}

static void heal(struct task *task, const struct heal_event *h)
{
    struct enforce *e = task->userdata;
    char text[400], size[16], change[160];
    bool high = !strcmp(h->step, "high"), limit = high || !strcmp(h->step, "limit");
    const char *what = high ? "memory.high" : "the limit";
    fact wanted = h->evidence ? (fact)verdict_evidence(h->evidence, "wanted") : FACT_UNKNOWN;
    say_progress(NULL);
    if (h->kind == HEAL_DONE && limit)
        snprintf(text, sizeof text, "%s is %s now", what, size_format(wanted, size, sizeof size));
    else if (h->kind == HEAL_DONE)
        snprintf(text, sizeof text, "%.100s unloaded: %s", h->model,
                 say_change(h->before, h->after, change, sizeof change));
    else if (h->kind == HEAL_WOULD_ACT && limit)
        snprintf(text, sizeof text, "%s would become %s", what,
                 size_format(wanted, size, sizeof size));
    else if (h->kind == HEAL_WOULD_ACT)
        snprintf(text, sizeof text, "%.100s would be unloaded", h->model);
    else
        snprintf(text, sizeof text, "%.380s", h->text);
    if (h->kind == HEAL_ACTING || h->kind == HEAL_RECOVERED || h->kind == HEAL_LOCKED)
        return;
    bool good = h->kind == HEAL_DONE || h->kind == HEAL_WOULD_ACT;
    e->done += good;
    bool dropped = high && h->kind == HEAL_DROPPED;
    e->high_dropped |= dropped;
    e->failed += h->kind == HEAL_NOT_DONE || h->kind == HEAL_NO_MEMORY_OF_IT || dropped;
    say(e, h->name, h->verdict, h->kind == HEAL_DONE ? "done" : good ? "would" : "failed", text);
}

static int enforce(struct enforce *e, struct cli *cli, const char *named, bool json)
{
    e->rows = json_array();
    e->task = TASK(cli, "enforce", named, e, .begin = begin, .look = look, .heal = heal);
    e->task.json = json;
    return task_run(&e->task);
}

int cmd_enforce(struct cli *cli, int argc, char **argv)
{
    struct enforce e = {0};
    int status = enforce(&e, cli, argc > 1 ? argv[1] : NULL, options_has(&cli->options, "json"));
    json_decref(e.rows);
    return status;
}

int step_limits(struct cli *cli, json_t **ret_rows)
{
    struct enforce e = {.no_policy = true, .quiet = true};
    int status = enforce(&e, cli, NULL, true);
    *ret_rows = e.rows;
    return status;
}

int step_policy(struct cli *cli, json_t **ret_rows)
{
    struct enforce e = {.no_limits = true, .quiet = true};
    int status = enforce(&e, cli, NULL, true);
    *ret_rows = e.rows;
    return status;
}
