/* Looking: all containers once an interval, in one turn of the loop, and Ollama beside it; between
 * that only those that something happened to. */
#include "base/clock.h"
#include "sense/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A question to an Ollama that is believed to answer may take 10 s (4.9 s were seen behind a hung
 * runner); one that is lost, and another way to it, get a second, so that its return is seen within
 * a poll. */
static const long poll_timeout_ms = 10000, lost_timeout_ms = 1000;

/* One that answers what no Ollama does rests, longer each time. */
static const double offence_s = 5, offence_max_s = 300;

/* All that a fresh look asks for is there but for the sample. */
static bool is_fresh(const struct watch *w)
{
    return w->refreshing && w->refresh_inspected && w->refresh_polled;
}

static void ask_due(struct sense *sense, double now_s);

static void on_answer(void *userdata, const struct ollama *answer, uint64_t sent_ns)
{
    struct watch *w = userdata;
    struct sense *sense = w->sense;
    struct ollama last = *answer;
    bool settled = sense_settled(sense);
    if (!sense->closing && !watch_settle(w, &last))
        return;
    answer = &last;
    watch_answer(w, answer, sent_ns);
    sense->changed = true;
    if (!answer->offends)
        w->rest_s = 0;
    else
        w->rest_s = w->rest_s < offence_s ? offence_s : 2 * w->rest_s;
    if (w->rest_s > offence_max_s)
        w->rest_s = offence_max_s;
    if (answer->offends)
        w->poll_due_s = clock_boottime_s() + w->rest_s;
    if (!answer->reachable && !w->lost) {
        w->lost = true;
        sense_tell(sense, NOTE_OLLAMA_LOST, w, answer->error);
    } else if (answer->reachable && w->lost) {
        w->lost = false;
        sense_tell(sense, NOTE_OLLAMA_BACK, w, "");
    }
    if (w->refreshing && sent_ns < w->refresh_from_ns)
        sense_ask_ollama(w);
    else if (w->refreshing)
        w->refresh_polled = true;
    if (is_fresh(w))
        sense_look_soon(sense, w);
    else if (!settled && sense_settled(sense))
        sense_look_soon(sense, NULL);
    if (sense->polls_wait)
        ask_due(sense, clock_boottime_s());
}

/* There is room for a question more; those that do not answer never take all of it. */
static bool may_poll(const struct sense *sense, const struct watch *asked)
{
    size_t all = 0, silent = 0;
    if (sense->n <= POLLS_MAX / 2 || asked->refreshing)
        return true;
    for (size_t i = 0; i < sense->n; i++) {
        const struct watch *w = sense->watches[i];
        if (!w->client || !ollama_poll_pending(w->client))
            continue;
        all++;
        silent += w->lost || !w->answered_once;
    }
    return all < POLLS_MAX && (silent < POLLS_MAX / 2 || (asked->answered_once && !asked->lost));
}

/* How many of its models are kept: 8 of each, and more as long as all together have no more than
 * 1,024, of half a KiB each. */
static size_t models_room(const struct sense *sense, const struct watch *asked)
{
    enum { OWN = 8, ALL = 1024 };
    size_t others = 0;
    for (size_t i = 0; i < sense->n; i++)
        others += sense->watches[i] == asked ? 0 : sense->watches[i]->container.ollama.n_models;
    size_t room = others + OWN < ALL ? ALL - others : OWN;
    return room < WORLD_MODELS_MAX ? room : WORLD_MODELS_MAX;
}

