/* Following the engine: events are hints, inspect decides. */
#include "base/clock.h"
#include "sense/docker_parse.h"
#include "sense/policy.h"
#include "sense/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A lost engine is asked again this often: taken up again within 2 s of its return. */
static const uint64_t retry_ms = 500;

/* So long the engine may take to subscribe us to its events. */
static const double subscribed_s = 1;

/* A stream of events that lasted so long was a good one; else it is begun less and less often, as a
 * list that fails: the pauses grow to 8 s, to two minutes where both fail. */
static const double stream_good_s = 10;
enum { FAILED_MAX = 8 };

static void on_retry(uv_timer_t *timer)
{
    sense_connect(timer->data);
}

static void list(struct sense *sense);

static void engine_lost(struct sense *sense, const struct error *err)
{
    if (sense->closing)
        return;
    if (err)
        sense->error = *err;
    sense->up = false;
    sense->stream_s = -1;
    docker_forget(sense->o.docker);
    docker_events_stop(sense->o.docker);
    if (!sense->lost_said) {
        sense->lost_said = true;
        sense_tell(sense, NOTE_ENGINE_LOST, NULL, sense->error.message);
    }
    uv_timer_start(&sense->retry, on_retry,
                   retry_ms << ((sense->lists_failed + sense->streams_failed) / 2), 0);
}

static void tell_label(struct sense *sense, struct watch *w, const struct label_error *e)
{
    char text[sizeof e->label + sizeof e->message + 4];
    bool named = strstr(e->message, e->label) != NULL;
    int n =
        snprintf(text, sizeof text, "%s%s%s", named ? "" : e->label, named ? "" : ": ", e->message);
    if (n > 0)
        sense_tell(sense, NOTE_LABEL_BAD, w, text);
}

void sense_note_labels(struct sense *sense, struct watch *w)
{
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    size_t n = policy_for(sense->o.config, &w->container, &w->settings, errors);
    for (size_t i = 0; i < n; i++)
        tell_label(sense, w, &errors[i]);
}

