/* oom-kill: the kernel killed in this container (docs/judgement.md). The engine's OOMKilled stays
 * false when it was only a runner, and the restart count 0: the cgroup's counter alone tells. */
#include "judge/look.h"

#include <stdio.h>

static const double stands_s = 600;
/* A victim is gone when its memory is taken down: with the counter, a look before it (the counter
 * is read first) or a little later. */
static const double victim_s = 3;
/* MemAvailable this low is the host's own trouble. */
static const double host_low_percent = 3;

void oom_runner_gone(struct look *look, const struct runner *runner)
{
    struct oom *o = &look->history->oom;
    o->gone_s = look->now_s;
    o->gone_pid = runner->pid;
    o->gone_held = runner->held;
}

static bool near(fact bytes, fact limit)
{
    return bytes >= limit - limit / 100;
}

static enum oom_cause cause_of(const struct look *look)
{
    const struct cgroup_memory *m = &look->container->cgroup;
    const struct host *host = &look->world->host;
    bool host_low = fact_known(host->available) && host->total > 0 &&
                    100.0 * (double)host->available / (double)host->total < host_low_percent;
    if (m->limit >= 0 && (near(m->usage, m->limit) || (near(m->peak, m->limit) && !host_low)))
        return OOM_OWN_LIMIT;
    return host_low ? OOM_HOST : OOM_OTHER;
}

static void take(struct look *look)
{
    struct oom *o = &look->history->oom;
    const struct cgroup_memory *m = &look->container->cgroup;
    fact before = o->seen;
    if (!fact_known(m->oom_kills))
        return;
    o->seen = m->oom_kills;
    if (!fact_known(before) || m->oom_kills <= before)
        return;
    bool stood = o->at_s >= 0 && o->standing.raised;
    *o = (struct oom){.seen = m->oom_kills,
                      .at_s = look->now_s,
                      .kills = m->oom_kills - before + (stood ? o->kills : 0),
                      .cause = cause_of(look),
                      .pid = FACT_UNKNOWN,
                      .held = FACT_UNKNOWN,
                      .limit = m->limit,
                      .peak = m->peak,
                      .usage = m->usage,
                      .available = look->world->host.available,
                      .gone_s = o->gone_s,
                      .gone_pid = o->gone_pid,
                      .gone_held = o->gone_held,
                      .standing = o->standing};
    if (o->gone_s >= 0 && o->gone_s >= look->before_s) {
        o->pid = o->gone_pid;
        o->held = o->gone_held;
    }
}

void judge_oom(struct look *look)
{
    static const char *const causes[] = {
        [OOM_OWN_LIMIT] = "the container had reached its own limit",
        [OOM_HOST] = "the host had no memory left",
        [OOM_OTHER] = "a parent's limit or the host's memory was spent, not its own limit"};
    struct oom *o = &look->history->oom;
    take(look);
    bool stands = o->at_s >= 0 && look->now_s - o->at_s < stands_s;
    if (stands && !fact_known(o->pid) && o->gone_s >= o->at_s && o->gone_s - o->at_s <= victim_s) {
        o->pid = o->gone_pid;
        o->held = o->gone_held;
    }
    struct verdict *v = look_settle(look, VERDICT_OOM_KILL, &o->standing, stands ? o->at_s : -1,
                                    stands, !stands, false, 0);
    if (!stands)
        o->at_s = -1;
    if (!v)
        return;
    verdict_add_fact(v, "kills", UNIT_COUNT, o->kills);
    verdict_add_fact(v, "oom_kills", UNIT_COUNT, o->seen);
    verdict_add_fact(v, "pid", UNIT_COUNT, o->pid);
    verdict_add_fact(v, "runner", UNIT_BYTES, o->held);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add_fact(v, "limit", UNIT_BYTES, o->limit);
    verdict_add_fact(v, "peak", UNIT_BYTES, o->peak);
    verdict_add_fact(v, "usage", UNIT_BYTES, o->usage);
    verdict_add_fact(v, "available", UNIT_BYTES, o->available);
    v->pid = o->pid;
    char who[48] = "a process";
    if (fact_known(o->pid))
        snprintf(who, sizeof who, "the runner %lld", (long long)o->pid);
    snprintf(v->why, sizeof v->why, "the kernel killed %s, because %s", who, causes[o->cause]);
}
