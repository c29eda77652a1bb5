#include "judge/host.h"
#include "judge/rules.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    const struct config *config;
    struct history **histories; /* owned; pointers, so that they stay where they are */
    size_t n;
    struct history **ordered; /* owned; as the containers of the last world */
    size_t cap_ordered;
    struct host_history host;
    bool once;
};

int judge_new(const struct config *config, struct judge **ret_judge)
{
    struct judge *judge = calloc(1, sizeof *judge);
    if (!judge)
        return -ENOMEM;
    judge->config = config;
    host_history_begin(&judge->host);
    *ret_judge = judge;
    return 0;
}

void judge_ask_once(struct judge *judge)
{
    judge->once = true;
}

static void history_free(struct history *history)
{
    history_forget_settings(history);
    free(history->window);
    free(history->growth);
    free(history->deeds);
    free(history->runners);
    free(history->models);
    uses_clear(&history->uses);
    free(history);
}

void judge_free(struct judge *judge)
{
    if (!judge)
        return;
    for (size_t i = 0; i < judge->n; i++)
        history_free(judge->histories[i]);
    free(judge->histories);
    free(judge->ordered);
    free(judge);
}

static struct history *find(const struct judge *judge, const char *id)
{
    for (size_t i = 0; i < judge->n; i++)
        if (!strcmp(judge->histories[i]->id, id))
            return judge->histories[i];
    return NULL;
}

/* Worlds keep their order: the place in the last one is the likely one, among thousands. */
static struct history *find_near(const struct judge *judge, const char *id, size_t place)
{
    bool there = place < judge->n && !strcmp(judge->histories[place]->id, id);
    return there ? judge->histories[place] : find(judge, id);
}

void judge_settings_changed(struct judge *judge)
{
    for (size_t i = 0; i < judge->n; i++)
        judge->histories[i]->settings_known = false;
}

void judge_tell_footprint(struct judge *judge, const char *id, fact held_with_model)
{
    struct history *history = find(judge, id);
    if (history && held_with_model > history->held_with_model)
        history->held_with_model = held_with_model;
}

void judge_tell_baseline(struct judge *judge, const char *id, const char *started_at, fact held)
{
    struct history *history = find(judge, id);
    if (history && !strcmp(history->started_at, started_at) &&
        !fact_known(history->learned_baseline))
        history->learned_baseline = held;
}

void judge_tell_deeds(struct judge *judge, const char *id, const struct deeds *deeds)
{
    struct history *history = find(judge, id);
    if (history)
        history_tell_deeds(history, deeds);
}

void judge_tell_uses(struct judge *judge, const char *id, const struct model_use *uses, size_t n)
{
    struct history *history = find(judge, id);
    for (size_t i = 0; history && !history->uses.told && i < n; i++)
        uses_tell(&history->uses, &uses[i]);
    if (history)
        history->uses.told = true;
}

void judge_tell_pulling(struct judge *judge, const char *id)
{
    for (size_t i = 0; i < judge->n; i++)
        judge->histories[i]->pulling = !strcmp(judge->histories[i]->id, id);
}

void judge_tell_loads(struct judge *judge, const char *id, const struct own_load *loads, size_t n)
{
    struct history *history = find(judge, id);
    if (history)
        uses_tell_loads(&history->uses, loads, n);
}

void judge_restart_holds(struct judge *judge, const char *id, const char *model)
{
    struct history *history = find(judge, id);
    if (history)
        history_restart(history, model);
}

void judge_tell_failed(struct judge *judge, const struct verdict *verdict, double now_s)
{
    struct history *history = find(judge, verdict->id);
    if (history && verdict->kind == VERDICT_HOST_PRESSURE)
        relief_tell_failed(history, verdict, now_s);
    else if (history)
        history_tell_failed(history, verdict, now_s);
}

void judge_tell_stopped(struct judge *judge, const char *id, const char *started_at)
{
    struct history *history = find(judge, id);
    if (history && !strcmp(history->started_at, started_at)) {
        history->relief.is_stopped = true;
        history->relief.stopped_s = history->last_s;
    }
}

void judge_tell_stopping(struct judge *judge, const char *id, bool stopping)
{
    struct history *history = find(judge, id);
    if (history)
        history->relief.stopping = stopping;
}

void judge_tell_probed(struct judge *judge, const char *id, const char *blob)
{
    struct history *history = find(judge, id);
    if (history)
        snprintf(history->probed, sizeof history->probed, "%s", blob);
}

