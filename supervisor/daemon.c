#include "daemon.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon_log.h"
#include "flow.h"
#include "keep/heartbeat.h"
#include "tell/local.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* SIGTERM ends within a second; a remedy under way gets most of it to reach its end, the next
 * supervisor takes up what does not. */
static const uint64_t patience_ms = 700, look_ms = 20;

struct daemon {
    struct config *config; /* owned; the flow reads it */
    daemon_configure *configure;
    void *userdata;
    struct flow *flow;
    struct local *local;
    struct heartbeat *heartbeat; /* NULL: it could not be begun */
    int beat_result;             /* of the last one, so that a failure is said once */
    char forgets[sizeof((struct error *)NULL)->message]; /* why nothing can be remembered; "" */
    bool forgets_new;                                    /* the heartbeat does not say it yet */
    double looked_s;                                     /* boottime of the last look; 0: none */
    struct {                                             /* what a worker writes */
        uv_work_t work;
        bool under_way, forgets_new;
        double looked_s, interval_s;
        char forgets[sizeof((struct error *)NULL)->message];
        int result;
    } beat;
    uv_signal_t hup, term, interrupt;
    uv_timer_t end;
    uint64_t end_by_ms;
    bool ready;
};

static void beat_job(uv_work_t *work)
{
    struct daemon *d = work->data;
    if (d->beat.forgets_new)
        heartbeat_forgets(d->heartbeat, d->beat.forgets);
    d->beat.result = d->beat.looked_s > 0
                         ? heartbeat_beat(d->heartbeat, d->beat.looked_s, d->beat.interval_s)
                         : 0;
}

static void beat(struct daemon *d);

static void beaten(uv_work_t *work, int status)
{
    struct daemon *d = work->data;
    int r = d->beat.result;
    d->beat.under_way = false;
    if (r < 0 && d->beat_result == 0)
        log_line(LOG_LEVEL_WARNING, "heartbeat not written", LS("why", strerror(-r)),
                 LS("instead", "`supervisor health` asks by the socket"));
    d->beat_result = r;
    if (status == 0 && d->forgets_new)
        beat(d);
}

/* By a worker: the disk may hang. */
static void beat(struct daemon *d)
{
    double interval_s = config_settings(d->config)->interval_s;
    if (!d->heartbeat || d->beat.under_way) /* then only the worker may use it */
        return;
    bool due = d->looked_s > 0 && heartbeat_due(d->heartbeat, d->looked_s, interval_s);
    if (!due && !d->forgets_new)
        return;
    d->beat.work.data = d;
    d->beat.forgets_new = d->forgets_new;
    d->beat.looked_s = d->looked_s;
    d->beat.interval_s = interval_s;
    memcpy(d->beat.forgets, d->forgets, sizeof d->beat.forgets);
    d->beat.under_way = uv_queue_work(flow_loop(d->flow), &d->beat.work, beat_job, beaten) == 0;
    d->forgets_new &= !d->beat.under_way;
}

static void on_look(void *userdata, const struct world *world, const struct judgement *judgement)
{
    struct daemon *d = userdata;
    d->looked_s = world->monotonic_s;
    beat(d);
    log_repeated(false);
    for (size_t i = 0; i < judgement->n_verdicts; i++)
        if (judgement->verdicts[i].changed)
            daemon_log_verdict(&judgement->verdicts[i]);
    if (!d->ready) {
        d->ready = true;
        log_line(LOG_LEVEL_INFO, "first look", LN("containers", (int64_t)world->n_containers));
    }
}

