#include "act/healer.h"
#include "act/run.h"
#include "base/clock.h"
#include "sense/policy.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rest {       /* of one kind of remedy */
    double until_s; /* boottime */
    char told[128]; /* why it could not be begun: told once */
};

struct place { /* what the healer remembers of one container between runs; what must survive is in
                  keep */
    char id[CONTAINER_ID_SIZE];
    double not_before_s; /* boottime: a remedy that could not be begun is not tried again at once */
    bool held_told, locked_told, memory_told, waiting_told, footprint_told;
    fact footprint; /* the last one that was kept */
    struct rest rests[REMEDIES];
    char acted[160];
};

struct healer {
    struct healer_options o;
    struct run *runs;
    struct place *places;
    size_t n_places;
    const struct world *world;
    const struct judgement *judgement;
    struct settings settings;
    char boot_id[40];
    bool closing;
};

/* A remedy that was dropped, locked out or refused is not begun again before this. */
static const double retry_s = 2, refused_retry_s = 60;
/* What cannot be prepared, such as a cgroup that is mounted read-only, may be mended meanwhile. */
static const double unprepared_retry_s = 300;

int healer_new(const struct healer_options *options, struct healer **ret_healer)
{
    struct healer *healer = calloc(1, sizeof *healer);
    if (!healer)
        return -ENOMEM;
    healer->o = *options;
    clock_boot_id(config_settings(options->config)->procfs, healer->boot_id,
                  sizeof healer->boot_id);
    *ret_healer = healer;
    return 0;
}

static struct place *place_of(struct healer *healer, const char *id)
{
    for (size_t i = 0; i < healer->n_places; i++)
        if (!strcmp(healer->places[i].id, id))
            return &healer->places[i];
    static struct place nowhere; /* memory spent: forgetting is safe, keep has what matters */
    struct place *places = realloc(healer->places, (healer->n_places + 1) * sizeof *places);
    if (!places)
        return &nowhere;
    healer->places = places;
    struct place *place = &places[healer->n_places++];
    *place = (struct place){.footprint = FACT_UNKNOWN};
    snprintf(place->id, sizeof place->id, "%s", id);
    return place;
}

static struct run *run_of(const struct healer *healer, const char *id)
{
    for (struct run *run = healer->runs; run; run = run->next)
        if (!strcmp(run->id, id))
            return run;
    return NULL;
}

void healer_key(const char *name, const char *enable, char *key, size_t size)
{
    snprintf(key, size, "%.200s%s%.20s", name, enable ? "+" : "", enable ? enable : "");
}

size_t healer_busy(const struct healer *healer)
{
    size_t n = 0;
    for (struct run *run = healer->runs; run; run = run->next)
        n++;
    return n;
}

const char *healer_acted(const struct healer *healer, const char *id)
{
    for (size_t i = 0; i < healer->n_places; i++)
        if (!strcmp(healer->places[i].id, id))
            return healer->places[i].acted;
    return "";
}

/* ---- the run's tools ---- */

struct docker *run_docker(const struct run *run)
{
    return run->healer->o.docker;
}

struct sense *run_sense(const struct run *run)
{
    return run->healer->o.sense;
}

const struct settings *run_settings(const struct run *run)
{
    const struct container *c = sense_container(run->healer->o.sense, run->id);
    if (!c)
        return config_settings(run->healer->o.config);
    policy_for(run->healer->o.config, c, &run->healer->settings, NULL);
    return &run->healer->settings;
}

const struct container *run_container(const struct run *run)
{
    return sense_container(run->healer->o.sense, run->id);
}

fact run_held(const struct run *run)
{
    const struct container *c = run_container(run);
    return c && run->healer->world ? container_held(c, &run->healer->world->host) : FACT_UNKNOWN;
}

fact run_grace_s(const struct run *run)
{
    static const fact engine_default_s = 10; /* facts on Docker, 1.6 */
    const struct settings *s = run_settings(run);
    if (s->remedy_stop_grace_s >= 0)
        return (fact)ceil(s->remedy_stop_grace_s);
    const struct docker_details *d = sense_details(run->healer->o.sense, run->id);
    return d && fact_known(d->stop_timeout_s) ? d->stop_timeout_s : engine_default_s;
}

