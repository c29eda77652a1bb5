#include "remembered.h"
#include "act/follow.h"
#include "act/healer.h"
#include "base/clock.h"
#include "judge/runner.h"
#include "keep/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double again_s = 1; /* after it could not be read */

struct recollection { /* of one container */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    char key[CONTAINER_NAME_SIZE];
    char started_at[48];
    fact held; /* the most with a model, for the floor of a limit */
    fact baseline;
    struct keep_last last;
    struct deeds *deeds; /* owned; NULL: none */
};

struct remembered {
    uv_loop_t *loop;
    const struct config *config;
    struct keep *keep;
    struct judge *judge;
    struct keep_now now; /* of the reading */
    double read_s;       /* boottime of the last one that did not fail; 0: none */
    bool due, reading;
    bool loads_due;  /* a model may have been loaded by us */
    bool all;        /* the reading is of all, not of loads alone */
    uint64_t loaded; /* a sum over runners and what is listed, in the last look */
    char state[256];
    double not_before_s;
    uv_work_t work; /* one at a time, of all containers that are looked at */
    struct recollection *recollections;
    size_t n;
    struct keep_load *loads; /* read */
    size_t n_loads;
    struct history_last_use *uses;
    size_t n_uses;
    int result;
};

int remembered_new(uv_loop_t *loop, const struct config *config, struct keep *keep,
                   struct judge *judge, struct remembered **ret_remembered)
{
    struct remembered *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->loop = loop;
    r->config = config;
    r->keep = keep;
    r->judge = judge;
    r->work.data = r;
    snprintf(r->state, sizeof r->state, "%s", config_settings(config)->state);
    *ret_remembered = r;
    return 0;
}

void remembered_found(struct remembered *r)
{
    if (r)
        r->due = true;
}

static int recall(struct remembered *r, struct recollection *one)
{
    int result = keep_footprint_get(r->keep, one->name, &one->held, NULL);
    if (result == 0)
        result = keep_baseline_get(r->keep, one->id, one->started_at, &one->baseline, NULL);
    if (result == 0)
        result = keep_last(r->keep, one->id, &r->now, &one->last, NULL);
    struct deeds deeds = {0};
    if (result == 0)
        result = keep_deeds(r->keep, one->key, &r->now, &deeds, NULL);
    if (result == 0 && deeds.n > 0 && !(one->deeds = malloc(sizeof deeds)))
        result = -ENOMEM;
    if (one->deeds)
        *one->deeds = deeds;
    return result;
}

/* Where there is no history, or it cannot be read, that is not known. */
static void read_uses(struct remembered *r)
{
    struct keep_history *history = NULL;
    if (keep_history_read(r->state, false, &history, NULL) == 0)
        keep_history_last_uses(history, r->now.boot_id, &r->uses, &r->n_uses, NULL);
    keep_history_close(history);
}

/* A load that has not ended while nobody holds its container's lock is one whose process died or
 * was interrupted. It lived as long as it was seen to; what came later may be somebody's use. */
static bool end_dead_load(const struct remembered *r, const char *id, struct keep_load *dead)
{
    struct keep_lock *lock = NULL;
    if (dead->load.ended_s >= 0 || keep_lock_container(r->state, id, &lock, NULL, NULL) < 0)
        return false;
    struct keep_now end = r->now;
    end.boottime_s = r->read_s > dead->load.begun_s ? r->read_s : dead->load.begun_s;
    if (keep_load_end(r->keep, dead->key, dead->load.model, &end, NULL) < 0)
        dead->load.ended_s = end.boottime_s;
    keep_unlock(lock);
    return dead->load.ended_s < 0; /* what is written counts: it may have ended just now */
}

static int read_loads(struct remembered *r)
{
    bool again = false;
    int result = keep_loads(r->keep, &r->now, &r->loads, &r->n_loads, NULL);
    for (size_t i = 0; i < r->n && result == 0; i++)
        for (size_t k = 0; k < r->n_loads; k++)
            if (!strcmp(r->loads[k].key, r->recollections[i].key))
                again |= end_dead_load(r, r->recollections[i].id, &r->loads[k]);
    if (!again)
        return result;
    free(r->loads);
    r->loads = NULL;
    r->n_loads = 0;
    return keep_loads(r->keep, &r->now, &r->loads, &r->n_loads, NULL);
}

static void read_all(uv_work_t *work)
{
    struct remembered *r = work->data;
    r->result = read_loads(r);
    for (size_t i = 0; i < r->n && r->all && r->result == 0; i++)
        r->result = recall(r, &r->recollections[i]);
    if (r->all)
        read_uses(r);
}

