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

/* After a list that took so long the next one waits so many times longer: an engine that keeps one
 * busy with lists (100 MB of labels take seconds) does so for a fifth of the time. */
static const double list_pause = 4;
/* So long the first look waits for inspects: who answers late is met later. */
static const double first_look_s = 3;

static void on_retry(uv_timer_t *timer)
{
    sense_connect(timer->data);
}

static void list(struct sense *sense);

void sense_engine_lost(struct sense *sense, const struct error *err)
{
    if (sense->closing)
        return;
    if (err)
        sense->error = *err;
    sense->up = false;
    sense->stream_s = -1;
    sense->roster.n_waiting = 0; /* the next list has them again */
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
    struct settings settings;
    size_t n = policy_for(sense->o.config, &w->container, &settings, errors);
    w->interval_s = settings.interval_s;
    w->poll_s = settings.poll_s;
    for (size_t i = 0; i < n; i++)
        tell_label(sense, w, &errors[i]);
    char text[256];
    snprintf(text, sizeof text,
             "not all of its labels supervisor.*, or that which chooses it, are read, because one "
             "has more than %d bytes or all of them more than %d: it is only observed, unless a "
             "command names it",
             VALUE_KEPT_MAX, LABELS_KEPT_MAX);
    if (w->container.labels_cut)
        sense_tell(sense, NOTE_LABEL_BAD, w, text);
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
    snprintf(
        text, sizeof text,
        "%s (%.12s): what the engine's list says of it cannot be read (it has more than %d KiB, "
        "by its labels, or is no JSON): it is not supervised",
        e->name[0] ? e->name : "a container", e->id, DOCKER_ENTRY_MAX / 1024);
    sense_tell_unread(sense, e->id, text);
}

static bool has_label(const struct sense *sense, const struct docker_entry *e)
{
    const char *label = config_settings(sense->o.config)->docker_label;
    for (size_t i = 0; i < e->n_labels; i++)
        if (!strcmp(e->labels[i].key, label))
            return true;
    return false;
}

/* An image that the list has by its id alone, because a newer one was pulled under its name, may be
 * any: inspect knows which it was. */
static void offer(struct sense *sense, const struct docker_entry *e)
{
    bool named = is_named(sense, e),
         chosen = policy_chosen(config_settings(sense->o.config), e->image, e->labels, e->n_labels,
                                adopted_has(&sense->adopted, e->name, e->image)),
         unsure = !named && !chosen && !strncmp(e->image, "sha256:", 7) && !has_label(sense, e);
    if ((!named && !chosen && !unsure) || (unsure && roster_is_other(sense, e->id)))
        return;
    roster_offer(sense, e, named, unsure);
    sense_inspect_next(sense);
}

static void on_entry(void *userdata, const struct docker_entry *e)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    struct watch *w = sense_find(sense, e->id);
    if (w)
        roster_keep(sense);
    if (w && !w->listed) {
        w->listed = true;
        w->named |= is_named(sense, e);
        sense_inspect(sense, w);
    } else if (!w && e->unread) {
        tell_too_large(sense, e);
    } else if (!w) {
        offer(sense, e);
    }
}

/* The list failed, though the engine is there: asked again, less and less often. */
static void list_failed(struct sense *sense, const struct error *err)
{
    if (sense->lists_failed < FAILED_MAX)
        sense->lists_failed++;
    sense_engine_lost(sense, err);
}

static void on_listed(void *userdata, int result, size_t skipped, const struct error *err)
{
    struct sense *sense = userdata;
    char text[160];
    if (sense->closing)
        return;
    sense->listing = false;
    double now_s = clock_boottime_s();
    sense->list_ok_s = now_s + list_pause * (now_s - sense->list_begun_s);
    if (result < 0) {
        list_failed(sense, err);
        return;
    }
    sense->lists_failed = 0;
    if (sense->lost_said)
        sense_tell(sense, NOTE_ENGINE_BACK, NULL, docker_api_version(sense->o.docker));
    sense->lost_said = false;
    sense->error = (struct error){0};
    if (err && skipped > sense->skipped_told) {
        snprintf(text, sizeof text,
                 "the engine's list has no end: who comes late in it is not known");
        sense_tell(sense, NOTE_UNREAD, NULL, text);
    } else if (skipped > sense->skipped_told) {
        snprintf(text, sizeof text,
                 "%zu of the engine's list are not understood: they are not supervised", skipped);
        sense_tell(sense, NOTE_UNREAD, NULL, text);
    }
    sense->skipped_told = skipped;
    for (size_t i = sense->n; i-- > 0 && !skipped;)
        if (!sense->watches[i]->listed && !sense->watches[i]->inspecting)
            sense_remove(sense, sense->watches[i], "");
    roster_list_ended(sense);
    sense->first_look_s = now_s + first_look_s;
    if (!sense->listed && sense->up && !sense_awaits_inspects(sense)) {
        sense->listed = true;
        sense_look(sense);
    }
    if (sense->list_again) {
        sense->list_again = false;
        list(sense);
    }
}

/* One list at a time; who wants another meanwhile gets one after it, and after a pause. */
static void list(struct sense *sense)
{
    double now_s = clock_boottime_s();
    sense->list_again = sense->listing;
    if (sense->listing)
        return;
    if (now_s < sense->list_ok_s) {
        if (!uv_is_active((uv_handle_t *)&sense->retry))
            uv_timer_start(&sense->retry, on_retry,
                           (uint64_t)((sense->list_ok_s - now_s) * 1000) + 1, 0);
        return;
    }
    sense->listing = true;
    sense->list_begun_s = now_s;
    for (size_t i = 0; i < sense->n; i++)
        sense->watches[i]->listed = false;
    roster_list_begins(sense);
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
        sense_inspect(sense, w);
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
    sense_engine_lost(sense, err);
}

static void on_pinged(void *userdata, int result, const struct error *err)
{
    struct sense *sense = userdata;
    if (sense->closing)
        return;
    if (result < 0) {
        sense_engine_lost(sense, err);
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
