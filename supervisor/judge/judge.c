#include "judge/history.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    const struct config *config;
    struct history **histories; /* owned; pointers, so that they stay where they are */
    size_t n;
};

/* Baselines (JUDGEMENT, fact 4): what an idle server may hold at most, and what is assumed before
 * it was learned. An idle server holds 8 to 12 MiB; up to 1 GB was reported of 0.3.12 (facts on
 * Ollama, section 3). */
static const fact baseline_max = 256 << 20, baseline_assumed = 128 << 20;
static const double baseline_learning_s = 600;

int judge_new(const struct config *config, struct judge **ret_judge)
{
    struct judge *judge = calloc(1, sizeof *judge);
    if (!judge)
        return -ENOMEM;
    judge->config = config;
    *ret_judge = judge;
    return 0;
}

static void history_free(struct history *history)
{
    free(history->runners);
    free(history);
}

void judge_free(struct judge *judge)
{
    if (!judge)
        return;
    for (size_t i = 0; i < judge->n; i++)
        history_free(judge->histories[i]);
    free(judge->histories);
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

void judge_restart_holds(struct judge *judge, const char *id)
{
    struct history *history = find(judge, id);
    if (history)
        history_restart(history);
}

/* At first sight: how long it has been up (JUDGEMENT, fact 3); < 0 unknown. */
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
    *h = (struct history){.runners = runners, .held_with_model = held_with_model};
    memcpy(h->id, c->id, sizeof h->id);
    memcpy(h->started_at, c->started_at, sizeof h->started_at);
    h->inode = c->cgroup.inode;
    h->first_seen_s = h->last_s = world->monotonic_s;
    double up_s = first_uptime_s(world, c);
    h->first_uptime_s = up_s < 0 ? 0 : up_s;
    h->uptime_known = up_s >= 0;
    h->last_wall_ms = world->time_ms;
    h->last_runner_seen_s = h->connections_at_s = -1;
    h->connections = h->learned_baseline = FACT_UNKNOWN;
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
    look_settle(&look, VERDICT_IDLE_LEAK, &h->leak, -1, false, true, false, 0);
    look_settle(&look, VERDICT_HELD_ELSEWHERE, &h->elsewhere_standing, -1, false, true, false, 0);
    look_settle(&look, VERDICT_NO_LIMIT, &h->no_limit_standing, -1, false, true, false, 0);
    look_settle(&look, VERDICT_LIMIT_DRIFT, &h->drift_standing, -1, false, true, false, 0);
    look_settle(&look, VERDICT_PAGE_CACHE, &h->cache_standing, -1, false, true, false, 0);
    look_settle(&look, VERDICT_HIGH_DRIFT, &h->high_standing, -1, false, true, false, 0);
    clear_runners(&look);
    clear_surplus(&look);
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
        clear_standings(judgement, world, c, h);
        begin(h, world, c);
    } else if (!fact_known(h->inode)) {
        h->inode = c->cgroup.inode;
    }
}

/* /api/ps says something about now only if it is fresh, and was asked after a runner was last seen
 * (JUDGEMENT, fact 2). */
static void take_answer(struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    look->answered = TRI_UNKNOWN;
    if (!o->asked)
        look->unanswered = "Ollama has not been asked";
    else if (o->age_ms > 2000 * look->poll_s)
        look->unanswered = "Ollama does not answer, its last answer is too old";
    else if (!o->reachable)
        look->unanswered = "Ollama does not answer";
    else if (o->n_models == 0 && !look->live_runners &&
             look->now_s - o->age_ms / 1000 < look->history->last_runner_seen_s)
        look->unanswered = "the last answer is older than the last runner";
    else
        look->answered = TRI_TRUE;
}

