/* The last resorts of the host's pressure: the kill switch, and the flush. */
#include "judge/rules/host_pressure.h"

#include "base/size.h"
#include <stdio.h>
#include <string.h>

/* A host that is so full for three seconds does not empty by itself; a model that loads reads
 * hundreds of MiB in that time, and one look may be a moment's. */
static const double stop_hold_s = 3;
/* A stop takes its grace and a little; who has not gone after that gives the next one its turn. */
static const double stop_patience_s = 60;
/* Less relieves nothing. */
static const double relief_least_percent = 1;

static bool runs(const struct look *look)
{
    return look->container->status == STATUS_RUNNING;
}

/* Whether the kill switch may choose it, relief known. */
static bool relieves(const struct turn *turn, const struct look *look, fact *ret_relief)
{
    double least = (double)turn->look->world->host.total * relief_least_percent / 100;
    *ret_relief = relief_of(look->container, look->assessment);
    return runs(look) && fact_known(*ret_relief) && (double)*ret_relief >= least &&
           look->now_s >= look->history->relief.stop_skip_until_s;
}

/* The container of that mode whose stop relieves the host most; world->n_containers: none.
 * *ret_relief: by so much, 0 if there is none. */
static size_t largest(const struct turn *turn, enum container_mode mode, fact *ret_relief)
{
    const struct world *world = turn->look->world;
    size_t best = world->n_containers;
    *ret_relief = 0;
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        fact relief;
        if (look.container->mode != mode || !relieves(turn, &look, &relief) ||
            relief_unstoppable(look.container) || relief <= *ret_relief)
            continue;
        best = i;
        *ret_relief = relief;
    }
    return best;
}

static struct verdict *settle(struct turn *turn, struct look *look, struct standing *standing,
                              bool wanted)
{
    const struct condition *by = &turn->pressure->stop;
    bool all_now = by->now == TRI_TRUE, contradicted = !wanted || by->since_s < 0;
    struct verdict *v = look_settle(look, VERDICT_HOST_PRESSURE, standing, by->since_s, all_now,
                                    contradicted, false, stop_hold_s);
    if (!v)
        return NULL;
    v->severity = SEVERITY_CRITICAL;
    pressure_show(turn, look, v,
                  (struct evidence){"relief", UNIT_BYTES,
                                    (double)relief_of(look->container, look->assessment)});
    return v;
}

/* The one that is being stopped: its end is waited for, and then the world is read anew, so that
 * the next one has a hold of its own. */
static void mind_stopping(struct turn *turn)
{
    struct host_pressure *p = turn->pressure;
    const struct world *world = turn->look->world;
    if (!p->stopping[0])
        return;
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        if (strcmp(look.container->id, p->stopping) || !runs(&look))
            continue;
        struct relief *r = &look.history->relief;
        bool failed = look.now_s < r->stop_skip_until_s;
        if (!failed && look.now_s - p->stop_chosen_s <= stop_patience_s)
            return;
        if (r->stop.raised && !failed)
            r->stop_skip_until_s = look.now_s + relief_skip_s;
    }
    p->stopping[0] = '\0';
    condition_reset(&p->stop);
}

/* While somebody else stops one of them, or it is restarted, what comes back is not known: nobody
 * else is stopped for good before that, and then the world is read anew. */
static void mind_others(struct turn *turn)
{
    struct host_pressure *p = turn->pressure;
    const struct world *world = turn->look->world;
    bool others = false;
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        enum container_status status = look.container->status;
        if (!look.history->relief.stopping || (status != STATUS_RUNNING && status != STATUS_PAUSED))
            continue;
        if (!strcmp(look.container->id, p->stopping))
            return; /* its own goes on */
        others = true;
    }
    if (!others)
        return;
    p->stopping[0] = '\0';
    condition_reset(&p->stop);
}

static void choose(struct turn *turn, bool held, fact *ret_relief)
{
    struct host_pressure *p = turn->pressure;
    const struct world *world = turn->look->world;
    size_t at = largest(turn, MODE_ENFORCE, ret_relief);
    if (p->stopping[0] || !held || at == world->n_containers)
        return;
    memcpy(p->stopping, world->containers[at].id, sizeof p->stopping);
    p->stop_chosen_s = turn->look->now_s;
}

