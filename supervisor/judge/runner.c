/* Runners: what a look says of each, and which model is whose. */
#include "base/grow.h"
#include "judge/look.h"

#include <stdlib.h>
#include <string.h>

bool process_is_live_runner(const struct process *process)
{
    return process->kind == PROCESS_RUNNER && process->state != 'Z' && process->state != 'X';
}

struct runner *history_runner(struct history *history, const struct process *process)
{
    for (size_t i = 0; i < history->n_runners; i++)
        if (history->runners[i].pid == process->pid &&
            history->runners[i].started_us == process->started_us)
            return &history->runners[i];
    struct runner *runner =
        array_more(&history->runners, &history->n_runners, RUNNERS_MAX, sizeof *runner);
    if (!runner)
        return NULL;
    *runner = (struct runner){.pid = process->pid,
                              .started_us = process->started_us,
                              .first_s = history->last_s,
                              .flat_from_s = -1,
                              .still.from_s = -1,
                              .held = FACT_UNKNOWN,
                              .clients = FACT_UNKNOWN,
                              .serve_pid = FACT_UNKNOWN,
                              .growth = {.begun_s = -1}};
    work_begin(&runner->work);
    condition_reset(&runner->still.condition);
    memcpy(runner->blob, process->blob, sizeof runner->blob);
    matters_reset(runner->own);
    growth_forget(&runner->growth);
    for (size_t i = 0; i < ORPHAN_CONDITIONS; i++)
        condition_reset(&runner->conditions[i]);
    return runner;
}

enum tri runner_listed(const struct look *look, const struct process *process)
{
    const struct ollama *ollama = &look->container->ollama;
    if (look->answered != TRI_TRUE)
        return TRI_UNKNOWN;
    if (ollama->n_models == 0)
        return TRI_FALSE;
    bool all_known = process->blob[0] != 0;
    for (size_t i = 0; i < ollama->n_models; i++) {
        if (!ollama->models[i].blob[0])
            all_known = false;
        else if (!strcmp(ollama->models[i].blob, process->blob))
            return TRI_TRUE; /* of several runners on one blob nobody can tell which one is listed
                              */
    }
    if (all_known)
        return TRI_FALSE;
    /* As many models as runners: each runner is somebody's. */
    return look->live_runners <= ollama->n_models ? TRI_TRUE : TRI_UNKNOWN;
}

const struct process *runner_of_blob(const struct container *c, const char *blob)
{
    const struct process *found = NULL;
    for (size_t i = 0; blob[0] && i < c->n_processes; i++)
        if (process_is_live_runner(&c->processes[i]) && !strcmp(c->processes[i].blob, blob)) {
            if (found)
                return NULL; /* two runners on one blob: nobody can tell which one it is */
            found = &c->processes[i];
        }
    return found;
}

const struct model *model_of_runner(const struct look *look, const struct process *process)
{
    const struct ollama *o = &look->container->ollama;
    if (look->answered != TRI_TRUE || runner_of_blob(look->container, process->blob) != process)
        return NULL;
    for (size_t i = 0; i < o->n_models; i++)
        if (!strcmp(o->models[i].blob, process->blob))
            return &o->models[i];
    return NULL;
}

enum tri runner_rests(const struct look *look, const struct runner *r)
{
    static const double rest_s = 5; /* as for busy */
    const struct condition *flat = &r->conditions[ORPHAN_FLAT];
    if (flat->now != TRI_TRUE || look->busy == TRI_UNKNOWN)
        return flat->now == TRI_FALSE ? TRI_FALSE : TRI_UNKNOWN;
    return look->busy == TRI_FALSE && look->now_s - flat->since_s >= rest_s ? TRI_TRUE : TRI_FALSE;
}

/* What may change while a runner is called flat: its counters are read in ticks and pages, and an
 * idle one under emulation used 3 %. */
static const fact flat_bytes = 1024 * 1024;
static const double flat_slack_us = 50e3;
static const double flat_window_s = 5; /* as for busy: a burst may not hide behind a long rest */

static bool moved(fact from, fact to)
{
    return llabs((long long)(to - from)) > flat_bytes;
}

