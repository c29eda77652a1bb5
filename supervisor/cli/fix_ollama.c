/* supervisor fix-ollama: audit, name what was found, heal it with the smallest step, verify (rows
 * D2, C1). */
#include "base/clock.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "cli/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beyond the hold: two samples, a poll and the five seconds that tell busy from idle. */
static const double slack_s = 12;
/* A daemon that heals the container at the same time is waited for this long. */
static const double locked_s = 120;

enum end { END_NONE, END_HEALTHY, END_HEALED, END_TOLD, END_NOT };

struct target {
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    double deadline_s;
    double locked_until_s;
    const char *verdict, *step; /* what was found and done; "" nothing */
    double stopped_s;           /* since when it does not run; 0: it runs */
    bool healing, healed, looked;
    fact before, after;
    double took_s;
    enum end end;
    char text[700];
};

struct fix {
    struct task task;
    struct target *list;
    bool force;
    double started_s, hold_s;
    json_t **rows; /* where they go instead of to stdout; NULL: nowhere else */
};

static struct target *target_of(struct fix *fix, const char *id)
{
    for (size_t i = 0; i < fix->task.targets.n; i++)
        if (!strcmp(fix->list[i].id, id))
            return &fix->list[i];
    return NULL;
}

static void end_target(struct fix *fix, struct target *t, enum end end, const char *text)
{
    t->end = end;
    snprintf(t->text, sizeof t->text, "%s", text);
    if (fix->task.json)
        return;
    say_progress(NULL);
    FILE *to = end == END_NOT ? stderr : stdout;
    fprintf(to, "%s: %s\n", t->name, text);
}

/* Is there something that a person's --force may override, and what? */
static bool leak_in_the_way(const struct assessment *a)
{
    return fact_known(a->serve_held) && fact_known(a->threshold) &&
           a->serve_held - a->baseline >= a->threshold;
}

static void forced_verdict(const struct fix *fix, const struct container *c,
                           const struct assessment *a, struct verdict *v)
{
    *v = (struct verdict){.kind = VERDICT_IDLE_LEAK,
                          .state = VERDICT_RAISED,
                          .mode = MODE_ENFORCE,
                          .remedy = REMEDY_RESTART,
                          .hold_s = fix->hold_s};
    v->pid = v->started_us = FACT_UNKNOWN;
    v->since_s = clock_boottime_s();
    memcpy(v->id, c->id, sizeof v->id);
    memcpy(v->name, c->name, sizeof v->name);
    memcpy(v->started_at, c->started_at, sizeof v->started_at);
    verdict_add_fact(v, "serve", UNIT_BYTES, a->serve_held);
    verdict_add_fact(v, "baseline", UNIT_BYTES, a->baseline);
    verdict_add_fact(v, "threshold", UNIT_BYTES, a->threshold);
    verdict_add_fact(v, "held", UNIT_BYTES, a->held);
    snprintf(v->why, sizeof v->why, "forced although it is %s%s%s", activity_name(a->activity),
             *a->why ? ": " : "", a->why);
}

static void begin_healing(struct fix *fix, struct target *t, const struct verdict *v)
{
    char text[600];
    if (!fix->task.json) {
        say_progress(NULL);
        printf("%s: %s: %s\n", t->name, verdict_kind_name(v->kind),
               say_verdict(v, text, sizeof text));
        fflush(stdout);
    }
    t->healing = true;
    t->verdict = verdict_kind_name(v->kind);
    t->step = remedy_name(v->remedy);
    t->before = v->kind < VERDICT_KINDS ? (fact)verdict_evidence(v, "held") : FACT_UNKNOWN;
    int r = healer_heal(flow_healer(fix->task.flow), v, fix->force);
    if (r == -EWOULDBLOCK) {
        t->healing = false;
        if (t->locked_until_s <= 0)
            t->locked_until_s = clock_boottime_s() + locked_s;
        t->deadline_s = t->locked_until_s;
    } else if (r < 0 && r != -EBUSY && r != -EPERM) {
        end_target(fix, t, END_NOT, "not healed: what is done could not be remembered");
    }
}

