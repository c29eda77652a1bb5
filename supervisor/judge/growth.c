/* What growth-leak and prompt-cache rest on: what is held rises while the same models are loaded
 * (docs/judgement.md). A step moves neither the median of the slopes nor their lower bound: a load,
 * another context or one big request is no growth. */
#include "judge/growth.h"
#include "judge/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By chance in less than one window of a million: a day has seven thousand, and memory that goes up
 * and down rose in most days by one of a thousand. What was found stays while it is not doubtful.
 */
static const double certain = 1e-6, doubtful = 0.05;
static const double rise_s = 10;
/* Points in leak.growth_hold; the recent window has twice as many. */
enum { HOLD_POINTS = TREND_POINTS_MAX / 2 };

const struct growth growth_none = {.begun_s = -1,
                                   .rose_to = FACT_UNKNOWN,
                                   .most = FACT_UNKNOWN,
                                   .rose_s = -1,
                                   .condition = {.since_s = -1, .unknown_since_s = -1}};

void growth_forget(struct growth *growth)
{
    growth->recent.n = growth->whole.n = 0;
    growth->rose_to = growth->most = FACT_UNKNOWN;
    growth->rose_s = -1;
    condition_reset(&growth->condition);
}

static void begin(struct look *look, struct growth *g, fact held)
{
    growth_forget(g);
    g->begun_s = look->now_s;
    g->begun = held;
}

/* Less is not told. */
static double least_of(const struct look *look)
{
    fact limit = cgroup_bound(&look->container->cgroup),
         least = look->history->settings->leak_growth;
    return (double)(limit > 0 && limit / 100 > least ? limit / 100 : least);
}

static bool rises(const struct trend *t, double least, bool found, struct trend_slope *ret_slope)
{
    struct trend_slope s;
    if (t->n < TREND_POINTS_MIN || t->value[t->n - 1] - t->value[0] < least / 2 ||
        !trend_slope(t, &s)) /* the first two save the work, nearly always */
        return false;
    double share = found ? 0.5 : 1;
    bool surely = s.chance < (found ? doubtful : certain) && s.rise >= share * least &&
                  s.low_per_s * s.span_s >= share * least / 4;
    if (!surely || s.late < s.rise / 5) /* of a straight line it is half of the rise */
        return false;
    *ret_slope = s;
    return true;
}

/* Of a long segment: whether it also rose in its last eighth. */
static bool still_rises(const struct trend *t)
{
    static const double a_page_or_two = 1 << 20;
    return t->value[t->n - 1] - t->value[t->n - 1 - t->n / 8] >= a_page_or_two;
}

/* Takes what is held in this look. Does it grow? */
static enum tri take(struct look *look, struct growth *g, fact held)
{
    double now_s = look->now_s, hold_s = look->history->settings->leak_growth_hold_s;
    if (g->recent.n == 0) {
        trend_begin(&g->recent, hold_s / HOLD_POINTS);
        trend_begin(&g->whole, hold_s / HOLD_POINTS);
    }
    bool kept = trend_slide(&g->recent, now_s, (double)held);
    kept |= trend_add(&g->whole, now_s, (double)held);
    double covered_s = now_s - g->recent.at_s[0];
    if (covered_s < hold_s)
        return TRI_FALSE;
    bool found = g->condition.since_s >= 0;
    if (!kept && covered_s - (now_s - look->before_s) >= hold_s)
        return found ? TRI_TRUE : TRI_FALSE; /* nothing new since it was last computed */
    double least = least_of(look);
    bool grows = rises(&g->recent, least, found, &g->slope);
    if (!grows && g->whole.spacing_s > g->recent.spacing_s)
        grows = rises(&g->whole, least, found, &g->slope) && still_rises(&g->whole);
    return grows ? TRI_TRUE : TRI_FALSE;
}

/* What grows reaches a new most within a minute. */
static const fact more_bytes = 65536;
static const double new_most_s = 60;

double growth_over_s(const struct look *look, const struct growth *g)
{
    double since_s = look->now_s - g->most_s;
    return fact_known(g->most) && since_s > new_most_s ? since_s : -1;
}

