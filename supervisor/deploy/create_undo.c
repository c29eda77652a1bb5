/* Taking back what was made, in the opposite order; and what became of a call whose answer was
 * lost. */
#include "deploy/create_private.h"

static const int64_t engine_back_ms = 60000; /* an engine that restarts is back in seconds */
static const int64_t start_again_ms = 500;

enum { ATTEMPTS = 3 /* of a call whose answer was lost */, START_AGAIN = 4 };

/* Looks at the container once the engine answers (again). -ENOENT: it is not there. */
int create_settle(struct create *create, const char *id, json_t **ret_json, struct error *err)
{
    struct error own;
    int r = await_engine(create->await, engine_back_ms, &own);
    if (r == 0)
        r = await_json(create->await, DOCKER_CONTAINER, id, ret_json, &own);
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

static int call(struct create *create, enum create_deed deed, const char *id, int64_t grace_s,
                struct error *err)
{
    switch (deed) {
    case DEED_START:
        return await_call(create->await, docker_start, id, err);
    case DEED_START_AGAIN:
        return start_container(create, id, err);
    case DEED_STOP:
        return await_stop(create->await, id, grace_s, err);
    case DEED_REMOVE:
        break;
    }
    return remove_container(create, id, err);
}

int create_do(struct create *create, enum create_deed deed, const char *id, int64_t grace_s,
              struct error *err)
{
    bool looked = deed == DEED_START || deed == DEED_STOP; /* the others may be made twice */
    int r = -EIO;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        CLEANUP_JSON json_t *now = NULL;
        r = call(create, deed, id, grace_s, err);
        if (!await_lost(r, err))
            return r;
        if ((looked ? create_settle(create, id, &now, NULL)
                    : await_engine(create->await, engine_back_ms, err)) < 0)
            return r;
        if (looked && create_is_running(now) == (deed == DEED_START))
            return 0;
    }
    return r;
}

int create_remove(struct create *create, const char *id, struct error *err)
{
    return create_do(create, DEED_REMOVE, id, 0, err);
}

/* It runs first, under whatever name: killed here, it serves already. */
void create_put_back_old(struct create *create)
{
    struct error err = {0};
    if (!create->set_aside)
        return;
    if (create->old_was_running && create_do(create, DEED_START_AGAIN, create->old.id, 0, &err) < 0)
        create_say(create, CREATE_WARNING, "%s is back, but could not be started: %s", create->name,
                   err.message);
    if (create_rename(create, create->old.id, create->name, &err) < 0) {
        create_say(create, CREATE_WARNING,
                   "%s could not get its name back (docker rename %s %s): %s", create->old_name,
                   create->old_name, create->name, err.message);
        return;
    }
    create_say(create, CREATE_STEP, "the container that %s was is back%s", create->name,
               create->old_was_running ? " and runs" : "");
}

/* Not beside the old one on the same volume, nor beside those that were stopped for it, when they
 * are started again. Whether it does not run. */
static bool stop_made(struct create *create)
{
    CLEANUP_JSON json_t *json = NULL;
    struct error err = {0};
    bool stops = (create->made && create->set_aside) || (create->started && create->n_evicted > 0);
    int r = stops ? create_settle(create, create->result->id, &json, NULL) : 0;
    if (stops && r == 0 && (r = create_stop(create, json, &err)) < 0)
        create_say(create, CREATE_WARNING, "%s does not stop: %s", create->name, err.message);
    return r == 0;
}

static bool take_away_made(struct create *create)
{
    struct error err = {0};
    if (!create->made)
        return true;
    if (create->quieted && create_set_policy(create, create->old.id, &create->policy, &err) < 0)
        create_say(
            create, CREATE_WARNING,
            "the restart policy of what %s was is `no` and was %s (docker update --restart): "
            "%s",
            create->name, create->policy.name, err.message);
    if (create_remove(create, create->result->id, &err) < 0) {
        create_say(create, CREATE_WARNING, "%s is left behind (docker rm -f %s): %s", create->name,
                   create->name, err.message);
        return false;
    }
    create_say(create, CREATE_STEP, "container %s taken away again", create->name);
    return true;
}

static void start_evicted(struct create *create)
{
    struct error err = {0};
    for (; create->n_evicted > 0; create->n_evicted--) {
        const char *id = create->evicted[create->n_evicted - 1];
        int r = create_do(create, DEED_START_AGAIN, id, 0, &err);
        if (r < 0 && !create_absent(r, &err))
            create_say(create, CREATE_WARNING,
                       "%.12s was stopped and could not be started again: %s", id, err.message);
        else if (r == 0)
            create_say(create, CREATE_STEP, "%.12s started again", id);
    }
}

/* Those that were stopped for it run before it goes: its label is what names them, to the next run
 * where this one is killed. */
void create_undo(struct create *create)
{
    create->undoing = true;
    await_forget_signal(create->await);
    if (stop_made(create))
        start_evicted(create);
    if (!take_away_made(create))
        return; /* its name is taken, its volume in use */
    if (create->volume_made)
        create_say(create, CREATE_STEP, "volume %s, which was made for it, stays",
                   create->plan->profile.volume);
    create_put_back_old(create);
    start_evicted(create);
}