static void settle_stop(struct turn *turn, struct look *look, bool wanted)
{
    struct relief *r = &look->history->relief;
    char by[16];
    struct verdict *v = settle(turn, look, &r->stop, wanted);
    if (!v)
        return;
    look_remedy(v, &r->stop, REMEDY_STOP);
    snprintf(v->why, sizeof v->why,
             "the host is all but out of memory, and of the containers that may be stopped this "
             "one relieves it most, by %s",
             size_format(relief_of(look->container, look->assessment), by, sizeof by));
}

static void settle_refused(struct turn *turn, struct look *look, bool wanted)
{
    const char *no = relief_unstoppable(look->container);
    struct verdict *v = settle(turn, look, &look->history->relief.refused, wanted && no);
    if (v)
        snprintf(v->why, sizeof v->why,
                 "the host is all but out of memory, and this container is not stopped for it: %s",
                 no ? no : "it may be stopped");
}

static void tell_stopped(struct turn *turn, struct look *look)
{
    struct relief *r = &look->history->relief;
    if (!r->is_stopped)
        return;
    if (runs(look)) {
        clear_stopped(look);
        return;
    }
    struct verdict *v =
        look_settle(look, VERDICT_HOST_PRESSURE, &r->stopped, r->stopped_s, true, false, false, 0);
    if (!v)
        return;
    v->severity = SEVERITY_CRITICAL;
    pressure_show(turn, look, v, (struct evidence){"held", UNIT_BYTES, -1});
    snprintf(v->why, sizeof v->why,
             "the kill switch stopped it before the host ran out of memory; nobody starts it again "
             "but a person: `docker start %.120s`",
             look->container->name);
}

void clear_stopped(struct look *look)
{
    struct relief *r = &look->history->relief;
    look_settle(look, VERDICT_HOST_PRESSURE, &r->stopped, -1, false, true, false, 0);
    r->is_stopped = r->stopped.raised;
}

void pressure_stop(struct turn *turn)
{
    const struct condition *by = &turn->pressure->stop;
    const struct world *world = turn->look->world;
    mind_stopping(turn);
    mind_others(turn);
    bool held = by->since_s >= 0 && turn->look->now_s - by->since_s >= stop_hold_s;
    fact relief = 0, watched_relief = 0;
    size_t watched = world->n_containers;
    if (held && by->now == TRI_TRUE) {
        choose(turn, held, &relief);
        watched = largest(turn, MODE_OBSERVE, &watched_relief);
    }
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        struct relief *r = &look.history->relief;
        fact own;
        tell_stopped(turn, &look);
        if (!runs(&look))
            continue;
        bool ours = !strcmp(look.container->id, turn->pressure->stopping);
        bool enforce = look.container->mode == MODE_ENFORCE, known = by->now != TRI_UNKNOWN;
        bool refused = enforce && held && relieves(turn, &look, &own) && own > relief &&
                       relief_unstoppable(look.container);
        /* What would be done to one that is only watched, where that would relieve more. */
        bool would = !enforce && i == watched && watched_relief > relief;
        settle_stop(turn, &look, (held && ours) || would || (!known && r->stop.raised));
        settle_refused(turn, &look, refused || (!known && r->refused.raised));
    }
}

void pressure_flush(struct turn *turn)
{
    const struct condition *by = &turn->pressure->flush;
    for (size_t i = 0; i < turn->look->world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        struct relief *r = &look.history->relief;
        bool loaded = look.container->ollama.asked && look.container->ollama.n_models > 0;
        if (!runs(&look))
            continue;
        struct verdict *v = look_settle(&look, VERDICT_HOST_PRESSURE, &r->flush, by->since_s,
                                        by->now == TRI_TRUE, by->since_s < 0 || !loaded, false, 0);
        if (!v)
            continue;
        v->severity = SEVERITY_CRITICAL;
        pressure_show(turn, &look, v, (struct evidence){0});
        look_remedy(v, &r->flush, REMEDY_FLUSH);
        snprintf(v->why, sizeof v->why,
                 "the host is out of memory: every model is told to go at once "
                 "(pressure.action_flush)");
    }
}