static void take_use(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    window_take(&h->window, look->now_s, c->cgroup.cpu_us, c->received);
    look->use = window_use(&h->window, look->now_s);
    double allowed_percent = h->settings.leak_busy_cpu_percent,
           allowed_bytes = (double)h->settings.leak_busy_received;
    bool full = look->use.span_s >= 5 - look->interval_s / 2;
    bool watch_received = allowed_bytes > 0; /* 0 switches the rule off */
    /* A window that is not full yet is busy when it has spent already what a full one may. */
    double over_s = full ? look->use.span_s : 5;
    if ((double)look->use.cpu_used_us > allowed_percent * 1e4 * over_s)
        look->busy = TRI_TRUE;
    else if (watch_received && (double)look->use.received_bytes > allowed_bytes * over_s)
        look->busy = TRI_TRUE;
    else if (!full || look->use.cpu_percent < 0 || (watch_received && look->use.received_per_s < 0))
        look->busy = TRI_UNKNOWN;
    else
        look->busy = TRI_FALSE;
}

static void take_baseline(struct look *look, double step_s)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    bool idle = look->answered == TRI_TRUE && !c->ollama.n_models && c->processes_known &&
                !look->live_runners && look->busy == TRI_FALSE;
    if (h->start_seen && idle && fact_known(look->serve_held) &&
        h->idle_learned_s < baseline_learning_s) {
        h->idle_learned_s += step_s;
        if (h->learned_baseline < 0 || look->serve_held < h->learned_baseline)
            h->learned_baseline = look->serve_held;
    }
    fact baseline = fact_known(h->settings.leak_baseline) ? h->settings.leak_baseline
                    : fact_known(h->learned_baseline)     ? h->learned_baseline
                    : fact_known(c->baseline)             ? c->baseline
                                                          : baseline_assumed;
    look->baseline =
        fact_known(h->settings.leak_baseline) || baseline < baseline_max ? baseline : baseline_max;
    fact limit = c->cgroup.limit;
    look->threshold = FACT_UNKNOWN;
    if (limit != FACT_UNKNOWN) {
        fact share = limit == FACT_NONE
                         ? 0
                         : (fact)((double)limit * h->settings.leak_threshold_percent / 100);
        look->threshold = share > h->settings.leak_threshold ? share : h->settings.leak_threshold;
    }
}

static void assess(struct look *look)
{
    struct assessment *a = look->assessment;
    const struct container *c = look->container;
    const struct settings *s = &look->history->settings;
    if (look->busy == TRI_TRUE) {
        a->activity = ACTIVITY_BUSY;
        if (look->use.cpu_percent > s->leak_busy_cpu_percent)
            snprintf(a->why, sizeof a->why, "cpu %.0f %% of a core", look->use.cpu_percent);
        else
            snprintf(a->why, sizeof a->why, "receiving %.1f MiB/s",
                     look->use.received_per_s / 1048576);
    } else if (!c->processes_known) {
        snprintf(a->why, sizeof a->why, "its processes cannot be seen (pid: host is needed)");
    } else if (look->answered != TRI_TRUE) {
        snprintf(a->why, sizeof a->why, "%s", look->unanswered);
    } else if (look->live_runners > c->ollama.n_models) {
        a->activity = ACTIVITY_LOADING;
        snprintf(a->why, sizeof a->why, "%zu runners, %zu models listed", look->live_runners,
                 c->ollama.n_models);
    } else {
        a->activity = c->ollama.n_models ? ACTIVITY_LOADED : ACTIVITY_IDLE;
    }
    a->held = look->held;
    a->serve_held = look->serve_held;
    a->threshold = look->threshold;
    a->live_runners = look->live_runners;
    a->answered = look->answered == TRI_TRUE;
    a->baseline = look->baseline;
    a->held_with_model = look->history->held_with_model;
    a->not_busy = look->busy == TRI_FALSE;
    judge_level(look);
}

