/* Taking back what was made, in the opposite order; and what became of a call whose answer was
 * lost. */
#include "deploy/create_private.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int64_t engine_back_ms = 60000; /* an engine that restarts is back in seconds */
static const int64_t start_again_ms = 500;

enum { START_AGAIN = 4 };

/* Looks at the container once the engine answers (again). -ENOENT: it is not there. */
int create_settle(struct create *create, const char *id, json_t **ret_json, struct error *err)
{
    struct error own;
    int r = await_engine(create->await, engine_back_ms, &own);
    if (r == 0)
        r = await_inspect(create->await, id, ret_json, &own);
    if (r < 0 && err)
        *err = own;
    return r;
}

/* A call, made again where its answer was lost; `gone` is as good as done. */
struct deed {
    struct create *create;
    int (*call)(struct create *create, const char *id, struct error *err);
    const char *id;
};

static int insist(const struct deed *deed, struct error *err)
{
    int r = 0;
    for (int attempt = 0; attempt < 3; attempt++) {
        r = deed->call(deed->create, deed->id, err);
        if (!await_lost(r, err) || await_engine(deed->create->await, engine_back_ms, err) < 0)
            break;
    }
    return r;
}

static int remove_container(struct create *create, const char *id, struct error *err)
{
    double end_s = 0;
    int r;
    while ((r = await_remove(create->await, id, err)) == -EALREADY) /* its name is still taken */
        if ((r = create_busy(create, &end_s, "removing", create->name, err)) < 0)
            return r;
    return create_absent(r, err) ? 0 : r;
}

int create_remove(struct create *create, const char *id, struct error *err)
{
    const struct deed deed = {create, remove_container, id};
    return insist(&deed, err);
}

/* What served before must serve again: a port or a network that is not given back yet may be so in
 * a moment. */
static int start_container(struct create *create, const char *id, struct error *err)
{
    int r = await_start(create->await, id, err);
    for (int i = 0; r == -EIO && i < START_AGAIN; i++) {
        await_sleep(create->await, start_again_ms);
        r = await_start(create->await, id, err);
    }
    return r;
}

static int remove_volume(struct create *create, const char *name, struct error *err)
{
    int r = await_volume_remove(create->await, name, err);
    return create_absent(r, err) ? 0 : r;
}

static void take_away_volume(struct create *create)
{
    struct error err = {0};
    const char *volume = create->plan->profile.volume;
    struct deed deed = {create, remove_volume, volume};
    if (!create->volume_made)
        return;
    if (create_volume_used(create)) {
        create_say(
            create, CREATE_STEP,
            "volume %s stays: what was downloaded is in it, the next pull goes on from there",
            volume);
        return;
    }
    if (insist(&deed, &err) < 0)
        create_say(create, CREATE_WARNING, "volume %s is left: %s", volume, err.message);
    else
        create_say(create, CREATE_STEP, "volume %s taken away again", volume);
}

static void put_back_old(struct create *create)
{
    struct error err = {0};
    struct deed start = {create, start_container, create->old.id};
    if (!create->set_aside && !create->old_was_running)
        return;
    if (create->set_aside && create_rename(create, create->old.id, create->name, &err) < 0) {
        create_say(create, CREATE_WARNING,
                   "%s could not get its name back (docker rename %s %s): %s", create->old_name,
                   create->old_name, create->name, err.message);
        return;
    }
    if (create->old_was_running && insist(&start, &err) < 0) {
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
        struct deed again = {create, start_container, create->evicted[i]};
        int r = insist(&again, &err);
        if (r < 0 && !create_absent(r, &err))
            create_say(create, CREATE_WARNING,
                       "%.12s was stopped and could not be started again: %s", create->evicted[i],
                       err.message);
        else if (r == 0)
            create_say(create, CREATE_STEP, "%.12s started again", create->evicted[i]);
    }
}
