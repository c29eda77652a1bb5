/* supervisor fix-ollama: audit, name what was found, heal it with the smallest step, verify (rows
 * D2, C1). */
#include "base/clock.h"
#include "base/size.h"
#include "cli/fix.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "sense/json_put.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Until the next step of a ladder: the runner has to rest again, the connections are read anew. */
static const double step_s = 30;
/* A daemon that heals the container at the same time is waited for this long. */
static const double locked_s = 120;

static struct fix_target *target_of(struct fix *fix, const char *id)
{
    for (size_t i = 0; i < fix->task.targets.n; i++)
        if (!strcmp(fix->list[i].id, id))
            return &fix->list[i];
    return NULL;
}

void fix_end(struct fix *fix, struct fix_target *t, enum fix_end end, const char *format, ...)
{
    char text[sizeof t->text]; /* what is said may be of t->text */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    t->end = end;
    memcpy(t->text, text, sizeof t->text);
    if (fix->task.json)
        return;
    say_clear();
    FILE *to = end == FIX_NOT ? stderr : stdout;
    fprintf(to, "%s: %s\n", t->name, text);
}

static void finish(struct fix *fix)
{
    static const char *const names[] = {"unknown", "healthy", "healed", "would-heal", "not-healed"};
    int status = 0;
    fix->task.rows = json_array();
    for (size_t i = 0; i < fix->task.targets.n; i++) {
        struct fix_target *t = &fix->list[i];
        if (t->end == FIX_NOT || t->end == FIX_NONE)
            status = FAILURE_JOB;
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:s, s:o?, s:o?, s:f}", "container", t->name, "result",
                      names[t->end], "verdict", t->verdict, "step", t->step, "before",
                      json_known(t->before), "after", json_known(t->after), "took_s", t->took_s);
        json_object_set_new(row, "text", json_string(t->text));
        json_array_append_new(fix->task.rows, row);
    }
    task_finish(&fix->task, status);
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
        const struct container *c = task_container(task, i);
        fix->list[i] = (struct fix_target){
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
        struct fix_target *t = &fix->list[i];
        if (t->end == FIX_NONE && !t->healing)
            fix_look(fix, t, world, judgement);
        open |= t->end == FIX_NONE;
    }
    if (!open && task->targets.n)
        finish(fix);
}

static void go_on(const struct fix *fix, struct fix_target *t, const struct heal_event *e)
{
    t->climbs = true;
    t->deadline_s = clock_boottime_s() + step_s;
    snprintf(t->text, sizeof t->text, "%s: %.600s", e->step, e->text);
    if (fix->task.json)
        return;
    say_clear();
    printf("%s: %s\n", t->name, t->text);
    fflush(stdout);
}

/* Growth is healed between two requests: where the fresh look meets one, the next look tries. */
static bool tries_again(struct fix_target *t, const struct heal_event *e)
{
    double now_s = clock_boottime_s();
    if (e->kind != HEAL_DROPPED || t->kind != VERDICT_GROWTH_LEAK)
        return false;
    if (t->patience_s <= 0)
        t->patience_s = now_s + step_s;
    t->climbs = t->again = true;
    if (t->deadline_s < t->patience_s)
        t->deadline_s = t->patience_s;
    snprintf(t->text, sizeof t->text, "%.600s", e->text);
    return now_s < t->patience_s;
}

static void heal(struct task *task, const struct heal_event *e)
{
    struct fix *fix = task->userdata;
    struct fix_target *t = target_of(fix, e->id);
    if (!t || e->kind == HEAL_WOULD_ACT)
        return;
    if (e->kind == HEAL_ACTING) {
        say_progress("%s: %s under way", t->name, e->step);
        return;
    }
    t->healing = false;
    t->took_s += e->took_s;
    switch (e->kind) {
    case HEAL_DONE:
        t->healed = true;
        t->looked = false; /* look again: is that enough? */
        t->watch_s = 0;
        t->before = fact_known(t->before) ? t->before : e->before;
        t->after = e->after;
        fix->started_s = clock_boottime_s();
        if (!fix->task.json)
            printf("%s: %s: %s in %.1f s%s%s\n", t->name, e->step,
                   SHOWN_CHANGE(e->before, e->after), e->took_s, *e->text ? "; " : "", e->text);
        break;
    case HEAL_RECOVERED: /* an earlier supervisor's remedy reached its end: look again what is left
                            to do */
        t->looked = false;
        if (!fix->task.json)
            printf("%s: %s: %s\n", t->name, e->step, e->text);
        break;
    case HEAL_LOCKED: /* tried again with each look */
        if (t->locked_until_s <= 0)
            t->locked_until_s = clock_boottime_s() + locked_s;
        t->deadline_s = t->locked_until_s;
        if (clock_boottime_s() < t->locked_until_s)
            break;
        fix_end(fix, t, FIX_NOT, "not healed: %.600s", e->text);
        break;
    default:
        if (tries_again(t, e))
            break;
        if (e->next != REMEDY_NONE) { /* that was not enough: the next step, while it is borne */
            go_on(fix, t, e);
            break;
        }
        fix_end(fix, t, FIX_NOT, "not healed: %.600s", e->text);
        break;
    }
}

static int fix_ollama(struct cli *cli, const char *named, json_t **ret_rows)
{
    struct error err = {0};
    const char *hold = cli_value(cli, "hold");
    char assignment[64];
    snprintf(assignment, sizeof assignment, "leak.hold=%.40s", hold ? hold : "5s");
    if (config_set(cli->config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
        return cli_fail(&err);
    struct fix fix = {.force = cli_has(cli, "force"),
                      .hold_s = config_settings(cli->config)->leak_hold_s};
    fix.task = TASK(cli, "fix-ollama", named, &fix, ACTS(cli), .ret_rows = ret_rows, .begin = begin,
                    .look = look, .heal = heal);
    int status = task_run(&fix.task);
    free(fix.list);
    return status;
}

int cmd_fix_ollama(struct cli *cli)
{
    return fix_ollama(cli, cli->operands[0], NULL);
}

int step_fix(struct cli *cli, json_t **ret_rows)
{
    return fix_ollama(cli, NULL, ret_rows);
}
