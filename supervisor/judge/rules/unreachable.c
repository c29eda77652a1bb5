/* unreachable: the container runs, and Ollama does not answer. */
#include "judge/rules.h"

#include <stdio.h>

/* A question may wait for ten seconds before it is lost (sense/look.c), and says nothing new until
 * then. */
static const double question_s = 10;

static struct ruling silent(const struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    double age_s = o->age_ms / 1000, fresh_s = 2 * look->poll_s + (o->reachable ? 0 : question_s);
    return !o->asked         ? UNKNOWN("whether Ollama answers: it has not been asked yet")
           : age_s > fresh_s ? UNKNOWN("whether Ollama answers")
           : o->foreign      ? NO("something answers, though not as was asked for")
           : o->reachable
               ? NO("Ollama answers, in @", SECONDS(o->latency_ms < 0 ? 0 : o->latency_ms / 1000))
               : YES(look->asked_s);
}

/* Whether it has read from a disk: a thread that loads by direct I/O shows nowhere else. */
static bool has_read(struct look *look)
{
    fact read = look->container->cgroup.disk_read, before = look->history->disk_read;
    if (fact_known(read))
        look->history->disk_read = read;
    return fact_known(read) && read != before;
}

/* Whether somebody holds it, so that it cannot answer: a disk, a debugger, a frozen cgroup. */
static enum tri held(const struct container *c)
{
    bool known = c->cgroup.version == 1 || c->cgroup.frozen != FACT_UNKNOWN;
    bool is = c->cgroup.frozen > 0;
    for (size_t i = 0; i < c->n_processes; i++) {
        is |= c->processes[i].state == 'D' || c->processes[i].state == 't';
        known &= c->processes[i].state != 0;
    }
    return is ? TRI_TRUE : known ? TRI_FALSE : TRI_UNKNOWN;
}

/* Nothing at all happens in it, though it may. */
static enum tri quiet(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    bool reads = has_read(look);
    enum tri is_held = held(c);
    if (reads || look_throttled(look) || look->busy == TRI_TRUE || is_held == TRI_TRUE)
        return TRI_FALSE;
    enum tri all = look->busy == TRI_UNKNOWN || is_held == TRI_UNKNOWN || !c->processes_known ||
                           c->ollama.doubted
                       ? TRI_UNKNOWN
                       : TRI_TRUE;
    for (size_t i = 0; i < h->n_runners; i++) {
        enum tri flat = h->runners[i].conditions[ORPHAN_FLAT].now;
        if (flat == TRI_FALSE)
            return TRI_FALSE;
        all = flat == TRI_UNKNOWN ? TRI_UNKNOWN : all;
    }
    return all;
}

/* Whether nothing speaks against a restart, and has not for long enough. */
static bool may_restart(struct look *look, double silent_since_s)
{
    const struct history *h = look->history;
    double since_s = h->quiet.since_s > silent_since_s ? h->quiet.since_s : silent_since_s;
    bool up = look_uptime_s(look) > h->settings->leak_grace_s;
    double hold_s = h->settings->leak_unreachable_restart_s,
           connected_s = h->settings->leak_connected_hold_s;
    double left_s = since_s + hold_s - look->now_s;
    if (!h->has_answered || !up || silent_since_s < 0 || h->quiet.since_s < 0 ||
        h->quiet.now != TRI_TRUE || left_s > 2 * look->interval_s)
        return false;
    look_want_connections(look, left_s > 0 ? 0 : connections_patience_s);
    enum tri connected = look_connected(look, connections_patience_s);
    if (connected == TRI_TRUE && !fact_known(look->container->cgroup.disk_read))
        return false;                                  /* what it waits for may be a load */
    if (connected == TRI_TRUE && connected_s > hold_s) /* who waits for it lengthens that */
        left_s += connected_s - hold_s;
    return left_s <= 0 && connected != TRI_UNKNOWN;
}

static void judge(struct look *look)
{
    struct history *h = look->history;
    struct matter *own = &h->own[VERDICT_UNREACHABLE];
    condition_take(&h->quiet, quiet(look), look->use.from_s, look->now_s, look->allowance_s);
    struct verdict *v = look_judge(look, VERDICT_UNREACHABLE, h->own, silent(look),
                                   h->settings->leak_unreachable_hold_s);
    if (!v)
        return;
    bool restart = own->condition.now == TRI_TRUE && may_restart(look, own->condition.since_s);
    look_remedy(v, &own->standing, restart ? REMEDY_RESTART : REMEDY_NONE);
    v->confirmed &= restart && look->connections_age_s == 0;
    SHOW(look, v, NULL, {"silent", UNIT_SECONDS, look->now_s - v->since_s});
    const char *error = look->container->ollama.error;
    snprintf(v->why, sizeof v->why, "Ollama does not answer%s%.120s; %s", *error ? ": " : "", error,
             restart            ? "it did before, and nothing happens in it"
             : !h->has_answered ? "it has not since it was first seen, so that is only told"
             : look->container->ollama.doubted
                 ? "it listens there, and may be out of our reach alone, so that is only told"
                 : "it is restarted only when nothing has happened in it for long");
}

const struct rule rule_unreachable = {
    {"unreachable", SEVERITY_CRITICAL, REMEDY_WAIT, REMEDY_RESTART,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER),
     "its container runs, and Ollama does not answer. Restarted only if it has answered in this "
     "life, all processes are known and none waits for a disk or is held by a debugger, its cgroup "
     "is not frozen, it is not busy and reads nothing from disk, and every runner stands still. "
     "Another answer than was asked for (an error, or HTTP 404 "
     "of a server before 0.1.33, "
     "which is told) is none of it",
     "`leak.unreachable_hold` 60 s, told; `leak.unreachable_restart` 5 min, restarted; with a "
     "client "
     "connected `leak.connected_hold` 10 min where that is longer",
     "silent runners connections held cpu received",
     "restart while anything works in it, with a client while it is not known whether it reads "
     "from "
     "disk, while it is throttled, where it never answered, or where "
     "it listens and was not met: that may be our own way to it"},
    .of_container = judge,
};