/* What was found to grow may have come to an end. */
static void take_rise(struct growth *g, fact held, double now_s)
{
    if (!fact_known(g->most) || held > g->most + more_bytes) {
        g->most = held;
        g->most_s = now_s;
    }
    bool rises = fact_known(g->rose_to) && held >= g->rose_to + (1 << 20);
    if (rises)
        g->rose_s = now_s;
    if (rises || !fact_known(g->rose_to) || held < g->rose_to || now_s - g->rose_to_s >= rise_s) {
        g->rose_to = held;
        g->rose_to_s = now_s;
    }
}

bool growth_goes_on(const struct look *look, const struct growth *g)
{
    return g->rose_s >= 0 && look->now_s - g->rose_s < rise_s;
}

static void take_one(struct look *look, struct growth *g, fact held)
{
    if (fact_known(held))
        take_rise(g, held, look->now_s);
    enum tri grows = fact_known(held) ? take(look, g, held) : TRI_UNKNOWN;
    look_take(look, &g->condition,
              grows == TRI_TRUE    ? YES(g->slope.from_s)
              : grows == TRI_FALSE ? NO("no lasting growth was seen; one look, or a daemon that "
                                        "has just started, sees none")
                                   : UNKNOWN("processes or their memory"));
}

/* The runner's segment begins when its load is over: it is listed then. */
static void take_runner(struct look *look, struct runner *r)
{
    struct growth *g = &r->growth;
    enum tri listed = runner_listed(look, r->now);
    fact held = process_held(r->now);
    if (g->begun_s < 0) {
        if (listed != TRI_TRUE || look->asked_s < r->first_s || !fact_known(held))
            return;
        begin(look, g, held); /* this look is its first point: the hold runs from here */
    }
    if (listed == TRI_FALSE) { /* an orphan is another matter */
        growth_forget(g);
        look_take(look, &g->condition, NO("it is not listed, see orphan-runner"));
        return;
    }
    take_one(look, g, held);
}

