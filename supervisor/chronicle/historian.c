#include "base/clock.h"
#include "chronicle/historian_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double write_every_s = 60, retry_after_s = 10;

/* What a worker writes: all of it its own, but the historian's database. */
struct parcel {
    uv_work_t work;
    struct historian *historian;
    struct history_batch batch;
    char state[256];
    bool repair;
    fact max_bytes;
    struct pending_event *first_event; /* the batch's events, in a row */
    struct subject *subjects;
    struct runner_seen *runners;
    struct history_event *events;
    struct history_subject *names;
    struct history_sample *samples;
    struct history_minute *minutes;
    struct history_footprint *footprints;
    struct history_use *uses;
    struct error error;
    int result;
    char set_aside[512];
};

static void free_events(struct pending_event *event)
{
    while (event) {
        struct pending_event *next = event->next;
        free(event);
        event = next;
    }
}

static void free_parcel(struct parcel *p)
{
    free_events(p->first_event);
    free(p->subjects);
    free(p->runners);
    free(p->events);
    free(p->names);
    free(p->samples);
    free(p->minutes);
    free(p->footprints);
    free(p->uses);
    free(p);
}

int historian_new(const struct historian_options *options, struct historian **ret_historian)
{
    struct historian *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->o = *options;
    h->sampled_s = h->written_s = -1;
    h->begun_s = clock_boottime_s();
    clock_boot_id(config_settings(h->o.config)->procfs, h->boot_id, sizeof h->boot_id);
    if (h->o.daemon)
        historian_add(
            h, &(struct history_event){.kind = "supervisor-started", .outcome = SUPERVISOR_VERSION},
            NULL);
    *ret_historian = h;
    return 0;
}

/* Puts a failed parcel's events before those that came since. */
static void take_back(struct historian *h, struct parcel *p)
{
    struct pending_event *last = p->first_event;
    size_t n = last ? 1 : 0;
    for (; last && last->next; last = last->next)
        n++;
    if (!last)
        return;
    last->next = h->first_event;
    if (!h->first_event)
        h->last_event = last;
    h->first_event = p->first_event;
    h->n_events += n;
    p->first_event = NULL;
    historian_drop_oldest(h);
}

static void tell(struct historian *h, const struct error *err, const char *set_aside)
{
    if (h->o.tell)
        h->o.tell(h->o.userdata, err, set_aside);
}

static int open_database(struct parcel *p)
{
    struct historian *h = p->historian;
    int r = keep_history_open(p->state, p->repair, p->max_bytes, &h->db, &p->error);
    const char *set_aside = r == 0 ? keep_history_set_aside(h->db) : NULL;
    if (set_aside)
        snprintf(p->set_aside, sizeof p->set_aside, "%s", set_aside);
    return r;
}

/* On the worker. A file that turned out corrupt, or was removed, is opened anew at once. */
static void write_parcel(uv_work_t *work)
{
    struct parcel *p = work->data;
    struct historian *h = p->historian;
    for (int attempt = 0; attempt < 2; attempt++) {
        p->result = h->db ? 0 : open_database(p);
        if (p->result == 0)
            p->result = keep_history_write(h->db, &p->batch, &p->error);
        if (p->result != -EUCLEAN && p->result != -EIO)
            break;
        keep_history_close(h->db);
        h->db = NULL;
    }
}

static void parcel_written(uv_work_t *work, int status)
{
    struct parcel *p = work->data;
    struct historian *h = p->historian;
    int r = status < 0 ? status : p->result;
    h->parcel = NULL;
    if (p->set_aside[0])
        tell(h, NULL, p->set_aside);
    if (r < 0) {
        take_back(h, p);
        h->retry_s = clock_boottime_s() + retry_after_s;
        if (!h->stopped && r != -EBUSY) {
            h->stopped = true;
            tell(h, &p->error, NULL);
        }
    } else if (h->stopped) {
        h->stopped = false;
        tell(h, NULL, NULL);
    }
    free_parcel(p);
    if (r == 0 && (h->n_events > 0 || (h->stopping && h->n_samples > 0)))
        historian_write(h, h->stopping);
}

static void pack_events(const struct historian *h, struct parcel *p)
{
    for (const struct pending_event *e = h->first_event; e; e = e->next)
        p->events[p->batch.n_events++] = e->event;
    p->batch.events = p->events;
}

