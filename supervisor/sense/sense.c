#include "sense/sense.h"
#include "base/clock.h"
#include "sense/host.h"
#include "sense/policy.h"
#include "sense/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reconciliation by list even without an event (the engine drops events for slow readers; facts on
 * Docker, 1.9). */
static const double reconcile_s = 60;
/* A lost engine is asked again this often: taken up again within 2 s of its return. */
static const uint64_t retry_ms = 500;
/* A question to an Ollama that is believed to answer may take 10 s (4.9 s were seen behind a hung
 * runner); one that is lost gets a poll's time, so that its return is seen within one. */
static const long poll_timeout_ms = 10000, lost_timeout_ms = 1000;

struct sense {
    struct sense_options o;
    struct sampler sampler;
    struct process_memory *processes;
    char procfs[256], cgroupfs[256]; /* copies: a reload does not move them */
    struct host_reader *host;
    uv_timer_t tick, retry;
    bool up, lost_said, listed, closing, unsorted;
    size_t inspecting; /* inspects under way */
    double reconcile_due_s;
    struct error error;
    struct watch **watches;
    size_t n;
    struct world world; /* its containers are shallow copies */
    size_t cap;
};

static void connect_engine(struct sense *sense);
static void inspect(struct sense *sense, const char *id, bool named);

static void note(struct sense *sense, enum sense_note n, const struct watch *w, const char *text)
{
    if (sense->o.callbacks.note && !sense->closing)
        sense->o.callbacks.note(sense->o.callbacks.userdata, n, w ? &w->container : NULL, text);
}

static struct watch *find(const struct sense *sense, const char *id)
{
    for (size_t i = 0; i < sense->n; i++)
        if (!strcmp(sense->watches[i]->container.id, id))
            return sense->watches[i];
    return NULL;
}

static void fresh_end(struct watch *w, int result)
{
    sense_fresh_done *done = w->fresh_done;
    w->refreshing = false;
    w->fresh_done = NULL;
    if (done)
        done(w->fresh_userdata, result);
}

static void remove_watch(struct sense *sense, struct watch *w)
{
    for (size_t i = 0; i < sense->n; i++)
        if (sense->watches[i] == w)
            sense->watches[i] = sense->watches[--sense->n], sense->unsorted = true;
    note(sense, NOTE_GONE, w, "");
    fresh_end(w, -ENOENT);
    watch_free(w);
}

/* ---- the look ---- */

static void ask_ollama(struct watch *w);

static int by_name(const void *a, const void *b)
{
    const struct watch *const *x = a, *const *y = b;
    return strcmp((*x)->container.name, (*y)->container.name);
}

static void look(struct sense *sense)
{
    double now_s = clock_boottime_s();
    uint64_t now_ns = uv_hrtime();
    if (sense->unsorted)
        qsort(sense->watches, sense->n, sizeof(*sense->watches), by_name);
    sense->unsorted = false;
    struct world *world = &sense->world;
    if (sense->cap < sense->n) {
        struct container *containers = realloc(world->containers, sense->n * sizeof *containers);
        if (!containers)
            return;
        world->containers = containers;
        sense->cap = sense->n;
    }
    world->monotonic_s = now_s;
    world->time_ms = clock_wall_ms();
    if (host_read(sense->host, &world->host) < 0)
        world->host = (struct host){-1, -1, -1, -1, -1, {-1, -1, -1, -1}};
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        if (w->refreshing && w->refresh_inspected && w->refresh_polled)
            w->want_connections = true;
        watch_sample(w, &sense->sampler, now_s);
        w->container.ollama.age_ms = (double)(now_ns - w->answer_sent_ns) / 1e6;
        world->containers[i] = w->container;
    }
    world->n_containers = sense->n;
    if (sense->o.callbacks.look)
        sense->o.callbacks.look(sense->o.callbacks.userdata, world);
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        if (w->refreshing && w->refresh_inspected && w->refresh_polled)
            fresh_end(w, 0);
    }
}

struct inspection { /* a question about one container; by id, because it may be gone when the answer
                       comes */
    struct sense *sense;
    char id[CONTAINER_ID_SIZE];
    bool named;
};

static struct inspection *inspection_new(struct sense *sense, const char *id, bool named)
{
    struct inspection *inspection = calloc(1, sizeof *inspection);
    if (!inspection)
        return NULL;
    inspection->sense = sense;
    inspection->named = named;
    snprintf(inspection->id, sizeof inspection->id, "%s", id);
    return inspection;
}

