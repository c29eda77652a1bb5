/* oom-kill: the kernel killed in this container. The engine's OOMKilled stays
 * false when it was only a runner, and the restart count 0: the cgroup's counter alone tells. */
#include "base/size.h"
#include "judge/growth.h"
#include "judge/rules.h"

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

/* Whether the kernel has killed since the last look. */
static bool take(struct look *look)
{
    struct oom *o = &look->history->oom;
    const struct cgroup_memory *m = &look->container->cgroup;
    fact before = o->seen;
    if (!fact_known(m->oom_kills))
        return false;
    o->seen = m->oom_kills;
    if (!fact_known(before) || m->oom_kills <= before)
        return false;
    bool stood = o->at_s >= 0 && look->history->own[VERDICT_OOM_KILL].standing.raised;
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
                      .gone_held = o->gone_held};
    if (o->gone_s >= 0 && o->gone_s >= look->before_s) {
        o->pid = o->gone_pid;
        o->held = o->gone_held;
    }
    return true;
}

/* Whether a kill stands; without one at_s is < 0. */
static struct ruling stands(const struct look *look)
{
    struct oom *o = &look->history->oom;
    if (o->at_s >= 0 && look->now_s - o->at_s < stands_s)
        return YES(o->at_s);
    o->at_s = -1;
    return !fact_known(o->seen) ? UNKNOWN("the kernel's counter of kills")
           : o->seen == 0
               ? NO("the kernel has killed nothing in it")
               : NO("no new kill in the last ten minutes (@ since it started)", COUNT(o->seen));
}

static void judge(struct look *look)
{
    static const char *const causes[] = {
        [OOM_OWN_LIMIT] = "the container had reached its own limit",
        [OOM_HOST] = "the host had no memory left",
        [OOM_OTHER] = "a parent's limit or the host's memory was spent, not its own limit"};
    struct oom *o = &look->history->oom;
    bool anew = take(look);
    struct ruling ruling = stands(look);
    bool stand = ruling.value == TRI_TRUE;
    if (stand && !fact_known(o->pid) && o->gone_s >= o->at_s && o->gone_s - o->at_s <= victim_s) {
        o->pid = o->gone_pid;
        o->held = o->gone_held;
    }
    struct finding f = {stand ? o->at_s : -1, stand, !stand, stand ? NULL : &ruling.reason, 0};
    struct verdict *v = look_found(look, VERDICT_OOM_KILL, look->history->own, &f, false, 0);
    if (!v)
        return;
    SHOW(look, v, NULL, {"kills", UNIT_COUNT, (double)o->kills},
         {"oom_kills", UNIT_COUNT, (double)o->seen}, {"pid", UNIT_COUNT, (double)o->pid},
         {"runner", UNIT_BYTES, (double)o->held}, {"limit", UNIT_BYTES, (double)o->limit},
         {"peak", UNIT_BYTES, (double)o->peak}, {"usage", UNIT_BYTES, (double)o->usage},
         {"available", UNIT_BYTES, (double)o->available});
    v->pid = o->pid;
    v->changed |= anew; /* each is an event of its own */
    char who[48] = "a process", cache[96] = "";
    fact bound = growth_bound(look, NULL);
    if (fact_known(o->pid))
        snprintf(who, sizeof who, "the runner %lld", (long long)o->pid);
    if (o->cause == OOM_OWN_LIMIT && (bound == FACT_NONE || bound >= o->limit))
        snprintf(cache, sizeof cache, ": a prompt cache of %s%s cannot fit %s",
                 bound == FACT_NONE ? "any size" : "up to ", bound == FACT_NONE ? "" : SHOWN(bound),
                 SHOWN(o->limit));
    snprintf(v->why, sizeof v->why, "the kernel killed %s, because %s%s", who, causes[o->cause],
             cache);
}

const struct rule rule_oom_kill = {
    {"oom-kill", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "the cgroup's counter of killed processes rose between two looks at one life; it stands for "
     "ten minutes, or until the next life",
     "none", "kills oom_kills pid runner held limit peak usage available",
     "any deed: the kernel has done it"},
    .of_container = judge,
};
