/* Samples of the containers, and what their models' runners hold when they are loaded. */
#include "base/clock.h"
#include "base/grow.h"
#include "chronicle/historian_private.h"
#include "judge/ledger.h"
#include "judge/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A look may come a little early; and in a look between two ticks nothing is sampled. */
static const double spacing_slack_s = 0.1;
/* The runners a daemon finds were counted by the one before. */
static const double begun_slack_s = 1;
/* A runner that is listed so long after it was not, or not there, had requests since its load. */
static const double listed_slack_s = 10;
/* Growing by less from one look to the next, it is loaded; what came since is a request's, unless
 * it is more than a tenth. */
enum { STEADY_PART = 100, REQUEST_PART = 10 };

static struct subject *subject_of(struct historian *h, const struct container *c, size_t hint)
{
    if (hint < h->n_subjects && !strcmp(h->subjects[hint].id, c->id))
        return &h->subjects[hint];
    for (size_t i = 0; i < h->n_subjects; i++)
        if (!strcmp(h->subjects[i].id, c->id))
            return &h->subjects[i];
    struct subject *s = array_more(&h->subjects, &h->n_subjects, SUBJECTS_MAX, sizeof *s);
    if (!s)
        return NULL;
    s->cpu_us = FACT_UNKNOWN;
    s->cpu_at_s = -1;
    snprintf(s->id, sizeof s->id, "%s", c->id);
    snprintf(s->name, sizeof s->name, "%s", c->name);
    return s;
}

/* An earlier look may have had its sample. */
static double sampled_s(const struct world *world, const struct container *c)
{
    return c->age_s < 0 ? world->monotonic_s : world->monotonic_s - c->age_s;
}

/* Per cent of a core since it was asked last; < 0 unknown, as of a sample that it was asked for
 * already. */
static double cpu_percent(fact *cpu_us, double *at_s, fact now_us, double now_s)
{
    static const double same_s = 1e-3;
    double percent = -1;
    if (*at_s >= 0 && fabs(now_s - *at_s) < same_s)
        return percent;
    if (fact_known(*cpu_us) && fact_known(now_us) && now_us >= *cpu_us && now_s > *at_s)
        percent = (double)(now_us - *cpu_us) / ((now_s - *at_s) * 1e4);
    *cpu_us = now_us;
    *at_s = now_s;
    return percent;
}

static void sum_up(fact value, fact *sum, fact *most, unsigned *n)
{
    if (!fact_known(value))
        return;
    *sum += value;
    *most = *n == 0 || value > *most ? value : *most;
    (*n)++;
}

static void add_to_minute(struct subject *s, const struct history_sample *sample)
{
    struct history_minute *m = &s->minute;
    struct history_sample *a = &m->average;
    m->samples++;
    a->wall_ms = sample->wall_ms;
    a->boottime_s = sample->boottime_s;
    a->limit = sample->limit;
    sum_up(sample->held, &a->held, &m->held_max, &s->held_n);
    sum_up(sample->page_cache, &a->page_cache, &m->page_cache_max, &s->page_cache_n);
    sum_up(sample->models, &a->models, &m->models_max, &s->models_n);
    if (sample->cpu_percent < 0)
        return;
    a->cpu_percent += sample->cpu_percent;
    if (s->cpu_n++ == 0 || sample->cpu_percent > m->cpu_percent_max)
        m->cpu_percent_max = sample->cpu_percent;
}

static void close_sum(fact *sum, fact *most, unsigned n)
{
    *sum = n > 0 ? *sum / n : FACT_UNKNOWN;
    *most = n > 0 ? *most : FACT_UNKNOWN;
}

bool historian_minute(const struct subject *s, unsigned index, struct history_minute *ret_minute)
{
    struct history_minute m = s->minute;
    if (m.samples == 0)
        return false;
    m.average.subject = index;
    close_sum(&m.average.held, &m.held_max, s->held_n);
    close_sum(&m.average.page_cache, &m.page_cache_max, s->page_cache_n);
    close_sum(&m.average.models, &m.models_max, s->models_n);
    m.average.cpu_percent = s->cpu_n > 0 ? m.average.cpu_percent / s->cpu_n : -1;
    m.cpu_percent_max = s->cpu_n > 0 ? m.cpu_percent_max : -1;
    *ret_minute = m;
    return true;
}

static struct runner_seen *runner_of(struct historian *h, const struct process *p)
{
    for (size_t i = 0; i < h->n_runners; i++)
        if (h->runners[i].pid == p->pid && h->runners[i].started_us == p->started_us)
            return &h->runners[i];
    struct runner_seen *r = array_more(&h->runners, &h->n_runners, RUNNERS_KNOWN_MAX, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct runner_seen){.pid = p->pid,
                              .started_us = p->started_us,
                              .is_new = fact_known(p->started_us) &&
                                        (double)p->started_us / 1e6 >= h->begun_s - begun_slack_s,
                              .held = FACT_UNKNOWN,
                              .loading_s = (double)p->started_us / 1e6,
                              .last = FACT_UNKNOWN,
                              .loaded = FACT_UNKNOWN};
    return r;
}

/* What a runner leaked is nothing that its model needs. */
static bool leaks(const struct judgement *judgement, const struct container *c,
                  const struct process *p)
{
    for (size_t i = 0; i < judgement->n_verdicts; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        if (v->kind == VERDICT_GROWTH_LEAK && v->state == VERDICT_RAISED && v->pid == p->pid &&
            v->started_us == p->started_us && !strcmp(v->id, c->id))
            return true;
    }
    return false;
}

