/* The steps, one after the other. What each did is noted in the create before the next begins, and
 * taken back by create_undo. */
#include "base/clock.h"
#include "base/size.h"
#include "deploy/create_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ATTEMPTS = 3 /* of a call whose answer was lost */,
    STOP_GRACE_S = 10 /* the engine's own */
};

static void on_image(void *userdata, const struct docker_pull_progress *progress)
{
    struct create *create = userdata;
    create_say_progress(create, create->plan->profile.image, progress->current, progress->total);
}

static int pull_image(struct create *create, struct error *err)
{
    const char *image = create->plan->profile.image;
    double start_s = clock_boottime_s();
    if (create->seen->image_present)
        return 0;
    int r = await_pull(create->await, image, on_image, create, err);
    if (r == 0)
        create_say(create, CREATE_STEP, "image %s pulled in %.0f s", image,
                   clock_boottime_s() - start_s);
    return r;
}

static int make_volume(struct create *create, struct error *err)
{
    const char *volume = create->plan->profile.volume;
    CLEANUP_JSON json_t *labels =
        json_pack("{s:s}", "supervisor.profile", create->plan->profile.name);
    if (create->seen->volume_present)
        return 0;
    int r = await_volume_create(create->await, volume, labels, err);
    if (await_lost(r, err)) /* asking for one that is there gives that one */
        r = await_engine(create->await, 60000, err) < 0
                ? r
                : await_volume_create(create->await, volume, labels, err);
    if (r < 0)
        return r;
    create->volume_made = true;
    create_say(create, CREATE_STEP, "volume %s made", volume);
    CLEANUP_JSON json_t *json = NULL;
    if (await_json(create->await, docker_volume_json, volume, &json, NULL) == 0)
        create_look_at_disk(create, json, NULL);
    return 0;
}

static int lock(struct create *create, const char *id, struct error *err)
{
    if (create->n_locks == CREATE_HELD_LOCKS)
        return 0;
    int r = keep_lock_container(create->settings->state, id, &create->locks[create->n_locks], NULL,
                                err);
    if (r == 0)
        create->n_locks++;
    return r;
}

/* With its own grace. */
static int stop(struct create *create, const json_t *container, struct error *err)
{
    fact grace_s = member_fact(json_object_get(container, "Config"), "StopTimeout");
    const struct create_deed deed = {.what = DEED_STOP,
                                     .id = member_string(container, "Id"),
                                     .grace_s = fact_known(grace_s) ? grace_s : STOP_GRACE_S};
    return create_do(create, &deed, err);
}

int create_remove_unfinished(struct create *create, const char *id, struct error *err)
{
    int r = lock(create, id, err);
    if (r == 0)
        r = create_remove(create, id, err);
    if (r == 0)
        create_say(create, CREATE_STEP,
                   "%s, created by an earlier run and never started, is removed", create->name);
    return r;
}

/* A call that wants a name, until it has it. */
struct wanted {
    const char *name, *id; /* id: of the container that is to have it; NULL: a new one */
    int tries;
    double end_s; /* of waiting for the engine, create_busy's */
};

/* Such a call failed, by a lost answer or since the name is taken: by whom? 0: by nobody any more,
 * so that it may be made again; 1: by the one that is to have it, or by this run's, *ret_id. One of
 * ours that was never started goes: whoever made it is gone, for the name's lock is ours. */
static int look_who_has_it(struct create *create, struct wanted *wanted, bool taken,
                           char ret_id[CONTAINER_ID_SIZE], struct error *err)
{
    enum create_whose whose;
    struct error own = {0};
    int r = create_whose(create, wanted->name, &whose, ret_id, &own);
    if (r == 0 && (whose == CREATE_OURS || (wanted->id && strcmp(ret_id, wanted->id) == 0)))
        return 1;
    if (r == 0 && whose == CREATE_NOBODYS && taken)
        r = create_busy(create, &wanted->end_s, "at work on", wanted->name, &own);
    else if (++wanted->tries == ATTEMPTS)
        return -EIO; /* the call's own words say why */
    else if (r == 0 && whose == CREATE_UNFINISHED)
        r = create_remove_unfinished(create, ret_id, &own);
    else if (r == 0 && whose == CREATE_ANOTHERS)
        r = error_set(&own, FAILURE_JOB, -EEXIST,
                      "somebody else made a container named %s in this moment", wanted->name);
    if (r < 0)
        *err = own;
    return r;
}

int create_rename(struct create *create, const char *id, const char *name, struct error *err)
{
    struct wanted wanted = {.name = name, .id = id};
    for (;;) {
        char other[CONTAINER_ID_SIZE] = "";
        int r = await_rename(create->await, id, name, err);
        bool taken = r == -EEXIST;
        if (r == 0 || (!await_lost(r, err) && !taken))
            return r;
        r = look_who_has_it(create, &wanted, taken, other, err);
        if (r == 1 && strcmp(other, id) == 0)
            return 0;
        if (r == 1)
            r = create_remove(create, other, err);
        if (r < 0)
            return r;
    }
}

