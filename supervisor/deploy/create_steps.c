/* The steps, one after the other. What each did is noted in the create before the next begins, and
 * taken back by create_undo. */
#include "base/clock.h"
#include "base/size.h"
#include "deploy/create_private.h"

enum {
    ATTEMPTS = 3 /* of a call whose answer was lost */,
    STOP_GRACE_S = 10 /* the engine's own */
};

static bool on_image(void *userdata, const struct pull_progress *progress)
{
    struct create *create = userdata;
    create_say_progress(create, create->plan->profile.image, progress->current, progress->total);
    return true;
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
    if (await_json(create->await, DOCKER_VOLUME, volume, &json, NULL) == 0)
        create_look_at_disk(create, json, NULL);
    return 0;
}

int create_lock(struct create *create, const char *id, struct error *err)
{
    if (create->n_locks == CREATE_HELD_LOCKS)
        return 0;
    int r = keep_lock_container(create->settings->state, id, &create->locks[create->n_locks], NULL,
                                err);
    if (r == 0)
        create->n_locks++;
    return r;
}

int create_stop(struct create *create, const json_t *container, struct error *err)
{
    fact grace_s = member_fact(json_object_get(container, "Config"), "StopTimeout");
    return create_do(create, DEED_STOP, member_string(container, "Id"),
                     fact_known(grace_s) ? grace_s : STOP_GRACE_S, err);
}

/* One that a run left half-way, under its lock. */
static int remove_unfinished(struct create *create, const char *id, struct error *err)
{
    int r = create_lock(create, id, err);
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
        r = remove_unfinished(create, ret_id, &own);
    else if (r == 0 && whose == CREATE_ANOTHERS)
        r = error_set(&own, FAILURE_JOB, -EEXIST,
                      "somebody else made a container named %s in this moment", wanted->name);
    if (r < 0)
        *err = own;
    return r;
}

static bool has_name(struct create *create, const char *id, const char *name)
{
    CLEANUP_JSON json_t *json = NULL;
    const char *is =
        create_settle(create, id, &json, NULL) == 0 ? member_string(json, "Name") : NULL;
    return is && strcmp(is + (is[0] == '/'), name) == 0;
}

