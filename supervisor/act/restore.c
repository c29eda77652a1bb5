#include "act/restore.h"

#include "act/load.h"
#include "act/private.h"
#include "act/wanted.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESTORE_MAX = 128, HEALED_MAX = 16 };

/* A server that has just been restarted may take so long until it answers. */
static const double patience_s = 120;

struct restore {
    const struct act *act; /* the healer's */
    struct loader *loader;
    struct keep_history *history; /* owned, in memory, while models are loaded; NULL: none */
    uv_work_t reading;            /* copies it */
    bool is_reading, is_read;
    struct {
        char id[CONTAINER_ID_SIZE];
        double until_s;
    } healed[HEALED_MAX]; /* containers that were healed; they wait for their Ollama */
    size_t n_healed;
    struct wanted_model *models; /* owned */
    size_t n, at;
    bool under_way;
};

static void done(void *userdata, const struct load_report *report)
{
    struct restore *restore = userdata;
    enum heal_event_kind kind = report->end == LOAD_DONE ? HEAL_DONE
                                : report->load_s > 0     ? HEAL_NOT_DONE
                                                         : HEAL_DROPPED;
    char token[64];
    snprintf(token, sizeof token, "a token after %.1f s", report->probe_s);
    bool probed = report->end == LOAD_DONE && report->probe_s >= 0;
    struct heal_event event = heal_event_of(kind, report->id, report->container, "restore", "load",
                                            probed ? token : report->text);
    event.model = report->model;
    event.before = report->before;
    event.after = report->after;
    event.took_s = report->took_s;
    if (report->end != LOAD_THERE)
        restore->act->o.tell(restore->act->o.userdata, &event);
    restore->at++;
    restore->under_way = false;
}

struct restore *restore_new(struct healer *healer)
{
    struct restore *restore = calloc(1, sizeof *restore);
    if (!restore)
        return NULL;
    struct loader_options loader = {.healer = healer, .done = done, .userdata = restore};
    restore->act = &healer->act;
    if (loader_new(&loader, &restore->loader) < 0) {
        free(restore);
        return NULL;
    }
    return restore;
}

/* What models were seen to take is read before they are loaded again, after a heal: a few rows. */
static void read_history(uv_work_t *work)
{
    struct restore *restore = work->data;
    keep_history_read(restore->act->o.state, true, &restore->history, NULL);
}

static void history_read(uv_work_t *work, int status)
{
    struct restore *restore = work->data;
    (void)status;
    restore->is_reading = false;
    restore->is_read = true;
    loader_set_history(restore->loader, restore->history);
}

static void open_history(struct restore *restore)
{
    restore->reading.data = restore;
    restore->is_reading =
        uv_queue_work(restore->act->o.loop, &restore->reading, read_history, history_read) == 0;
}

static void close_history(struct restore *restore)
{
    loader_set_history(restore->loader, NULL);
    keep_history_close(restore->history);
    restore->history = NULL;
    restore->is_read = false;
}

void restore_free(struct restore *restore)
{
    if (!restore)
        return;
    close_history(restore);
    loader_free(restore->loader);
    free(restore->models);
    free(restore);
}

void restore_heal(struct restore *restore, const struct heal_event *event)
{
    if (!strcmp(event->step, "unthrottle"))
        return; /* goes beside whatever is under way there */
    loader_heal(restore->loader, event);
    bool ended = event->carried_out &&
                 (event->kind == HEAL_DONE || event->kind == HEAL_RECOVERED) &&
                 (!strcmp(event->step, "restart") || !strcmp(event->step, "kill"));
    if (!ended || restore->n_healed == HEALED_MAX)
        return;
    size_t at = restore->n_healed++;
    memcpy(restore->healed[at].id, event->id, sizeof restore->healed[at].id);
    restore->healed[at].until_s = clock_boottime_s() + patience_s;
}

/* Takes the models of a healed container that answers again. */
static void take(struct restore *restore, const struct container *c)
{
    if (restore->at == restore->n)
        restore->at = restore->n = 0;
    if (!restore->models)
        restore->models = calloc(RESTORE_MAX, sizeof *restore->models);
    if (restore->models)
        restore->n =
            wanted_list(restore->act->o.config, c, 0, restore->models, restore->n, RESTORE_MAX);
}

static void take_healed(struct restore *restore, const struct world *world)
{
    for (size_t i = 0; i < restore->n_healed;) {
        const struct container *c = world_container(world, restore->healed[i].id);
        bool answers = c && c->status == STATUS_RUNNING && c->ollama.asked && c->ollama.reachable;
        if (c && !answers && clock_boottime_s() < restore->healed[i].until_s) {
            i++;
            continue;
        }
        if (answers && c->mode == MODE_ENFORCE)
            take(restore, c);
        restore->healed[i] = restore->healed[--restore->n_healed];
    }
}

void restore_look(struct restore *restore)
{
    if (!restore->n_healed && !restore->under_way && restore->at == restore->n) {
        if (restore->is_read)
            close_history(restore);
        return;
    }
    loader_look(restore->loader);
    take_healed(restore, restore->act->world);
    if (restore->under_way || restore->is_reading || restore->at == restore->n)
        return;
    if (!restore->is_read) {
        open_history(restore);
        return;
    }
    const struct wanted_model *m = &restore->models[restore->at];
    struct load_wish wish = {.keep_alive_s = m->keep_alive_s, .keep_others = true};
    memcpy(wish.id, m->id, sizeof wish.id);
    memcpy(wish.model, m->model, sizeof wish.model);
    restore->under_way = true;
    loader_begin(restore->loader, &wish);
}