void judge_tell_left_stopped(struct judge *judge, const char *id, const char *started_at,
                             double stopped_s, size_t tries, const char *words)
{
    struct history *history = find(judge, id);
    if (history && !strcmp(history->started_at, started_at))
        left_tell(history, history->last_s - (stopped_s > 0 ? stopped_s : 0), tries, words);
}

/* At first sight: how long it has been up (docs/judgement.md, fact 3); < 0 unknown. */
static double first_uptime_s(const struct world *world, const struct container *container)
{
    if (container->uptime_s >= 0)
        return container->uptime_s;
    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        double up_s = world->monotonic_s - (double)p->started_us / 1e6;
        if (p->pid == container->pid && fact_known(p->started_us) && up_s >= 0)
            return up_s;
    }
    return -1;
}

static void begin(struct history *h, const struct world *world, const struct container *c)
{
    fact held_with_model = h->held_with_model;
    struct runner *runners = h->runners;
    struct known_model *models = h->models;
    struct uses uses = h->uses;
    struct deeds *deeds = h->deeds; /* of the hour, not of the life */
    const struct settings *settings = h->settings;
    struct own_settings *by_labels = h->by_labels; /* a life has the labels of its container */
    free(h->window);
    free(h->growth);
    *h = (struct history){.settings = settings,
                          .by_labels = by_labels,
                          .runners = runners,
                          .models = models,
                          .held_with_model = held_with_model,
                          .uses = uses,
                          .deeds = deeds,
                          .own = {[VERDICT_STOPPED_BY_US] = h->own[VERDICT_STOPPED_BY_US]},
                          .oom = {.seen = FACT_UNKNOWN, .at_s = -1, .gone_s = -1}};
    memcpy(h->id, c->id, sizeof h->id);
    memcpy(h->started_at, c->started_at, sizeof h->started_at);
    h->inode = c->cgroup.inode;
    h->looked_s = world->monotonic_s;
    h->first_seen_s = h->last_s = world->monotonic_s - (c->age_s > 0 ? c->age_s : 0);
    double up_s = first_uptime_s(world, c);
    h->first_uptime_s = up_s < 0 ? 0 : up_s;
    h->uptime_known = up_s >= 0;
    h->last_wall_ms = world->time_ms;
    h->last_runner_seen_s = h->connections_at_s = -1;
    h->connections = h->learned_baseline = h->disk_read = FACT_UNKNOWN;
    h->relieved_s = -1;
    history_reset_holds(h);
}

/* What a life that is over had raised ends with it. */
static void clear_standings(struct judgement *judgement, const struct world *world,
                            const struct container *c, struct history *h)
{
    struct look look = {.world = world,
                        .container = c,
                        .history = h,
                        .judgement = judgement,
                        .now_s = world->monotonic_s};
    look_clear(&look, h->own, FACT_UNKNOWN, FACT_UNKNOWN, "");
    h->oom.at_s = -1;
    models_clear(&look);
    runners_clear(&look);
    clear_relief(&look);
}

/* The history of this container, a new one if there is none; NULL when memory is spent. */
static struct history *find_or_add(struct judge *judge, const struct world *world,
                                   const struct container *c)
{
    struct history *h = find_near(judge, c->id, (size_t)(c - world->containers));
    if (h)
        return h;
    struct history **histories = realloc(judge->histories, (judge->n + 1) * sizeof(*histories));
    if (!histories)
        return NULL;
    judge->histories = histories;
    h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->held_with_model = FACT_UNKNOWN;
    begin(h, world, c);
    judge->histories[judge->n++] = h;
    return h;
}

/* A new (id, StartedAt, cgroup) is a new life: nothing of the old one holds. */
static void renew(struct judgement *judgement, const struct world *world, const struct container *c,
                  struct history *h)
{
    bool other_cgroup =
        fact_known(h->inode) && fact_known(c->cgroup.inode) && h->inode != c->cgroup.inode;
    if (strcmp(h->started_at, c->started_at) || other_cgroup) {
        struct look look = {.world = world,
                            .container = c,
                            .history = h,
                            .judgement = judgement,
                            .now_s = world->monotonic_s};
        clear_standings(judgement, world, c, h);
        clear_stopped(&look);
        begin(h, world, c);
    } else if (!fact_known(h->inode)) {
        h->inode = c->cgroup.inode;
    }
}