static void on_note(void *userdata, enum sense_note note, const struct container *c,
                    const char *text)
{
    (void)userdata;
    const char *name = c ? c->name : NULL, *id = c ? c->id : NULL;
    switch (note) {
    case NOTE_ENGINE_LOST:
        log_line(LOG_LEVEL_ERROR, "engine lost", LS("why", text));
        break;
    case NOTE_ENGINE_BACK:
        log_line(LOG_LEVEL_INFO, "engine back", LS("api", text));
        break;
    case NOTE_FOUND:
        log_line(LOG_LEVEL_INFO, "supervising", LS("container", name), LS("id", id),
                 LS("mode", c && c->mode == MODE_ENFORCE ? "enforce" : "observe"), LS("why", text),
                 LS("status", container_status_name(c ? c->status : STATUS_UNKNOWN)));
        break;
    case NOTE_GONE:
        log_line(LOG_LEVEL_INFO, "container gone", LS("container", name), LS("id", id),
                 LS("why", *text ? text : NULL));
        break;
    case NOTE_STARTED:
        log_line(LOG_LEVEL_INFO, "container started", LS("container", name), LS("id", id),
                 LS("started_at", c ? c->started_at : NULL));
        break;
    case NOTE_DIED:
        log_line(LOG_LEVEL_WARNING, "container died", LS("container", name), LS("id", id),
                 LS("status", text), LN("exit_code", c ? c->exit_code : FACT_UNKNOWN),
                 LN("oom_killed", c ? c->oom_killed : FACT_UNKNOWN));
        break;
    case NOTE_OLLAMA_LOST:
        log_line(LOG_LEVEL_WARNING, "ollama unreachable", LS("container", name), LS("why", text));
        break;
    case NOTE_OLLAMA_BACK:
        log_line(LOG_LEVEL_INFO, "ollama answers again", LS("container", name));
        break;
    case NOTE_CGROUP_LOST:
        log_line(
            LOG_LEVEL_WARNING, "cgroup unreadable", LS("container", name), LS("why", text),
            LS("instead",
               "the engine's stats: no swap, no processes, so nothing is judged that needs them"));
        break;
    case NOTE_LABEL_BAD:
        log_line(LOG_LEVEL_WARNING, "label refused", LS("container", name), LS("why", text));
        break;
    case NOTE_UNREAD:
        log_line(LOG_LEVEL_WARNING, "engine's answer unread", LS("container", name),
                 LS("why", text));
        break;
    case NOTE_TOO_MANY:
        log_line(LOG_LEVEL_ERROR, "too many containers", LS("why", text));
        break;
    }
}

static void on_heal(void *userdata, const struct heal_event *e)
{
    (void)userdata;
    static const struct {
        enum log_level level;
        const char *msg;
    } lines[] = {
        [HEAL_WOULD_ACT] = {LOG_LEVEL_WARNING, "would act"},
        [HEAL_ACTING] = {LOG_LEVEL_WARNING, "acting"},
        [HEAL_DONE] = {LOG_LEVEL_INFO, "healed"},
        [HEAL_NOT_DONE] = {LOG_LEVEL_ERROR, "not healed"},
        [HEAL_DROPPED] = {LOG_LEVEL_INFO, "remedy dropped"},
        [HEAL_PENDING] = {LOG_LEVEL_INFO, "remedy pending"},
        [HEAL_HOLD] = {LOG_LEVEL_CRITICAL, "CRITICAL ALERT"},
        [HEAL_HOLD_OVER] = {LOG_LEVEL_INFO, "hold over"},
        [HEAL_WAITING] = {LOG_LEVEL_WARNING, "back-off"},
        [HEAL_LOCKED] = {LOG_LEVEL_INFO, "locked by another supervisor"},
        [HEAL_NO_MEMORY_OF_IT] = {LOG_LEVEL_CRITICAL, "CRITICAL ALERT"},
        [HEAL_RECOVERED] = {LOG_LEVEL_INFO, "remedy taken up"},
        [HEAL_START_FAILED] = {LOG_LEVEL_ERROR, "not started"},
        [HEAL_LOCKED_LONG] = {LOG_LEVEL_WARNING, "locked by another supervisor"},
    };
    static const char *const done_words[][2] = {
        {"limit", "limit applied"},        {"load", "model loaded"},
        {"high", "memory.high applied"},   {"throttle", "throttled"},
        {"unthrottle", "throttle undone"}, {"reclaim", "page cache reclaimed"}};
    const char *msg = lines[e->kind].msg;
    for (size_t i = 0; i < sizeof done_words / sizeof done_words[0] && e->kind == HEAL_DONE; i++)
        if (!strcmp(e->step, done_words[i][0]))
            msg = done_words[i][1];
    bool stopped =
        e->kind == HEAL_DONE && !strcmp(e->step, "stop"); /* it stands until a person acts */
    if (stopped)
        msg = lines[HEAL_HOLD].msg;
    char text[512];
    snprintf(text, sizeof text, "%s%s",
             e->kind == HEAL_HOLD ? "HOLD: "
             : e->kind == HEAL_NO_MEMORY_OF_IT
                 ? "nothing is done, because it could not be remembered: "
                 : "",
             e->text);
    bool done = e->kind == HEAL_DONE || e->kind == HEAL_NOT_DONE || e->kind == HEAL_RECOVERED ||
                e->kind == HEAL_PENDING;
    const struct verdict *v = e->evidence;
    log_line(stopped ? LOG_LEVEL_CRITICAL : lines[e->kind].level, msg, LS("container", e->name),
             LS("verdict", e->verdict), LS("step", e->step),
             LS("model", e->model && *e->model ? e->model : NULL),
             LN("attempt", e->kind == HEAL_ACTING ? e->attempt : FACT_UNKNOWN),
             LN("pid", v && e->kind == HEAL_ACTING ? v->pid : FACT_UNKNOWN),
             LN("before", e->before), LN("after", e->after), LN("expected", e->expected),
             LN("page_cache_before", e->page_cache_before),
             LN("page_cache_after", e->page_cache_after),
             LN("high", !strcmp(e->step, "high") && v ? (int64_t)verdict_evidence(v, "wanted")
                                                      : FACT_UNKNOWN),
             LN("limit", !strcmp(e->step, "limit") && v ? (int64_t)verdict_evidence(v, "wanted")
                                                        : FACT_UNKNOWN),
             done ? LR("took_s", e->took_s) : LS("took_s", NULL), LS("why", *text ? text : NULL));
}

