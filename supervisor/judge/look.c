/* One look at one container: what several rules need, and then the rules (docs/judgement.md). */
#include "judge/rules.h"
#include "sense/policy.h"

#include <stdio.h>
#include <string.h>

/* Baselines (docs/judgement.md, fact 4): what an idle server may hold at most, and what is assumed
 * before it was learned. An idle server holds 8 to 12 MiB; up to 1 GB was reported of 0.3.12. */
static const fact baseline_max = 256 << 20, baseline_assumed = 128 << 20;
static const double baseline_learning_s = 600;

/* /api/ps says something about now only if it is fresh, and was asked after a runner was last seen
 * (docs/judgement.md, fact 2). */
static void take_answer(struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    look->answered = TRI_UNKNOWN;
    if (!o->asked)
        look->unanswered = container_is_ollama(look->container)
                               ? "Ollama has not been asked"
                               : "it is no Ollama (label supervisor.kind)";
    else if (o->age_ms > 2000 * look->poll_s)
        look->unanswered = "Ollama does not answer, its last answer is too old";
    else if (!o->reachable)
        look->unanswered = "Ollama does not answer";
    else if (o->incomplete)
        look->unanswered = "its list of models has more than can be read, or a name that is none";
    else if (o->n_models == 0 && !look->live_runners &&
             look->asked_s < look->history->last_runner_seen_s)
        look->unanswered = "the last answer is older than the last runner";
    else
        look->answered = TRI_TRUE;
    look->history->has_answered |= look->answered == TRI_TRUE;
}

static void take_use(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    bool known = fact_known(c->cgroup.cpu_us) || fact_known(c->received);
    if (!look->repeated && (h->window || (known && (h->window = calloc(1, sizeof *h->window)))))
        window_take(h->window, look->now_s, c->cgroup.cpu_us, c->received);
    look->use = window_use(h->window, look->now_s);
    double allowed_percent = h->settings->leak_busy_cpu_percent,
           allowed_bytes = (double)h->settings->leak_busy_received;
    bool full = look->use.span_s >= 5 - look->interval_s / 2;
    /* 0 switches the rule off; in another's network the bytes are anybody's. */
    bool watch_received = allowed_bytes > 0 && c->received != FACT_NONE;
    /* A window that is not full yet is busy when it has spent already what a full one may. */
    double over_s = full ? look->use.span_s : 5;
    if (h->pulling)
        look->busy = TRI_TRUE;
    else if ((double)look->use.cpu_used_us > allowed_percent * 1e4 * over_s)
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
    fact baseline = fact_known(h->settings->leak_baseline) ? h->settings->leak_baseline
                    : fact_known(h->learned_baseline)      ? h->learned_baseline
                    : fact_known(c->baseline)              ? c->baseline
                                                           : baseline_assumed;
    look->baseline =
        fact_known(h->settings->leak_baseline) || baseline < baseline_max ? baseline : baseline_max;
    fact limit = cgroup_bound(&c->cgroup);
    look->threshold = FACT_UNKNOWN;
    if (limit != FACT_UNKNOWN) {
        fact share = limit == FACT_NONE
                         ? 0
                         : (fact)((double)limit * h->settings->leak_threshold_percent / 100);
        look->threshold = share > h->settings->leak_threshold ? share : h->settings->leak_threshold;
    }
}

/* Never below max(held + kernel, the most ever held with a model) + 20 % (docs/judgement.md, acting
 * 5). */
static fact floor_of(const struct look *look)
{
    fact kernel = look->container->cgroup.kernel;
    if (!fact_known(look->held))
        return FACT_UNKNOWN;
    fact most = look->held;
    /* Under version 2 a page on its way to the swap is in neither figure of held: the processes
     * know of it. Measured: 950 of 2,055 MiB while a slow disk was written. */
    fact occupied = fact_add(processes_held(look->container), look->container->cgroup.shmem);
    if (occupied > most)
        most = occupied;
    most += fact_known(kernel) ? kernel : 0;
    if (look->history->held_with_model > most)
        most = look->history->held_with_model;
    return most + most / 5;
}

