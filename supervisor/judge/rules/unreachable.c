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
           : o->reachable
               ? NO("Ollama answers, in @", SECONDS(o->latency_ms < 0 ? 0 : o->latency_ms / 1000))
               : YES(look->asked_s);
}

/* Nothing at all happens in it. */
static enum tri quiet(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    enum tri all = look->busy == TRI_FALSE  ? TRI_TRUE
                   : look->busy == TRI_TRUE ? TRI_FALSE
                                            : TRI_UNKNOWN;
    if (look_throttled(look)) /* that may be why */
        return TRI_FALSE;
    if (!c->processes_known)
        return all == TRI_FALSE ? TRI_FALSE : TRI_UNKNOWN;
    for (size_t i = 0; i < h->n_runners; i++) {
        enum tri flat = h->runners[i].conditions[ORPHAN_FLAT].now;
        if (flat == TRI_FALSE)
            all = TRI_FALSE;
        else if (flat == TRI_UNKNOWN && all == TRI_TRUE)
            all = TRI_UNKNOWN;
    }
    return all;
}

/* Whether nothing speaks against a restart, and has not for long enough. */
static bool may_restart(struct look *look, double silent_since_s)
{
    const struct history *h = look->history;
    double since_s = h->quiet.since_s > silent_since_s ? h->quiet.since_s : silent_since_s;
    bool up = look_uptime_s(look) > h->settings.leak_grace_s;
    double left_s = since_s + h->settings.leak_unreachable_restart_s - look->now_s;
    if (!h->has_answered || !up || silent_since_s < 0 || h->quiet.since_s < 0 ||
        h->quiet.now != TRI_TRUE || left_s > 2 * look->interval_s)
        return false;
    look_want_connections(look, left_s > 0 ? 0 : connections_patience_s);
    return left_s <= 0 && look_connected(look, connections_patience_s) == TRI_FALSE;
}

static void judge(struct look *look)
{
    struct history *h = look->history;
    struct matter *own = &h->own[VERDICT_UNREACHABLE];
    condition_take(&h->quiet, quiet(look), look->use.from_s, look->now_s, look->allowance_s);
    struct verdict *v = look_judge(look, VERDICT_UNREACHABLE, h->own, silent(look),
                                   h->settings.leak_unreachable_hold_s);
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
                                : "it is restarted only when nothing has happened in it for long");
}

const struct rule rule_unreachable = {
    {"unreachable", SEVERITY_CRITICAL, REMEDY_WAIT, REMEDY_RESTART,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER),
     "its container runs, and Ollama does not answer. Restarted only if it has answered in this "
     "life, all processes are known, it is not busy, every runner stands still, and nobody is "
     "connected",
     "`leak.unreachable_hold` 60 s, told; `leak.unreachable_restart` 5 min, restarted",
     "silent runners connections held cpu received",
     "restart while anything works in it, while it is throttled, or where it never answered: that "
     "may be our own way to it"},
    .of_container = judge,
};