void run_tell(struct run *run, enum heal_event_kind kind, fact after, const char *text)
{
    struct healer *healer = run->healer;
    struct place *place = place_of(healer, run->id);
    static const char *const words[] = {
        "would act", "acting",    "healed",  "not healed", "dropped",         "pending",
        "HOLD",      "hold over", "waiting", "locked",     "cannot remember", "taken up"};
    snprintf(place->acted, sizeof place->acted, "%s: %s%s%.100s", run->step->name, words[kind],
             *text ? ", " : "", text);
    struct heal_event event = {.kind = kind,
                               .id = run->id,
                               .name = run->name,
                               .verdict = run->recovering ? run->intent.verdict
                                          : run->reason   ? run->reason
                                                          : verdict_kind_name(run->verdict.kind),
                               .step = run->step->name,
                               .evidence = run->recovering ? NULL : &run->verdict,
                               .model = run->model,
                               .before = run->before,
                               .after = after,
                               .page_cache_before = run->page_cache_before,
                               .page_cache_after = run->page_cache_after,
                               .attempt = run->intent.attempt,
                               .took_s = clock_boottime_s() - run->began_s,
                               .text = text};
    if (healer->o.tell)
        healer->o.tell(healer->o.userdata, &event);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void run_free(struct run *run)
{
    struct healer *healer = run->healer;
    for (struct run **at = &healer->runs; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    keep_unlock(run->lock);
    if (run->pidfd >= 0)
        close(run->pidfd);
    free(run->open);
    free(run->directory);
    free(run->cgroupfs);
    uv_close((uv_handle_t *)&run->timer, on_timer_closed);
}

bool run_closed(struct run *run)
{
    run->request_under_way = false;
    if (run->healer->closing)
        run_free(run);
    return run->healer->closing;
}

static void on_timer(uv_timer_t *timer)
{
    struct run *run = timer->data;
    run->on_timer(run);
}

void run_later(struct run *run, uint64_t delay_ms, run_next *next)
{
    run->on_timer = next;
    uv_timer_start(&run->timer, on_timer, delay_ms, 0);
}

static void after_work(uv_work_t *work, int status)
{
    (void)status;
    struct run *run = work->data;
    run->working = false;
    if (run->healer->closing)
        run_free(run);
    else
        run->after_work(run);
}

void run_work(struct run *run, uv_work_cb job, run_next *next)
{
    run->after_work = next;
    run->working = true;
    run->work.data = run;
    if (uv_queue_work(run->healer->o.loop, &run->work, job, after_work) < 0) {
        run->working = false;
        run->work_result = -ENOMEM;
        run_later(run, 0, next);
    }
}

static void end_told(struct run *run)
{
    struct healer *healer = run->healer;
    struct place *place = place_of(healer, run->id);
    struct rest *rest = &place->rests[run->verdict.remedy];
    double delay_s = run->refused && run->step->gentle ? unprepared_retry_s
                     : run->end_kind == HEAL_NOT_DONE  ? refused_retry_s
                                                       : retry_s;
    if (run->begun && run->step->rest_s > delay_s)
        delay_s = run->step->rest_s;
    if (run->step->gentle)
        rest->until_s = clock_boottime_s() + delay_s; /* of this remedy only */
    else
        place->not_before_s = clock_boottime_s() + delay_s;
    if (run->work_result < 0 && run->begun) {
        size_t used = strlen(run->text);
        snprintf(run->text + used, sizeof run->text - used,
                 "; its outcome could not be written: %.150s", run->work_error.message);
    }
    char text[sizeof run->text];
    memcpy(text, run->text, sizeof text);
    bool acted = run->begun && !run->recovering;
    struct judge *judge = healer->o.judge;
    if (acted && judge && !run->step->gentle)
        judge_restart_holds(judge, run->id);
    bool said = run->refused && run->step->gentle && !run->asked &&
                !strncmp(rest->told, text, sizeof rest->told - 1);
    if (!said)
        run_tell(run, run->end_kind, run->after, text);
    snprintf(rest->told, sizeof rest->told, "%.127s", run->refused ? text : "");
    run_free(run);
}

static void end_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->work_result = keep_intent_end(run->healer->o.keep, run->intent.id, run->end_state,
                                       run->after, clock_wall_ms(), run->text, &run->work_error);
}

void run_end(struct run *run, enum intent_state state, enum heal_event_kind kind, fact after,
             const char *format, ...)
{
    if (run->ending)
        return;
    run->ending = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->text, sizeof run->text, format, arguments);
    va_end(arguments);
    uv_timer_stop(&run->timer);
    run->end_state = state;
    run->end_kind = kind;
    run->after = after;
    run->work_result = 0;
    if (run->begun || run->recovering)
        run_work(run, end_job, end_told);
    else
        run_later(run, 0, end_told);
}