static void assess(struct look *look)
{
    struct assessment *a = look->assessment;
    const struct container *c = look->container;
    const struct settings *s = look->history->settings;
    if (look->busy == TRI_TRUE) {
        a->activity = ACTIVITY_BUSY;
        if (look->history->pulling)
            snprintf(a->why, sizeof a->why, "pulling (models.pull)");
        else if (look->use.cpu_percent > s->leak_busy_cpu_percent)
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
        snprintf(a->why, sizeof a->why, "%zu runner%s, %zu model%s listed", look->live_runners,
                 look->live_runners == 1 ? "" : "s", c->ollama.n_models,
                 c->ollama.n_models == 1 ? "" : "s");
    } else {
        a->activity = c->ollama.n_models ? ACTIVITY_LOADED : ACTIVITY_IDLE;
    }
    a->held = look->held;
    a->serve_held = look->serve_held;
    a->threshold = look->threshold;
    a->live_runners = look->live_runners;
    for (size_t i = 0; i < c->n_processes; i++)
        a->unlisted_runners += process_is_live_runner(&c->processes[i]) &&
                               runner_listed(look, &c->processes[i]) == TRI_FALSE;
    a->answered = look->answered == TRI_TRUE;
    a->baseline = look->baseline;
    a->learned_baseline = look->history->learned_baseline;
    a->floor = floor_of(look);
    a->held_with_model = look->history->held_with_model;
    a->not_busy = look->busy == TRI_FALSE;
    judge_level(look);
}

void look_at(const struct config *config, const struct world *world, const struct container *c,
             struct judgement *judgement, struct assessment *assessment, struct history *h,
             bool once)
{
    if (!h->settings_known) {
        h->settings_known = true;
        h->start_seen = h->uptime_known && h->first_uptime_s <= h->settings->leak_grace_s;
    }
    const struct settings *s = h->settings;
    struct look look = {.config = config,
                        .world = world,
                        .container = c,
                        .history = h,
                        .judgement = judgement,
                        .assessment = assessment,
                        .once = once,
                        .repeated = c->age_s >= 0,
                        .now_s = c->age_s < 0 ? world->monotonic_s : h->last_s,
                        .asked_s = world->monotonic_s - c->ollama.age_ms / 1000};
    look.interval_s = s->interval_s;
    look.poll_s = s->poll_s;
    double gap_s = look_gap_s(s);
    look.allowance_s = gap_s > 2 * s->poll_s ? gap_s : 2 * s->poll_s;
    double step_s = world->monotonic_s - h->looked_s, wall_step_s = step_s;
    if (world->time_ms >= 0 && h->last_wall_ms >= 0)
        wall_step_s = (double)(world->time_ms - h->last_wall_ms) / 1000;
    if (clocks_jumped(step_s, wall_step_s, gap_s)) {
        history_reset_holds(h);
        look.now_s = world->monotonic_s; /* no hold begins before that */
        if (wall_step_s > 0)
            models_slip(h, (int64_t)(wall_step_s * 1000));
    }
    look.before_s = h->last_s;
    h->last_s = look.now_s;
    h->looked_s = world->monotonic_s;
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
    take_baseline(&look, look.now_s > look.before_s ? look.now_s - look.before_s : 0);
    assess(&look);
    runners_look(&look);
    models_look(&look);
    growth_look(&look);
    uses_look(&look);
    for (int kind = 0; kind < VERDICT_KINDS; kind++) {
        const struct rule *rule = rules_table[kind];
        if (rule->of_container)
            rule->of_container(&look);
        for (size_t i = 0; rule->of_runner && i < h->n_runners; i++)
            rule->of_runner(&look, &h->runners[i]);
        for (size_t i = 0; rule->of_model && i < h->n_models; i++)
            rule->of_model(&look, &h->models[i]);
        if (!assessment->why_not[kind].text)
            assessment->why_not[kind].text = rule->unless;
    }
}

double look_uptime_s(const struct look *look)
{
    return look->history->first_uptime_s + look->now_s - look->history->first_seen_s;
}
