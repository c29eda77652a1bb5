#include "base/clock.h"
#include "sense/policy.h"
#include "sense/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A driver without NVIDIA's persistence mode takes a second or two to wake up. */
static const double gpus_patience_s = 3;

const struct note_kind note_kinds[NOTES] = {
    [NOTE_ENGINE_LOST] = {"engine-lost", LOG_LEVEL_ERROR, "engine lost"},
    [NOTE_ENGINE_BACK] = {"engine-back", LOG_LEVEL_INFO, "engine back"},
    [NOTE_FOUND] = {"found", LOG_LEVEL_INFO, "supervising"},
    [NOTE_GONE] = {"gone", LOG_LEVEL_INFO, "container gone"},
    [NOTE_STARTED] = {"started", LOG_LEVEL_INFO, "container started"},
    [NOTE_DIED] = {"died", LOG_LEVEL_WARNING, "container died"},
    [NOTE_OLLAMA_LOST] = {"ollama-lost", LOG_LEVEL_WARNING, "ollama unreachable"},
    [NOTE_OLLAMA_BACK] = {"ollama-back", LOG_LEVEL_INFO, "ollama answers again"},
    [NOTE_CGROUP_LOST] = {"cgroup-lost", LOG_LEVEL_WARNING, "cgroup unreadable"},
    [NOTE_LABEL_BAD] = {"label-refused", LOG_LEVEL_WARNING, "label refused"},
    [NOTE_UNREAD] = {"unread", LOG_LEVEL_WARNING, "engine's answer unread"},
    [NOTE_TOO_MANY] = {"too-many", LOG_LEVEL_ERROR, "too many containers"},
};

void sense_tell(struct sense *sense, enum sense_note n, const struct watch *w, const char *text)
{
    if (sense->o.callbacks.note && !sense->closing)
        sense->o.callbacks.note(sense->o.callbacks.userdata, n, w ? &w->container : NULL, text);
}

struct watch *sense_find(const struct sense *sense, const char *id)
{
    for (size_t i = 0; i < sense->n; i++)
        if (!strcmp(sense->watches[i]->container.id, id))
            return sense->watches[i];
    return NULL;
}

void sense_end_fresh(struct watch *w, int result)
{
    sense_fresh_done *done = w->fresh_done;
    w->refreshing = false;
    w->fresh_done = NULL;
    if (done)
        done(w->fresh_userdata, result);
}

void sense_remove(struct sense *sense, struct watch *w, const char *why)
{
    for (size_t i = 0; i < sense->n; i++)
        if (sense->watches[i] == w)
            sense->watches[i] = sense->watches[--sense->n], sense->unsorted = true;
    sense->changed = true;
    sense_tell(sense, NOTE_GONE, w, why);
    sense_end_fresh(w, -ENOENT);
    processes_forget(sense->processes, w->container.id);
    watch_free(w);
}

int sense_new(const struct sense_options *options, struct sense **ret_sense)
{
    struct sense *sense = calloc(1, sizeof *sense);
    if (!sense)
        return -ENOMEM;
    sense->o = *options;
    if (process_memory_new(&sense->processes) < 0) {
        free(sense);
        return -ENOMEM;
    }
    world_init(&sense->world);
    uv_timer_init(options->loop, &sense->tick);
    uv_timer_init(options->loop, &sense->retry);
    uv_timer_init(options->loop, &sense->soon);
    sense->tick.data = sense->retry.data = sense->soon.data = sense;
    sense->timers = 3;
    sense->stream_s = -1;
    *ret_sense = sense;
    return 0;
}

static void start_ticking(struct sense *sense)
{
    uint64_t interval_ms = (uint64_t)(config_settings(sense->o.config)->interval_s * 1000);
    uv_timer_start(&sense->tick, sense_on_tick, interval_ms, interval_ms);
}

static void on_gpus(void *userdata)
{
    struct sense *sense = userdata;
    if (!sense->gpus_looked && sense_settled(sense))
        sense_look_soon(sense, NULL); /* somebody may be waiting for them */
}

int sense_start(struct sense *sense, struct error *err)
{
    const struct settings *s = config_settings(sense->o.config);
    snprintf(sense->procfs, sizeof sense->procfs, "%s", s->procfs);
    snprintf(sense->cgroupfs, sizeof sense->cgroupfs, "%s", s->cgroupfs);
    snprintf(sense->state, sizeof sense->state, "%s", s->state);
    adopted_refresh(&sense->adopted, sense->state);
    sense->adoptions.fresh.seen = sense->adopted.seen;
    sense->sampler =
        (struct sampler){sense->procfs, sense->cgroupfs, sense->processes, sense->o.http};
    int r = host_open(s->procfs, &sense->host, err);
    if (r < 0)
        return r;
    sense->reconcile_due_s = clock_boottime_s() + reconcile_s;
    sense->gpus_until_s = clock_boottime_s() + gpus_patience_s;
    if (gpu_watch_new(sense->o.loop, s->nvml, s->sysfs, on_gpus, sense, &sense->gpus) < 0)
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory to look at the GPUs");
    start_ticking(sense);
    sense_connect(sense);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    sense_let_go(handle->data);
}

