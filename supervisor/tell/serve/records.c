/* What is asked of the history: events and samples. */
#include "tell/serve/records.h"
#include "base/clock.h"
#include "base/config.h"
#include "sense/json_put.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- in the worker */

static void add_event(void *userdata, const struct history_event *e)
{
    struct job *job = userdata;
    char when[32];
    json_t *numbers = json_loads(e->numbers, 0, NULL), *one = json_object();
    clock_format(e->wall_ms, when, sizeof when);
    json_object_set_new(one, "id", json_integer(e->id));
    put_text(one, "time", when);
    put_text(one, "boot", e->boot_id);
    json_object_set_new(one, "boottime", json_real(e->boottime_s));
    put_text(one, "container", e->name);
    put_text(one, "container_id", e->container);
    put_text(one, "event", e->kind);
    put_text(one, "verdict", e->verdict);
    put_text(one, "step", e->step);
    put_text(one, "text", e->outcome);
    json_object_set_new(one, "numbers", numbers ? numbers : json_object());
    json_array_append_new(job->list, one);
}

static void put_mean(json_t *one, const char *name, double sum, double n, bool whole)
{
    if (n > 0)
        json_object_set_new(one, name,
                            whole ? json_integer((json_int_t)(sum / n)) : json_real(sum / n));
}

static void end_bucket(struct job *job)
{
    const struct bucket *b = &job->bucket;
    char when[32];
    if (b->samples == 0)
        return;
    json_t *one = json_object();
    clock_format(job->from_ms + b->at * job->width_ms, when, sizeof when);
    put_text(one, "time", when);
    json_object_set_new(one, "samples", json_integer(b->samples));
    put_mean(one, "held", b->held, b->n_held, true);
    put_known(one, "held_max", b->held_max);
    put_mean(one, "page_cache", b->page_cache, b->n_page_cache, true);
    put_mean(one, "cpu_percent", b->cpu, b->n_cpu, false);
    put_fact(one, "limit", b->limit);
    put_known(one, "models", b->models);
    json_array_append_new(job->list, one);
}

static void add_sample(struct job *job, const struct history_sample *s, unsigned samples,
                       fact held_max)
{
    struct bucket *b = &job->bucket;
    int64_t at = (s->wall_ms - job->from_ms) / job->width_ms;
    if (s->wall_ms < job->from_ms || s->wall_ms >= job->to_ms)
        return;
    if (b->samples == 0 || at != b->at) {
        end_bucket(job);
        *b = (struct bucket){.at = at, .held_max = FACT_UNKNOWN};
    }
    b->samples += samples;
    if (fact_known(s->held)) {
        b->held += (double)s->held * samples;
        b->n_held += samples;
    }
    if (fact_known(s->page_cache)) {
        b->page_cache += (double)s->page_cache * samples;
        b->n_page_cache += samples;
    }
    if (s->cpu_percent >= 0) {
        b->cpu += s->cpu_percent * samples;
        b->n_cpu += samples;
    }
    if (held_max > b->held_max)
        b->held_max = held_max;
    b->limit = s->limit;
    b->models = s->models;
}

static void add_second(void *userdata, const struct history_sample *sample)
{
    add_sample(userdata, sample, 1, sample->held);
}

static void add_minute(void *userdata, const struct history_minute *minute)
{
    add_sample(userdata, &minute->average, minute->samples, minute->held_max);
}

static int read_samples(struct job *job, struct keep_history *history)
{
    int r = job->minutes ? keep_history_minutes(history, job->container, job->from_ms, add_minute,
                                                job, &job->err)
                         : keep_history_samples(history, job->container, job->from_ms, add_second,
                                                job, &job->err);
    end_bucket(job);
    return r;
}

static int read_events(struct job *job, struct keep_history *history)
{
    return keep_history_events(history, &job->filter, add_event, job, &job->last, &job->err);
}

static void read_job(uv_work_t *work)
{
    struct job *job = work->data;
    struct keep_history *history;
    job->list = json_array();
    job->result = keep_history_read(job->serve->o.state, false, &history, &job->err);
    if (job->result == -ENOENT || job->result == -ENOTDIR)
        job->result = 0; /* nothing was written yet */
    else if (job->result == 0) {
        job->filter.container = job->container[0] ? job->container : NULL;
        job->result = job->read(job, history);
        keep_history_close(history);
    }
}

/* ---- on the loop */

static void begin_next(struct serve *serve);

static void answer_events(struct job *job, json_t *list)
{
    api_answer(job->call, 200,
               json_pack("{s:o, s:I}", "events", list, "last", (json_int_t)job->last));
}