/* The look that lists it first tells what its load took, or one before. */
static void learn(struct historian *h, struct runner_seen *r, fact held, const struct world *world)
{
    double poll_s = config_settings(h->o.config)->poll_s;
    bool now = world->monotonic_s <= r->loading_s + 2 * poll_s + listed_slack_s && !r->leaked;
    r->held = !now ? FACT_UNKNOWN : r->loaded > held - held / REQUEST_PART ? r->loaded : held;
    r->due = true;
}

/* m: its model where it is listed, else NULL. */
static void take_runner(struct historian *h, const struct container *c, const struct model *m,
                        const struct process *p, const struct world *world,
                        const struct judgement *judgement)
{
    struct runner_seen *r = runner_of(h, p);
    if (!r)
        return;
    fact held = process_held(p);
    r->here = true;
    if (!r->leaked && leaks(judgement, c, p)) {
        r->leaked = r->due = true;
        r->held = FACT_UNKNOWN;
    }
    if (!m && !r->model[0] && c->ollama.reachable) {
        bool steady =
            fact_known(r->last) && held >= r->last && held - r->last <= held / STEADY_PART;
        if (r->loaded <= held - held / REQUEST_PART) /* unknown too */
            r->loaded = steady ? r->last : FACT_UNKNOWN;
        r->last = held;
        r->loading_s = world->monotonic_s - c->ollama.age_ms / 1e3;
    }
    /* What was asked before the runner started is of the one before it. */
    if (!m || world->monotonic_s - c->ollama.age_ms / 1e3 < (double)p->started_us / 1e6)
        return;
    /* With another context it was the one before it that was listed. */
    bool first = !r->model[0] || r->context != m->context_length;
    snprintf(r->model, sizeof r->model, "%s", m->name);
    snprintf(r->digest, sizeof r->digest, "%s", m->digest);
    snprintf(r->kv_type, sizeof r->kv_type, "%.15s", ledger_kv_type(c));
    snprintf(r->version, sizeof r->version, "%s", c->ollama.version);
    r->gpu = world->n_gpus > 0 && m->size_vram > 0;
    r->context = m->context_length;
    r->parallel = ledger_parallel(c);
    if (first)
        learn(h, r, held, world);
}

static void take_container(struct historian *h, const struct world *world, size_t i,
                           const struct judgement *judgement)
{
    const struct assessment *a = &judgement->assessments[i];
    const struct container *c = &world->containers[i];
    struct subject *s = subject_of(h, c, i);
    if (!s)
        return;
    s->here = true;
    double cpu = cpu_percent(&s->cpu_us, &s->cpu_at_s, c->cgroup.cpu_us, sampled_s(world, c));
    if (c->status != STATUS_RUNNING)
        return;
    struct history_sample sample = {.subject = (unsigned)(s - h->subjects),
                                    .wall_ms = world->time_ms,
                                    .boottime_s = world->monotonic_s,
                                    .held = container_held(c, &world->host),
                                    .page_cache = c->cgroup.file,
                                    .limit = cgroup_bound(&c->cgroup),
                                    .models = a->models_held,
                                    .cpu_percent = cpu};
    struct history_sample *kept =
        array_more(&h->samples, &h->n_samples, PENDING_SAMPLES_MAX, sizeof *kept);
    if (kept)
        *kept = sample;
    add_to_minute(s, &sample);
    for (size_t k = 0; k < c->n_processes; k++) {
        const struct process *p = &c->processes[k];
        const struct model *listed = NULL;
        if (!process_is_live_runner(p))
            continue;
        for (size_t m = 0; m < c->ollama.n_models && !listed; m++)
            if (ledger_runner(c, &c->ollama.models[m]) == p)
                listed = &c->ollama.models[m];
        take_runner(h, c, listed, p, world, judgement);
    }
}

void historian_take_samples(struct historian *h, const struct world *world,
                            const struct judgement *judgement)
{
    double now_s = world->monotonic_s;
    size_t every = (world->n_containers + SAMPLED_AT_ONCE - 1) / SAMPLED_AT_ONCE;
    double every_s = (double)every;
    if (h->sampled_s >= 0 && now_s >= h->sampled_s &&
        now_s < h->sampled_s + every_s - spacing_slack_s)
        return;
    h->sampled_s = now_s;
    for (size_t i = 0; i < h->n_subjects; i++)
        h->subjects[i].here = false;
    for (size_t i = 0; i < h->n_runners; i++)
        h->runners[i].here = false;
    for (size_t i = 0; i < world->n_containers && i < judgement->n_assessments; i++)
        take_container(h, world, i, judgement);
}

void historian_forget_samples(struct historian *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_subjects; i++) {
        struct subject *s = &h->subjects[i];
        s->minute = (struct history_minute){0};
        s->held_n = s->page_cache_n = s->models_n = s->cpu_n = 0;
        if (s->here)
            h->subjects[n++] = *s;
    }
    h->n_subjects = n;
    n = 0;
    for (size_t i = 0; i < h->n_runners; i++) {
        struct runner_seen *r = &h->runners[i];
        if (r->model[0]) {
            r->is_new = false;
            r->due = r->leaked; /* told again, should the writing fail */
        }
        if (r->here)
            h->runners[n++] = *r;
    }
    h->n_runners = n;
}