static void look_at(struct judge *judge, const struct world *world, const struct container *c,
                    struct judgement *judgement, struct assessment *assessment, struct history *h)
{
    if (!h->settings_known) {
        policy_for(judge->config, c, &h->settings, NULL);
        h->settings_known = true;
        h->start_seen = h->uptime_known && h->first_uptime_s <= h->settings.leak_grace_s;
    }
    const struct settings *s = &h->settings;
    struct look look = {.world = world,
                        .container = c,
                        .history = h,
                        .judgement = judgement,
                        .assessment = assessment,
                        .now_s = world->monotonic_s};
    look.interval_s = s->interval_s;
    look.poll_s = s->poll_s;
    /* A gap of more than three intervals, in either clock, restarts every hold; fast looks are not
     * held to less than three seconds. */
    double gap_s = 3 * (s->interval_s > 1 ? s->interval_s : 1);
    look.allowance_s = gap_s > 2 * s->poll_s ? gap_s : 2 * s->poll_s;
    double step_s = world->monotonic_s - h->last_s, wall_step_s = step_s;
    if (world->time_ms >= 0 && h->last_wall_ms >= 0)
        wall_step_s = (double)(world->time_ms - h->last_wall_ms) / 1000;
    if (step_s > gap_s || step_s < 0 || wall_step_s > gap_s || step_s - wall_step_s > gap_s)
        history_reset_holds(h);
    h->last_s = world->monotonic_s;
    if (world->time_ms >= 0)
        h->last_wall_ms = world->time_ms;

    look.serve = container_serve(c);
    look.serve_held = look.serve ? process_held(look.serve) : FACT_UNKNOWN;
    look.held = container_held(c, &world->host);
    for (size_t i = 0; i < c->n_processes; i++)
        look.live_runners += process_is_live_runner(&c->processes[i]);
    take_answer(&look);
    if (look.live_runners)
        h->last_runner_seen_s = look.now_s;
    if (fact_known(c->connections)) {
        h->connections = c->connections;
        h->connections_at_s = look.now_s;
    }
    look.connections_age_s = h->connections_at_s < 0 ? -1 : look.now_s - h->connections_at_s;
    bool fresh = look.connections_age_s >= 0 && look.connections_age_s <= 2 * s->poll_s;
    /* A nonzero count lengthens the hold until the next reading. */
    look.connections = fresh || (look.connections_age_s >= 0 && h->connections > 0) ? h->connections
                                                                                    : FACT_UNKNOWN;
    if (c->ollama.n_models && look.answered == TRI_TRUE && look.held > h->held_with_model)
        h->held_with_model = look.held;
    take_use(&look);
    take_baseline(&look, step_s > 0 ? step_s : 0);
    assess(&look);
    judge_leak(&look);
    judge_elsewhere(&look);
    judge_runners(&look);
    judge_limit(&look);
    judge_high(&look);
    judge_cache(&look);
    judge_single(&look);
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
                             .floor = FACT_UNKNOWN,
                             .held_with_model = FACT_UNKNOWN,
                             .serve_held = FACT_UNKNOWN,
                             .models_held = FACT_UNKNOWN,
                             .threshold = FACT_UNKNOWN};
    memcpy(a->id, c->id, sizeof a->id);
    return a;
}

int judge_look(struct judge *judge, const struct world *world, struct judgement *judgement)
{
    judgement->n_verdicts = judgement->n_assessments = 0;
    for (size_t i = 0; i < judge->n; i++)
        judge->histories[i]->alive = false;
    /* All that a look cannot do without is there before the first history changes. */
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        struct history *h = add_assessment(judgement, c) ? find_or_add(judge, world, c) : NULL;
        if (!h) {
            judgement->n_assessments = 0;
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        struct assessment *a = &judgement->assessments[i];
        struct history *h = find_near(judge, c->id, i);
        renew(judgement, world, c, h);
        h->alive = true;
        if (c->status != STATUS_RUNNING) {
            a->activity = ACTIVITY_STOPPED;
            a->models_held = 0;
            snprintf(a->why, sizeof a->why, "%s", container_status_name(c->status));
            clear_standings(judgement, world, c, h);
            history_reset_holds(h);
            h->last_s = world->monotonic_s;
            h->last_wall_ms = world->time_ms;
            continue;
        }
        look_at(judge, world, c, judgement, a, h);
    }
    judge_levels(judgement, &world->host, config_settings(judge->config));
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
