/* Unloading one model: asked for by the API, believed only when the model left /api/ps and its
 * runner is gone (docs/judgement.md, acting 4). */
#include "act/run.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const long request_ms = 10000; /* 10 s a model */
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
    const struct model *model = ollama_model(&c->ollama, run->verdict.model);
    if (!model)
        return error_set(err, FAILURE_JOB, -ENOENT, "%.100s is not loaded", run->verdict.model);
    if (!sense_ollama(run->act->o.sense, run->id))
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

/* A look whose answer of /api/ps is newer than the question. */
static void look_again(struct run *run)
{
    if (run_fresh(run, watch) < 0)
        run_later(run, look_ms, watch);
}

/* The context reset: only by a person's --force, only this runner. */
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
    const struct model *there = ollama_model(&c->ollama, run->verdict.model);
    bool alive = runner_alive(run, c), over = clock_boottime_s() > run->deadline_s;
    fact held = run_held(run),
         back = fact_known(run->before) && fact_known(held) ? run->before - held : 0;
    /* What a runner held goes with it, also where something else took as much meanwhile. */
    bool exited = fact_known(run->verdict.pid) && !alive;
    bool seen = !fact_known(run->expected) || back >= run->expected / 2 || back >= released_enough;
    bool enough = exited || seen;
    bool answered = c->ollama.asked && c->ollama.reachable;
    bool gone = answered && !alive && (enough || over), killed = run->of.unload.killed;
    bool again = answered && there && !alive && fact_known(run->verdict.pid) && runner_of(c, there);
    const struct assessment *a = judgement_assessment(run->act->judgement, run->id);
    bool under_way = !a || a->activity == ACTIVITY_BUSY || a->activity == ACTIVITY_LOADING;
    run->end.nothing_left = gone && !there;
    if (gone && !there && !enough)
        run_end_short(run, INTENT_FAILED, held, "it is unloaded: ");
    else if (gone && !there)
        run_end(run, INTENT_DONE, HEAL_DONE, held, "%s",
                killed  ? "its runner had to be killed"
                : !seen ? "something else took as much meanwhile"
                        : "");
    else if (again)
        run_end(run, INTENT_DONE, HEAL_DONE, held, "somebody has loaded it again since");
    else if (gone && killed) /* a killed runner stays listed until the next request */
        run_end(run, INTENT_DONE, HEAL_DONE, held,
                "its runner had to be killed; /api/ps lists it until the next request");
    else if (!over)
        run_later(run, look_ms, look_again);
    else if (reset_context(run))
        return;
    else if (!run->asked && !under_way)
        run_end_short(run, INTENT_FAILED, held, "it stays loaded although nothing is under way: ");
    else
        run_end(run, run->asked ? INTENT_DONE : INTENT_FAILED, HEAL_PENDING, held,
                "it is still loaded: a request or a load is under way, and it goes when that ends "
                "(--wait waits, --force kills its runner)");
}

static void asked(struct run *run)
{
    run->deadline_s = clock_boottime_s() + (run->wait_s > unload_s ? run->wait_s : unload_s);
    if (run->work_result < 0)
        run_end(run, INTENT_DROPPED, HEAL_NOT_DONE, FACT_UNKNOWN, "%s", run->work_error.message);
    else
        run_enter(run, STAGE_CHECK);
}

static void check(struct run *run)
{
    run_later(run, look_ms, look_again);
}

static void deed(struct run *run)
{
    struct ollama_client *client = sense_ollama(run->act->o.sense, run->id);
    if (client)
        ollama_unload(client, run->verdict.model, request_ms, run_asks(run, asked), run);
    else
        run_drop(run, "it does not run any more");
}

const struct step step_unload = {
    .name = "unload", .prepare = prepare, .deed = deed, .check = check};