static void on_stats(void *userdata, int result, const struct cgroup_memory *memory,
                     const struct error *err)
{
    (void)err;
    struct inspection *inspection = userdata;
    struct watch *w = inspection->sense->closing ? NULL : find(inspection->sense, inspection->id);
    if (w) {
        w->stats_pending = false;
        if (!result && !w->cgroup)
            w->container.cgroup = *memory;
    }
    free(inspection);
}

static void ask_stats(struct sense *sense, struct watch *w)
{
    struct inspection *inspection = inspection_new(sense, w->container.id, false);
    if (!inspection)
        return;
    if (!w->cgroup_said)
        note(sense, NOTE_CGROUP_LOST, w, w->cgroup_error);
    w->cgroup_said = w->stats_pending = true;
    docker_stats(sense->o.docker, inspection->id, on_stats, inspection);
}

static void on_tick(uv_timer_t *timer)
{
    struct sense *sense = timer->data;
    double now_s = clock_boottime_s();
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        if (now_s < w->poll_due_s)
            continue;
        w->poll_due_s = now_s + w->settings.poll_s - w->settings.interval_s / 2;
        ask_ollama(w);
        if (!w->cgroup && w->cgroup_error[0] && !w->stats_pending && sense->up &&
            w->container.status == STATUS_RUNNING) {
            ask_stats(sense, w);
        }
    }
    if (sense->listed) /* before, a world without containers would be a claim */
        look(sense);
    if (sense->up && now_s >= sense->reconcile_due_s) {
        sense->reconcile_due_s = now_s + reconcile_s;
        connect_engine(sense);
    }
}

/* ---- Ollama ---- */

static void on_answer(void *userdata, const struct ollama *answer, uint64_t sent_ns)
{
    struct watch *w = userdata;
    struct sense *sense = w->sense;
    bool settled = sense_settled(sense);
    watch_answer(w, answer, sent_ns);
    if (!answer->reachable && !w->lost) {
        w->lost = true;
        note(sense, NOTE_OLLAMA_LOST, w, answer->error);
    } else if (answer->reachable && w->lost) {
        w->lost = false;
        note(sense, NOTE_OLLAMA_BACK, w, "");
    }
    if (w->refreshing && sent_ns < w->refresh_from_ns)
        ask_ollama(w);
    else if (w->refreshing)
        w->refresh_polled = true;
    if ((w->refreshing && w->refresh_polled) || (!settled && sense_settled(sense)))
        look(sense);
}

static void ask_ollama(struct watch *w)
{
    struct ollama_client *client = watch_client(w, &w->sense->sampler);
    if (!client) {
        w->refresh_polled = true; /* there is nobody to ask; the look says so */
        return;
    }
    if (!ollama_poll_pending(client))
        ollama_poll(client, w->lost ? lost_timeout_ms : poll_timeout_ms, on_answer, w);
}

/* ---- Docker ---- */

static void on_retry(uv_timer_t *timer)
{
    connect_engine(timer->data);
}

static void engine_lost(struct sense *sense, const struct error *err)
{
    if (sense->closing)
        return;
    if (err)
        sense->error = *err;
    sense->up = false;
    docker_forget(sense->o.docker);
    docker_events_stop(sense->o.docker);
    if (!sense->lost_said) {
        sense->lost_said = true;
        note(sense, NOTE_ENGINE_LOST, NULL, sense->error.message);
    }
    uv_timer_start(&sense->retry, on_retry, retry_ms, 0);
}

static void note_labels(struct sense *sense, struct watch *w)
{
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    size_t n = policy_for(sense->o.config, &w->container, &w->settings, errors);
    for (size_t i = 0; i < n; i++)
        note(sense, NOTE_LABEL_BAD, w, errors[i].message);
}

static struct watch *add_watch(struct sense *sense, const char *id)
{
    if (sense->n == WORLD_CONTAINERS_MAX) {
        note(sense, NOTE_TOO_MANY, NULL, "more containers than can be supervised");
        return NULL;
    }
    struct watch **watches = realloc(sense->watches, (sense->n + 1) * sizeof(*watches));
    if (!watches)
        return NULL;
    sense->watches = watches;
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    container_init(&w->container);
    snprintf(w->container.id, sizeof w->container.id, "%s", id);
    w->sense = sense;
    sense->watches[sense->n++] = w;
    return w;
}