/* ---- from verdict to deed ---- */

static void begin_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->work_result = keep_intent_begin(run->healer->o.keep, &run->intent, &run->work_error);
}

static void begun(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    if (run->work_result < 0) {
        place->not_before_s = clock_boottime_s() + retry_s;
        if (!place->memory_told)
            run_tell(run, HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN, run->work_error.message);
        place->memory_told = true;
        run_free(run);
        return;
    }
    run->begun = true;
    place->memory_told = place->locked_told = place->waiting_told = false;
    run_tell(run, HEAL_ACTING, FACT_UNKNOWN, "");
    run->step->deed(run);
}

/* The fresh look is there: does the world still bear the remedy? */
static void on_fresh(void *userdata, int result)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    const struct container *c = run_container(run);
    if (result < 0 || !c || strcmp(c->started_at, run->started_at) || c->status != STATUS_RUNNING) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s",
                c ? "it was restarted or stopped meanwhile" : "it is gone");
        return;
    }
    if (run->verdict.kind < VERDICT_KINDS && !run->force) {
        const struct verdict *found = NULL;
        for (size_t i = 0; i < run->healer->judgement->n_verdicts; i++) {
            const struct verdict *v = &run->healer->judgement->verdicts[i];
            if (v->kind == run->verdict.kind && !strcmp(v->id, run->id) &&
                v->pid == run->verdict.pid && v->confirmed &&
                v->started_us == run->verdict.started_us && !strcmp(v->model, run->verdict.model))
                found = v;
        }
        if (!found) {
            run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
                    "the fresh look no longer bears the verdict");
            return;
        }
        run->verdict = *found;
    }
    char why[256] = "";
    run->before = run_held(run);
    if (run->step->prepare && run->step->prepare(run, why, sizeof why) < 0) {
        run->refused = true;
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s", why);
        return;
    }
    struct intent *intent = &run->intent;
    memcpy(intent->container, run->id, sizeof intent->container);
    memcpy(intent->started_at, run->started_at, sizeof intent->started_at);
    memcpy(intent->key, run->key, sizeof intent->key);
    snprintf(intent->verdict, sizeof intent->verdict, "%s",
             run->reason ? run->reason : verdict_kind_name(run->verdict.kind));
    snprintf(intent->step, sizeof intent->step, "%s", run->step->name);
    intent->pid = run->verdict.pid;
    intent->process_started_us = run->verdict.started_us;
    intent->grace_s = run_grace_s(run);
    intent->begun_wall_ms = clock_wall_ms();
    intent->begun_boottime_s = clock_boottime_s();
    memcpy(intent->boot_id, run->healer->boot_id, sizeof intent->boot_id);
    intent->held_before = run->before;
    intent->held_after = FACT_UNKNOWN;
    run_work(run, begin_job, begun);
}

/* Back-off: 10 s doubling to 300 s with 10 % of jitter, anew after 10 healthy minutes (row C2;
 * Kubernetes' numbers, facts on memory, B6). The jitter hangs on the last restart, so that it is
 * the same whoever asks. */
static double backoff_left_s(const struct run *run, const struct settings *s, int64_t now_ms,
                             fact *ret_attempt)
{
    const struct restart_history *r = &run->restarts;
    double since_s = (double)(now_ms - r->last_ms) / 1000;
    if (!r->last_ms || since_s > s->remedy_healthy_s) {
        *ret_attempt = 1;
        return 0;
    }
    *ret_attempt = r->last_attempt + 1;
    double delay_s = s->remedy_backoff_s;
    for (fact i = 1; i < r->last_attempt && delay_s < s->remedy_backoff_cap_s; i++)
        delay_s *= 2;
    if (delay_s > s->remedy_backoff_cap_s)
        delay_s = s->remedy_backoff_cap_s;
    double jitter = (double)((uint64_t)r->last_ms * 2654435761u % 2001) / 10000 - 0.1;
    return delay_s * (1 + jitter) - since_s;
}