static void on_keep(void *userdata, const struct error *err, const struct keep_report *report)
{
    struct daemon *d = userdata;
    daemon_log_keep(err, report);
    if (report->set_aside[0] || report->replaced)
        return;
    snprintf(d->forgets, sizeof d->forgets, "%s", err ? err->message : "");
    d->forgets_new = true;
    beat(d);
}

static char *state(void *userdata)
{
    struct daemon *d = userdata;
    sense_look_now(flow_sense(d->flow),
                   NULL); /* the last look's containers may have changed since */
    json_t *more = json_object();
    char engine[LOCAL_ENGINE_SIZE];
    local_engine(config_settings(d->config)->docker_host, engine);
    json_object_set_new(more, "engine", json_string(engine));
    if (d->forgets[0])
        json_object_set_new(more, "forgets", json_string(d->forgets));
    char *text = flow_to_text(d->flow, more);
    json_decref(more);
    return text;
}

static void on_hup(uv_signal_t *signal, int number)
{
    (void)number;
    struct daemon *d = signal->data;
    struct config *fresh;
    struct error err = {0};
    if (d->configure(d->userdata, &fresh, &err) < 0) {
        log_line(LOG_LEVEL_ERROR, "configuration refused", LS("why", err.message),
                 LS("kept", "the old one"));
        return;
    }
    struct settings before = *config_settings(d->config);
    config_replace(d->config, fresh);
    const struct settings *after = config_settings(d->config);
    if (strcmp(before.state, after->state) || strcmp(before.docker_host, after->docker_host) ||
        strcmp(before.procfs, after->procfs) || strcmp(before.cgroupfs, after->cgroupfs) ||
        strcmp(before.sysfs, after->sysfs) || strcmp(before.nvml, after->nvml))
        log_line(LOG_LEVEL_WARNING, "configuration needs a restart",
                 LS("why", "state, docker.host and paths hold from the next start on"));
    daemon_log_configure(config_settings(d->config));
    flow_settings_changed(d->flow);
    log_line(LOG_LEVEL_INFO, "configuration reloaded");
}