static enum tri flat(const struct look *look, struct runner *r, const struct process *p)
{
    if (look->repeated && r->flat_from_s >= 0)
        return r->conditions[ORPHAN_FLAT].now;
    if (!fact_known(p->cpu_us) || !fact_known(p->rss_anon) || !fact_known(p->rss_file))
        return TRI_UNKNOWN;
    double allowed_us =
        look->history->settings->leak_busy_cpu_percent * 1e4 * (look->now_s - r->flat_cpu_at_s) +
        flat_slack_us;
    bool first = r->flat_from_s < 0,
         worked = !first && (double)(p->cpu_us - r->flat_cpu_us) > allowed_us;
    if (first || worked || moved(r->flat_anon, p->rss_anon) || moved(r->flat_file, p->rss_file)) {
        r->flat_from_s = look->now_s;
        r->flat_anon = p->rss_anon;
        r->flat_file = p->rss_file;
    }
    bool still = r->flat_from_s < look->now_s;
    if (!still || look->now_s - r->flat_cpu_at_s >= flat_window_s) {
        r->flat_cpu_at_s = look->now_s;
        r->flat_cpu_us = p->cpu_us;
    }
    return still ? TRI_TRUE : first ? TRI_UNKNOWN : TRI_FALSE;
}

static const struct process *process_of(const struct container *c, fact pid)
{
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].pid == pid)
            return &c->processes[i];
    return NULL;
}

/* Whether nobody but init, a reaper or a shell is above it: any other may have started it, and need
 * it. */
static bool is_nobodys(const struct container *c, const struct process *p)
{
    static const char *const names[] = {
        "init", "tini", "dumb-init", "docker-init", "sh",      "catatonit",
        "bash", "dash", "ash",       "zsh",         "busybox",
    };
    for (size_t depth = 0; p->pid != c->pid; depth++) {
        bool known = false;
        p = process_of(c, p->ppid);
        for (size_t i = 0; p && i < sizeof names / sizeof *names; i++)
            known |= !strcmp(p->comm, names[i]);
        if (!known || depth > c->n_processes)
            return false;
    }
    return true;
}

/* Whose child it is. Where its server died under an entrypoint that started the next one, it was
 * left to init, or to that entrypoint. */
static struct ruling child(const struct look *look, struct runner *r, const struct process *p)
{
    const struct container *c = look->container;
    const struct process *lister = container_lister(c), *parent = process_of(c, p->ppid);
    size_t servers = 0;
    for (size_t i = 0; i < c->n_processes; i++)
        servers += container_server(c, &c->processes[i]);
    if (parent && container_server(c, parent)) {
        r->serve_pid = parent->pid;
        r->serve_started_us = parent->started_us;
    }
    const struct process *before =
        fact_known(r->serve_pid) ? process_of(c, r->serve_pid) : NULL; /* may be another by now */
    bool had = fact_known(r->serve_pid),
         died =
             had && (!before || before->started_us != r->serve_started_us || before->state == 'Z');
    if (!lister || servers == 0)
        return UNKNOWN("which server gave the list");
    if (!fact_known(p->ppid))
        return UNKNOWN("whose child its runner is");
    if (p->ppid == lister->pid)
        return YES(look->now_s);
    if (servers > 1 || (had && !died))
        return NO("its runner is not the child of the server that gave the list");
    if (died)
        return YES(look->now_s);
    if (!p->blob[0] || !fact_known(p->port) || !(p->started_us < lister->started_us))
        return NO("its runner is not the child of the server that gave the list");
    return is_nobodys(c, p) ? YES(look->now_s)
                            : UNKNOWN("who started its runner, which is no child of the server");
}