static void take_inspected(struct sense *sense, const struct container *c,
                           const struct docker_details *details, bool named)
{
    struct watch *w = find(sense, c->id);
    bool found = !w;
    if (!w && !(w = add_watch(sense, c->id)))
        return;
    w->named |= named;
    bool was_running = w->container.status == STATUS_RUNNING;
    char was_started[sizeof w->container.started_at];
    memcpy(was_started, w->container.started_at, sizeof was_started);
    bool changed = watch_take(w, c, details);
    sense->unsorted |= found || changed;
    if (found)
        note_labels(sense, w);
    policy_mode(&w->settings, w->named, &w->container);
    if (found)
        note(sense, NOTE_FOUND, w, w->container.mode_why);
    else if (c->status == STATUS_RUNNING && strcmp(was_started, c->started_at))
        note(sense, NOTE_STARTED, w, "");
    else if (was_running && c->status != STATUS_RUNNING)
        note(sense, NOTE_DIED, w, container_status_name(c->status));
    bool refreshed = w->refreshing && !w->refresh_inspected;
    if (refreshed)
        w->refresh_inspected = true;
    if (found || changed || refreshed)
        ask_ollama(w);
    if ((changed || refreshed) && sense->listed && !sense->inspecting &&
        (!w->refreshing || w->refresh_polled))
        look(sense); /* a death or a new life is seen at once */
}

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    struct inspection *inspection = userdata;
    struct sense *sense = inspection->sense;
    sense->inspecting--;
    if (!sense->closing) {
        bool first_round = !sense->listed;
        struct watch *w = find(sense, inspection->id);
        if (w)
            w->inspecting = false;
        if (result == 0)
            take_inspected(sense, c, details, inspection->named);
        else if (err && err->failure == FAILURE_UNREACHABLE)
            engine_lost(sense, err);
        else if (result == -ENOENT && w)
            remove_watch(sense, w);
        w = find(sense, inspection->id);
        if (w && result < 0 && w->refreshing)
            fresh_end(w, result);
        if (w && w->inspect_again) {
            w->inspect_again = false;
            inspect(sense, inspection->id, false);
        }
        if (first_round && sense->up && !sense->inspecting) {
            sense->listed = true;
            look(sense);
        }
    }
    free(inspection);
}

/* At most one inspect of a container is under way; a hint that comes meanwhile asks once more. */
static void inspect(struct sense *sense, const char *id, bool named)
{
    struct watch *w = find(sense, id);
    if (w && w->inspecting) {
        w->inspect_again = true;
        return;
    }
    struct inspection *inspection = inspection_new(sense, id, named);
    if (!inspection)
        return; /* the reconciliation comes again */
    if (w)
        w->inspecting = true;
    sense->inspecting++;
    docker_inspect(sense->o.docker, inspection->id, on_inspected, inspection);
}

static bool is_named(const struct sense *sense, const struct docker_entry *e)
{
    const char *named = sense->o.named;
    return named && (!strcmp(e->name, named) ||
                     (strlen(named) >= 12 && !strncmp(e->id, named, strlen(named))));
}

static void on_listed(void *userdata, int result, const struct docker_entry *entries, size_t n,
                      const struct error *err)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    if (result < 0) {
        engine_lost(sense, err);
        return;
    }
    sense->error = (struct error){0};
    for (size_t i = 0; i < sense->n; i++)
        sense->watches[i]->listed = false;
    for (size_t i = 0; i < n; i++) {
        bool named = is_named(sense, &entries[i]);
        bool chosen = policy_chosen(config_settings(sense->o.config), entries[i].image,
                                    entries[i].labels, entries[i].n_labels);
        if (!named && !chosen)
            continue;
        struct watch *w = find(sense, entries[i].id);
        if (w)
            w->listed = true;
        inspect(sense, entries[i].id, named);
    }
    for (size_t i = sense->n; i-- > 0;)
        if (!sense->watches[i]->listed && !sense->watches[i]->inspecting)
            remove_watch(sense, sense->watches[i]);
    if (!sense->listed && sense->up && !sense->inspecting) {
        sense->listed = true;
        look(sense);
    }
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    struct watch *w = find(sense, event->id);
    if (w && !strcmp(event->action, "oom"))
        w->oom_ns = event->time_ns;
    if (w && !strcmp(event->action, "die") && watch_died(w, &sense->sampler, event)) {
        note(sense, NOTE_DIED, w, container_status_name(w->container.status));
        if (sense->listed)
            look(sense);
    }
    if (w)
        inspect(sense, event->id, false);
    else if (!strcmp(event->action, "start") || !strcmp(event->action, "create") ||
             !strcmp(event->action, "rename"))
        docker_list(sense->o.docker, on_listed, sense); /* is it one of ours? */
}

