/* unreachable: the container runs, and Ollama does not answer (docs/judgement.md). */
#include "judge/history.h"

#include <stdio.h>

/* A question may wait for ten seconds before it is lost (sense/look.c), and says nothing new until
 * then. */
static const double question_s = 10;
static const double patience_s = 10;

static enum tri silent(const struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    double age_s = o->age_ms / 1000, fresh_s = 2 * look->poll_s;
    if (!o->asked)
        return TRI_UNKNOWN;
    if (o->reachable || o->foreign) /* another answer than was asked for is no silence */
        return age_s > fresh_s ? TRI_UNKNOWN : TRI_FALSE;
    return age_s > fresh_s + question_s ? TRI_UNKNOWN : TRI_TRUE;
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
        if (flat == TRI_FALSE || h->runners[i].conditions[ORPHAN_AWAKE].now == TRI_FALSE)
            all = TRI_FALSE; /* a load by direct I/O moves neither memory nor much CPU time */
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
    bool up = h->first_uptime_s + look->now_s - h->first_seen_s > h->settings.leak_grace_s;
    double hold_s = h->settings.leak_unreachable_restart_s,
           connected_s = h->settings.leak_connected_hold_s;
    double left_s = since_s + hold_s - look->now_s;
    if (!h->has_answered || !up || silent_since_s < 0 || h->quiet.since_s < 0 ||
        h->quiet.now != TRI_TRUE || left_s > 2 * look->interval_s)
        return false;
    look_want_connections(look, left_s > 0 ? 0 : patience_s);
    enum tri connected = look_connected(look, patience_s);
    if (connected == TRI_TRUE && connected_s > hold_s) /* who waits for it lengthens that */
        left_s += connected_s - hold_s;
    return left_s <= 0 && connected != TRI_UNKNOWN;
}

void judge_unreachable(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    struct matter *matter = &h->own[VERDICT_UNREACHABLE];
    condition_take(&h->quiet, quiet(look), look->use.from_s, look->now_s, look->allowance_s);
    enum tri value = silent(look);
    struct verdict *v = look_judge(look, VERDICT_UNREACHABLE, value, look->asked_s, false,
                                   h->settings.leak_unreachable_hold_s);
    if (!v)
        return;
    bool restart = value == TRI_TRUE && may_restart(look, matter->condition.since_s);
    look_remedy(v, &matter->standing, restart ? REMEDY_RESTART : REMEDY_NONE);
    v->confirmed &= restart && look->connections_age_s == 0;
    verdict_add(v, "silent", UNIT_SECONDS, look->now_s - v->since_s);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    if (look->use.cpu_percent >= 0)
        verdict_add(v, "cpu", UNIT_PERCENT, look->use.cpu_percent);
    if (look->use.received_per_s >= 0)
        verdict_add(v, "received", UNIT_BYTES_PER_SECOND, look->use.received_per_s);
    snprintf(v->why, sizeof v->why, "Ollama does not answer%s%.120s; %s",
             *c->ollama.error ? ": " : "", c->ollama.error,
             restart            ? "it did before, and nothing happens in it"
             : !h->has_answered ? "it has not since it was first seen, so that is only told"
                                : "it is restarted only when nothing has happened in it for long");
}
