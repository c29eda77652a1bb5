#include "judge/work.h"

/* In the recordings of real servers (0.24, 0.33) an idle runner uses no tick (10 ms) of CPU time in
 * a second, in the emulated machine 40 ms at most; two ticks are allowed, and a thousandth of a
 * core where looks are rare. */
static const double idle_us = 20e3, idle_us_per_s = 1e3;
/* So far at least back, so that frequent looks do not cut a request to pieces. */
static const double back_s = 1;
/* Memory that idles does not grow: what is below a MiB are counters read in pages. */
static const fact grown_bytes = 1024 * 1024;

static const double slides_s = 0.1;
/* One that was seen so soon after its start has not been listed before. */
static const double young_s = 5;
static const double long_after_s = 60;
/* Of two lists so far apart the one time that fits between them by the server's keep_alive is it;
 * in more time one fits by chance. */
static const double near_s = 10;

void work_begin(struct work *work)
{
    *work = (struct work){.first_s = -1,
                          .used_s = -1,
                          .cpu_us = FACT_UNKNOWN,
                          .lease.expires_ms = -1,
                          .request_s = -1,
                          .least_anon = FACT_UNKNOWN,
                          .least_file = FACT_UNKNOWN};
}

/* Takes the value; whether it has grown since it was least. */
static bool grew(fact *least, fact value)
{
    bool grown = fact_known(*least) && value > *least + grown_bytes;
    if (grown || !fact_known(*least) || value < *least)
        *least = value;
    return grown;
}

static void use_is(struct work *work, double from_s, double to_s, enum use use)
{
    work->from_s = from_s > work->from_s ? from_s : work->from_s;
    work->to_s = to_s;
    work->use = use;
}

bool work_between(fact from_us, double from_s, fact to_us, double to_s)
{
    return !fact_known(from_us) || !fact_known(to_us) ||
           (double)(to_us - from_us) > idle_us + idle_us_per_s * (to_s - from_s);
}

static bool computed(struct work *work, fact cpu_us, double now_s)
{
    double since_s = now_s - work->cpu_at_s;
    bool first = !fact_known(work->cpu_us);
    bool did = !first && work_between(work->cpu_us, work->cpu_at_s, cpu_us, now_s);
    if (did && (!work->told || work->rested || work->request_s >= 0)) /* else what a client left */
        use_is(work, work->cpu_at_s, now_s, USE_WORK);
    if (first || did || since_s >= back_s) {
        work->cpu_us = cpu_us;
        work->cpu_at_s = now_s;
    }
    return did;
}

static void take_lease(struct work *work, const struct lease *lease)
{
    double drift_s = lease->left_s - work->lease.left_s;
    bool slides = work->may_slide && drift_s > -slides_s && drift_s < slides_s;
    work->may_slide = slides;
    if (!slides)
        work->request_s = -1;
    else if (work->request_s < 0)
        work->request_s = work->lease.asked_s;
    work->slides = slides;
    work->rested = false;
}

/* Ollama sets it anew when a request ends: it also shows what takes less CPU time than can be seen,
 * as one text to embed on a GPU. While the first request is under way it is that of the list, in
 * each one. */
static bool renewed(struct work *work, const struct lease *lease, bool once, double now_s)
{
    if (!lease)
        return false;
    bool first = work->lease.expires_ms < 0,
         other = !first && work->lease.expires_ms != lease->expires_ms,
         newer = lease->asked_s > work->lease.asked_s + slides_s;
    if (first || other) {
        work->leased_s = lease->asked_s;
        work->told = false;
        work->after_s = other ? work->lease.asked_s : work->after_s; /* else since its start */
        work->changed = once || work->leased_s - work->after_s <= near_s;
    }
    if (other) {
        take_lease(work, lease);
        use_is(work, work->after_s, now_s, USE_LEASE);
    } else if (!first && newer) {
        if (work->slides)
            work->request_s = -1;
        work->slides = work->may_slide = false;
    }
    if (work->changed && !work->told && work->request_s < 0 && lease->ended_s >= work->after_s &&
        lease->ended_s <= work->leased_s && lease->ended_s < lease->asked_s - slides_s) {
        work->told = true; /* what was seen of it before and since was that request */
        work->from_s = work->to_s = lease->ended_s;
        work->use = USE_LEASE;
    }
    work->lease = *lease;
    return other;
}

static void take_request(struct work *work, bool computed, bool rests, double now_s)
{
    if (work->lease.expires_ms < 0)
        return;
    bool long_after = now_s - work->leased_s > long_after_s;
    if (computed && work->request_s < 0 && (work->rested || long_after))
        work->request_s = now_s;
    work->rested |= rests;
}

enum worked work_take(struct work *work, const struct process *p, const struct lease *lease,
                      bool once, double now_s)
{
    bool first = work->first_s < 0;
    if (first) {
        work->first_s = work->to_s = work->from_s = now_s;
        if (fact_known(p->started_us) && (double)p->started_us / 1e6 < now_s)
            work->from_s = (double)p->started_us / 1e6;
        work->after_s = work->from_s;
        double age_s = now_s - (double)p->started_us / 1e6; /* < 0: by another clock */
        work->may_slide = fact_known(p->started_us) && age_s <= young_s && age_s >= -young_s;
    }
    bool known = p->state && fact_known(p->cpu_us) && fact_known(p->rss_anon) &&
                 fact_known(p->swap) && fact_known(p->rss_file);
    bool did = p->state == 'D';
    bool computes = fact_known(p->cpu_us) && computed(work, p->cpu_us, now_s);
    did |= computes;
    did |= renewed(work, lease, once, now_s);
    if (fact_known(p->rss_anon) && fact_known(p->swap))
        did |= grew(&work->least_anon, p->rss_anon + p->swap);
    if (fact_known(p->rss_file))
        did |= grew(&work->least_file, p->rss_file);
    take_request(work, computes, known && !did, now_s);
    if (did && !first)
        work->used_s = now_s;
    return did || first ? WORKED : known ? WORKED_NOT : WORKED_UNKNOWN;
}

enum worked work_take_ours(struct work *work, const struct process *process,
                           const struct lease *lease, bool once, double now_s)
{
    struct work was = *work;
    enum worked worked = work_take(work, process, lease, once, now_s);
    if (was.first_s < 0)
        return worked; /* its start is a use all the same */
    work->used_s = was.used_s;
    work->from_s = was.from_s;
    work->to_s = was.to_s;
    work->use = was.use;
    work->request_s = was.request_s;
    work->told = was.told;
    work->changed = false; /* the new lease tells of no use, in later lists either */
    return worked == WORKED ? WORKED_NOT : worked;
}
