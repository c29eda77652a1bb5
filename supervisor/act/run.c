/* A run's tools, and its end. */
#include "act/private.h"
#include "base/clock.h"
#include "base/size.h"
#include "judge/kinds.h"
#include "sense/policy.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A remedy that was refused, and one that cannot even be prepared, such as writing to a cgroup that
 * is mounted read-only, may be mended meanwhile: begun again after this. */
static const double refused_retry_s = 60, unprepared_retry_s = 300;

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

double run_intent_began_s(const struct run *run)
{
    double now_s = clock_boottime_s();
    char boot_id[sizeof run->intent.boot_id];
    clock_boot_id(run_settings(run)->procfs, boot_id, sizeof boot_id);
    bool this_boot = !strcmp(boot_id, run->intent.boot_id) && run->intent.begun_boottime_s <= now_s;
    return this_boot ? run->intent.begun_boottime_s : now_s;
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
                               .expected = run->expected,
                               .next = run->next_step,
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

void run_free(struct run *run)
{
    struct healer *healer = run->healer;
    for (struct run **at = &healer->runs; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    keep_unlock(run->lock);
    keep_unlock(run->life_lock);
    if (run->pidfd >= 0)
        close(run->pidfd);
    free(run->open);
    free(run->directory);
    free(run->cgroupfs);
    free(run->throttle);
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

/* Carried out for a verdict, and not enough. An unload that was asked for and waits has not helped
 * either. */
static bool failed(const struct run *run)
{
    bool for_verdict = run->verdict.kind < VERDICT_KINDS && !run->reason;
    return run->begun && !run->recovering && for_verdict && !run->step->gentle &&
           (run->end_kind == HEAL_NOT_DONE ||
            (run->end_kind == HEAL_PENDING && run->step == &step_unload));
}

static void __attribute__((format(printf, 2, 3))) append(struct run *run, const char *format, ...)
{
    size_t used = strlen(run->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->text + used, sizeof run->text - used, format, arguments);
    va_end(arguments);
}

/* One of several that an earlier supervisor left open has ended: the next. */
static void recover_again(struct healer *healer, const char *id)
{
    const struct container *c = sense_container(healer->o.sense, id);
    struct run *run;
    if (c && run_begin(healer, c, &step_unload, NULL, &run) == 0)
        run_gate(run);
}

static void end_told(struct run *run)
{
    struct healer *healer = run->healer;
    struct place *place = place_of(healer, run->id);
    struct rest *rest = &place->rests[run->verdict.remedy];
    bool climbs = run->next_step != REMEDY_NONE;
    /* Under the host's pressure the judge leaves that model, or container, alone by itself. */
    bool its_turn_is_over = run->verdict.kind == VERDICT_HOST_PRESSURE;
    double delay_s = run->refused && run->step->gentle ? unprepared_retry_s
                     : run->end_kind == HEAL_NOT_DONE && !climbs && !its_turn_is_over
                         ? refused_retry_s
                         : retry_s;
    if (run->begun && run->step->rest_s > delay_s)
        delay_s = run->step->rest_s;
    if (run->step->gentle || run->step->last_resort)
        rest->until_s = clock_boottime_s() + delay_s; /* of this remedy only */
    else
        place->not_before_s = clock_boottime_s() + delay_s;
    if (run->work_result < 0 && run->begun)
        append(run, "; its outcome could not be written: %.150s", run->work_error.message);
    char text[sizeof run->text];
    memcpy(text, run->text, sizeof text);
    bool acted = run->begun && !run->recovering;
    struct judge *judge = healer->o.judge;
    if (judge && failed(run))
        judge_tell_failed(judge, &run->verdict, clock_boottime_s());
    bool nothing_changed = its_turn_is_over && failed(run); /* other verdicts' holds go on */
    if (acted && judge && !run->step->gentle && !climbs && !nothing_changed)
        judge_restart_holds(judge, run->id, run->model);
    bool said = run->refused && run->step->gentle && !run->asked &&
                !strncmp(rest->told, text, sizeof rest->told - 1);
    if (!said)
        run_tell(run, run->end_kind, run->after, text);
    snprintf(rest->told, sizeof rest->told, "%.127s", run->refused ? text : "");
    bool more = run->recovering && run->n_open_here > 1 && run->work_result == 0;
    bool yields = run->yields;
    char id[sizeof run->id];
    memcpy(id, run->id, sizeof id);
    run_free(run);
    if (more)
        recover_again(healer, id);
    else if (yields)
        sense_look_now(healer->o.sense, id);
}

static void end_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->work_result = keep_intent_end(run->healer->o.keep, run->intent.id, run->end_state,
                                       run->after, clock_wall_ms(), run->text, &run->work_error);
}

void run_end_short(struct run *run, enum intent_state state, fact after, const char *what)
{
    bool known = fact_known(run->before) && fact_known(after);
    fact back = known && run->before > after ? run->before - after : 0;
    char expected[16], came[16];
    run_end(run, state, HEAL_NOT_DONE, after, "%s%s expected, %s came back", what,
            size_format(run->expected, expected, sizeof expected),
            size_format(known ? back : FACT_UNKNOWN, came, sizeof came));
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
    if (failed(run) && !run->nothing_left)
        run->next_step = kind_next(run->verdict.kind, run->verdict.remedy);
    if (run->next_step != REMEDY_NONE && kind == HEAL_NOT_DONE)
        append(run, "; next: %s", remedy_name(run->next_step));
    if (run->begun || run->recovering)
        run_work(run, end_job, end_told);
    else
        run_later(run, 0, end_told);
}
