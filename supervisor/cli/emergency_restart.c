/* supervisor emergency-restart: unload all, restart, wait until it answers, load what is
 * wanted at hand, print the final state. A person's word: it passes the restart budget, and is
 * counted in it. */
#include "base/clock.h"
#include "cli/loading.h"
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const double unload_s = 30; /* what does not go in that time goes with the restart */
static const double answer_s = 60;
static const double locked_s = 60; /* another remedy is under way there */

struct emergency {
    struct task task;
    struct preload preload;
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE], started_at[48];
    enum { TO_UNLOAD, TO_RESTART, TO_ANSWER, TO_PRELOAD, OVER } phase;
    bool under_way, skip_unloads;
    char skipped[CONTAINER_NAME_SIZE]; /* the model that did not go */
    double until_s, locked_until_s;
    fact before;
};

static void __attribute__((format(printf, 4, 5))) say_step(struct emergency *e, const char *step,
                                                           bool good, const char *format, ...)
{
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (e->task.json) {
        json_array_append_new(
            e->task.rows, json_pack("{s:s, s:b, s:s}", "step", step, "good", good, "text", text));
        return;
    }
    say_clear();
    fprintf(good ? stdout : stderr, "%s: %s: %s\n", e->name, step, text);
    fflush(stdout);
}

static void end(struct emergency *e, int status)
{
    e->phase = OVER;
    if (e->task.json)
        say_json(json_pack("{s:s, s:O, s:O}", "container", e->name, "steps", e->task.rows, "models",
                           e->preload.rows));
    task_end(&e->task, status);
}

static void fail(struct emergency *e, const char *step, const char *text)
{
    say_step(e, step, false, "%s", text);
    end(e, FAILURE_JOB);
}

/* ---- the steps */

/* True: there is nothing more to unload. */
static bool unload(struct emergency *e, const struct container *c)
{
    if (e->skip_unloads || !c->ollama.reachable || !c->ollama.n_models ||
        clock_boottime_s() > e->until_s)
        return true;
    const char *model = c->ollama.models[0].name;
    for (size_t i = 0; i < c->ollama.n_models; i++)
        if (strcmp(c->ollama.models[i].name, e->skipped) != 0)
            model = c->ollama.models[i].name;
    if (!strcmp(model, e->skipped))
        return true;
    int r = healer_unload(flow_healer(e->task.flow), c, model, 0, false, "emergency");
    e->under_way = r == 0;
    e->skip_unloads = r < 0 && r != -EBUSY;
    return false;
}

static void restart(struct emergency *e, const struct container *c)
{
    int r = healer_restart(flow_healer(e->task.flow), c, "emergency");
    if (r == 0) {
        e->under_way = true;
        say_progress("restarting ...");
    } else if (r == -EBUSY && clock_boottime_s() < e->locked_until_s) {
        say_progress("another supervisor works on it; waiting ...");
    } else if (r == -EBUSY) {
        fail(e, "restart", "another supervisor works on it");
    } else if (r != -EPERM) { /* that was told */
        fail(e, "restart", strerror(-r));
    }
}

static void say_state(struct emergency *e, const struct container *c, const struct world *world)
{
    say_step(e, "state", c->ollama.reachable, "%s, Ollama %s %s, %zu model%s loaded, held %s",
             container_status_name(c->status), c->ollama.version,
             c->ollama.reachable ? "answers" : "does not answer", c->ollama.n_models,
             c->ollama.n_models == 1 ? "" : "s",
             SHOWN_CHANGE(e->before, container_held(c, &world->host)));
}

static void preload(struct emergency *e, const struct container *c, const struct world *world)
{
    preload_look(&e->preload);
    if (!e->preload.over)
        return;
    say_state(e, c, world);
    end(e, e->preload.short_of ? FAILURE_JOB : 0);
}

static void would(struct emergency *e, const struct container *c)
{
    say_step(e, "dry run", true,
             "would unload %zu model%s, restart it, and load %zu model%s that %s wanted at hand",
             c->ollama.n_models, c->ollama.n_models == 1 ? "" : "s", e->preload.n,
             e->preload.n == 1 ? "" : "s", e->preload.n == 1 ? "is" : "are");
    end(e, 0);
}

/* ---- the task */

