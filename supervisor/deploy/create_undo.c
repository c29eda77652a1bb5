/* Taking back what was made, in the opposite order; and what became of a call whose answer was
 * lost. */
#include "deploy/create_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int64_t engine_back_ms = 60000; /* an engine that restarts is back in seconds */
static const int64_t start_again_ms = 500;

enum { ATTEMPTS = 3 /* of a call whose answer was lost */, START_AGAIN = 4 };

/* Looks at the container once the engine answers (again). -ENOENT: it is not there. */
int create_settle(struct create *create, const char *id, json_t **ret_json, struct error *err)
{
    struct error own;
    int r = await_engine(create->await, engine_back_ms, &own);
    if (r == 0)
        r = await_json(create->await, docker_inspect_json, id, ret_json, &own);
    if (r < 0 && err)
        *err = own;
    return r;
}

static int remove_container(struct create *create, const char *id, struct error *err)
{
    double end_s = 0;
    int r; /* as long as that one is under way its name is taken */
    while ((r = await_call(create->await, docker_remove, id, err)) == -EALREADY)
        if ((r = create_busy(create, &end_s, "removing", create->name, err)) < 0)
            return r;
    return create_absent(r, err) ? 0 : r;
}

/* What served before must serve again: a port or a network that is not given back yet may be so in
 * a moment. */
static int start_container(struct create *create, const char *id, struct error *err)
{
    int r = await_call(create->await, docker_start, id, err);
    for (int i = 0; r == -EIO && i < START_AGAIN; i++) {
        await_sleep(create->await, start_again_ms);
        r = await_call(create->await, docker_start, id, err);
    }
    return r;
}

static int remove_volume(struct create *create, const char *name, struct error *err)
{
    int r = await_call(create->await, docker_volume_remove, name, err);
    return create_absent(r, err) ? 0 : r;
}

static int call(struct create *create, const struct create_deed *deed, struct error *err)
{
    switch (deed->what) {
    case DEED_START:
        return await_call(create->await, docker_start, deed->id, err);
    case DEED_START_AGAIN:
        return start_container(create, deed->id, err);
    case DEED_STOP:
        return await_stop(create->await, deed->id, deed->grace_s, err);
    case DEED_REMOVE:
        return remove_container(create, deed->id, err);
    case DEED_REMOVE_VOLUME:
        break;
    }
    return remove_volume(create, deed->id, err);
}

int create_do(struct create *create, const struct create_deed *deed, struct error *err)
{
    /* The others may be made twice. */
    bool looked = deed->what == DEED_START || deed->what == DEED_STOP;
    int r = -EIO;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        CLEANUP_JSON json_t *now = NULL;
        r = call(create, deed, err);
        if (!await_lost(r, err))
            return r;
        if ((looked ? create_settle(create, deed->id, &now, NULL)
                    : await_engine(create->await, engine_back_ms, err)) < 0)
            return r;
        if (looked && create_is_running(now) == (deed->what == DEED_START))
            return 0;
    }
    return r;
}

int create_remove(struct create *create, const char *id, struct error *err)
{
    const struct create_deed deed = {.what = DEED_REMOVE, .id = id};
    return create_do(create, &deed, err);
}

static void take_away_volume(struct create *create)
{
    struct error err = {0};
    const char *volume = create->plan->profile.volume;
    const struct create_deed deed = {.what = DEED_REMOVE_VOLUME, .id = volume};
    if (!create->volume_made)
        return;
    if (create_volume_used(create)) {
        create_say(
            create, CREATE_STEP,
            "volume %s stays: what was downloaded is in it, the next pull goes on from there",
            volume);
        return;
    }
    if (create_do(create, &deed, &err) < 0)
        create_say(create, CREATE_WARNING, "volume %s is left: %s", volume, err.message);
    else
        create_say(create, CREATE_STEP, "volume %s taken away again", volume);
}

static void put_back_old(struct create *create)
{
    struct error err = {0};
    const struct create_deed start = {.what = DEED_START_AGAIN, .id = create->old.id};
    if (!create->set_aside && !create->old_was_running)
        return;
    if (create->set_aside && create_rename(create, create->old.id, create->name, &err) < 0) {
        create_say(create, CREATE_WARNING,
                   "%s could not get its name back (docker rename %s %s): %s", create->old_name,
                   create->old_name, create->name, err.message);
        return;
    }
    if (create->old_was_running && create_do(create, &start, &err) < 0) {
        create_say(create, CREATE_WARNING, "%s is back, but could not be started: %s", create->name,
                   err.message);
        return;
    }
    create_say(create, CREATE_STEP, "the container that %s was is back%s", create->name,
               create->old_was_running ? " and runs" : "");
}

void create_undo(struct create *create)
{
    struct error err = {0};
    await_forget_signal(create->await);
    if (create->made && create_remove(create, create->result->id, &err) < 0) {
        create_say(create, CREATE_WARNING, "%s is left behind (docker rm -f %s): %s", create->name,
                   create->name, err.message);
        return; /* its name is taken, its volume in use */
    }
    if (create->made)
        create_say(create, CREATE_STEP, "container %s taken away again", create->name);
    take_away_volume(create);
    put_back_old(create);
    for (size_t i = 0; i < create->n_evicted; i++) {
        const struct create_deed again = {.what = DEED_START_AGAIN, .id = create->evicted[i]};
        int r = create_do(create, &again, &err);
        if (r < 0 && !create_absent(r, &err))
            create_say(create, CREATE_WARNING,
                       "%.12s was stopped and could not be started again: %s", create->evicted[i],
                       err.message);
        else if (r == 0)
            create_say(create, CREATE_STEP, "%.12s started again", create->evicted[i]);
    }
}