void sense_let_go(struct sense *sense)
{
    if (--sense->timers > 0)
        return;
    adopted_clear(&sense->adopted);
    adopted_clear(&sense->adoptions.fresh);
    free(sense);
}

void sense_stop(struct sense *sense)
{
    sense->closing = true;
    uv_timer_stop(&sense->tick);
    uv_timer_stop(&sense->retry);
    uv_timer_stop(&sense->soon);
}

void sense_free(struct sense *sense)
{
    if (!sense)
        return;
    sense_stop(sense);
    while (sense->n) {
        struct watch *w = sense->watches[--sense->n];
        sense_end_fresh(w, -ECANCELED);
        watch_free(w);
    }
    free(sense->watches);
    roster_free(&sense->roster);
    free(sense->world.containers);
    host_close(sense->host);
    gpu_watch_free(sense->gpus);
    process_memory_free(sense->processes);
    uv_close((uv_handle_t *)&sense->tick, on_closed);
    uv_close((uv_handle_t *)&sense->soon, on_closed);
    uv_close((uv_handle_t *)&sense->retry, on_closed);
}

bool sense_settled(const struct sense *sense)
{
    if (!sense->listed || sense_awaits_inspects(sense))
        return false;
    for (size_t i = 0; i < sense->n; i++)
        if (sense->watches[i]->client && !sense->watches[i]->answered_once)
            return false;
    return true;
}

bool sense_gpus_known(const struct sense *sense)
{
    return sense->gpus_looked || clock_boottime_s() > sense->gpus_until_s;
}

bool sense_engine_up(const struct sense *sense)
{
    return sense->up;
}

const struct error *sense_engine_error(const struct sense *sense)
{
    return &sense->error;
}

void sense_want_connections(struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    if (!w)
        return;
    w->want_connections = true;
    /* No younger reading may be there than the judge takes: a verdict waits for this one only. */
    if (clock_boottime_s() - w->connections_s > 2 * w->interval_s + w->poll_s)
        sense_look_soon(sense, w);
}

static int begin_fresh(struct sense *sense, const char *id, bool polled, sense_fresh_done *done,
                       void *userdata)
{
    struct watch *w = sense_find(sense, id);
    if (!w)
        return -ENOENT;
    if (w->refreshing)
        return -EBUSY;
    w->refreshing = true;
    w->refresh_inspected = false;
    w->refresh_polled = polled;
    w->place_due = true;
    w->refresh_from_ns = uv_hrtime();
    w->fresh_done = done;
    w->fresh_userdata = userdata;
    w->inspect_again = w->inspecting;
    sense_inspect(sense, w);
    return 0;
}

int sense_fresh(struct sense *sense, const char *id, sense_fresh_done *done, void *userdata)
{
    return begin_fresh(sense, id, false, done, userdata);
}

int sense_fresh_memory(struct sense *sense, const char *id, sense_fresh_done *done, void *userdata)
{
    return begin_fresh(sense, id, true, done, userdata);
}

void sense_fresh_cancel(struct sense *sense, const char *id, const void *userdata)
{
    struct watch *w = sense_find(sense, id);
    if (w && w->refreshing && w->fresh_userdata == userdata)
        sense_end_fresh(w, -ECANCELED);
}

int sense_poll_now(struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    if (!w)
        return -ENOENT;
    if (w->rest_s == 0)
        sense_ask_ollama(w);
    return w->client ? 0 : -ENOTCONN;
}

void sense_look_now(struct sense *sense, const char *id)
{
    struct watch *w = id ? sense_find(sense, id) : NULL;
    if (w)
        w->due = true;
    if (sense->listed && (w || sense->changed))
        sense_look(sense);
}

void sense_settings_changed(struct sense *sense)
{
    start_ticking(sense);
    for (size_t i = 0; i < sense->n; i++) {
        sense_note_labels(sense, sense->watches[i]);
        sense_set_mode(sense, sense->watches[i]);
    }
}

const struct container *sense_container(const struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    return w ? &w->container : NULL;
}

const struct docker_details *sense_details(const struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    return w ? &w->details : NULL;
}

struct ollama_client *sense_ollama(const struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    return w ? w->client : NULL;
}

const char *sense_cgroup_path(const struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    return w && w->cgroup ? cgroup_path(w->cgroup) : NULL;
}

bool sense_cgroup_writable(const struct sense *sense, const char *id)
{
    struct watch *w = sense_find(sense, id);
    return w && w->cgroup && cgroup_writable(w->cgroup);
}
