/* Which loaded models go for the host's pressure: one after another from pressure.action_optimize
 * on, one in each container from pressure.action_unload on. */
#include "judge/rules/host_pressure.h"

#include <stdio.h>
#include <string.h>

/* A model that was told to go and is still there after this gives its turn to the next one: an
 * unload is watched for ten seconds. */
static const double patience_s = 20;

static bool enforced(const struct look *look)
{
    return look->container->mode == MODE_ENFORCE;
}

void pressure_survey(struct turn *turn)
{
    struct relief_models models;
    for (size_t i = 0; i < turn->look->world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        if (!enforced(&look))
            continue;
        relief_models(&look, turn->look->config, turn->look->judgement->host_level, &models);
        for (size_t k = 0; k < models.n; k++) {
            const struct relief_model *m = &models.list[k];
            if (m->stage < turn->least)
                turn->least = m->stage;
            turn->waits |= m->waits;
            turn->may_go += turn->asked == ASKED_UNLOAD ? m->stage != RELIEF_NONE : m->goes;
        }
    }
}

/* A container that is only watched is a world of its own: nobody waits for what is not done. */
static enum relief_stage least_of(const struct turn *turn, const struct look *look,
                                  const struct relief_models *models)
{
    enum relief_stage least = RELIEF_NONE;
    if (enforced(look))
        return turn->least;
    for (size_t k = 0; k < models->n; k++)
        if (models->list[k].stage < least)
            least = models->list[k].stage;
    return least;
}

static bool may_go(const struct turn *turn, const struct look *look,
                   const struct relief_models *models, const struct relief_model *m)
{
    enum relief_stage least = least_of(turn, look, models);
    if (turn->asked == ASKED_OPTIMIZE)
        return m->goes;
    return turn->asked == ASKED_UNLOAD && m->stage != RELIEF_NONE && m->stage <= least;
}

static void say(const struct turn *turn, const struct relief_model *m, struct verdict *v)
{
    if (!m)
        snprintf(v->why, sizeof v->why, "the host's pressure asked it to go");
    else if (turn->asked == ASKED_OPTIMIZE)
        snprintf(v->why, sizeof v->why, "the host is short of memory, and this model is idle");
    else if (m->stage < RELIEF_BUSY)
        snprintf(v->why, sizeof v->why, "the host is nearly out of memory: all idle models go%s",
                 m->stage == RELIEF_TIER     ? ", now also those of the tiers"
                 : m->stage == RELIEF_PINNED ? ", now also pinned ones"
                                             : "");
    else
        snprintf(v->why, sizeof v->why,
                 "the host is nearly out of memory and no idle model is left: it goes when its "
                 "request ends");
}

/* Brings the verdict about the chosen model up to date. m: as it is now; NULL: it is not listed, or
 * that is not known. Returns whether it is over. */
static bool settle(struct turn *turn, struct look *look, const struct relief_model *m,
                   bool contradicted)
{
    struct relief *r = &look->history->relief;
    bool all_now = m && turn->by && turn->by->now == TRI_TRUE;
    struct verdict *v =
        look_settle(look, VERDICT_HOST_PRESSURE, &r->unload, turn->by ? turn->by->since_s : -1,
                    all_now, contradicted, false, three_looks(turn->look));
    if (v) {
        memcpy(v->model, r->model, sizeof v->model);
        v->pid = r->pid;
        v->started_us = r->started_us;
        pressure_show(turn, look, v,
                      (struct evidence){"runner", UNIT_BYTES, m ? (double)m->loaded.held : -1});
        if (!m && v->state != VERDICT_CLEARED)
            snprintf(v->missing, sizeof v->missing, "loaded models or processes");
        look_remedy(v, &r->unload, REMEDY_UNLOAD);
        say(turn, m, v);
    }
    if (r->unload.raised)
        return false;
    r->model[0] = '\0';
    r->unload = (struct standing){0};
    return true;
}

void clear_relief(struct look *look)
{
    struct relief *r = &look->history->relief;
    struct standing *const standings[] = {&r->unload, &r->flush, &r->stop, &r->refused};
    static const enum remedy remedies[] = {REMEDY_UNLOAD, REMEDY_FLUSH, REMEDY_STOP, REMEDY_NONE};
    for (size_t i = 0; i < sizeof standings / sizeof standings[0]; i++) {
        struct verdict *v =
            look_settle(look, VERDICT_HOST_PRESSURE, standings[i], -1, false, true, false, 0);
        if (!v)
            continue;
        v->remedy = remedies[i];
        if (i == 0)
            memcpy(v->model, r->model, sizeof v->model);
    }
    r->model[0] = '\0';
}

