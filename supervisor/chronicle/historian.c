#include "base/clock.h"
#include "chronicle/historian_private.h"
#include "judge/uses.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double write_every_s = 60, retry_after_s = 10;

/* What a worker writes: all of it its own, but the historian's database. */
struct parcel {
    uv_work_t work;
    struct historian *historian;
    struct history_batch batch;
    fact max_bytes;
    struct pending_event *first_event; /* the batch's events, in a row */
    void *blocks[10];                  /* owned: what the batch points to */
    size_t n_blocks;
    bool spent; /* there was no memory for all of it */
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
    while (p->n_blocks)
        free(p->blocks[--p->n_blocks]);
    free(p);
}

int historian_new(const struct historian_options *options, struct historian **ret_historian)
{
    struct historian *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->o = *options;
    h->sampled_s = h->written_s = -1;
    h->begun_s = h->packed_s = clock_boottime_s();
    clock_boot_id(config_settings(h->o.config)->procfs, h->boot_id, sizeof h->boot_id);
    if (h->o.daemon)
        historian_add(
            h, &(struct history_event){.kind = "supervisor-started", .outcome = SUPERVISOR_VERSION},
            NULL);
    *ret_historian = h;
    return 0;
}

/* What a failed parcel was to teach is due again; its events are put before those that came since.
 */
static void take_back(struct historian *h, struct parcel *p)
{
    for (size_t i = 0; i < p->batch.n_footprints; i++)
        for (size_t k = 0; k < h->n_runners; k++)
            h->runners[k].due |= h->runners[k].pid == p->batch.footprints[i].pid &&
                                 h->runners[k].started_us == p->batch.footprints[i].started_us;
    struct pending_event *last = p->first_event;
    while (last && last->next)
        last = last->next;
    if (!last)
        return;
    last->next = h->first_event;
    if (!h->first_event)
        h->last_event = last;
    h->first_event = p->first_event;
    h->n_events += p->batch.n_events;
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
    int r = h->o.keep ? keep_owned(h->o.keep, &p->error) : 0;
    if (r == 0)
        r = keep_history_open(h->o.state, h->o.daemon, p->max_bytes, &h->db, &p->error);
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
    if (r == 0 && p->batch.uses) /* what was not written is due again */
        h->packed_s = p->batch.now_boottime_s;
    free_parcel(p);
    if (r == 0 && (h->n_events > 0 || (h->stopping && h->n_samples > 0)))
        historian_write(h, h->stopping);
}

/* Room for n in the parcel, at least one; NULL: the parcel is spent. */
static void *room_for(struct parcel *p, size_t n, size_t size)
{
    void *block = calloc(n + 1, size);
    p->spent |= !block;
    p->blocks[p->n_blocks++] = block;
    return block;
}

static void pack_events(const struct historian *h, struct parcel *p)
{
    struct history_event *events = room_for(p, h->n_events, sizeof *events);
    p->batch.events = events;
    for (const struct pending_event *e = h->first_event; e && events; e = e->next)
        events[p->batch.n_events++] = e->event;
}

static void pack_samples(const struct historian *h, struct parcel *p)
{
    struct subject *subjects = room_for(p, h->n_subjects, sizeof *subjects);
    struct history_subject *names = room_for(p, h->n_subjects, sizeof *names);
    struct history_minute *minutes = room_for(p, h->n_subjects, sizeof *minutes);
    for (size_t i = 0; i < h->n_subjects && !p->spent; i++) {
        subjects[i] = h->subjects[i];
        names[i] = (struct history_subject){subjects[i].id, subjects[i].name};
        if (historian_minute(&h->subjects[i], (unsigned)i, &minutes[p->batch.n_minutes]))
            p->batch.n_minutes++;
    }
    p->batch.subjects = names;
    p->batch.n_subjects = h->n_subjects;
    p->batch.minutes = minutes;
    p->batch.samples = h->samples;
    p->batch.n_samples = h->n_samples;
}