static void look_afresh(struct run *run)
{
    run->request_under_way = true;
    int r = sense_fresh(run->healer->o.sense, run->id, on_fresh, run);
    if (r == 0)
        return;
    run->request_under_way = false;
    run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
            r == -EBUSY ? "another look is under way" : "it is gone");
}

/* Restarts are counted: the budget, then the back-off. A person's word passes both. */
static void gate(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    const struct settings *s = run_settings(run);
    int64_t now_ms = clock_wall_ms();
    run->intent.attempt = 1;
    if (run->rest_left_s > 0 && !run->asked) {
        place->rests[run->verdict.remedy].until_s = clock_boottime_s() + run->rest_left_s;
        run_free(run);
        return;
    }
    if (run->step != &step_restart) {
        look_afresh(run);
        return;
    }
    double left_s = backoff_left_s(run, s, now_ms, &run->intent.attempt);
    char text[200] = "";
    if (!run->asked && run->restarts.in_last_hour >= (size_t)s->remedy_budget_per_hour) {
        double frees_s = (double)(run->restarts.oldest_in_hour_ms + 3600000 - now_ms) / 1000;
        place->not_before_s = clock_boottime_s() + (frees_s < 10 ? 1 : 10);
        snprintf(text, sizeof text,
                 "%zu restarts in the last hour; it is left as it is for %.0f min, or until "
                 "`supervisor release %.100s`",
                 run->restarts.in_last_hour, frees_s / 60, run->name);
        if (!place->held_told)
            run_tell(run, HEAL_HOLD, FACT_UNKNOWN, text);
        place->held_told = true;
        run_free(run);
        return;
    }
    if (place->held_told)
        run_tell(run, HEAL_HOLD_OVER, FACT_UNKNOWN, "");
    place->held_told = false;
    if (!run->asked && left_s > 0) {
        place->not_before_s = clock_boottime_s() + (left_s < 10 ? left_s : 10);
        snprintf(text, sizeof text, "attempt %lld in %.0f s", (long long)run->intent.attempt,
                 left_s);
        if (!place->waiting_told)
            run_tell(run, HEAL_WAITING, FACT_UNKNOWN, text);
        place->waiting_told = true;
        run_free(run);
        return;
    }
    look_afresh(run);
}

static const struct step *step_named(const char *name)
{
    static const struct step *const steps[] = {&step_restart, &step_kill,    &step_unload,
                                               &step_limit,   &step_reclaim, &step_high};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (!strcmp(steps[i]->name, name))
            return steps[i];
    return NULL;
}

/* An open intent of a container whose lock is ours is an earlier supervisor's. */
static void recover(struct run *run)
{
    run->recovering = true;
    run->intent = run->open[0];
    run->step = step_named(run->intent.step);
    run->before = run->intent.held_before;
    memcpy(run->started_at, run->intent.started_at, sizeof run->started_at);
    if (!run->step || !run->step->recover) {
        if (!run->step)
            run->step = &step_limit;
        run_end(run, INTENT_DROPPED, HEAL_RECOVERED, FACT_UNKNOWN,
                "an earlier supervisor had begun it; it may be done again");
        return;
    }
    run->step->recover(run);
}

static void gate_known(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    if (run->work_result < 0) {
        place->not_before_s = clock_boottime_s() + retry_s;
        if (!place->memory_told)
            run_tell(run, HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN, run->work_error.message);
        place->memory_told = true;
        run_free(run);
        return;
    }
    for (size_t i = 0; i < run->n_open; i++)
        if (!strcmp(run->open[i].container, run->id)) {
            run->open[0] = run->open[i];
            recover(run);
            return;
        }
    if (run->verdict.kind == VERDICT_KINDS && !run->asked)
        run_free(run); /* only came to recover */
    else
        gate(run);
}