/* The remedies that this command takes, worst last: it climbs only as far as needed. */
static const struct verdict *worth_healing(const struct judgement *j, const char *id)
{
    static const enum verdict_kind ladder[] = {VERDICT_ORPHAN_RUNNER, VERDICT_IDLE_LEAK};
    for (size_t k = 0; k < sizeof ladder / sizeof ladder[0]; k++)
        for (size_t i = 0; i < j->n_verdicts; i++)
            if (j->verdicts[i].kind == ladder[k] && j->verdicts[i].state == VERDICT_RAISED &&
                !strcmp(j->verdicts[i].id, id))
                return &j->verdicts[i];
    return NULL;
}

static const struct verdict *suspicion(const struct judgement *j, const char *id)
{
    const struct verdict *v = judgement_find(j, id, VERDICT_IDLE_LEAK);
    return v ? v : judgement_find(j, id, VERDICT_ORPHAN_RUNNER);
}

static void not_healable(struct fix *fix, struct target *t, const struct container *c,
                         const struct assessment *a, const struct judgement *j)
{
    char text[700], held[16], more[600];
    const struct verdict *v = suspicion(j, t->id);
    const struct verdict *elsewhere = judgement_find(j, t->id, VERDICT_HELD_ELSEWHERE),
                         *stalled = judgement_find(j, t->id, VERDICT_STALLED_LOAD);
    if (elsewhere)
        snprintf(text, sizeof text, "nothing to heal here: %s",
                 say_verdict(elsewhere, more, sizeof more));
    else if (stalled)
        snprintf(text, sizeof text, "not healed: %s", say_verdict(stalled, more, sizeof more));
    else if (v && v->missing[0])
        snprintf(text, sizeof text,
                 "not healed: the server holds %s, and nothing is done on a guess; unknown is %s",
                 size_format(a->serve_held, held, sizeof held), v->missing);
    else if (v && verdict_evidence(v, "connections") > 0)
        snprintf(text, sizeof text,
                 "not healed: the server holds %s, but a client is connected; `supervisor "
                 "fix-ollama --force %.200s` restarts it all the same",
                 size_format(a->serve_held, held, sizeof held), t->name);
    else if (leak_in_the_way(a))
        snprintf(text, sizeof text,
                 "not healed: the server itself holds %s, but it is %s%s%s; `supervisor fix-ollama "
                 "--force %.200s` restarts it all the same",
                 size_format(a->serve_held, held, sizeof held),
                 c->ollama.n_models ? "in use" : activity_name(a->activity), *a->why ? ": " : "",
                 c->ollama.n_models ? "a model is loaded" : a->why, t->name);
    else
        snprintf(text, sizeof text, "cannot tell: %s",
                 *a->why ? a->why : "the picture did not settle");
    end_target(fix, t, END_NOT, text);
}