static void tell_loads(struct remembered *r, const struct recollection *one)
{
    struct own_load loads[OWN_LOADS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n_loads && n < OWN_LOADS_MAX; i++)
        if (!strcmp(r->loads[i].key, one->key)) {
            loads[n++] = r->loads[i].load;
            r->loads_due |= r->loads[i].load.ended_s < 0; /* its end is to be known too */
        }
    judge_tell_loads(r->judge, one->id, loads, n);
}

static void tell_uses(struct remembered *r, const char *id)
{
    struct model_use uses[USES_KEPT];
    size_t n = 0;
    for (size_t i = 0; i < r->n_uses && n < USES_KEPT; i++)
        if (!strcmp(r->uses[i].container, id))
            uses[n++] = r->uses[i].use;
    judge_tell_uses(r->judge, id, uses, n);
}

static void tell_one(struct judge *judge, const struct recollection *one)
{
    judge_tell_footprint(judge, one->id, one->held);
    judge_tell_baseline(judge, one->id, one->started_at, one->baseline);
    judge_tell_deeds(judge, one->id, one->deeds ? one->deeds : &(struct deeds){0});
    if (one->last.stop && one->last.state == INTENT_DONE)
        judge_tell_stopped(judge, one->id, one->last.started_at);
    bool tried = one->last.state == INTENT_FAILED, left = one->last.state == INTENT_DROPPED;
    if (one->last.start && (tried || left))
        judge_tell_left_stopped(judge, one->id, one->last.started_at, one->last.age_s,
                                tried ? FOLLOW_STARTS_MAX : 0, one->last.outcome);
}

static void forget(struct remembered *r)
{
    for (size_t i = 0; r->recollections && i < r->n; i++)
        free(r->recollections[i].deeds);
    free(r->recollections);
    free(r->loads);
    free(r->uses);
    r->recollections = NULL;
    r->loads = NULL;
    r->uses = NULL;
    r->n_loads = r->n_uses = 0;
}

static void all_read(uv_work_t *work, int status)
{
    struct remembered *r = work->data;
    bool known = status == 0 && r->result == 0;
    for (size_t i = 0; i < r->n && known; i++) {
        tell_loads(r, &r->recollections[i]);
        if (r->all) {
            tell_uses(r, r->recollections[i].id);
            tell_one(r->judge, &r->recollections[i]);
        }
    }
    r->due |= !known && r->all;
    r->loads_due |= !known;
    r->read_s = known ? r->now.boottime_s : r->read_s;
    r->not_before_s = known ? 0 : clock_boottime_s() + again_s;
    r->reading = false;
    forget(r);
}

static void begin(struct remembered *r, const struct world *world, bool wait)
{
    r->recollections = calloc(world->n_containers + 1, sizeof *r->recollections);
    if (!r->recollections)
        return; /* with the next look */
    r->n = world->n_containers;
    char boot_id[40];
    clock_boot_id(config_settings(r->config)->procfs, boot_id, sizeof boot_id);
    r->now = keep_now_is(boot_id);
    for (size_t i = 0; i < r->n; i++) {
        memcpy(r->recollections[i].id, world->containers[i].id, CONTAINER_ID_SIZE);
        memcpy(r->recollections[i].started_at, world->containers[i].started_at,
               sizeof r->recollections[i].started_at);
        memcpy(r->recollections[i].name, world->containers[i].name, CONTAINER_NAME_SIZE);
        healer_key_of(r->config, &world->containers[i], r->recollections[i].key);
        r->recollections[i].held = r->recollections[i].baseline = FACT_UNKNOWN;
    }
    r->all = r->due;
    r->due = r->loads_due = false;
    r->reading = true;
    if (wait) {
        read_all(&r->work);
        all_read(&r->work, 0);
    } else if (uv_queue_work(r->loop, &r->work, read_all, all_read) < 0) {
        all_read(&r->work, -ENOMEM);
    }
}

/* Runners that come and times that are set anew: by a use, or by a load of ours. */
static uint64_t loaded(const struct world *world)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        for (size_t k = 0; k < c->n_processes; k++)
            if (process_is_live_runner(&c->processes[k]))
                sum = (sum ^ (uint64_t)c->processes[k].started_us) * 1099511628211u;
        for (size_t k = 0; k < c->ollama.n_models; k++)
            for (const char *at = c->ollama.models[k].expires_at; *at; at++)
                sum = (sum ^ (unsigned char)*at) * 1099511628211u;
    }
    return sum;
}

bool remembered_look(struct remembered *r, const struct world *world, bool wait)
{
    uint64_t now = loaded(world);
    r->loads_due |= now != r->loaded;
    r->loaded = now;
    if ((r->due || r->loads_due) && !r->reading && clock_boottime_s() >= r->not_before_s)
        begin(r, world, wait);
    return !r->due && !(r->reading && r->all);
}

void remembered_free(struct remembered *r)
{
    if (!r)
        return;
    forget(r);
    free(r);
}