static void begin(struct task *task)
{
    struct emergency *e = task->userdata;
    if (preload_begin(&e->preload, task, 0) == 0)
        return;
    e->phase = OVER;
    task_refuse(task, FAILURE_JOB, "not enough memory");
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)judgement;
    struct emergency *e = task->userdata;
    const struct container *c = world_container(world, task->targets.ids[0]);
    if (e->phase == OVER)
        return;
    if (!c) {
        fail(e, "look", "it was removed");
        return;
    }
    if (!e->name[0]) {
        memcpy(e->id, c->id, sizeof e->id);
        memcpy(e->name, c->name, sizeof e->name);
        memcpy(e->started_at, c->started_at, sizeof e->started_at);
        e->before = container_held(c, &world->host);
        e->until_s = clock_boottime_s() + unload_s;
        e->locked_until_s = clock_boottime_s() + locked_s;
        if (task->dry_run) {
            would(e, c);
            return;
        }
    }
    if (e->under_way)
        return;
    if (e->phase == TO_UNLOAD && unload(e, c))
        e->phase = TO_RESTART;
    if (e->phase == TO_RESTART)
        restart(e, c);
    bool new_life = c->status == STATUS_RUNNING && strcmp(c->started_at, e->started_at) != 0;
    if (e->phase == TO_ANSWER && new_life && c->ollama.asked && c->ollama.reachable)
        e->phase = TO_PRELOAD;
    else if (e->phase == TO_ANSWER && clock_boottime_s() > e->until_s)
        fail(e, "restart", "it was restarted, and its Ollama does not answer");
    if (e->phase == TO_PRELOAD)
        preload(e, c, world);
}

static void after_restart(struct emergency *e, const struct heal_event *h)
{
    if (h->kind == HEAL_DONE || h->kind == HEAL_NOT_DONE) {
        say_step(e, "restart", h->kind == HEAL_DONE, "%s in %.1f s%s%s",
                 SHOWN_CHANGE(h->before, h->after), h->took_s, h->text[0] ? "; " : "", h->text);
        e->phase = TO_ANSWER;
        e->until_s = clock_boottime_s() + answer_s;
    } else {
        say_step(e, "restart", false, "not restarted: %.400s", h->text);
        end(e, FAILURE_JOB);
    }
}

static void heal(struct task *task, const struct heal_event *h)
{
    struct emergency *e = task->userdata;
    if (h->kind == HEAL_ACTING || strcmp(h->id, e->id) != 0 || e->phase > TO_RESTART)
        return;
    e->under_way = false;
    bool waits =
        h->kind == HEAL_LOCKED && (e->phase == TO_UNLOAD || clock_boottime_s() < e->locked_until_s);
    if (waits)
        say_progress("another supervisor works on it; waiting ...");
    if (waits || h->kind == HEAL_RECOVERED)
        return; /* what an earlier one had begun; then our own again */
    if (e->phase == TO_RESTART) {
        after_restart(e, h);
        return;
    }
    bool gone = h->kind == HEAL_DONE;
    if (gone)
        say_step(e, "unload", true, "%.200s, %s", h->model, SHOWN_CHANGE(h->before, h->after));
    else
        say_step(e, "unload", true,
                 "%.200s does not go by itself and goes with the restart: %.200s", h->model,
                 h->text);
    if (!gone && e->skipped[0])
        e->skip_unloads = true;
    if (!gone)
        snprintf(e->skipped, sizeof e->skipped, "%s", h->model);
}

/* A person at a terminal is asked; elsewhere --yes must have been said. */
static bool confirmed(const struct cli *cli, const char *name)
{
    char answer[16] = "";
    if (cli_has(cli, "yes") || cli_has(cli, "dry-run"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_refuse(FAILURE_USAGE, "emergency-restart ends every request that is under way: say "
                                  "--yes where nobody can be asked");
        return false;
    }
    fprintf(stderr,
            "This unloads all models of %s, ends its requests and restarts it. Go on? [y/N] ",
            name ? name : "the Ollama container");
    if (!fgets(answer, sizeof answer, stdin) || (answer[0] != 'y' && answer[0] != 'Y')) {
        fputs("supervisor: nothing was done\n", stderr);
        return false;
    }
    return true;
}

int cmd_emergency_restart(struct cli *cli)
{
    struct emergency e = {.before = FACT_UNKNOWN};
    const char *name = cli->operands[0];
    if (!confirmed(cli, name))
        return isatty(STDIN_FILENO) ? FAILURE_JOB : FAILURE_USAGE;
    e.task =
        TASK(cli, "emergency-restart", name, &e, ACTS(cli), .rows = json_array(), .begin = begin,
             .look = look, .heal = heal, .loading = &e.preload.loading, .one = "");
    int status = task_run(&e.task);
    preload_end(&e.preload);
    return status;
}