/* How much is left of the step's rest, which an earlier supervisor's deed counts for. */
static int rest_left_s(struct run *run, int64_t now_ms, struct error *err)
{
    enum { RECENT = 16 };
    struct intent *recent;
    size_t n;
    int r = keep_intents_recent(run->healer->o.keep, run->key, RECENT, &recent, &n, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        double since_s = (double)(now_ms - recent[i].begun_wall_ms) / 1000;
        double left_s = run->step->rest_s - since_s;
        if (!strcmp(recent[i].step, run->step->name) && !strcmp(recent[i].container, run->id) &&
            since_s >= 0 && left_s > run->rest_left_s)
            run->rest_left_s = left_s;
    }
    free(recent);
    return 0;
}

static void gate_job(uv_work_t *work)
{
    struct run *run = work->data;
    struct keep *keep = run->healer->o.keep;
    struct error *err = &run->work_error;
    int64_t now_ms = clock_wall_ms();
    int r = keep_intents_open(keep, &run->open, &run->n_open, err);
    if (!r)
        r = keep_restarts(keep, run->key, now_ms, &run->restarts, err);
    if (!r)
        r = keep_hold_get(keep, run->key, &run->hold_since_ms, err);
    bool spent = run->restarts.in_last_hour >= run->budget;
    if (!r && run->step == &step_restart && spent && !run->hold_since_ms)
        r = keep_hold_set(keep, run->key, now_ms, "the restart budget is spent", err);
    else if (!r && !spent && run->hold_since_ms)
        r = keep_hold_set(keep, run->key, 0, "", err);
    if (!r && run->step->rest_s > 0)
        r = rest_left_s(run, now_ms, err);
    run->work_result = r;
}

static int run_begin(struct healer *healer, const struct container *c, const struct step *step,
                     const struct verdict *verdict, struct run **ret_run)
{
    struct place *place = place_of(healer, c->id);
    if (!healer->o.keep)
        return -EROFS;
    struct keep_lock *lock;
    fact holder = FACT_UNKNOWN;
    struct error err = {0};
    int r = keep_lock_container(healer->o.state, c->id, &lock, &holder, &err);
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        if (!r)
            keep_unlock(lock);
        return -ENOMEM;
    }
    run->healer = healer;
    run->step = step;
    run->pidfd = -1;
    run->before = run->after = run->expected = run->intent.attempt = FACT_UNKNOWN;
    run->page_cache_before = run->page_cache_after = FACT_UNKNOWN;
    run->intent.pid = run->intent.process_started_us = run->intent.grace_s = FACT_UNKNOWN;
    run->began_s = clock_boottime_s();
    memcpy(run->id, c->id, sizeof run->id);
    memcpy(run->name, c->name, sizeof run->name);
    memcpy(run->started_at, c->started_at, sizeof run->started_at);
    const char *enable = container_label(c, config_settings(healer->o.config)->docker_label);
    healer_key(c->name, enable, run->key, sizeof run->key);
    if (verdict)
        run->verdict = *verdict;
    else
        run->verdict.kind = VERDICT_KINDS,
        run->verdict.pid = run->verdict.started_us = FACT_UNKNOWN;
    memcpy(run->model, run->verdict.model, sizeof run->model);
    uv_timer_init(healer->o.loop, &run->timer);
    run->timer.data = run;
    run->next = healer->runs;
    healer->runs = run;
    if (r < 0) {
        place->not_before_s = run->began_s + retry_s;
        char text[600];
        if (r == -EWOULDBLOCK)
            snprintf(text, sizeof text, "another supervisor (pid %lld) works on it",
                     (long long)holder);
        else
            snprintf(text, sizeof text, "%s", err.message);
        if (!place->locked_told && verdict)
            run_tell(run, r == -EWOULDBLOCK ? HEAL_LOCKED : HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN,
                     text);
        place->locked_told = true;
        run_free(run);
        return r;
    }
    run->lock = lock;
    *ret_run = run;
    return 0;
}

static void run_gate(struct run *run)
{
    run->budget = (size_t)run_settings(run)->remedy_budget_per_hour;
    run_work(run, gate_job, gate_known);
}

static const struct step *step_for(enum remedy remedy)
{
    switch (remedy) {
    case REMEDY_RESTART:
        return &step_restart;
    case REMEDY_KILL_RUNNER:
        return &step_kill;
    case REMEDY_UNLOAD:
        return &step_unload;
    case REMEDY_LIMIT:
        return &step_limit;
    case REMEDY_RECLAIM:
        return &step_reclaim;
    case REMEDY_HIGH:
        return &step_high;
    case REMEDY_NONE:
        break;
    }
    return NULL;
}

