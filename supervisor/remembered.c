#include "remembered.h"
#include "act/follow.h"
#include "act/healer.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double again_s = 1; /* after it could not be read */

struct recollection { /* of one container */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    char key[CONTAINER_NAME_SIZE];
    fact held; /* the most with a model, for the floor of a limit */
    struct keep_last last;
};

struct remembered {
    uv_loop_t *loop;
    const struct config *config;
    struct keep *keep;
    struct judge *judge;
    struct keep_now now; /* of the reading */
    bool due, reading;
    double not_before_s;
    uv_work_t work; /* one at a time, of all containers that are looked at */
    struct recollection *recollections;
    size_t n;
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
    return result < 0 ? result : keep_last(r->keep, one->id, one->key, &r->now, &one->last, NULL);
}

static void read_all(uv_work_t *work)
{
    struct remembered *r = work->data;
    r->result = 0;
    for (size_t i = 0; i < r->n && r->result == 0; i++)
        r->result = recall(r, &r->recollections[i]);
}

static void tell_one(struct judge *judge, const struct recollection *one)
{
    judge_tell_footprint(judge, one->id, one->held);
    if (one->last.stop && one->last.state == INTENT_DONE)
        judge_tell_stopped(judge, one->id, one->last.started_at);
    if (one->last.start && one->last.state == INTENT_FAILED)
        judge_tell_left_stopped(judge, one->id, one->last.started_at, one->last.age_s,
                                FOLLOW_STARTS_MAX, one->last.outcome);
}

static void all_read(uv_work_t *work, int status)
{
    struct remembered *r = work->data;
    bool known = status == 0 && r->result == 0;
    for (size_t i = 0; i < r->n && known; i++)
        tell_one(r->judge, &r->recollections[i]);
    r->due |= !known;
    r->not_before_s = known ? 0 : clock_boottime_s() + again_s;
    r->reading = false;
    free(r->recollections);
    r->recollections = NULL;
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
        memcpy(r->recollections[i].name, world->containers[i].name, CONTAINER_NAME_SIZE);
        healer_key_of(r->config, &world->containers[i], r->recollections[i].key);
        r->recollections[i].held = FACT_UNKNOWN;
    }
    r->due = false;
    r->reading = true;
    if (wait) {
        read_all(&r->work);
        all_read(&r->work, 0);
    } else if (uv_queue_work(r->loop, &r->work, read_all, all_read) < 0) {
        all_read(&r->work, -ENOMEM);
    }
}

bool remembered_look(struct remembered *r, const struct world *world, bool wait)
{
    if (r->due && !r->reading && clock_boottime_s() >= r->not_before_s)
        begin(r, world, wait);
    return !r->due && !r->reading;
}

void remembered_free(struct remembered *r)
{
    if (!r)
        return;
    free(r->recollections);
    free(r);
}
