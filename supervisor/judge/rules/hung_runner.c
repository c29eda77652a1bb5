/* hung-runner: a request is under way in the model, its client waits, and nothing happens in its
 * runner. That a request is, work tells (judge/work.h); a connection alone proves nothing: pools
 * stay open, and a client of another model looks the same. */
#include "base/size.h"
#include "judge/rules.h"

#include <stdio.h>
#include <string.h>

static const double stopped_hold_s = 30;    /* state T: somebody, or something, sent it SIGSTOP */
static const size_t budget = 3, of_all = 9; /* in an hour, of one model and of all of a container */

static struct ruling request(const struct look *look, const struct runner *r)
{
    if (!r->now || look->answered != TRI_TRUE)
        return UNKNOWN("loaded models or processes");
    if (!model_of_runner(look, r->now))
        return NO("no model is known to be its runner's");
    return r->work.request_s < 0                ? NO("no request is known to be under way")
           : r->now->state == 't'               ? NO("a debugger holds its runner (state t)")
           : look->container->cgroup.frozen > 0 ? NO("its container is frozen")
                                                : YES(r->work.request_s);
}

static struct ruling stands_still(const struct look *look, const struct runner *r)
{
    return !r->now                         ? UNKNOWN("processes")
           : r->still.unknown              ? UNKNOWN(r->still.unknown)
           : r->still.from_s < 0           ? UNKNOWN("whether its runner works")
           : r->still.from_s < look->now_s ? YES(r->still.from_s)
                                           : NO("its runner works, or something reads");
}

/* Whether none of that model may be killed for it any more within the hour. */
static bool is_spent(const struct look *look, const char *blob)
{
    const struct deeds *deeds = look->history->deeds;
    return deeds_count(deeds, VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, blob, look->now_s,
                       deeds_kept_s) >= budget ||
           deeds_count(deeds, VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, NULL, look->now_s,
                       deeds_kept_s) >= of_all;
}

static void judge(struct look *look, struct runner *r)
{
    static const struct reason nobody = {.text = "nobody is connected", .near = ORPHAN_CONDITIONS},
                               reads = {.text = "a client does not read what it was sent",
                                        .near = ORPHAN_CONDITIONS};
    struct matter *own = &r->own[VERDICT_HUNG_RUNNER];
    look_take(look, &own->condition, request(look, r));
    look_take(look, &r->still.condition, stands_still(look, r));
    struct condition conditions[] = {own->condition, r->still.condition,
                                     r->conditions[ORPHAN_AWAKE], r->conditions[ORPHAN_CHILD]};
    struct finding f = conditions_find(conditions, sizeof conditions / sizeof *conditions);
    double hold_s = look->history->settings->leak_hung_hold_s;
    if (r->now && r->now->state == 'T' && hold_s > stopped_hold_s)
        hold_s = stopped_hold_s;
    if (look_near_end(look, &f, hold_s))
        look_want_connections(look, own->standing.raised ? connections_patience_s : 0);
    enum tri connected = look_connected(look, connections_patience_s);
    bool unread = look->container->unread > 0;
    if (f.since_s >= 0 && unread) {
        look_want_connections(look, connections_patience_s);
        condition_reset(&r->still.condition);
        r->still.from_s = look->now_s; /* it counts from when that was read */
    }
    bool suspicious = f.since_s >= 0 && f.all_now && connected == TRI_TRUE && !unread;
    if (f.all_now && (unread || connected == TRI_FALSE))
        f.against = unread ? &reads : &nobody;
    f.all_now &= connected == TRI_TRUE && !unread;
    f.contradicted |= connected == TRI_FALSE || unread;
    struct verdict *v = look_found(look, VERDICT_HUNG_RUNNER, r->own, &f, suspicious, hold_s);
    if (!v)
        return;
    const struct model *model = r->now ? model_of_runner(look, r->now) : NULL;
    bool spent = is_spent(look, r->blob);
    v->pid = r->pid;
    v->started_us = r->started_us;
    memcpy(v->blob, r->blob, sizeof v->blob);
    v->remedy = spent ? REMEDY_NONE : REMEDY_KILL_RUNNER;
    if (model)
        snprintf(v->model, sizeof v->model, "%s", model->name);
    v->confirmed &= look->connections_age_s == 0;
    SHOW(look, v, r, {"waiting", UNIT_SECONDS, look->now_s - f.since_s});
    if (!v->missing[0] && connected == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
    snprintf(v->why, sizeof v->why,
             "%.100s has a request whose client waits, and nothing has happened in its runner "
             "(process %lld) for %s%s",
             model ? model->name : "its model", (long long)r->pid, SHOWN_S(look->now_s - f.since_s),
             spent ? "; as many as may have gone so in an hour" : "");
}

const struct rule rule_hung_runner = {
    {"hung-runner", SEVERITY_CRITICAL, REMEDY_KILL_RUNNER, REMEDY_KILL_RUNNER,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART),
     "a request is under way in a loaded model and a client is connected; its runner uses no more "
     "than two ticks of CPU time a minute, its anon and file stand still, the container reads "
     "nothing from disk, it is not in state D, and is the server's child",
     "`leak.hung_hold` 3 min; 30 s in state T",
     "pid runner waiting runner_cpu_us held models runners connections",
     "while a client has not read what it was sent, a debugger holds it (state t), its cgroup is "
     "frozen, or what is read is not known; more than three of one model within an hour: then "
     "told; "
     "restart"},
    .unless = "no runner is alive",
    .of_runner = judge,
};