static struct watch *add_watch(struct sense *sense, const char *id)
{
    if (sense->n == WORLD_CONTAINERS_MAX) {
        sense_tell(sense, NOTE_TOO_MANY, NULL, "more containers than can be supervised");
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
    w->followed_s = clock_boottime_s();
    w->listed = true; /* the list under way may have passed it */
    sense->watches[sense->n++] = w;
    return w;
}

static char *unread_find(struct sense *sense, const char *id)
{
    for (size_t i = 0; i < UNREAD_MAX; i++)
        if (!strcmp(sense->unread[i], id))
            return sense->unread[i];
    return NULL;
}

static void unread_forget(struct sense *sense, const char *id)
{
    char *told = unread_find(sense, id);
    if (told)
        told[0] = '\0';
}

/* What the engine answers of one container cannot be read, or is an error: told once. */
static void tell_unread(struct sense *sense, const char *id, const char *why)
{
    if (unread_find(sense, id))
        return;
    snprintf(sense->unread[sense->unread_at], CONTAINER_ID_SIZE, "%s", id);
    sense->unread_at = (sense->unread_at + 1) % UNREAD_MAX;
    sense_tell(sense, NOTE_UNREAD, sense_find(sense, id), why);
}

static void take_inspected(struct sense *sense, const struct container *c,
                           const struct docker_details *details, bool named)
{
    struct watch *w = sense_find(sense, c->id);
    bool found = !w;
    if (!w && !(w = add_watch(sense, c->id)))
        return;
    w->named |= named;
    unread_forget(sense, c->id);
    bool was_running = w->container.status == STATUS_RUNNING;
    char was_started[sizeof w->container.started_at];
    memcpy(was_started, w->container.started_at, sizeof was_started);
    bool changed = watch_take(w, c, details);
    sense->changed = true;
    sense->unsorted |= found || changed;
    if (found)
        sense_note_labels(sense, w);
    policy_mode(&w->settings, w->named, &w->container);
    if (found)
        sense_tell(sense, NOTE_FOUND, w, w->container.mode_why);
    else if (c->status == STATUS_RUNNING && strcmp(was_started, c->started_at))
        sense_tell(sense, NOTE_STARTED, w, "");
    else if (was_running && c->status != STATUS_RUNNING)
        sense_tell(sense, NOTE_DIED, w, container_status_name(c->status));
    bool refreshed = w->refreshing && !w->refresh_inspected;
    if (refreshed)
        w->refresh_inspected = true;
    if (found || changed || refreshed)
        sense_ask_ollama(w);
    if ((changed || refreshed) && sense->listed && !sense->inspecting &&
        (!w->refreshing || w->refresh_polled))
        sense_look_soon(sense, w); /* a death or a new life is seen at once */
}

static void inspect_next(struct sense *sense)
{
    for (size_t i = 0; i < sense->n && sense->up && sense->inspecting < INSPECTS_MAX / 2; i++) {
        struct watch *w = sense->watches[i];
        if (!w->inspect_due)
            continue;
        w->inspect_due = false;
        sense_inspect(sense, w->container.id, false);
    }
}

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    struct inspection *inspection = userdata;
    struct sense *sense = inspection->sense;
    sense->inspecting--;
    if (!sense->closing) {
        bool first_round = !sense->listed;
        struct watch *w = sense_find(sense, inspection->id);
        if (w)
            w->inspecting = false;
        bool chosen = !inspection->unsure || w ||
                      (c && policy_chosen(config_settings(sense->o.config), c->image, NULL, 0));
        if (result == 0 && chosen)
            take_inspected(sense, c, details, inspection->named);
        else if (result == 0)
            unread_forget(sense, c->id);
        else if (err && err->failure == FAILURE_UNREACHABLE)
            engine_lost(sense, err);
        else if (result == -ENOENT && w)
            sense_remove(sense, w);
        else
            tell_unread(sense, inspection->id, err ? err->message : "");
        w = sense_find(sense, inspection->id);
        if (w && result < 0 && w->refreshing)
            sense_end_fresh(w, result);
        if (w && w->inspect_again) {
            w->inspect_again = false;
            sense_inspect(sense, inspection->id, false);
        }
        inspect_next(sense);
        if (sense->up && !sense->inspecting && sense->list_more && sense->n > sense->listed_n)
            list(sense);
        else if (first_round && sense->up && !sense->inspecting) {
            sense->listed = true;
            sense_look(sense);
        }
    }
    free(inspection);
}

static void inspect(struct sense *sense, const char *id, bool named, bool unsure)
{
    struct watch *w = sense_find(sense, id);
    if (w && w->inspecting) {
        w->inspect_again = true;
        return;
    }
    struct inspection *inspection = sense_inspection_new(sense, id, named);
    if (!inspection)
        return; /* the reconciliation comes again */
    if (w)
        w->inspecting = true;
    inspection->unsure = unsure;
    sense->inspecting++;
    docker_inspect(sense->o.docker, inspection->id, on_inspected, inspection);
}

/* At most one inspect of a container is under way; a hint that comes meanwhile asks once more. */
void sense_inspect(struct sense *sense, const char *id, bool named)
{
    inspect(sense, id, named, false);
}

static bool is_named(const struct sense *sense, const struct docker_entry *e)
{
    const char *named = sense->o.named;
    return named && (!strcmp(e->name, named) ||
                     (strlen(named) >= 12 && !strncmp(e->id, named, strlen(named))));
}

static void tell_too_large(struct sense *sense, const struct docker_entry *e)
{
    char text[CONTAINER_NAME_SIZE + 160];
    snprintf(text, sizeof text,
             "%s (%.12s): what the engine's list says of it is too large to be read (more than %d "
             "KiB, by its labels): it is not supervised",
             e->name[0] ? e->name : "a container", e->id, DOCKER_ENTRY_MAX / 1024);
    tell_unread(sense, e->id, text);
}

static bool has_label(const struct sense *sense, const struct docker_entry *e)
{
    const char *label = config_settings(sense->o.config)->docker_label;
    for (size_t i = 0; i < e->n_labels; i++)
        if (!strcmp(e->labels[i].key, label))
            return true;
    return false;
}