/* What is to be learned of runners. */
static void pack_runners(const struct historian *h, struct parcel *p)
{
    struct runner_seen *runners = room_for(p, h->n_runners, sizeof *runners);
    struct history_footprint *footprints = room_for(p, h->n_runners, sizeof *footprints);
    for (size_t i = 0; i < h->n_runners && !p->spent; i++) {
        const struct runner_seen *r = &runners[i];
        runners[i] = h->runners[i];
        if (!r->model[0])
            continue;
        if (r->due)
            footprints[p->batch.n_footprints++] =
                (struct history_footprint){.digest = r->digest,
                                           .context = r->context,
                                           .parallel = r->parallel,
                                           .kv_type = r->kv_type,
                                           .version = r->version,
                                           .gpu = r->gpu,
                                           .model = r->model,
                                           .held = r->held,
                                           .last_wall_ms = p->batch.now_wall_ms,
                                           .pid = r->pid,
                                           .started_us = r->started_us};
    }
    p->batch.footprints = footprints;
}

/* What the judge knows of the models' uses, and which models were loaded or used since it was told
 * last. */
static void pack_uses(struct historian *h, struct parcel *p)
{
    static const double slack_s = 10; /* the judge remembers a use when it is sure of it */
    double now_s = p->batch.now_boottime_s;
    size_t n = 0, n_assessments = h->judgement ? h->judgement->n_assessments : 0;
    for (size_t i = 0; i < n_assessments; i++)
        n += h->judgement->assessments[i].uses ? h->judgement->assessments[i].uses->n : 0;
    struct history_last_use *rows = room_for(p, n, sizeof *rows);
    struct history_use *uses = room_for(p, n + h->n_runners, sizeof *uses);
    struct runner_seen *runners = room_for(p, h->n_runners, sizeof *runners);
    for (size_t i = 0; i < n_assessments && !p->spent; i++) {
        const struct assessment *a = &h->judgement->assessments[i];
        for (size_t k = 0; a->uses && k < a->uses->n; k++) {
            struct history_last_use *row = &rows[p->batch.n_last_uses++];
            row->use = a->uses->all[k];
            memcpy(row->container, a->id, sizeof row->container);
            double ago_s = now_s - row->use.to_s;
            if (row->use.to_s > h->packed_s - slack_s && ago_s >= 0)
                uses[p->batch.n_uses++] = (struct history_use){
                    row->use.model, 0, p->batch.now_wall_ms - (int64_t)(ago_s * 1000)};
        }
    }
    for (size_t i = 0; i < h->n_runners && !p->spent; i++) {
        runners[i] = h->runners[i];
        if (runners[i].model[0] && runners[i].is_new)
            uses[p->batch.n_uses++] = (struct history_use){runners[i].model, 1, 0};
    }
    p->batch.last_uses = rows;
    p->batch.uses = uses;
}

void historian_write(struct historian *h, bool all)
{
    if (h->parcel || (h->n_events == 0 && !all))
        return;
    const struct settings *s = config_settings(h->o.config);
    struct parcel *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->work.data = p;
    p->historian = h;
    p->max_bytes = s->history_max_size;
    p->batch = (struct history_batch){.now_wall_ms = clock_wall_ms(),
                                      .now_boottime_s = clock_boottime_s(),
                                      .boot_id = h->boot_id,
                                      .keep_seconds_s = s->history_keep_samples_s,
                                      .keep_minutes_s = s->history_keep_minutes_s};
    pack_events(h, p);
    if (all) {
        pack_samples(h, p);
        pack_runners(h, p);
        pack_uses(h, p);
    }
    if (p->spent || uv_queue_work(h->o.loop, &p->work, write_parcel, parcel_written) < 0) {
        free_parcel(p);
        return;
    }
    h->parcel = p;
    p->first_event = h->first_event;
    h->first_event = h->last_event = NULL;
    h->n_events = 0;
    if (all) {
        p->blocks[p->n_blocks++] = h->samples;
        h->samples = NULL;
        h->n_samples = 0;
        historian_forget_samples(h);
    }
}

void historian_look(struct historian *h, const struct world *world,
                    const struct judgement *judgement)
{
    double now_s = clock_boottime_s();
    h->judgement = judgement;
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
