/* Unloading one model: asked for by the API, believed only when the model left /api/ps and its
 * runner is gone (docs/judgement.md, acting 4). */
#include "act/run.h"
#include "base/clock.h"
#include "base/size.h"
#include "sense/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const long request_ms = 10000; /* row C6: 10 s a model */
static const double unload_s = 10;
static const uint64_t look_ms = 250;
/* Row C6: less than this released, or half of what was expected, calls for the context reset. */
static const fact released_enough = 512 << 20;

/* The live runner that serves the model; NULL where its blob does not tell. */
static const struct process *runner_of(const struct container *c, const struct model *model)
{
    const struct process *found = NULL, *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        if (p->kind != PROCESS_RUNNER || p->state == 'Z' || p->state == 'X')
            continue;
        n++;
        only = p;
        if (model->blob[0] && !strcmp(p->blob, model->blob))
            found = p;
    }
    return found ? found : n == 1 && c->ollama.n_models == 1 ? only : NULL;
}

static int prepare(struct run *run, struct error *err)
{
    const struct container *c = run_container(run);
    const struct model *model = ollama_model(&c->ollama, run->model);
    if (!model)
        return error_set(err, FAILURE_JOB, -ENOENT, "%.100s is not loaded", run->model);
    if (!sense_ollama(run->act->sense, run->id))
        return error_set(err, FAILURE_JOB, -ENOTCONN, "where its Ollama answers is unknown");
    const struct process *p = runner_of(c, model);
    run->verdict.pid = p ? p->pid : FACT_UNKNOWN;
    run->verdict.started_us = p ? p->started_us : FACT_UNKNOWN;
    run->expected = p ? process_held(p) : FACT_UNKNOWN;
    if (p)
        run->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)p->pid, 0);
    return 0;
}

static bool runner_alive(const struct run *run, const struct container *c)
{
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        if (p->pid == run->verdict.pid && p->started_us == run->verdict.started_us)
            return p->state != 'Z' && p->state != 'X';
    }
    return false;
}

static void watch(struct run *run);

static void after_look(void *userdata, int result)
{
    (void)result;
    if (!run_closed(userdata))
        watch(userdata);
}

/* A look whose answer of /api/ps is newer than the question. */
static void look_again(struct run *run)
{
    run->request_under_way = true;
    if (sense_fresh(run->act->sense, run->id, after_look, run) < 0) {
        run->request_under_way = false;
        run_later(run, look_ms, watch);
    }
}

/* The context reset (row C6): only by a person's --force, only this runner. */
static bool reset_context(struct run *run)
{
    if (!run->force || run->pidfd < 0 || run->of.unload.killed)
        return false;
    run->of.unload.killed = true;
    if (syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0) < 0)
        return false;
    run->deadline_s = clock_boottime_s() + unload_s;
    run_later(run, look_ms, look_again);
    return true;
}

static void watch(struct run *run)
{
    const struct container *c = run_same_life(run);
    if (!c) {
        run_end(run, INTENT_DONE, HEAL_DROPPED, FACT_UNKNOWN,
                "it was restarted or removed meanwhile");
        return;
    }
    if (run->yields) {
        run_end(run, INTENT_DONE, HEAL_PENDING, run_held(run),
                "it was told to go; the kill switch comes first");
        return;
    }
    bool there = ollama_model(&c->ollama, run->model) != NULL, alive = runner_alive(run, c);
    bool over = clock_boottime_s() > run->deadline_s;
    fact held = run_held(run),
         back = fact_known(run->before) && fact_known(held) ? run->before - held : 0;
    bool enough =
        !fact_known(run->expected) || back >= run->expected / 2 || back >= released_enough;
    bool answered = c->ollama.asked && c->ollama.reachable;
    if (answered && !there && !alive && (enough || over)) {
        run->end.nothing_left = true;
        if (enough)
            run_end(run, INTENT_DONE, HEAL_DONE, held, "%s",
                    run->of.unload.killed ? "its runner had to be killed" : "");
        else
            run_end_short(run, INTENT_FAILED, held, "it is unloaded: ");
        return;
    }
    if (run->of.unload.killed && answered && !alive &&
        (enough || over)) { /* a killed runner stays listed until the next request */
        run_end(run, INTENT_DONE, HEAL_DONE, held,
                "its runner had to be killed; /api/ps lists it until the next request");
        return;
    }
    if (!over) {
        run_later(run, look_ms, look_again);
        return;
    }
    if (reset_context(run))
        return;
    const struct assessment *a = judgement_assessment(run->act->judgement, run->id);
    bool under_way = !a || a->activity == ACTIVITY_BUSY || a->activity == ACTIVITY_LOADING;
    if (!run->asked && !under_way) {
        run_end_short(run, INTENT_FAILED, held, "it stays loaded although nothing is under way: ");
        return;
    }
    run_end(run, run->asked ? INTENT_DONE : INTENT_FAILED, HEAL_PENDING, held,
            "it is still loaded: a request or a load is under way, and it goes when that ends "
            "(--wait waits, --force kills its runner)");
}

static void on_asked(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0) {
        run_end(run, INTENT_DROPPED, HEAL_NOT_DONE, FACT_UNKNOWN, "%s",
                err ? err->message : "Ollama did not take the request");
        return;
    }
    run->deadline_s = clock_boottime_s() + (run->wait_s > unload_s ? run->wait_s : unload_s);
    run_enter(run, STAGE_CHECK);
}

static void check(struct run *run)
{
    run_later(run, look_ms, look_again);
}

static void deed(struct run *run)
{
    struct ollama_client *client = sense_ollama(run->act->sense, run->id);
    if (!client) {
        run_drop(run, "it does not run any more");
        return;
    }
    run->request_under_way = true;
    ollama_unload(client, run->model, request_ms, on_asked, run);
}

const struct step step_unload = {
    .name = "unload", .prepare = prepare, .deed = deed, .check = check};