static void on_entry(void *userdata, const struct docker_entry *e)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    bool named = is_named(sense, e),
         chosen = policy_chosen(config_settings(sense->o.config), e->image, e->labels, e->n_labels);
    struct watch *w = sense_find(sense, e->id);
    /* A newer image was pulled under the name of its own. */
    bool unsure = !named && !chosen && !strncmp(e->image, "sha256:", 7) && !has_label(sense, e);
    if (e->unread && !w)
        tell_too_large(sense, e);
    else if (!named && !chosen && !e->unread && !unsure)
        return;
    if (w)
        w->listed = true;
    else if (e->unread)
        return;
    if (sense->inspecting < (w ? INSPECTS_MAX / 2 : INSPECTS_MAX))
        inspect(sense, e->id, named, unsure);
    else if (w)
        w->inspect_due = true;
    else
        sense->list_more = true;
}

/* The list failed, though the engine is there: asked again, less and less often. */
static void list_failed(struct sense *sense, const struct error *err)
{
    if (sense->lists_failed < FAILED_MAX)
        sense->lists_failed++;
    engine_lost(sense, err);
}

static void on_listed(void *userdata, int result, size_t skipped, const struct error *err)
{
    struct sense *sense = userdata;
    char text[160];
    if (sense->closing)
        return;
    sense->listing = false;
    if (result < 0) {
        list_failed(sense, err);
        return;
    }
    sense->lists_failed = 0;
    if (sense->lost_said)
        sense_tell(sense, NOTE_ENGINE_BACK, NULL, docker_api_version(sense->o.docker));
    sense->lost_said = false;
    sense->error = (struct error){0};
    if (skipped > sense->skipped_told) {
        snprintf(text, sizeof text,
                 "%zu of the engine's list are not understood: they are not supervised", skipped);
        sense_tell(sense, NOTE_UNREAD, NULL, text);
    }
    sense->skipped_told = skipped;
    for (size_t i = sense->n; i-- > 0 && !skipped;)
        if (!sense->watches[i]->listed && !sense->watches[i]->inspecting)
            sense_remove(sense, sense->watches[i]);
    if (!sense->listed && sense->up && !sense->inspecting) {
        sense->listed = true;
        sense_look(sense);
    }
    if (sense->list_again) {
        sense->list_again = false;
        list(sense);
    }
}

/* One list at a time; who wants another meanwhile gets one after it. */
static void list(struct sense *sense)
{
    sense->list_again = sense->listing;
    if (sense->listing)
        return;
    sense->listing = true;
    sense->list_more = false;
    sense->listed_n = sense->n;
    for (size_t i = 0; i < sense->n; i++)
        sense->watches[i]->listed = false;
    docker_list(sense->o.docker, on_entry, on_listed, sense);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    struct watch *w = sense_find(sense, event->id);
    if (w)
        signals_take(&w->signals, event, clock_boottime_s());
    if (w && !strcmp(event->action, "oom"))
        w->oom_ns = event->time_ns;
    if (w && !strcmp(event->action, "die") && watch_died(w, &sense->sampler, event)) {
        sense_tell(sense, NOTE_DIED, w, container_status_name(w->container.status));
        sense->changed = true;
        sense_look_soon(sense, w);
    }
    if (w)
        sense_inspect(sense, event->id, false);
    else if (!strcmp(event->action, "start") || !strcmp(event->action, "create") ||
             !strcmp(event->action, "rename"))
        list(sense); /* is it one of ours? */
}

static void on_events_ended(void *userdata, int result, const struct error *err)
{
    struct sense *sense = userdata;
    double lived_s = clock_boottime_s() - sense->stream_s;
    (void)result;
    if (sense->stream_s < 0 || lived_s > stream_good_s)
        sense->streams_failed = 0;
    else if (sense->streams_failed < FAILED_MAX)
        sense->streams_failed++;
    engine_lost(sense, err);
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
        sense->stream_s = clock_boottime_s() + subscribed_s;
    }
    list(sense);
}

void sense_connect(struct sense *sense)
{
    docker_ping(sense->o.docker, on_pinged, sense);
}