static void look_at(struct fix *fix, struct target *t, const struct world *world,
                    const struct judgement *j)
{
    const struct container *c = sense_container(flow_sense(fix->task.flow), t->id);
    const struct assessment *a = judgement_assessment(j, t->id);
    char text[600], held[16], cache[16];
    double now_s = world->monotonic_s;
    if (c && a && c->status != STATUS_RUNNING) { /* perhaps another supervisor restarts it */
        if (t->stopped_s <= 0)
            t->stopped_s = now_s;
        if (now_s - t->stopped_s < slack_s)
            return;
    }
    if (!c || !a || c->status != STATUS_RUNNING) {
        end_target(fix, t, END_NOT, "not healed: it does not run any more");
        return;
    }
    t->stopped_s = 0;
    if (t->locked_until_s > 0 && leak_in_the_way(a) == false && fact_known(a->serve_held)) {
        end_target(fix, t, END_HEALED, "healed by another supervisor");
        return;
    }
    const struct verdict *v = worth_healing(j, t->id);
    if (v && !fix->task.dry_run) {
        begin_healing(fix, t, v);
        return;
    }
    if (v) {
        snprintf(text, sizeof text, "%s: ", verdict_kind_name(v->kind));
        char more[500];
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s; it would be healed by: %s",
                 say_verdict(v, more, sizeof more), remedy_name(v->remedy));
        t->before = a->held;
        t->verdict = verdict_kind_name(v->kind);
        t->step = remedy_name(v->remedy);
        end_target(fix, t, END_TOLD, text);
        return;
    }
    bool loading = a->activity == ACTIVITY_LOADING || a->live_runners > c->ollama.n_models;
    bool suspect = suspicion(j, t->id) != NULL || loading || leak_in_the_way(a);
    if (!t->looked) { /* twice, so that rates are known */
        t->looked = true;
        return;
    }
    if (fix->force && leak_in_the_way(a) && a->activity != ACTIVITY_UNKNOWN &&
        now_s - fix->started_s >= fix->hold_s) {
        struct verdict forced;
        forced_verdict(fix, c, a, &forced);
        begin_healing(fix, t, &forced);
        return;
    }
    bool known = a->answered && c->processes_known && fact_known(a->serve_held) &&
                 fact_known(a->held) && fact_known(a->threshold);
    const struct verdict *elsewhere = judgement_find(j, t->id, VERDICT_HELD_ELSEWHERE);
    fact owners = fact_known(c->cgroup.shmem) ? c->cgroup.shmem : 0;
    bool odd = fact_known(a->threshold) && owners >= a->threshold;
    for (size_t i = 0; i < c->n_processes; i++)
        odd |=
            c->processes[i].kind == PROCESS_OTHER && process_held(&c->processes[i]) >= a->threshold;
    if (known && !suspect && (elsewhere || !odd)) {
        if (t->healed) {
            t->after = a->held;
            end_target(fix, t, END_HEALED, "healed");
        } else if (elsewhere) {
            not_healable(fix, t, c, a, j);
        } else {
            snprintf(text, sizeof text,
                     "nothing to heal: it holds %s (%zu model%s loaded), and %s of page cache, "
                     "which the kernel takes back by itself",
                     size_format(a->held, held, sizeof held), c->ollama.n_models,
                     c->ollama.n_models == 1 ? "" : "s",
                     size_format(c->cgroup.file, cache, sizeof cache));
            end_target(fix, t, END_HEALTHY, text);
        }
        return;
    }
    const struct settings *s = config_settings(fix->task.cli->config);
    double hold_s =
        loading && s->leak_orphan_hold_s > fix->hold_s ? s->leak_orphan_hold_s : fix->hold_s;
    double deadline_s = fix->started_s + hold_s + slack_s;
    if (t->deadline_s > deadline_s)
        deadline_s = t->deadline_s;
    if (now_s >= deadline_s) {
        not_healable(fix, t, c, a, j);
        return;
    }
    v = suspicion(j, t->id);
    snprintf(text, sizeof text, "%s: watching, %.0f s of %.0f s: holds %s%s%s", t->name,
             now_s - fix->started_s, hold_s, size_format(a->held, held, sizeof held),
             v ? ", perhaps " : "", v ? verdict_kind_name(v->kind) : "");
    say_progress(text);
}

static json_t *fact_json(fact f)
{
    return fact_known(f) ? json_integer(f) : json_null();
}