int create_rename(struct create *create, const char *id, const char *name, struct error *err)
{
    struct wanted wanted = {.name = name, .id = id};
    for (;;) {
        char other[CONTAINER_ID_SIZE] = "";
        int r = await_rename(create->await, id, name, err);
        bool taken = r == -EEXIST;
        if (r == 0 || has_name(create, id, name))
            return 0;
        if (!await_lost(r, err) && !taken)
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

/* What an earlier run set aside is what this run puts back if it fails; whether that one ran nobody
 * knows any more: it did, for it was to be replaced. */
static void take_over_old(struct create *create)
{
    if (!create->old.json)
        return;
    create->set_aside = create->old_was_running = create->quieted = true;
    create->policy = create_policy_before(create->existing.json, create->old.json);
}

/* What an earlier run created and never started goes. It is the one that knows how the old one was
 * restarted, which is put right before. */
static int clear_unfinished(struct create *create, struct error *err)
{
    int r = 0;
    if (!create->existing.json || create->unfinished)
        take_over_old(create);
    if (!create->unfinished)
        return 0;
    if (create->set_aside && create_came_for(create->existing.json, create->old.id))
        r = create_set_policy(create, create->old.id, &create->policy, err);
    return r < 0 ? r : remove_unfinished(create, create->existing.id, err);
}

/* The one that is replaced steps aside; it serves until the new one is made. */
static int set_aside(struct create *create, struct error *err)
{
    struct create_container *existing = &create->existing;
    if (!existing->json || create->unfinished)
        return 0;
    int r = create_lock(create, existing->id, err);
    if (r < 0)
        return r;
    create->old_locked = true;
    create->old_was_running = existing->running;
    create->policy = create_policy_before(NULL, existing->json);
    memcpy(create->old.id, existing->id, sizeof create->old.id);
    create->set_aside = true; /* noted first: taking it back looks at the name */
    return create_rename(create, existing->id, create->old_name, err);
}

/* The one that is replaced stops, and the engine does not start it by itself any more: what it has
 * mounted is the new one's. */
static int quiet_old(struct create *create, struct error *err)
{
    static const struct create_policy never = {"no", 0};
    CLEANUP_JSON json_t *json = NULL;
    if (!create->set_aside)
        return 0;
    int r = create->old_locked ? 0 : create_lock(create, create->old.id, err);
    create->quieted = true; /* noted first, as above */
    if (r == 0)
        r = create_set_policy(create, create->old.id, &never, err);
    if (r == 0)
        r = await_json(create->await, DOCKER_CONTAINER, create->old.id, &json, err);
    if (r < 0 || !create_is_running(json))
        return r;
    r = create_stop(create, json, err);
    if (r == 0)
        create_say(create, CREATE_STEP, "%s, which is replaced, stopped", create->name);
    return r;
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

static bool has_joined(struct create *create, const char *network)
{
    CLEANUP_JSON json_t *json = NULL;
    return create_settle(create, create->result->id, &json, NULL) == 0 &&
           json_object_get(json_object_get(json_object_get(json, "NetworkSettings"), "Networks"),
                           network);
}

static int join_networks(struct create *create, struct error *err)
{
    const char *name;
    json_t *endpoint;
    json_object_foreach(create->networks, name, endpoint)
    {
        int r = await_network_connect(create->await, name, create->result->id, endpoint, err);
        if (r < 0 && !has_joined(create, name))
            return r;
        create_say(create, CREATE_STEP, "network %s joined, as before", name);
    }
    return 0;
}

static int evict(struct create *create, struct error *err)
{
    for (size_t i = 0; i < create->plan->n_evict; i++) {
        const struct deploy_other *other = &create->seen->facts.others[create->plan->evict[i]];
        CLEANUP_JSON json_t *json = NULL;
        int r = create_lock(create, other->id, err);
        if (r == 0)
            r = create_find(create, DOCKER_CONTAINER, other->id, &json, err);
        if (r < 0)
            return r;
        if (r == 0) /* it went away by itself */
            continue;
        if (create->n_evicted < DEPLOY_OTHERS_MAX) /* noted first: a stop that fails half-way */
            memcpy(create->evicted[create->n_evicted++], other->id, CONTAINER_ID_SIZE);
        r = create_stop(create, json, err);
        if (create_absent(r, err))
            continue;
        if (r < 0)
            return r;
        create_say(create, CREATE_STEP, "%s stopped, which held %s", other->name,
                   SHOWN(other->held));
    }
    return 0;
}

static int start(struct create *create, struct error *err)
{
    create->started = true; /* noted first */
    int r = create_do(create, DEED_START, create->result->id, 0, err);
    if (r == 0)
        create_say(create, CREATE_STEP, "%s started", create->name);
    return r;
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
                                  join_networks,
                                  quiet_old,
                                  evict,
                                  start,
                                  create_verify,
                                  create_wait,
                                  create_release_memory,
                                  create_pull_model,
                                  create_discard,
                                  create_keep_old,
                                  NULL};
    return go(create, steps, err);
}

/* It is there. Where it stands still, it needs the memory as a new one would. */
int create_finish_existing(struct create *create, struct error *err)
{
    static step *const begin[] = {quiet_old, evict, start, NULL};
    static step *const steps[] = {
        create_verify,   create_wait, create_release_memory, create_pull_model, create_discard,
        create_keep_old, NULL};
    int r = 0;
    memcpy(create->result->id, create->existing.id, sizeof create->result->id);
    if (create->unconfirmed) {
        take_over_old(create);
        create->made = true;
    }
    if (!create->existing.running)
        r = go(create, begin, err);
    return r < 0 ? r : go(create, steps, err);
}