static void answer_samples(struct job *job, json_t *list)
{
    api_answer(job->call, 200, list);
}

static void end_job(struct job *job)
{
    json_t *list = job->list;
    job->list = NULL;
    if (job->result == -EBUSY)
        api_problem(job->call, 503, "the history is being written: ask again");
    else if (job->result < 0)
        api_problem(job->call, 500, job->err.message);
    else
        job->answer(job, list);
    if (job->result < 0)
        json_decref(list);
}

static void read_done(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct serve *serve = job->serve;
    (void)status;
    STAILQ_REMOVE_HEAD(&serve->jobs, link);
    serve->n_jobs--;
    if (job->call) {
        job->call->calls = NULL;
        end_job(job);
    }
    json_decref(job->list);
    free(job);
    begin_next(serve);
}

/* Nobody waits for what is left when the daemon ends. */
static void begin_next(struct serve *serve)
{
    struct job *job;
    while ((job = STAILQ_FIRST(&serve->jobs)) != NULL) {
        job->work.data = job;
        if (job->call && !serve->stopping &&
            uv_queue_work(serve->o.loop, &job->work, read_job, read_done) == 0)
            return;
        STAILQ_REMOVE_HEAD(&serve->jobs, link);
        serve->n_jobs--;
        if (job->call) {
            job->call->calls = NULL;
            api_problem(job->call, 503, "the supervisor ends");
        }
        free(job);
    }
}

static void on_done(void *own, struct net_exchange *exchange, int result)
{
    struct job *job = own;
    (void)exchange, (void)result;
    job->call = NULL;
}

struct job *job_new(struct serve *serve, struct api_call *call,
                    int (*read)(struct job *job, struct keep_history *history),
                    void (*answer)(struct job *job, json_t *list))
{
    static const struct net_calls calls = {.done = on_done};
    struct job *job = serve->n_jobs < JOBS_MAX ? calloc(1, sizeof *job) : NULL;
    if (!job) {
        const struct net_field later = {"Retry-After", "1"};
        net_answer_problem(call->exchange, 503, &later, 1, "too many ask for the history");
        return NULL;
    }
    job->serve = serve;
    job->call = call;
    job->read = read;
    job->answer = answer;
    call->calls = &calls;
    call->own = job;
    return job;
}

void job_queue(struct job *job)
{
    struct serve *serve = job->serve;
    STAILQ_INSERT_TAIL(&serve->jobs, job, link);
    if (serve->n_jobs++ == 0)
        begin_next(serve);
}

/* A time of the query; false: the call is answered. */
static bool time_of(struct api_call *call, const char *name, int64_t fallback, int64_t *ret_ms)
{
    const char *text = api_text(call, name);
    char detail[128];
    *ret_ms = fallback;
    if (!text || clock_parse(text, ret_ms) == 0)
        return true;
    snprintf(detail, sizeof detail, "%s is no time: write it as 2026-11-21T03:48:28Z", name);
    api_problem(call, 400, detail);
    return false;
}

void records_events(void *userdata, struct api_call *call)
{
    int64_t since;
    int64_t after = api_whole(call, "after", -1);
    const char *named = api_text(call, "container");
    struct job *job;
    if (!time_of(call, "since", 0, &since) ||
        !(job = job_new(userdata, call, read_events, answer_events)))
        return;
    snprintf(job->container, sizeof job->container, "%s", named ? named : "");
    job->filter = (struct history_filter){
        .since_wall_ms = since,
        .after_id = after < 0    ? 0
                    : after == 0 ? -1
                                 : after, /* -1: from the first on */
        .limit = (size_t)api_whole(call, "limit", EVENTS_DEFAULT),
    };
    job_queue(job);
}

void records_samples(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    const struct settings *s = config_settings(serve->o.config);
    struct state state;
    const struct container *c;
    struct job *job;
    int64_t now = clock_wall_ms(), from, to, points = api_whole(call, "points", POINTS_DEFAULT);
    if (!time_of(call, "to", now + 1, &to) || !time_of(call, "from", to - 3600000, &from) ||
        !serve_seen(serve, call, &state) ||
        !(c = serve_named(call, state.world, api_text(call, "container"))))
        return;
    if (from >= to) {
        api_problem(call, 400, "from is not before to");
        return;
    }
    if (!(job = job_new(serve, call, read_samples, answer_samples)))
        return;
    memcpy(job->container, c->id, sizeof c->id);
    job->from_ms = from;
    job->to_ms = to;
    job->width_ms = (to - from + points - 1) / points;
    job->minutes = from < now - (int64_t)(s->history_keep_samples_s * 1000) - 1000;
    job_queue(job);
}