static bool runner_lives(const struct look *look)
{
    const struct relief *r = &look->history->relief;
    for (size_t i = 0; i < look->container->n_processes; i++) {
        const struct process *p = &look->container->processes[i];
        if (process_is_live_runner(p) && p->pid == r->pid && p->started_us == r->started_us)
            return true;
    }
    return false;
}

/* The choice of an earlier look. */
static void go_on(struct turn *turn, struct look *look, const struct relief_models *models)
{
    struct relief *r = &look->history->relief;
    const struct relief_model *m = NULL;
    for (size_t k = 0; k < models->n && !m; k++)
        if (!strcmp(models->list[k].loaded.name, r->model))
            m = &models->list[k];
    bool known = look->assessment->answered && look->container->processes_known;
    bool gone = known && !m && !runner_lives(look);
    bool late = enforced(look) && look->now_s - r->chosen_s > patience_s;
    struct known_model *of = history_model(look->history, r->model);
    if (late && of)
        of->skip_until_s = look->now_s + relief_skip_s;
    bool over = gone || late || turn->asked == ASKED_NOTHING || r->stop.raised ||
                (m && !m->waits && !may_go(turn, look, models, m));
    if (settle(turn, look, m && !m->waits ? m : NULL, over))
        turn->read_anew |= gone && enforced(look);
    else
        turn->n_going += enforced(look);
}

static void choose(struct turn *turn, struct look *look, const struct relief_model *m)
{
    struct relief *r = &look->history->relief;
    memcpy(r->model, m->loaded.name, sizeof r->model);
    r->pid = m->pid;
    r->started_us = m->started_us;
    r->chosen_s = look->now_s;
    settle(turn, look, m, false);
}

static const struct relief_model *first(const struct turn *turn, const struct look *look,
                                        const struct relief_models *models)
{
    for (size_t k = 0; k < models->n; k++)
        if (may_go(turn, look, models, &models->list[k]))
            return &models->list[k];
    return NULL;
}

/* The one of all `enforce` containers that goes next in a pass: of the container with the lowest
 * priority, and of these in the models' own order. */
static void choose_one(struct turn *turn)
{
    const struct world *world = turn->look->world;
    struct relief_models models;
    struct relief_model best = {0};
    size_t best_at = world->n_containers;
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        if (!enforced(&look) || look.history->relief.stop.raised)
            continue;
        relief_models(&look, turn->look->config, turn->look->judgement->host_level, &models);
        const struct relief_model *m = first(turn, &look, &models);
        if (!m)
            continue;
        int before = best_at == world->n_containers
                         ? -1
                         : (int)container_priority(look.container) -
                               (int)container_priority(&world->containers[best_at]);
        if (before < 0 ||
            (before == 0 && model_before(&m->loaded, m->class, &best.loaded, best.class))) {
            best = *m;
            best_at = i;
        }
    }
    if (best_at < world->n_containers) {
        struct look look = pressure_look(turn, best_at);
        choose(turn, &look, &best);
    } else if (!turn->waits) {
        turn->pressure->in_pass = false;
    }
}

static void pass(struct turn *turn)
{
    struct host_pressure *p = turn->pressure;
    double now_s = turn->look->now_s;
    bool due =
        p->pass_begun_s < 0 || now_s - p->pass_begun_s >= turn->settings->pressure_optimize_every_s;
    if (!p->in_pass && due) {
        p->in_pass = true;
        p->pass_begun_s = now_s;
    }
    if (p->in_pass && turn->n_going == 0 && !turn->read_anew)
        choose_one(turn);
}

void pressure_models(struct turn *turn)
{
    const struct world *world = turn->look->world;
    struct relief_models models;
    bool now = turn->by && turn->by->now == TRI_TRUE;
    bool busy_wait = turn->least >= RELIEF_BUSY && turn->waits;
    for (size_t i = 0; i < world->n_containers; i++) {
        struct look look = pressure_look(turn, i);
        bool chosen = look.history->relief.model[0] != '\0';
        bool own = turn->asked == ASKED_UNLOAD || !enforced(&look);
        if (look.container->status != STATUS_RUNNING || (!chosen && !(now && own)))
            continue;
        relief_models(&look, turn->look->config, turn->look->judgement->host_level, &models);
        if (chosen) {
            go_on(turn, &look, &models);
            continue;
        }
        const struct relief_model *m = first(turn, &look, &models);
        if (m && !look.history->relief.stop.raised && !(enforced(&look) && busy_wait))
            choose(turn, &look, m);
    }
    if (turn->asked != ASKED_OPTIMIZE)
        turn->pressure->in_pass = false;
    else if (now)
        pass(turn);
}
