/* idle-leak and held-elsewhere (docs/judgement.md). */
#include "judge/look.h"

#include <stdio.h>
#include <string.h>

/* Names what is unknown among the conditions of idle-leak. */
static void name_missing(const struct look *look, bool connections_wanted, struct verdict *v)
{
    static const char *const names[IDLE_CONDITIONS] = {"uptime", "the list of loaded models",
                                                       "processes", "CPU time or received bytes",
                                                       "the server's memory"};
    for (size_t i = 0; i < IDLE_CONDITIONS; i++)
        if (look->history->idle[i].now == TRI_UNKNOWN) {
            const char *name =
                i == IDLE_EXCESS && !fact_known(look->threshold) ? "the memory limit" : names[i];
            bool detail = i == IDLE_NOTHING_LOADED && look->unanswered;
            snprintf(v->missing, sizeof v->missing, "%s%s%s", name, detail ? ": " : "",
                     detail ? look->unanswered : "");
            return;
        }
    if (connections_wanted && !fact_known(look->connections))
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
}

static void add_idle_evidence(const struct look *look, struct verdict *v)
{
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add_fact(v, "serve", UNIT_BYTES, look->serve_held);
    verdict_add_fact(v, "baseline", UNIT_BYTES, look->baseline);
    verdict_add_fact(v, "threshold", UNIT_BYTES, look->threshold);
    verdict_add_fact(v, "limit", UNIT_BYTES, look->container->cgroup.limit);
    verdict_add_fact(v, "swap", UNIT_BYTES, look->serve ? look->serve->swap : FACT_UNKNOWN);
    verdict_add_fact(v, "page_cache", UNIT_BYTES, look->container->cgroup.file);
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    if (look->use.cpu_percent >= 0)
        verdict_add(v, "cpu", UNIT_PERCENT, look->use.cpu_percent);
    if (look->use.received_per_s >= 0)
        verdict_add(v, "received", UNIT_BYTES_PER_SECOND, look->use.received_per_s);
}

static double uptime_s(const struct look *look)
{
    return look->history->first_uptime_s + look->now_s - look->history->first_seen_s;
}

void judge_leak(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    double now_s = look->now_s, allowance_s = look->allowance_s;

    bool up = uptime_s(look) > h->settings.leak_grace_s;
    condition_take(&h->idle[IDLE_UP], up ? TRI_TRUE : TRI_FALSE, now_s, now_s, allowance_s);

    enum tri nothing = look->answered != TRI_TRUE ? TRI_UNKNOWN
                       : c->ollama.n_models       ? TRI_FALSE
                                                  : TRI_TRUE;
    condition_take(&h->idle[IDLE_NOTHING_LOADED], nothing, now_s, now_s, allowance_s);

    enum tri no_runner = !c->processes_known  ? TRI_UNKNOWN
                         : look->live_runners ? TRI_FALSE
                                              : TRI_TRUE;
    condition_take(&h->idle[IDLE_NO_RUNNER], no_runner, now_s, now_s, allowance_s);

    /* A window that was not busy has been so since it began. */
    enum tri not_busy = look->busy == TRI_UNKNOWN ? TRI_UNKNOWN
                        : look->busy == TRI_TRUE  ? TRI_FALSE
                                                  : TRI_TRUE;
    condition_take(&h->idle[IDLE_NOT_BUSY], not_busy, look->use.from_s, now_s, allowance_s);

    enum tri excess = TRI_UNKNOWN;
    if (fact_known(look->serve_held) && fact_known(look->threshold))
        excess = look->serve_held - look->baseline >= look->threshold ? TRI_TRUE : TRI_FALSE;
    condition_take(&h->idle[IDLE_EXCESS], excess, now_s, now_s, allowance_s);

    look->assessment->leaks_in_use =
        up && nothing != TRI_UNKNOWN && no_runner != TRI_UNKNOWN && excess == TRI_TRUE;

    bool all_now, contradicted;
    double since_s = conditions_since(h->idle, IDLE_CONDITIONS, &all_now, &contradicted);

    /* Connections last, because they are dear: shortly before the hold is over. */
    double hold_s = h->settings.leak_hold_s;
    bool foreign = fact_known(look->connections) && look->connections > 0;
    if (foreign)
        hold_s =
            h->settings.leak_connected_hold_s > hold_s ? h->settings.leak_connected_hold_s : hold_s;
    bool near_end = since_s >= 0 && all_now &&
                    now_s - since_s >= h->settings.leak_hold_s - 2 * look->interval_s;
    if (near_end) {
        bool standing = h->own[VERDICT_IDLE_LEAK].standing.raised;
        /* That the client has left must be seen within a poll, as all that a verdict waits for. */
        look_want_connections(look, foreign ? look->poll_s : standing ? 10 : 0);
    }
    bool connections_known = fact_known(look->connections);
    struct verdict *v =
        look_settle(look, VERDICT_IDLE_LEAK, &h->own[VERDICT_IDLE_LEAK].standing, since_s,
                    all_now && connections_known, contradicted, excess == TRI_TRUE, hold_s);
    if (!v)
        return;
    v->confirmed &= look->connections_age_s == 0; /* the fresh look before a deed reads them anew */
    v->remedy = REMEDY_RESTART;
    add_idle_evidence(look, v);
    name_missing(look, near_end, v);
    if (foreign)
        snprintf(v->why, sizeof v->why,
                 "no model is loaded, but a client keeps a connection: an idle pool, a pull that "
                 "stands still or a "
                 "cloud model, so the hold is longer");
    else
        snprintf(v->why, sizeof v->why,
                 "no model is loaded, loading or running, and the server itself holds the memory");
}

void judge_elsewhere(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    fact foreign = 0, largest = -1;
    bool all_known = true;
    const struct process *owner = NULL;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        fact held = process_held(p);
        if (p->kind != PROCESS_OTHER)
            continue;
        if (!fact_known(held)) {
            all_known = false;
            continue;
        }
        foreign += held;
        if (held > largest)
            largest = held, owner = p;
    }
    enum tri elsewhere = TRI_UNKNOWN;
    if (fact_known(c->cgroup.shmem) && c->processes_known && fact_known(look->threshold))
        elsewhere = c->cgroup.shmem + foreign >= look->threshold ? TRI_TRUE
                    : all_known                                  ? TRI_FALSE
                                                                 : TRI_UNKNOWN;
    struct verdict *v = look_judge(look, VERDICT_HELD_ELSEWHERE, elsewhere, look->now_s, false,
                                   h->settings.leak_hold_s);
    if (!v)
        return;
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add_fact(v, "shmem", UNIT_BYTES, c->cgroup.shmem);
    verdict_add(v, "foreign", UNIT_BYTES, (double)foreign);
    if (owner && largest > c->cgroup.shmem) {
        v->pid = owner->pid;
        v->started_us = owner->started_us;
        snprintf(
            v->why, sizeof v->why,
            "the memory is not Ollama's: process %lld (%.15s) in the container holds most of it",
            (long long)owner->pid, owner->comm);
    } else {
        snprintf(v->why, sizeof v->why,
                 "the memory lies in a tmpfs or in shared memory: deleting files there frees it, a "
                 "restart may not");
    }
}
