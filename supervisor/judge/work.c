#include "judge/work.h"

#include "base/clock.h"

/* In the recordings of real servers (0.24, 0.33) an idle runner uses no tick (10 ms) of CPU time in
 * a second, in the emulated machine 40 ms at most; two ticks are allowed, and a thousandth of a
 * core where looks are rare. */
static const double idle_us = 20e3, idle_us_per_s = 1e3;
/* So far at least back, so that frequent looks do not cut a request to pieces. */
static const double back_s = 1;
/* Memory that idles does not grow: what is below a MiB are counters read in pages. */
static const fact grown_bytes = 1024 * 1024;

void work_begin(struct work *work)
{
    *work = (struct work){.first_s = -1,
                          .used_s = -1,
                          .cpu_us = FACT_UNKNOWN,
                          .expires_ms = -1,
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

static bool computed(struct work *work, fact cpu_us, double now_s)
{
    double since_s = now_s - work->cpu_at_s;
    bool first = !fact_known(work->cpu_us);
    bool did = !first && (double)(cpu_us - work->cpu_us) > idle_us + idle_us_per_s * since_s;
    if (first || did || since_s >= back_s) {
        work->cpu_us = cpu_us;
        work->cpu_at_s = now_s;
    }
    return did;
}

/* Ollama sets it anew when a request ends, and at no other time: it also shows what takes less CPU
 * time than can be seen, as one text to embed on a GPU. */
static bool renewed(struct work *work, const char *expires_at)
{
    int64_t ms;
    if (!*expires_at || clock_parse(expires_at, &ms) < 0)
        return false;
    bool other = work->expires_ms >= 0 && work->expires_ms != ms;
    work->expires_ms = ms;
    return other;
}

enum worked work_take(struct work *work, const struct process *p, const char *expires_at,
                      double now_s)
{
    bool first = work->first_s < 0;
    if (first)
        work->first_s = now_s;
    bool known = p->state && fact_known(p->cpu_us) && fact_known(p->rss_anon) &&
                 fact_known(p->swap) && fact_known(p->rss_file);
    bool did = renewed(work, expires_at) || p->state == 'D';
    if (fact_known(p->cpu_us))
        did |= computed(work, p->cpu_us, now_s);
    if (fact_known(p->rss_anon) && fact_known(p->swap))
        did |= grew(&work->least_anon, p->rss_anon + p->swap);
    if (fact_known(p->rss_file))
        did |= grew(&work->least_file, p->rss_file);
    if (did && !first)
        work->used_s = now_s;
    return did || first ? WORKED : known ? WORKED_NOT : WORKED_UNKNOWN;
}
