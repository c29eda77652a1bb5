/* growth-leak and prompt-cache: what is held rises while the same models are loaded
 * (docs/judgement.md). A step moves neither the median of the slopes nor their lower bound: a load,
 * another context or one big request is no growth. */
#include "judge/growth.h"

/* By chance in less than one window of a million: a day has seven thousand, and memory that goes up
 * and down rose in most days by one of a thousand. What was found stays while it is not doubtful.
 */
static const double certain = 1e-6, doubtful = 0.05;
/* Points in leak.growth_hold; the recent window has twice as many. */
enum { HOLD_POINTS = TREND_POINTS_MAX / 2 };

void growth_forget(struct growth *growth)
{
    growth->recent.n = growth->whole.n = 0;
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
    fact limit = look->container->cgroup.limit, least = look->history->settings.leak_growth;
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
    double now_s = look->now_s, hold_s = look->history->settings.leak_growth_hold_s;
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

static void judge_one(struct look *look, struct growth *g, const struct runner *r,
                      const struct process *p, fact held)
{
    enum tri grows = fact_known(held) ? take(look, g, held) : TRI_UNKNOWN;
    condition_take(&g->condition, grows, g->slope.from_s, look->now_s, look->allowance_s);
    growth_settle(look, g, r, p, held);
}

/* The runner's segment begins when its load is over: it is listed then. */
static void judge_runner(struct look *look, struct runner *r, const struct process *p)
{
    struct growth *g = &r->growth;
    double asked_s = look->asked_s;
    enum tri listed = runner_listed(look, p);
    fact held = process_held(p);
    if (g->begun_s < 0) {
        if (listed != TRI_TRUE || asked_s < r->first_s || !fact_known(held))
            return;
        begin(look, g, held); /* this look is its first point: the hold runs from here */
    }
    if (listed == TRI_FALSE) { /* an orphan is another matter */
        growth_forget(g);
        condition_take(&g->condition, TRI_FALSE, look->now_s, look->now_s, look->allowance_s);
        growth_settle(look, g, r, p, held);
        return;
    }
    judge_one(look, g, r, p, held);
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

static void judge_serve(struct look *look)
{
    struct growth *g = &look->history->growth;
    fact held = look->answered == TRI_TRUE && look->serve && look->container->processes_known
                    ? look->serve_held
                    : FACT_UNKNOWN;
    if (fact_known(held) && (g->begun_s < 0 || g->loaded != loaded_sum(look))) {
        begin(look, g, held);
        g->loaded = loaded_sum(look);
    }
    if (g->begun_s >= 0)
        judge_one(look, g, NULL, look->serve, held);
}

void judge_growth(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; !c->processes_known && i < h->n_runners; i++)
        if (h->runners[i].growth.begun_s >= 0)
            judge_one(look, &h->runners[i].growth, &h->runners[i], NULL, FACT_UNKNOWN);
    for (size_t i = 0; c->processes_known && i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        struct runner *r = process_is_live_runner(p) ? history_runner(h, p) : NULL;
        if (r)
            judge_runner(look, r, p);
    }
    judge_serve(look);
}