static void on_events_ended(void *userdata, int result, const struct error *err)
{
    (void)result;
    engine_lost(userdata, err);
}

static void on_pinged(void *userdata, int result, const struct error *err)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    if (result < 0) {
        engine_lost(sense, err);
        return;
    }
    if (!sense->up) {
        sense->up = true;
        docker_events(sense->o.docker, on_event, on_events_ended, sense);
        if (sense->lost_said)
            note(sense, NOTE_ENGINE_BACK, NULL, docker_api_version(sense->o.docker));
        sense->lost_said = false;
    }
    docker_list(sense->o.docker, on_listed, sense);
}

static void connect_engine(struct sense *sense)
{
    docker_ping(sense->o.docker, on_pinged, sense);
}

/* ---- life ---- */

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
    sense->tick.data = sense->retry.data = sense;
    *ret_sense = sense;
    return 0;
}

static void start_ticking(struct sense *sense)
{
    uint64_t interval_ms = (uint64_t)(config_settings(sense->o.config)->interval_s * 1000);
    uv_timer_start(&sense->tick, on_tick, interval_ms, interval_ms);
}

int sense_start(struct sense *sense, struct error *err)
{
    const struct settings *s = config_settings(sense->o.config);
    snprintf(sense->procfs, sizeof sense->procfs, "%s", s->procfs);
    snprintf(sense->cgroupfs, sizeof sense->cgroupfs, "%s", s->cgroupfs);
    sense->sampler =
        (struct sampler){sense->procfs, sense->cgroupfs, sense->processes, sense->o.http};
    int r = host_open(s->procfs, &sense->host, err);
    if (r < 0)
        return r;
    sense->reconcile_due_s = clock_boottime_s() + reconcile_s;
    start_ticking(sense);
    connect_engine(sense);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct sense *sense = handle->data;
    free(sense);
}

static void close_last(uv_handle_t *handle)
{
    struct sense *sense = handle->data;
    uv_close((uv_handle_t *)&sense->retry, on_closed);
}

void sense_stop(struct sense *sense)
{
    sense->closing = true;
    uv_timer_stop(&sense->tick);
    uv_timer_stop(&sense->retry);
}

void sense_free(struct sense *sense)
{
    if (!sense)
        return;
    sense_stop(sense);
    while (sense->n) {
        struct watch *w = sense->watches[--sense->n];
        fresh_end(w, -ECANCELED);
        watch_free(w);
    }
    free(sense->watches);
    free(sense->world.containers);
    host_close(sense->host);
    process_memory_free(sense->processes);
    uv_close((uv_handle_t *)&sense->tick, close_last);
}

bool sense_settled(const struct sense *sense)
{
    if (!sense->listed || sense->inspecting)
        return false;
    for (size_t i = 0; i < sense->n; i++)
        if (sense->watches[i]->client && !sense->watches[i]->answered_once)
            return false;
    return true;
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
    struct watch *w = find(sense, id);
    if (w)
        w->want_connections = true;
}

int sense_fresh(struct sense *sense, const char *id, sense_fresh_done *done, void *userdata)
{
    struct watch *w = find(sense, id);
    if (!w)
        return -ENOENT;
    if (w->refreshing)
        return -EBUSY;
    w->refreshing = true;
    w->refresh_inspected = w->refresh_polled = false;
    w->refresh_from_ns = uv_hrtime();
    w->fresh_done = done;
    w->fresh_userdata = userdata;
    w->inspect_again = w->inspecting;
    inspect(sense, id, false);
    return 0;
}

void sense_look_now(struct sense *sense)
{
    if (sense->listed)
        look(sense);
}

void sense_settings_changed(struct sense *sense)
{
    start_ticking(sense);
    for (size_t i = 0; i < sense->n; i++) {
        note_labels(sense, sense->watches[i]);
        policy_mode(&sense->watches[i]->settings, sense->watches[i]->named,
                    &sense->watches[i]->container);
    }
}

const struct container *sense_container(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w ? &w->container : NULL;
}

const struct docker_details *sense_details(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w ? &w->details : NULL;
}

struct ollama_client *sense_ollama(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w ? w->client : NULL;
}

const char *sense_cgroup_path(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w && w->cgroup ? cgroup_path(w->cgroup) : NULL;
}

bool sense_cgroup_writable(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w && w->cgroup && cgroup_writable(w->cgroup);
}

const char *sense_cgroup_error(const struct sense *sense, const char *id)
{
    struct watch *w = find(sense, id);
    return w ? w->cgroup_error : "";
}