static void end_when_done(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    if (flow_wind_up(d->flow) && uv_now(flow_loop(d->flow)) < d->end_by_ms)
        return;
    flow_stop(d->flow, 0);
}

static void on_term(uv_signal_t *signal, int number)
{
    struct daemon *d = signal->data;
    if (uv_is_active((uv_handle_t *)&d->end))
        return;
    log_line(LOG_LEVEL_INFO, "stopping", LS("signal", number == SIGTERM ? "TERM" : "INT"));
    d->end_by_ms = uv_now(flow_loop(d->flow)) + patience_ms;
    uv_timer_start(&d->end, end_when_done, 0, look_ms);
}

static void start_signals(struct daemon *d)
{
    uv_loop_t *loop = flow_loop(d->flow);
    uv_signal_init(loop, &d->hup);
    uv_signal_init(loop, &d->term);
    uv_signal_init(loop, &d->interrupt);
    uv_timer_init(loop, &d->end);
    d->hup.data = d->term.data = d->interrupt.data = d->end.data = d;
    uv_signal_start(&d->hup, on_hup, SIGHUP);
    uv_signal_start(&d->term, on_term, SIGTERM);
    uv_signal_start(&d->interrupt, on_term, SIGINT);
}

static void stop_signals(struct daemon *d)
{
    uv_close((uv_handle_t *)&d->hup, NULL);
    uv_close((uv_handle_t *)&d->term, NULL);
    uv_close((uv_handle_t *)&d->interrupt, NULL);
    uv_close((uv_handle_t *)&d->end, NULL);
}

/* A container keeps up to 11 descriptors open; the usual soft limit of 1,024 would do for 90. */
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &files);
}

int daemon_run(struct config *config, daemon_configure *configure, void *userdata,
               struct error *err)
{
    struct daemon d = {.config = config, .configure = configure, .userdata = userdata};
    const struct settings *s = config_settings(config);
    struct keep_lock *lock = NULL;
    fact holder = FACT_UNKNOWN;
    daemon_log_configure(s);
    mallopt(M_ARENA_MAX, 1); /* the workers' own arenas: 0.6 MiB after some remedies, for no gain */
    raise_descriptors();
    int r = keep_lock_daemon(s->state, &lock, &holder, err);
    if (r == -EWOULDBLOCK)
        error_set(err, FAILURE_JOB, r,
                  "another supervisor (pid %lld) already runs on %s; stop it, or use --state for "
                  "another directory",
                  (long long)holder, s->state);
    if (r < 0) {
        config_free(config);
        return r;
    }
    struct flow_options options = {.config = config,
                                   .act = true,
                                   .automatic = true,
                                   .repair = true,
                                   .look = on_look,
                                   .note = on_note,
                                   .heal = on_heal,
                                   .no_room = daemon_log_no_room,
                                   .history = daemon_log_history,
                                   .keep = on_keep,
                                   .place = daemon_log_place,
                                   .userdata = &d};
    r = flow_new(&options, &d.flow, err);
    if (r == 0) {
        struct error local = {0}, beats = {0};
        start_signals(&d);
        if (heartbeat_open(s->state, s->procfs, s->interval_s, &d.heartbeat, &beats) < 0)
            log_line(LOG_LEVEL_WARNING, "heartbeat not written", LS("why", beats.message),
                     LS("instead", "`supervisor health` asks by the socket"));
        if (local_serve(flow_loop(d.flow), s->state, state, &d, &d.local, &local) < 0)
            log_line(LOG_LEVEL_WARNING, "status cannot be asked", LS("why", local.message));
        log_line(LOG_LEVEL_INFO, "started", LS("version", SUPERVISOR_VERSION),
                 LS("state", s->state), LS("engine", s->docker_host));
        r = flow_run(d.flow);
        local_free(d.local);
        stop_signals(&d);
        flow_free(d.flow);
        heartbeat_close(d.heartbeat); /* no worker has it any more */
        log_repeated(true);
        log_line(LOG_LEVEL_INFO, "stopped");
    }
    keep_unlock(lock);
    config_free(config);
    return r;
}