static int make_room(struct judge *judge, size_t n)
{
    if (n <= judge->cap_ordered)
        return 0;
    struct history **ordered = realloc(judge->ordered, n * sizeof(*ordered));
    if (!ordered)
        return -ENOMEM;
    judge->ordered = ordered;
    judge->cap_ordered = n;
    return 0;
}

static struct assessment *add_assessment(struct judgement *judgement, const struct container *c)
{
    if (judgement->n_assessments == judgement->cap_assessments) {
        size_t cap = judgement->cap_assessments ? 2 * judgement->cap_assessments : 2;
        struct assessment *assessments = realloc(judgement->assessments, cap * sizeof *assessments);
        if (!assessments)
            return NULL;
        judgement->assessments = assessments;
        judgement->cap_assessments = cap;
    }
    struct assessment *a = &judgement->assessments[judgement->n_assessments++];
    *a = (struct assessment){.held = FACT_UNKNOWN,
                             .baseline = FACT_UNKNOWN,
                             .learned_baseline = FACT_UNKNOWN,
                             .floor = FACT_UNKNOWN,
                             .held_with_model = FACT_UNKNOWN,
                             .serve_held = FACT_UNKNOWN,
                             .models_held = FACT_UNKNOWN,
                             .threshold = FACT_UNKNOWN};
    memcpy(a->id, c->id, sizeof a->id);
    return a;
}

static void judge_stopped(const struct world *world, const struct container *c,
                          struct judgement *judgement, struct assessment *a, struct history *h)
{
    struct look look = {.world = world,
                        .container = c,
                        .history = h,
                        .judgement = judgement,
                        .assessment = a,
                        .now_s = world->monotonic_s};
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        if (rules_table[kind]->of_stopped)
            rules_table[kind]->of_stopped(&look);
}

/* Most have no labels of their own, or the same as others, and there may be hundreds. false: memory
 * is spent. */
static bool take_settings(struct judge *judge, struct history *h, const struct container *c)
{
    struct settings settings;
    if (h->settings_known)
        return true;
    h->settings = config_settings(judge->config);
    policy_for(judge->config, c, &settings, NULL);
    const char *are = (const char *)&settings, *were = (const char *)h->settings;
    bool differs = memcmp(are, were, sizeof settings) != 0; /* by padding alone: a copy too many */
    struct own_settings *own =
        differs ? settings_like(judge->histories, judge->n, &settings) : NULL;
    if (differs && !own)
        return false;
    history_forget_settings(h);
    h->by_labels = own;
    if (own)
        h->settings = &own->are;
    return true;
}

int judge_look(struct judge *judge, const struct world *world, struct judgement *judgement)
{
    judgement->n_verdicts = judgement->n_assessments = 0;
    for (size_t i = 0; i < judge->n; i++)
        judge->histories[i]->alive = false;
    /* All that a look cannot do without is there before the first history changes. */
    if (make_room(judge, world->n_containers) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        struct history *h = add_assessment(judgement, c) ? find_or_add(judge, world, c) : NULL;
        if (!h || !take_settings(judge, h, c)) {
            judgement->n_assessments = 0;
            return -ENOMEM;
        }
        judge->ordered[i] = h;
    }
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        struct assessment *a = &judgement->assessments[i];
        struct history *h = judge->ordered[i];
        renew(judgement, world, c, h);
        h->alive = true;
        if (c->status != STATUS_RUNNING) {
            a->activity = ACTIVITY_STOPPED;
            a->models_held = 0;
            snprintf(a->why, sizeof a->why, "%s", container_status_name(c->status));
            clear_standings(judgement, world, c, h);
            history_reset_holds(h);
            h->last_s = h->looked_s = world->monotonic_s;
            h->last_wall_ms = world->time_ms;
            judge_stopped(world, c, judgement, a, h);
            continue;
        }
        look_at(judge->config, world, c, judgement, a, h, judge->once);
    }
    judge_levels(judgement, &world->host, config_settings(judge->config));
    judge_host(&judge->host, world, judge->config, judge->ordered, judgement);
    for (size_t i = 0; i < judge->n;) {
        if (judge->histories[i]->alive) {
            i++;
            continue;
        }
        history_free(judge->histories[i]);
        judge->histories[i] = judge->histories[--judge->n];
    }
    return 0;
}
