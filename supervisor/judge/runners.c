/* orphan-runner and stalled-load (docs/judgement.md). */
#include "judge/history.h"

#include <stdio.h>
#include <stdlib.h>

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
        look->history->settings.leak_busy_cpu_percent * 1e4 * (look->now_s - r->flat_cpu_at_s) +
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

static void name_runner(const struct runner *r, struct verdict *v)
{
    v->pid = r->pid;
    v->started_us = r->started_us;
}

static void add_evidence(const struct look *look, const struct process *p, struct verdict *v)
{
    verdict_add_fact(v, "pid", UNIT_COUNT, p->pid);
    verdict_add_fact(v, "runner", UNIT_BYTES, process_held(p));
    verdict_add_fact(v, "runner_file", UNIT_BYTES, p->rss_file);
    verdict_add_fact(v, "runner_cpu_us", UNIT_COUNT, p->cpu_us);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
}

/* Brings both verdicts about a runner up to date. p: as it was seen in this look; NULL: the
 * processes could not be seen. */
static void settle(struct look *look, struct runner *r, const struct process *p)
{
    const struct settings *s = &look->history->settings;
    bool all_now, contradicted;
    double since_s = conditions_since(r->conditions, ORPHAN_CONDITIONS, &all_now, &contradicted);
    bool known = fact_known(look->connections), waiting = known && look->connections > 0;
    if (since_s >= 0 && all_now &&
        look->now_s - since_s >= s->leak_orphan_hold_s - 2 * look->interval_s) {
        look_want_connections(look, waiting ? look->poll_s : r->orphan.raised ? 10 : 0);
    }
    double hold_s = waiting && s->leak_stalled_hold_s > s->leak_orphan_hold_s
                        ? s->leak_stalled_hold_s
                        : s->leak_orphan_hold_s;
    struct verdict *v =
        look_settle(look, VERDICT_ORPHAN_RUNNER, &r->orphan, since_s, all_now && known,
                    contradicted, since_s >= 0 && all_now && !waiting, hold_s);
    if (v) {
        name_runner(r, v);
        v->confirmed &= look->connections_age_s == 0;
        v->remedy = REMEDY_KILL_RUNNER;
        if (p)
            add_evidence(look, p, v);
        if (!p || !known)
            snprintf(v->missing, sizeof v->missing, "%s",
                     p ? "connections to Ollama's port" : "processes");
        snprintf(v->why, sizeof v->why,
                 "process %lld serves a model that the server no longer lists, and nothing happens "
                 "in it",
                 (long long)r->pid);
    }
    v = look_settle(look, VERDICT_STALLED_LOAD, &r->stalled, since_s, all_now && waiting,
                    contradicted || r->orphan.raised || (known && !waiting), false,
                    s->leak_orphan_hold_s);
    if (v) {
        name_runner(r, v);
        if (p)
            add_evidence(look, p, v);
        snprintf(v->why, sizeof v->why,
                 "the load of process %lld stands still while a client waits for it; "
                 "OLLAMA_LOAD_TIMEOUT (5 minutes) ends it",
                 (long long)r->pid);
    }
}

static void judge_runner(struct look *look, struct runner *r, const struct process *p)
{
    double now_s = look->now_s, asked_s = look->asked_s;

    /* A list that was asked for before the runner was there cannot name it (JUDGEMENT, fact 2). */
    enum tri listed = runner_listed(look, p);
    enum tri unlisted = listed == TRI_TRUE                             ? TRI_FALSE
                        : listed == TRI_FALSE && asked_s >= r->first_s ? TRI_TRUE
                                                                       : TRI_UNKNOWN;
    condition_take(&r->conditions[ORPHAN_UNLISTED], unlisted, asked_s, now_s, look->allowance_s);
    enum tri is_flat = flat(look, r, p);
    condition_take(&r->conditions[ORPHAN_FLAT], is_flat, r->flat_from_s, now_s, look->allowance_s);
    enum tri awake = !p->state ? TRI_UNKNOWN : p->state == 'D' ? TRI_FALSE : TRI_TRUE;
    condition_take(&r->conditions[ORPHAN_AWAKE], awake, now_s, now_s, look->allowance_s);
    const struct process *lister = container_lister(look->container);
    enum tri child = !lister || !fact_known(p->ppid) ? TRI_UNKNOWN
                     : p->ppid == lister->pid        ? TRI_TRUE
                                                     : TRI_FALSE;
    condition_take(&r->conditions[ORPHAN_CHILD], child, now_s, now_s, look->allowance_s);
    settle(look, r, p);
}

/* The processes could not be seen: nothing is contradicted, but no hold goes on for long. */
static void judge_unseen(struct look *look, struct runner *r)
{
    for (size_t i = 0; i < ORPHAN_CONDITIONS; i++)
        condition_take(&r->conditions[i], TRI_UNKNOWN, look->now_s, look->now_s, look->allowance_s);
    settle(look, r, NULL);
}

/* A runner that is gone: what it had raised is cleared. */
static void clear_gone(struct look *look, struct runner *r)
{
    struct verdict *v =
        look_settle(look, VERDICT_ORPHAN_RUNNER, &r->orphan, -1, false, true, false, 0);
    if (v)
        name_runner(r, v);
    v = look_settle(look, VERDICT_STALLED_LOAD, &r->stalled, -1, false, true, false, 0);
    if (v)
        name_runner(r, v);
    clear_stuck(look, r);
    clear_growth(look, &r->growth, r);
}

void clear_runners(struct look *look)
{
    for (size_t i = 0; i < look->history->n_runners; i++)
        clear_gone(look, &look->history->runners[i]);
}

static void take_use(const struct look *look, struct runner *r, const struct process *p)
{
    window_take(&r->window, look->now_s, p->cpu_us, FACT_UNKNOWN);
    if (fact_known(p->cpu_us)) {
        if (fact_known(r->used_cpu_us) && p->cpu_us > r->used_cpu_us)
            r->used_s = look->now_s;
        r->used_cpu_us = p->cpu_us;
    }
    const struct model *model = model_of_runner(look, p);
    r->worked = work_take(&r->work, p, model ? model->expires_at : "", look->now_s);
}

void judge_runners(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; !c->processes_known && i < h->n_runners; i++)
        judge_unseen(look, &h->runners[i]);
    if (!c->processes_known)
        return;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        struct runner *r = process_is_live_runner(p) ? history_runner(h, p) : NULL;
        if (!r)
            continue;
        r->seen_s = look->now_s;
        fact held = process_held(p);
        if (fact_known(held))
            r->held = held;
        if (!look->repeated)
            take_use(look, r, p);
        judge_runner(look, r, p);
    }
    for (size_t i = 0; i < h->n_runners;) {
        if (h->runners[i].seen_s >= look->now_s) {
            i++;
            continue;
        }
        clear_gone(look, &h->runners[i]);
        oom_runner_gone(look, &h->runners[i]);
        h->runners[i] = h->runners[--h->n_runners];
    }
}