/* What makes it an orphan; others rest on some of it. */
static void take_conditions(const struct look *look, struct runner *r, const struct process *p)
{
    double now_s = look->now_s;
    /* A list that was asked for before the runner was there cannot name it (docs/judgement.md, fact
     * 2). */
    enum tri listed = runner_listed(look, p), is_flat = flat(look, r, p);
    look_take(look, &r->conditions[ORPHAN_UNLISTED],
              listed == TRI_TRUE ? NO("every runner is one of a listed model")
              : listed == TRI_FALSE && look->asked_s >= r->first_s
                  ? YES(look->asked_s)
                  : UNKNOWN_AS("the list of loaded models", look->unanswered));
    look_take(look, &r->conditions[ORPHAN_FLAT],
              is_flat == TRI_TRUE    ? YES(r->flat_from_s)
              : is_flat == TRI_FALSE ? NO("its runner works")
                                     : UNKNOWN("whether its runner works"));
    look_take(look, &r->conditions[ORPHAN_AWAKE],
              !p->state         ? UNKNOWN("the state of its runner")
              : p->state == 'D' ? NO("its runner waits for a disk (state D)")
                                : YES(now_s));
    look_take(look, &r->conditions[ORPHAN_CHILD], child(look, r, p));
}

static void take_still(const struct look *look, struct still *s, const struct process *p)
{
    static const fact two_ticks_us = 20000;
    const struct cgroup_memory *m = &look->container->cgroup;
    bool stopped = p->state == 'T'; /* what is stopped reads nothing */
    s->unknown = "whether its runner works";
    if (!p->state || !fact_known(p->cpu_us) || !fact_known(p->rss_anon) || !fact_known(p->rss_file))
        return;
    const char *unknown = !stopped && !fact_known(m->disk_read) ? "what its container reads"
                          : m->version != 1 && m->frozen == FACT_UNKNOWN
                              ? "whether its container is frozen"
                              : NULL;
    bool held = p->state == 't' || m->frozen > 0 || stopped != s->stopped ||
                (!unknown && look->now_s - s->known_s > look->allowance_s);
    bool moves = s->from_s < 0 || held || p->cpu_us - s->cpu_us > two_ticks_us || p->state == 'D' ||
                 moved(s->anon, p->rss_anon) || moved(s->file, p->rss_file) ||
                 (fact_known(m->disk_read) && m->disk_read != s->disk_read);
    s->unknown = moves ? NULL : unknown;
    if (!unknown)
        s->known_s = look->now_s;
    s->stopped = stopped;
    if (moves) {
        s->from_s = look->now_s;
        s->anon = p->rss_anon;
        s->file = p->rss_file;
    }
    if (moves || look->now_s - s->minute_s >= 60) {
        s->minute_s = look->now_s;
        s->cpu_us = p->cpu_us;
    }
    if (fact_known(m->disk_read))
        s->disk_read = m->disk_read;
}

static void take_use(const struct look *look, struct runner *r, const struct process *p)
{
    window_take(&r->window, look->now_s, p->cpu_us, FACT_UNKNOWN);
    const struct model *model = model_of_runner(look, p);
    struct lease lease;
    bool leased = model && model_lease(look->world, look->container, model, &lease);
    bool ours = p->blob[0] && !strcmp(p->blob, look->history->probed);
    r->worked = (ours ? work_take_ours : work_take)(&r->work, p, leased ? &lease : NULL, look->once,
                                                    look->now_s);
}

void runners_clear(struct look *look)
{
    for (size_t i = 0; i < look->history->n_runners; i++) {
        struct runner *r = &look->history->runners[i];
        look_clear(look, r->own, r->pid, r->started_us, "");
    }
}

void runners_look(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; i < h->n_runners; i++) {
        h->runners[i].now = NULL;
        for (size_t k = 0; !c->processes_known && k < ORPHAN_CONDITIONS; k++)
            look_take(look, &h->runners[i].conditions[k], UNKNOWN("processes"));
    }
    if (!c->processes_known)
        return;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        struct runner *r = process_is_live_runner(p) ? history_runner(h, p) : NULL;
        if (!r)
            continue;
        r->now = p;
        fact held = process_held(p);
        if (fact_known(held))
            r->held = held;
        if (fact_known(c->connections)) /* they were read in this look */
            r->clients = p->clients;
        if (!look->repeated) {
            take_use(look, r, p);
            take_still(look, &r->still, p);
        }
        take_conditions(look, r, p);
    }
    for (size_t i = 0; i < h->n_runners;) {
        struct runner *r = &h->runners[i];
        if (r->now) {
            i++;
            continue;
        }
        look_clear(look, r->own, r->pid, r->started_us, "");
        oom_runner_gone(look, r);
        *r = h->runners[--h->n_runners];
    }
}