/* Why a remedy is not for us to take; NULL: it may be taken. */
static const char *forbidden(const struct container *c, const struct step *step)
{
    if (step == &step_restart && c->swarm_task != 0)
        return c->swarm_task == 1 ? "it is a Swarm task: restarting it is the manager's business"
                                  : "whether it is a Swarm task is unknown";
    return NULL;
}

static void tell_would(struct healer *healer, const struct container *c, const struct verdict *v,
                       const struct step *step, const char *text)
{
    struct run run = {.healer = healer,
                      .step = step,
                      .verdict = *v,
                      .reason = v->kind == VERDICT_KINDS ? "asked" : NULL,
                      .began_s = clock_boottime_s(),
                      .before = FACT_UNKNOWN,
                      .page_cache_before = FACT_UNKNOWN,
                      .page_cache_after = FACT_UNKNOWN};
    run.intent.attempt = FACT_UNKNOWN;
    memcpy(run.id, c->id, sizeof run.id);
    memcpy(run.name, c->name, sizeof run.name);
    memcpy(run.model, v->model, sizeof run.model);
    run.before = container_held(c, &healer->world->host);
    run_tell(&run, HEAL_WOULD_ACT, FACT_UNKNOWN, text);
}

/* What was held with a model loaded is kept when it grew by a tenth (row C4's floor); a lost write
 * is no harm. */
struct footprint_work {
    uv_work_t work;
    struct keep *keep;
    char key[CONTAINER_NAME_SIZE];
    fact held;
};

static void footprint_job(uv_work_t *work)
{
    struct footprint_work *f = work->data;
    keep_footprint_raise(f->keep, f->key, f->held, NULL);
}

static void footprint_done(uv_work_t *work, int status)
{
    (void)status;
    free(work->data);
}

static void remember_footprint(struct healer *healer, const struct container *c,
                               const struct assessment *a)
{
    struct place *place = place_of(healer, c->id);
    if (!healer->o.keep || !fact_known(a->held_with_model))
        return;
    if (fact_known(place->footprint) &&
        a->held_with_model < place->footprint + place->footprint / 10)
        return;
    struct footprint_work *f = calloc(1, sizeof *f);
    if (!f)
        return;
    f->work.data = f;
    f->keep = healer->o.keep;
    f->held = place->footprint = a->held_with_model;
    snprintf(f->key, sizeof f->key, "%s", c->name);
    if (uv_queue_work(healer->o.loop, &f->work, footprint_job, footprint_done) < 0)
        free(f);
}

void healer_consider(struct healer *healer, const struct world *world,
                     const struct judgement *judgement, bool automatic)
{
    healer->world = world;
    healer->judgement = judgement;
    for (size_t i = 0;
         i < world->n_containers && i < judgement->n_assessments && !healer->o.dry_run; i++)
        remember_footprint(healer, &world->containers[i], &judgement->assessments[i]);
    for (size_t i = 0; automatic && i < judgement->n_verdicts && !healer->closing; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        const struct step *step = step_for(v->remedy);
        const struct container *c =
            step && v->state == VERDICT_RAISED ? sense_container(healer->o.sense, v->id) : NULL;
        if (!c)
            continue;
        const char *no = forbidden(c, step);
        if (v->mode != MODE_ENFORCE || healer->o.dry_run || no) {
            if (v->changed)
                tell_would(healer, c, v, step, no ? no : "");
            continue;
        }
        const struct place *place = place_of(healer, v->id);
        double now_s = clock_boottime_s();
        if (run_of(healer, v->id) || now_s < place->not_before_s ||
            now_s < place->rests[v->remedy].until_s)
            continue;
        struct run *run;
        if (run_begin(healer, c, step, v, &run) == 0)
            run_gate(run);
    }
}

/* Open intents of containers that are no longer here: nobody will come for them. */
struct sweep_work {
    uv_work_t work;
    struct keep *keep;
    char state[256];
    char (*here)[CONTAINER_ID_SIZE]; /* owned */
    size_t n_here;
};