/* Which models are loaded, and by which server: the same sum in any order. */
static uint64_t loaded_sum(const struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    uint64_t sum = (uint64_t)look->serve->pid * 2654435761u + (uint64_t)look->serve->started_us;
    for (size_t i = 0; i < o->n_models; i++) {
        uint64_t hash = 14695981039346656037u; /* FNV-1a */
        for (const char *c = o->models[i].name; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        sum += hash ^ (uint64_t)o->models[i].context_length;
    }
    return sum + look->live_runners * 1000003u;
}

static void take_serve(struct look *look)
{
    struct growth *g = look->history->growth;
    fact held = look->answered == TRI_TRUE && look->serve && look->container->processes_known
                    ? look->serve_held
                    : FACT_UNKNOWN;
    if (fact_known(held) && !g && (g = look->history->growth = malloc(sizeof *g)))
        *g = growth_none;
    if (fact_known(held) && g && (g->begun_s < 0 || g->loaded != loaded_sum(look))) {
        begin(look, g, held);
        g->loaded = loaded_sum(look);
    }
    if (g && g->begun_s >= 0)
        take_one(look, g, held);
}

void growth_look(struct look *look)
{
    struct history *h = look->history;
    for (size_t i = 0; i < h->n_runners; i++)
        if (h->runners[i].now)
            take_runner(look, &h->runners[i]);
        else if (h->runners[i].growth.begun_s >= 0)
            take_one(look, &h->runners[i].growth, FACT_UNKNOWN);
    take_serve(look);
}

/* More bounds nothing. */
static const long a_pebibyte_in_mib = 1L << 30;

fact growth_bound(const struct look *look, const struct process *p)
{
    const char *text = container_env(look->container, "LLAMA_ARG_CACHE_RAM");
    char *end = NULL;
    if (!ledger_runs_llama_server(look->container, p))
        return 0;
    errno = 0;
    long mib = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return ledger_cache_default;
    return mib < 0 || mib > a_pebibyte_in_mib ? FACT_NONE : (fact)mib << 20;
}

/* So much it can hold before the kernel kills: its memory, and the swap that is left to it. Unknown
 * where a part of it is. */
static fact room(const struct look *look)
{
    const struct host *host = &look->world->host;
    const struct cgroup_memory *m = &look->container->cgroup;
    fact bound = cgroup_bound(m);
    fact free = host->swap_total == 0 ? 0 : fact_less(host->swap_total, host->swap_used);
    fact swap = host->swap_total == 0 ? 0 : fact_add(m->swap, free), limit = m->swap_limit;
    if (bound == FACT_NONE)
        return fact_add(fact_add(look->held, host->available), free);
    if (m->version == 1 && fact_known(limit)) /* of memory and swap together */
        limit = fact_less(limit, bound);
    if (fact_known(swap) && swap > 0 && limit != FACT_NONE)
        swap = limit < swap ? limit : swap;
    return fact_add(bound, swap);
}

double growth_left_s(const struct look *look, double per_s)
{
    fact most = room(look);
    if (!fact_known(most) || !fact_known(look->held) || per_s <= 0)
        return -1;
    return most > look->held ? (double)(most - look->held) / per_s : 0;
}

/* Where the runner cannot be seen, what stands stays. */
static bool is_cache(const struct look *look, const struct growth *g, const struct runner *r)
{
    if (!r)
        return false;
    fact held = r->now ? process_held(r->now) : FACT_UNKNOWN, bound = growth_bound(look, r->now);
    return !fact_known(held)
               ? r->own[VERDICT_PROMPT_CACHE].standing.raised
               : bound == FACT_NONE || (bound > 0 && held - g->begun <= bound + bound / 10);
}

struct finding growth_find(const struct look *look, const struct growth *g, const struct runner *r,
                           bool cache)
{
    static const struct reason loads = {.text = "no model is loaded"},
                               other[] = {
                                   {.text = "what grows is a prompt cache, see prompt-cache"},
                                   {.text = "what grows is no prompt cache, see growth-leak"}};
    struct finding f = conditions_find(&g->condition, 1);
    if (g->begun_s < 0) {
        f.against = &loads;
        f.contradicted = true;
    } else if (f.since_s >= 0 && cache != is_cache(look, g, r)) {
        f.against = &other[cache];
        f.contradicted |= f.all_now;
        f.all_now = false;
    }
    return f;
}

void growth_name(const struct look *look, const struct runner *r, struct verdict *v)
{
    const struct model *model = r && r->now ? model_of_runner(look, r->now) : NULL;
    if (model)
        snprintf(v->model, sizeof v->model, "%s", model->name);
    if (!r)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    memcpy(v->blob, r->blob, sizeof v->blob);
}

void growth_show(const struct look *look, const struct growth *g, const struct runner *r,
                 struct verdict *v, fact fits)
{
    fact bound = r ? growth_bound(look, r->now) : FACT_UNKNOWN;
    fact held = !r ? look->serve_held : r->now ? process_held(r->now) : FACT_UNKNOWN;
    growth_name(look, r, v);
    SHOW(look, v, r, {"serve", UNIT_BYTES, r ? -1 : (double)held},
         {"baseline", UNIT_BYTES, r ? -1 : (double)look->baseline},
         {"threshold", UNIT_BYTES, r ? -1 : (double)look->threshold},
         {"per_hour", UNIT_BYTES, g->slope.per_s * 3600},
         {"per_hour_low", UNIT_BYTES, g->slope.low_per_s * 3600},
         {"rise", UNIT_BYTES, g->slope.rise},
         {"grown", UNIT_BYTES,
          !fact_known(held) ? -1
          : held > g->begun ? (double)(held - g->begun)
                            : 0},
         {"bound", UNIT_BYTES, bound > 0 ? (double)bound : -1}, {"fits", UNIT_BYTES, (double)fits},
         {"span", UNIT_SECONDS, g->slope.span_s},
         {"left", UNIT_SECONDS, growth_left_s(look, g->slope.per_s)});
}