/* What an earlier run created and never started goes. What it set aside is what this run puts back
 * if it fails; whether that one ran nobody knows any more: it did, for it was to be replaced. */
static int clear_unfinished(struct create *create, struct error *err)
{
    if (create->old.json)
        create->set_aside = create->old_was_running = true;
    return create->unfinished ? create_remove_unfinished(create, create->existing.id, err) : 0;
}

/* The one that is replaced stops and steps aside. */
static int set_aside(struct create *create, struct error *err)
{
    struct create_container *existing = &create->existing;
    if (!existing->json || create->unfinished)
        return 0;
    int r = lock(create, existing->id, err);
    if (r < 0)
        return r;
    create->old_was_running = existing->running;
    memcpy(create->old.id, existing->id, sizeof create->old.id);
    if (existing->running) {
        r = stop(create, existing->json, err);
        if (r < 0)
            return r;
        create_say(create, CREATE_STEP, "%s, which is replaced, stopped", create->name);
    }
    create->set_aside = true; /* noted first: taking it back looks at the name */
    return create_rename(create, existing->id, create->old_name, err);
}

/* A lost answer, or a name that is taken: by what this run asked for, or by what another one did
 * that was interrupted, which the engine may be at work on still? */
static int make_container(struct create *create, struct error *err)
{
    char warnings[512] = "";
    struct wanted wanted = {.name = create->name};
    int r;
    do {
        r = await_create(create->await, create->name, create->result->request, create->result->id,
                         warnings, sizeof warnings, err);
        if (await_lost(r, err) || r == -EEXIST)
            r = look_who_has_it(create, &wanted, r == -EEXIST, create->result->id, err);
        else if (r == 0)
            r = 1;
    } while (r == 0);
    if (r < 0)
        return r;
    create->made = true;
    create_say(create, CREATE_STEP, "container %s made", create->name);
    if (strstr(warnings, "iscarded"))
        return error_set(err, FAILURE_JOB, -EOPNOTSUPP, "the engine cannot limit it: %.300s",
                         warnings);
    if (warnings[0])
        create_say(create, CREATE_WARNING, "the engine warns: %s", warnings);
    return 0;
}

static int evict(struct create *create, struct error *err)
{
    for (size_t i = 0; i < create->plan->n_evict; i++) {
        const struct deploy_other *other = &create->seen->facts.others[create->plan->evict[i]];
        CLEANUP_JSON json_t *json = NULL;
        int r = lock(create, other->id, err);
        if (r == 0)
            r = await_json(create->await, docker_inspect_json, other->id, &json, err);
        if (r < 0)
            return r;
        if (create->n_evicted < DEPLOY_OTHERS_MAX) /* noted first: a stop that fails half-way */
            memcpy(create->evicted[create->n_evicted++], other->id, CONTAINER_ID_SIZE);
        r = stop(create, json, err);
        if (r < 0)
            return r;
        create_say(create, CREATE_STEP, "%s stopped, which held %s", other->name,
                   SHOWN(other->held));
    }
    return 0;
}

static int start(struct create *create, struct error *err)
{
    const struct create_deed deed = {.what = DEED_START, .id = create->result->id};
    int r = create_do(create, &deed, err);
    if (r == 0)
        create_say(create, CREATE_STEP, "%s started", create->name);
    return r;
}

/* Its work is done elsewhere now: that it cannot be removed spoils nothing. */
static int remove_old(struct create *create, struct error *err)
{
    struct error own = {0};
    (void)err;
    if (!create->old.id[0])
        return 0;
    if (create_remove(create, create->old.id, &own) < 0)
        create_say(create, CREATE_WARNING,
                   "%s, which was replaced, is left: %s; the next run removes it", create->old_name,
                   own.message);
    else
        create_say(create, CREATE_STEP,
                   "the container that was replaced is removed; volume %s stays",
                   create->plan->profile.volume);
    return 0;
}

typedef int step(struct create *create, struct error *err);

static int go(struct create *create, step *const *steps, struct error *err)
{
    for (; *steps; steps++) {
        if (await_signal(create->await))
            return error_set(err, FAILURE_JOB, -EINTR, "interrupted");
        int r = (*steps)(create, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int create_carry_out(struct create *create, struct error *err)
{
    static step *const steps[] = {clear_unfinished,
                                  pull_image,
                                  make_volume,
                                  set_aside,
                                  make_container,
                                  evict,
                                  start,
                                  create_verify,
                                  create_wait,
                                  create_pull_model,
                                  remove_old,
                                  NULL};
    return go(create, steps, err);
}

int create_finish_existing(struct create *create, struct error *err)
{
    static step *const steps[] = {create_verify, create_wait, create_pull_model, remove_old, NULL};
    memcpy(create->result->id, create->existing.id, sizeof create->result->id);
    if (!create->existing.running) {
        int r = start(create, err);
        if (r < 0)
            return r;
    }
    return go(create, steps, err);
}
