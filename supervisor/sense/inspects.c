/* Inspects: who is asked about when, and what the answers change. */
#include "base/clock.h"
#include "sense/policy.h"
#include "sense/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
void sense_tell_unread(struct sense *sense, const char *id, const char *why)
{
    if (unread_find(sense, id))
        return;
    snprintf(sense->unread[sense->unread_at], CONTAINER_ID_SIZE, "%s", id);
    sense->unread_at = (sense->unread_at + 1) % UNREAD_MAX;
    sense_tell(sense, NOTE_UNREAD, sense_find(sense, id), why);
}

static void take_inspected(struct sense *sense, const struct container *c,
                           const struct docker_details *details, const struct inspection *asked)
{
    struct watch *w = sense_find(sense, c->id);
    bool found = !w;
    if (!w && !(w = roster_admit(sense, c->id, asked->rank)))
        return;
    w->named |= asked->named;
    unread_forget(sense, c->id);
    bool was_running = w->container.status == STATUS_RUNNING;
    char was_started[sizeof w->container.started_at];
    memcpy(was_started, w->container.started_at, sizeof was_started);
    bool changed = watch_take(w, c, details, config_settings(sense->o.config)->docker_label);
    sense->changed = true;
    sense->unsorted |= found || changed;
    if (found)
        sense_note_labels(sense, w);
    sense_set_mode(sense, w);
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

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err);

static void ask_inspect(struct sense *sense, struct watch *w, const struct candidate *candidate)
{
    struct inspection *inspection = sense_inspection_new(sense, w ? w->container.id : candidate->id,
                                                         w ? w->named : candidate->named);
    if (!inspection)
        return; /* the reconciliation comes again */
    inspection->is_new = !w;
    inspection->unsure = !w && candidate->unsure;
    inspection->rank = w ? 0 : candidate->rank;
    if (w)
        w->inspecting = true, w->inspect_due = false, w->inspect_turn = ++sense->inspect_turn;
    sense->inspecting++;
    sense->inspecting_new += inspection->is_new;
    docker_inspect(sense->o.docker, inspection->id, on_inspected, inspection);
}

/* Hints come as fast as an engine likes: so many inspects follow them, then so many a second. */
static bool may_inspect(struct sense *sense)
{
    static const double burst = SENSE_CONTAINERS_MAX, each_second = 50;
    double now_s = clock_boottime_s();
    sense->hints += (now_s - sense->hints_s) * each_second;
    sense->hints_s = now_s;
    if (sense->hints > burst)
        sense->hints = burst;
    return sense->hints >= 1;
}

/* The one that was asked about longest ago, so that nobody's turn never comes. */
static struct watch *next_due(const struct sense *sense, bool here)
{
    struct watch *next = NULL;
    for (size_t i = 0; i < sense->n; i++) {
        struct watch *w = sense->watches[i];
        if (w->inspect_due && w->here == here && (!next || w->inspect_turn < next->inspect_turn))
            next = w;
    }
    return next;
}

/* Who is here first. The others, whose answers may take as long as an engine likes, do not get the
 * last places, and new ones take turns with those that are known. */
void sense_inspect_next(struct sense *sense)
{
    struct candidate candidate;
    while (sense->up && sense->inspecting < INSPECTS_MAX) {
        bool hints = may_inspect(sense);
        struct watch *w = hints ? next_due(sense, true) : NULL;
        bool here = w || roster_next_is_here(sense);
        if (!here && sense->inspecting >= INSPECTS_MAX - INSPECTS_HERE)
            return;
        if (!here && hints && (!sense->known_last || !sense->roster.n_waiting))
            w = next_due(sense, false);
        sense->known_last = w;
        if (w)
            sense->hints--, ask_inspect(sense, w, NULL);
        else if (roster_next(sense, &candidate))
            ask_inspect(sense, NULL, &candidate);
        else
            return;
    }
}

/* The engine gave no answer about one container: whether it is there at all its ping says. */
static void on_probed(void *userdata, int result, const struct error *err)
{
    struct sense *sense = userdata;
    sense->probing = false;
    if (sense->closing)
        return;
    if (result < 0)
        sense_engine_lost(sense, err);
    else
        sense_tell_unread(sense, sense->probed_for, sense->probed_why);
}

static void probe(struct sense *sense, const char *id, const struct error *err)
{
    if (sense->probing)
        return;
    sense->probing = true;
    snprintf(sense->probed_for, sizeof sense->probed_for, "%s", id);
    snprintf(sense->probed_why, sizeof sense->probed_why, "%s", err->message);
    docker_ping(sense->o.docker, on_probed, sense);
}

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    struct inspection *inspection = userdata;
    struct sense *sense = inspection->sense;
    sense->inspecting--;
    sense->inspecting_new -= inspection->is_new;
    if (!sense->closing) {
        bool first_round = !sense->listed;
        struct watch *w = sense_find(sense, inspection->id);
        if (w)
            w->inspecting = false;
        bool chosen =
            !inspection->unsure || w ||
            (result == 0 && policy_chosen(config_settings(sense->o.config), c->image, NULL, 0,
                                          adopted_has(&sense->adopted, c->name, c->image)));
        if (result == 0 && chosen)
            take_inspected(sense, c, details, inspection);
        else if (result == 0)
            roster_pass_over(sense, inspection->id);
        else if (err && err->failure == FAILURE_UNREACHABLE)
            probe(sense, inspection->id, err);
        else if (result != -ENOENT)
            sense_tell_unread(sense, inspection->id, err ? err->message : "");
        else if (w)
            sense_remove(sense, w, "");
        w = sense_find(sense, inspection->id);
        if (w && result < 0 && w->refreshing)
            sense_end_fresh(w, result);
        if (w && w->inspect_again) {
            w->inspect_again = false;
            sense_inspect(sense, w);
        }
        sense_inspect_next(sense);
        if (first_round && sense->up && !sense->listing && !sense_awaits_inspects(sense)) {
            sense->listed = true;
            sense_look(sense);
        }
    }
    free(inspection);
}

/* At most one inspect of a container is under way; a hint that comes meanwhile asks once more. What
 * a remedy waits for waits for nobody. */
void sense_inspect(struct sense *sense, struct watch *w)
{
    if (w->inspecting) {
        w->inspect_again = true;
    } else if (w->refreshing) {
        ask_inspect(sense, w, NULL);
    } else {
        w->inspect_due = true;
        sense_inspect_next(sense);
    }
}

bool sense_awaits_inspects(const struct sense *sense)
{
    return sense->inspecting || sense->roster.n_waiting;
}
