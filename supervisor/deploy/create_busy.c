/* What the engine still does for a run that was interrupted: it carries on without its client. That
 * is told once, and waited for, at most so long. */
#include "base/clock.h"
#include "deploy/create_private.h"

/* Of an engine that is alive: making one copies the image's files into the volume, removing one
 * deletes its layer, on a slow disk. */
static const double busy_s = 60;
static const int64_t look_ms = 200;
static const double margin_s = 10; /* beyond the stop grace, until it is seen to have stopped */
static const fact engine_grace_s = 10;

int create_busy(struct create *create, double *end_s, const char *what, const char *name,
                struct error *err)
{
    double now_s = clock_boottime_s();
    if (*end_s == 0) {
        *end_s = now_s + busy_s;
        create_say(create, CREATE_STEP,
                   "the engine is still %s %s, as it was told before: waited for", what, name);
    }
    if (now_s >= *end_s)
        return error_set(err, FAILURE_JOB, -EBUSY,
                         "the engine has been %s %s for %.0f s; try again when that is done "
                         "(docker ps -a)",
                         what, name, busy_s);
    if (create->undoing)
        await_forget_signal(create->await);
    return await_sleep(create->await, look_ms) < 0 && !create->undoing
               ? error_set(err, FAILURE_JOB, -EINTR, "interrupted")
               : 0;
}

static bool has_status(const json_t *container, const char *status)
{
    const char *is = member_string(json_object_get(container, "State"), "Status");
    return is && strcmp(is, status) == 0;
}

bool create_is_unfinished(const json_t *container)
{
    return create_label(container, "supervisor.create") && has_status(container, "created");
}

bool create_is_stopping(struct create *create, const json_t *container)
{
    const char *id = member_string(container, "Id");
    fact grace_s = member_fact(json_object_get(container, "Config"), "StopTimeout");
    double window_s = (double)(fact_known(grace_s) ? grace_s : engine_grace_s) + margin_s;
    return id && create_is_running(container) && await_told_to_stop(create->await, id, window_s);
}

int create_whose(struct create *create, const char *name, enum create_whose *ret_whose,
                 char ret_id[CONTAINER_ID_SIZE], struct error *err)
{
    CLEANUP_JSON json_t *json = NULL;
    struct error own = {0};
    int r = create_settle(create, name, &json, &own);
    if (r < 0 && !create_absent(r, &own)) {
        *err = own;
        return r;
    }
    const char *token = create_label(json, "supervisor.create");
    *ret_whose = r < 0 || has_status(json, "removing")        ? CREATE_NOBODYS
                 : token && strcmp(token, create->token) == 0 ? CREATE_OURS
                 : create_is_unfinished(json)                 ? CREATE_UNFINISHED
                                                              : CREATE_ANOTHERS;
    if (r == 0)
        member_text(json, "Id", ret_id, CONTAINER_ID_SIZE);
    return 0;
}

static int inspect_named(struct create *create, const char *name, struct create_container *ret,
                         struct error *err)
{
    json_decref(ret->json);
    *ret = (struct create_container){.json = NULL};
    int r = create_find(create, DOCKER_CONTAINER, name, &ret->json, err);
    if (r <= 0)
        return r;
    const char *found = member_string(ret->json, "Name");
    if (!found || strcmp(found + (found[0] == '/'), name) != 0) { /* the engine also takes ids */
        json_decref(ret->json);
        ret->json = NULL;
        return 0;
    }
    member_text(ret->json, "Id", ret->id, sizeof ret->id);
    ret->running = create_is_running(ret->json);
    return 0;
}

/* One renamed between two questions has both names, or none. */
static int inspect_both(struct create *create, struct error *err)
{
    int r = inspect_named(create, create->name, &create->existing, err);
    if (r == 0)
        r = inspect_named(create, create->old_name, &create->old, err);
    if (r == 0)
        r = inspect_named(create, create->kept_name, &create->kept, err);
    if (r == 0 && !create->old.json && !create->existing.json)
        r = inspect_named(create, create->name, &create->existing, err);
    return r;
}

static bool is_one(const struct create_container *a, const struct create_container *b)
{
    return a->json && b->json && strcmp(a->id, b->id) == 0;
}

int create_look_at_names(struct create *create, struct error *err)
{
    double end_s = 0;
    for (;;) {
        int r = inspect_both(create, err);
        if (r < 0)
            return r;
        const struct create_container *one = &create->existing, *old = &create->old;
        bool renamed = is_one(one, old) || is_one(old, &create->kept);
        const char *what = renamed                                 ? "renaming"
                           : has_status(one->json, "removing")     ? "removing"
                           : create_is_stopping(create, one->json) ? "stopping"
                                                                   : NULL;
        const char *name = create->name;
        if (!what) {
            what = has_status(old->json, "removing")       ? "removing"
                   : create_is_stopping(create, old->json) ? "stopping"
                                                           : NULL;
            name = create->old_name;
        }
        if (!what)
            return 0;
        r = create_busy(create, &end_s, what, name, err);
        if (r < 0)
            return r;
    }
}