static bool is_here(const struct sweep_work *s, const char *id)
{
    for (size_t i = 0; i < s->n_here; i++)
        if (!strcmp(s->here[i], id))
            return true;
    return false;
}

static void sweep_job(uv_work_t *work)
{
    struct sweep_work *s = work->data;
    struct intent *open = NULL;
    size_t n = 0;
    if (keep_intents_open(s->keep, &open, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct keep_lock *lock; /* whoever works on it still has it */
        if (is_here(s, open[i].container) ||
            keep_lock_container(s->state, open[i].container, &lock, NULL, NULL) < 0)
            continue;
        keep_intent_end(s->keep, open[i].id, INTENT_FAILED, FACT_UNKNOWN, clock_wall_ms(),
                        "its container is no longer here", NULL);
        keep_unlock(lock);
    }
    free(open);
}

static void sweep_done(uv_work_t *work, int status)
{
    (void)status;
    struct sweep_work *s = work->data;
    free(s->here);
    free(s);
}

static void sweep(struct healer *healer)
{
    size_t n = healer->world->n_containers;
    struct sweep_work *s = healer->o.keep ? calloc(1, sizeof *s) : NULL;
    if (!s || !(s->here = calloc(n + 1, sizeof *s->here))) {
        free(s);
        return;
    }
    s->work.data = s;
    s->keep = healer->o.keep;
    s->n_here = n;
    snprintf(s->state, sizeof s->state, "%s", healer->o.state);
    for (size_t i = 0; i < n; i++)
        memcpy(s->here[i], healer->world->containers[i].id, sizeof s->here[i]);
    if (uv_queue_work(healer->o.loop, &s->work, sweep_job, sweep_done) < 0)
        sweep_done(&s->work, 0);
}

void healer_recover(struct healer *healer)
{
    for (size_t i = 0; healer->world && !healer->o.dry_run && i < healer->world->n_containers;
         i++) {
        const struct container *c = &healer->world->containers[i];
        struct run *run;
        if (!run_of(healer, c->id) && run_begin(healer, c, &step_unload, NULL, &run) == 0)
            run_gate(run);
    }
    if (healer->world && !healer->o.dry_run && sense_engine_up(healer->o.sense))
        sweep(healer);
}

int healer_heal(struct healer *healer, const struct verdict *verdict, bool force)
{
    const struct container *c = sense_container(healer->o.sense, verdict->id);
    const struct step *step = step_for(verdict->remedy);
    struct run *run;
    if (!c || !step)
        return c ? -EINVAL : -ENOENT;
    const char *no = forbidden(c, step);
    if (healer->o.dry_run || no) {
        tell_would(healer, c, verdict, step, no ? no : "");
        return no ? -EPERM : 0;
    }
    if (run_of(healer, verdict->id))
        return -EBUSY;
    int r = run_begin(healer, c, step, verdict, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = force;
    run_gate(run);
    return 0;
}

int healer_unload(struct healer *healer, const struct container *container, const char *model,
                  double wait_s, bool force, const char *reason)
{
    struct verdict v = {.kind = VERDICT_KINDS,
                        .pid = FACT_UNKNOWN,
                        .started_us = FACT_UNKNOWN,
                        .remedy = REMEDY_UNLOAD};
    snprintf(v.model, sizeof v.model, "%s", model);
    snprintf(v.id, sizeof v.id, "%s", container->id);
    if (healer->o.dry_run) {
        tell_would(healer, container, &v, &step_unload, "");
        return 0;
    }
    if (run_of(healer, container->id))
        return -EBUSY;
    struct run *run;
    int r = run_begin(healer, container, &step_unload, &v, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = force;
    run->wait_s = wait_s;
    run->reason = reason;
    run_gate(run);
    return 0;
}

void healer_free(struct healer *healer)
{
    if (!healer)
        return;
    healer->closing = true;
    for (struct run *run = healer->runs, *next; run; run = next) {
        next = run->next;
        uv_timer_stop(&run->timer);
        atomic_store(&run->stop, true);
        if (!run->working && !run->request_under_way)
            run_free(run);
    }
}

void healer_delete(struct healer *healer)
{
    if (!healer)
        return;
    free(healer->places);
    free(healer);
}