static void pack_samples(const struct historian *h, struct parcel *p)
{
    for (size_t i = 0; i < h->n_subjects; i++) {
        p->subjects[i] = h->subjects[i];
        p->names[i] = (struct history_subject){p->subjects[i].id, p->subjects[i].name};
        if (historian_minute(&h->subjects[i], (unsigned)i, &p->minutes[p->batch.n_minutes]))
            p->batch.n_minutes++;
    }
    p->batch.subjects = p->names;
    p->batch.n_subjects = h->n_subjects;
    p->batch.minutes = p->minutes;
    p->batch.samples = h->samples;
    p->batch.n_samples = h->n_samples;
}

/* Runners that are new, have held more than was written, or were used. */
static void pack_runners(const struct historian *h, struct parcel *p)
{
    for (size_t i = 0; i < h->n_runners; i++) {
        const struct runner_seen *r = &p->runners[i];
        p->runners[i] = h->runners[i];
        if (fact_known(r->held) && (r->is_new || r->held > r->told))
            p->footprints[p->batch.n_footprints++] =
                (struct history_footprint){.digest = r->digest,
                                           .context = r->context,
                                           .parallel = r->parallel,
                                           .kv_type = r->kv_type,
                                           .model = r->model,
                                           .held = r->held,
                                           .seen = r->is_new,
                                           .last_wall_ms = p->batch.now_wall_ms};
        if (r->is_new || r->used_wall_ms > 0)
            p->uses[p->batch.n_uses++] = (struct history_use){r->model, r->is_new, r->used_wall_ms};
    }
    p->batch.footprints = p->footprints;
    p->batch.uses = p->uses;
}

/* With room for all that is pending; NULL when memory is spent. */
static struct parcel *parcel_new(const struct historian *h, bool all)
{
    size_t subjects = all ? h->n_subjects + 1 : 1, runners = all ? h->n_runners + 1 : 1;
    struct parcel *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->events = calloc(h->n_events + 1, sizeof *p->events);
    p->subjects = calloc(subjects, sizeof *p->subjects);
    p->names = calloc(subjects, sizeof *p->names);
    p->minutes = calloc(subjects, sizeof *p->minutes);
    p->runners = calloc(runners, sizeof *p->runners);
    p->footprints = calloc(runners, sizeof *p->footprints);
    p->uses = calloc(runners, sizeof *p->uses);
    if (p->events && p->subjects && p->names && p->minutes && p->runners && p->footprints &&
        p->uses)
        return p;
    free_parcel(p);
    return NULL;
}

void historian_write(struct historian *h, bool all)
{
    if (h->parcel || (h->n_events == 0 && !all))
        return;
    const struct settings *s = config_settings(h->o.config);
    struct parcel *p = parcel_new(h, all);
    if (!p)
        return;
    p->work.data = p;
    p->historian = h;
    p->repair = h->o.daemon;
    p->max_bytes = s->history_max_size;
    snprintf(p->state, sizeof p->state, "%s", h->o.state);
    p->batch = (struct history_batch){.now_wall_ms = clock_wall_ms(),
                                      .now_boottime_s = clock_boottime_s(),
                                      .boot_id = h->boot_id,
                                      .keep_seconds_s = s->history_keep_samples_s,
                                      .keep_minutes_s = s->history_keep_minutes_s};
    pack_events(h, p);
    if (all) {
        pack_samples(h, p);
        pack_runners(h, p);
    }
    if (uv_queue_work(h->o.loop, &p->work, write_parcel, parcel_written) < 0) {
        free_parcel(p);
        return;
    }
    h->parcel = p;
    p->first_event = h->first_event;
    h->first_event = h->last_event = NULL;
    h->n_events = 0;
    if (all) {
        p->samples = h->samples;
        h->samples = NULL;
        h->n_samples = h->cap_samples = 0;
        historian_forget_samples(h);
    }
}

void historian_look(struct historian *h, const struct world *world,
                    const struct judgement *judgement)
{
    double now_s = clock_boottime_s();
    historian_take_repeated(h, now_s);
    historian_take_verdicts(h, judgement);
    historian_take_samples(h, world, judgement);
    if (h->written_s < 0)
        h->written_s = now_s;
    bool due = now_s >= h->written_s + write_every_s;
    if (due)
        h->written_s = now_s;
    if (due || (h->stopped && now_s >= h->retry_s))
        historian_write(h, due);
}

void historian_stop(struct historian *h)
{
    if (!h)
        return;
    historian_take_repeated(h, INFINITY);
    if (h->o.daemon)
        historian_add(h, &(struct history_event){.kind = "supervisor-ended"}, NULL);
    h->stopping = true;
    historian_write(h, h->o.daemon);
}

void historian_free(struct historian *h)
{
    if (!h)
        return;
    free_events(h->first_event);
    free(h->subjects);
    free(h->samples);
    free(h->runners);
    keep_history_close(h->db);
    free(h);
}