static void finish(struct fix *fix)
{
    static const char *const names[] = {"unknown", "healthy", "healed", "would-heal", "not-healed"};
    int status = 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < fix->task.targets.n; i++) {
        struct target *t = &fix->list[i];
        if (t->end == END_NOT || t->end == END_NONE)
            status = FAILURE_JOB;
        json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "container", t->name, "result",
                                names[t->end], "verdict", t->verdict, "step", t->step);
        json_object_set_new(row, "before", fact_json(t->before));
        json_object_set_new(row, "after", fact_json(t->after));
        json_object_set_new(row, "took_s", json_real(t->took_s));
        json_object_set_new(row, "text", json_string(t->text));
        json_array_append_new(rows, row);
    }
    say_progress(NULL);
    if (fix->rows) {
        *fix->rows = json_incref(rows);
    } else if (fix->task.json) {
        json_dumpf(rows, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(rows);
    task_end(&fix->task, status);
}

static void begin(struct task *task)
{
    struct fix *fix = task->userdata;
    fix->started_s = clock_boottime_s();
    fix->list = calloc(task->targets.n, sizeof *fix->list);
    if (!fix->list) {
        task->targets.n = 0;
        task_end(task, FAILURE_JOB);
        return;
    }
    for (size_t i = 0; i < task->targets.n; i++) {
        const struct container *c = sense_container(flow_sense(task->flow), task->targets.ids[i]);
        fix->list[i] = (struct target){
            .before = FACT_UNKNOWN, .after = FACT_UNKNOWN, .verdict = "", .step = ""};
        snprintf(fix->list[i].id, sizeof fix->list[i].id, "%s", task->targets.ids[i]);
        snprintf(fix->list[i].name, sizeof fix->list[i].name, "%s", c ? c->name : "");
    }
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct fix *fix = task->userdata;
    bool open = false;
    for (size_t i = 0; i < task->targets.n; i++) {
        struct target *t = &fix->list[i];
        if (t->end == END_NONE && !t->healing)
            look_at(fix, t, world, judgement);
        open |= t->end == END_NONE;
    }
    if (!open && task->targets.n)
        finish(fix);
}

static void heal(struct task *task, const struct heal_event *e)
{
    struct fix *fix = task->userdata;
    struct target *t = target_of(fix, e->id);
    char text[700], change[160];
    if (!t || e->kind == HEAL_WOULD_ACT)
        return;
    if (e->kind == HEAL_ACTING) {
        snprintf(text, sizeof text, "%s: %s under way", t->name, e->step);
        say_progress(text);
        return;
    }
    t->healing = false;
    t->took_s += e->took_s;
    switch (e->kind) {
    case HEAL_DONE:
        t->healed = true;
        t->looked = false; /* look again: is that enough? */
        t->before = fact_known(t->before) ? t->before : e->before;
        t->after = e->after;
        fix->started_s = clock_boottime_s();
        if (!fix->task.json)
            printf("%s: %s: %s in %.1f s%s%s\n", t->name, e->step,
                   say_change(e->before, e->after, change, sizeof change), e->took_s,
                   *e->text ? "; " : "", e->text);
        break;
    case HEAL_RECOVERED: /* an earlier supervisor's remedy reached its end: look again what is left
                            to do */
        t->looked = false;
        if (!fix->task.json)
            printf("%s: %s: %s\n", t->name, e->step, e->text);
        break;
    case HEAL_LOCKED:
        break; /* begin_healing waits */
    default:
        snprintf(text, sizeof text, "not healed: %.600s", e->text);
        end_target(fix, t, END_NOT, text);
        break;
    }
}

static int fix_ollama(struct cli *cli, const char *named, bool json, json_t **ret_rows)
{
    struct error err = {0};
    const char *hold = options_value(&cli->options, "hold");
    char assignment[64];
    snprintf(assignment, sizeof assignment, "leak.hold=%.40s", hold ? hold : "5s");
    if (config_set(cli->config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
        return cli_fail(&err);
    struct fix fix = {.force = options_has(&cli->options, "force"),
                      .hold_s = config_settings(cli->config)->leak_hold_s,
                      .rows = ret_rows};
    fix.task = (struct task){.cli = cli,
                             .command = "fix-ollama",
                             .named = named,
                             .act = true,
                             .dry_run = options_has(&cli->options, "dry-run"),
                             .json = json,
                             .begin = begin,
                             .look = look,
                             .heal = heal,
                             .userdata = &fix};
    int status = task_run(&fix.task);
    free(fix.list);
    return status;
}

int cmd_fix_ollama(struct cli *cli, int argc, char **argv)
{
    return fix_ollama(cli, argc > 1 ? argv[1] : NULL, options_has(&cli->options, "json"), NULL);
}

int step_fix(struct cli *cli, json_t **ret_rows)
{
    return fix_ollama(cli, NULL, true, ret_rows);
}