void sense_ask_ollama(struct watch *w)
{
    struct ollama_client *client = watch_client(w, &w->sense->sampler);
    if (!client) {
        bool lost = w->not_asked[0] && !w->place.no_server;
        if (lost && !w->lost)
            sense_tell(w->sense, NOTE_OLLAMA_LOST, w, w->not_asked);
        w->lost |= lost;
        w->refresh_polled = true; /* there is nobody to ask; the look says so */
        return;
    }
    if (ollama_poll_pending(client))
        return;
    if (may_poll(w->sense, w)) {
        ollama_keep_models(client, models_room(w->sense, w));
        if (w->refreshing)
            ollama_client_doubt(client);
        bool soon = (w->lost && !w->refreshing) || w->tried > 0;
        ollama_poll(client, soon ? lost_timeout_ms : poll_timeout_ms, on_answer, w);
    } else {
        w->poll_due_s = 0;
        w->sense->polls_wait = true;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct watch *const *x = a, *const *y = b;
    return strcmp((*x)->container.name, (*y)->container.name);
}

/* While the engine is away, its main process says whether it has ended. */
static void sample(struct sense *sense, struct watch *w, double now_s)
{
    if (!sense->up && watch_left_alone(w, &sense->sampler))
        sense_tell(sense, NOTE_DIED, w, container_status_name(w->container.status));
    watch_sample(w, &sense->sampler, now_s);
}

void sense_look(struct sense *sense)
{
    uv_timer_stop(&sense->soon);
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
    sense->changed = false;
    world->monotonic_s = now_s;
    world->time_ms = clock_wall_ms();
    if (host_read(sense->host, &world->host) < 0)
        world->host = (struct host){-1, -1, -1, -1, -1, {-1, -1, -1, -1}};
    sense->gpus_looked = gpu_watch_look(sense->gpus, now_s, world) || sense->gpus_looked;
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        bool fresh = is_fresh(w), due = w->due || fresh || !w->sampled;
        w->want_connections |= fresh;
        if (due)
            sample(sense, w, now_s);
        w->container.age_s = due ? -1 : now_s - w->sampled_s;
        w->container.ollama.age_ms = (double)(now_ns - w->answer_sent_ns) / 1e6;
        world->containers[i] = w->container;
    }
    world->n_containers = sense->n;
    if (sense->o.callbacks.look)
        sense->o.callbacks.look(sense->o.callbacks.userdata, world);
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        if (is_fresh(w))
            sense_end_fresh(w, 0);
    }
}

static void on_soon(uv_timer_t *timer)
{
    sense_look(timer->data);
}

void sense_look_soon(struct sense *sense, struct watch *w)
{
    if (w)
        w->due = true;
    if (sense->listed && !sense->closing && !uv_is_active((uv_handle_t *)&sense->soon))
        uv_timer_start(&sense->soon, on_soon, 0, 0);
}

struct inspection *sense_inspection_new(struct sense *sense, const char *id, bool named)
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
    struct watch *w =
        inspection->sense->closing ? NULL : sense_find(inspection->sense, inspection->id);
    inspection->sense->stats--;
    if (w) {
        w->stats_pending = false;
        if (!result && !w->cgroup)
            w->container.cgroup = *memory;
    }
    free(inspection);
}

static void ask_stats(struct sense *sense, struct watch *w)
{
    struct inspection *inspection = sense_inspection_new(sense, w->container.id, false);
    if (!inspection)
        return;
    if (!w->cgroup_said)
        sense_tell(sense, NOTE_CGROUP_LOST, w, w->cgroup_error);
    w->cgroup_said = w->stats_pending = true;
    w->stats_due = false;
    sense->stats++;
    docker_stats(sense->o.docker, inspection->id, on_stats, inspection);
}

/* Asks all whose time has come, beginning with the one that was left without its turn. */
static void ask_due(struct sense *sense, double now_s)
{
    size_t first = sense->turn;
    sense->polls_wait = false;
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[(first + i) % sense->n];
        if (now_s >= w->poll_due_s) {
            bool waited = sense->polls_wait;
            w->poll_due_s = now_s + w->poll_s - w->interval_s / 2;
            sense_ask_ollama(w);
            w->stats_due |= w->poll_due_s > now_s;
            if (sense->polls_wait && !waited)
                sense->turn = (first + i) % sense->n;
        }
        if (w->stats_due && !w->cgroup && w->cgroup_error[0] && !w->stats_pending && sense->up &&
            w->container.status == STATUS_RUNNING && sense->stats < STATS_MAX)
            ask_stats(sense, w);
    }
}

void sense_on_tick(uv_timer_t *timer)
{
    struct sense *sense = timer->data;
    double now_s = clock_boottime_s();
    for (size_t i = 0; i < sense->n; i++)
        sense->watches[i]->due = true;
    sense_ask_adoptions(sense, now_s);
    ask_due(sense, now_s);
    sense_inspect_next(sense);
    if (!sense->listed && sense->up && sense->first_look_s > 0 && now_s >= sense->first_look_s)
        sense->listed = true;
    if (sense->listed) /* before, a world without containers would be a claim */
        sense_look(sense);
    if (sense->up && now_s >= sense->reconcile_due_s) {
        sense->reconcile_due_s = now_s + reconcile_s;
        sense_connect(sense);
    }
}
