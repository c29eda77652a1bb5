#include "daemon.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon_log.h"
#include "flow.h"
#include "keep/heartbeat.h"
#include "tell/local.h"
#include "tell/serve/serve.h"

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
    struct serve *serve;         /* NULL: there is no HTTP */
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
    serve_look(d->serve, world, judgement);
}

static void on_note(void *userdata, enum sense_note note, const struct container *c,
                    const char *text)
{
    (void)userdata;
    bool found = note == NOTE_FOUND, died = note == NOTE_DIED, started = note == NOTE_STARTED;
    bool with_id = found || died || started || note == NOTE_GONE;
    const char *text_is = died ? "status" : note == NOTE_ENGINE_BACK ? "api" : "why";
    const char *instead =
        note == NOTE_CGROUP_LOST
            ? "the engine's stats: no swap, no processes, so nothing is judged that needs them"
            : NULL;
    log_line(note_kinds[note].level, note_kinds[note].msg, LS("container", c ? c->name : NULL),
             LS("id", with_id ? c->id : NULL),
             LS("mode", !c || !found              ? NULL
                        : c->mode == MODE_ENFORCE ? "enforce"
                                                  : "observe"),
             LS(text_is, *text ? text : NULL),
             LS("status", c && found ? container_status_name(c->status) : NULL),
             LS("started_at", started ? c->started_at : NULL),
             LN("exit_code", died ? c->exit_code : FACT_UNKNOWN),
             LN("oom_killed", died ? c->oom_killed : FACT_UNKNOWN), LS("instead", instead));
}

static void on_heal(void *userdata, const struct heal_event *e)
{
    struct daemon *d = userdata;
    serve_heal(d->serve, e);
    static const char *const done_words[][2] = {
        {"limit", "limit applied"},        {"load", "model loaded"},
        {"high", "memory.high applied"},   {"throttle", "throttled"},
        {"unthrottle", "throttle undone"}, {"reclaim", "page cache reclaimed"},
        {"pull", "model pulled"}};
    const char *msg = heal_kinds[e->kind].msg;
    for (size_t i = 0; i < sizeof done_words / sizeof done_words[0] && e->kind == HEAL_DONE; i++)
        if (!strcmp(e->step, done_words[i][0]))
            msg = done_words[i][1];
    if (e->kind == HEAL_NOT_DONE && !strcmp(e->step, "pull"))
        msg = "model not pulled";
    bool stopped =
        e->kind == HEAL_DONE && !strcmp(e->step, "stop"); /* it stands until a person acts */
    if (stopped)
        msg = heal_kinds[HEAL_HOLD].msg;
    char text[512];
    snprintf(text, sizeof text, "%s%s",
             e->kind == HEAL_HOLD ? "HOLD: "
             : e->kind == HEAL_NO_MEMORY_OF_IT
                 ? "nothing is done, because it could not be remembered: "
                 : "",
             e->text);
    bool done = e->kind == HEAL_DONE || e->kind == HEAL_NOT_DONE || e->kind == HEAL_RECOVERED ||
                e->kind == HEAL_PENDING;
    bool bound = !strcmp(e->step, "high") || !strcmp(e->step, "limit");
    const struct verdict *v = e->evidence;
    log_line(stopped ? LOG_LEVEL_CRITICAL : heal_kinds[e->kind].level, msg,
             LS("container", e->name), LS("verdict", e->verdict), LS("step", e->step),
             LS("model", e->model && *e->model ? e->model : NULL),
             LN("attempt", e->kind == HEAL_ACTING ? e->attempt : FACT_UNKNOWN),
             LN("pid", v && e->kind == HEAL_ACTING ? v->pid : FACT_UNKNOWN),
             LN("before", e->before), LN("after", e->after), LN("expected", e->expected),
             LN("page_cache_before", e->page_cache_before),
             LN("page_cache_after", e->page_cache_after),
             LN(e->step, bound && v ? (int64_t)verdict_evidence(v, "wanted") : FACT_UNKNOWN),
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
    char engine[LOCAL_ENGINE_SIZE];
    local_engine(config_settings(d->config)->docker_host, engine);
    json_t *more =
        json_pack("{ss ss*}", "engine", engine, "forgets", d->forgets[0] ? d->forgets : NULL);
    char *text = flow_to_text(d->flow, more);
    json_decref(more);
    return text;
}

static bool last_look(void *userdata, struct state *ret_state)
{
    struct daemon *d = userdata;
    return flow_state(d->flow, ret_state);
}

static const char *forgets(void *userdata)
{
    struct daemon *d = userdata;
    return d->forgets;
}

static bool engine_up(void *userdata)
{
    struct daemon *d = userdata;
    return sense_engine_up(flow_sense(d->flow));
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
        strcmp(before.sysfs, after->sysfs) || strcmp(before.nvml, after->nvml) ||
        strcmp(before.http_listen, after->http_listen) ||
        strcmp(before.http_legacy_listen, after->http_legacy_listen) ||
        !before.http_certificate[0] != !after->http_certificate[0])
        log_line(LOG_LEVEL_WARNING, "configuration needs a restart",
                 LS("why",
                    "state, docker.host, paths, http.listen, http.legacy_listen, and whether "
                    "there is a certificate hold from the next start on"));
    log_configure_named(after->log_level, after->log);
    flow_settings_changed(d->flow);
    serve_settings_changed(d->serve);
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

static int start_serving(struct daemon *d, struct error *err)
{
    struct serve_options options = {.loop = flow_loop(d->flow),
                                    .config = d->config,
                                    .state = config_settings(d->config)->state,
                                    .sense = flow_sense(d->flow),
                                    .healer = flow_healer(d->flow),
                                    .historian = flow_historian(d->flow),
                                    .look = last_look,
                                    .forgets = forgets,
                                    .engine_up = engine_up,
                                    .userdata = d};
    return serve_new(&options, &d->serve, err);
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
    mallopt(M_ARENA_MAX, 1); /* the workers' own arenas: 0.6 MiB after some remedies, for no gain */
    /* Large answers and texts come and go: the kernel has their memory back at once, and they grow
     * without a copy. (glibc raises the threshold to what was freed once.) */
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
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
                                   .lock = lock,
                                   .look = on_look,
                                   .note = on_note,
                                   .heal = on_heal,
                                   .no_room = daemon_log_no_room,
                                   .history = daemon_log_history,
                                   .keep = on_keep,
                                   .place = daemon_log_place,
                                   .pulling = daemon_log_pulling,
                                   .userdata = &d};
    r = flow_new(&options, &d.flow, err);
    if (r == 0 && (r = start_serving(&d, err)) < 0)
        flow_free(d.flow);
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
        serve_stop(d.serve);
        stop_signals(&d);
        flow_free(d.flow);
        serve_free(d.serve);
        heartbeat_close(d.heartbeat); /* no worker has it any more */
        log_repeated(true);
        log_line(LOG_LEVEL_INFO, "stopped");
    }
    keep_unlock(lock);
    config_free(config);
    return r;
}
