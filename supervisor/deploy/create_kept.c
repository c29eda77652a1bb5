/* The container that is replaced: it steps aside, is kept when the new one answers, comes back
 * where that does not, and goes only when a person says so. */
#include "deploy/create_private.h"
#include <stdlib.h>

static const int64_t engine_back_ms = 60000;

bool create_came_for(const json_t *container, const char *id)
{
    const char *label = create_label(container, CREATE_REPLACES_LABEL);
    return label && id[0] && strcmp(label, id) == 0;
}

/* What `create` is told by the names: NAME, NAME-replaced-by-supervisor, NAME-kept-by-supervisor.
 */
void create_judge_names(struct create *create)
{
    const json_t *existing = create->existing.json, *old = create->old.json;
    create->unfinished = create_is_unfinished(existing);
    create->unconfirmed =
        existing && !create->unfinished && create_came_for(existing, create->old.id);
    create->replacing = existing
                            ? create->unfinished || (create->wish->replace && !create->unconfirmed)
                            : old != NULL;
    create->seen->exists = existing && !create->replacing;
    create->seen->running = create->seen->exists && create->existing.running;
    if (create->kept.json)
        memcpy(create->seen->kept, create->kept_name, sizeof create->seen->kept);
    create->from = !create->replacing ? NULL : create->unfinished || !existing ? old : existing;
    char *text = create->seen->leftover;
    size_t size = sizeof create->seen->leftover;
    if (create->unfinished)
        snprintf(text, size, "an earlier run made %.64s and never started it: it is made anew",
                 create->name);
    else if (old && !existing)
        snprintf(text, size,
                 "an earlier run set %.100s aside and made nothing in its place: that is done now",
                 create->old_name);
    else if (create->unconfirmed)
        snprintf(text, size,
                 "an earlier run put %.64s in the place of %.100s: it is kept if it answers, else "
                 "the other one is put back",
                 create->name, create->old_name);
    else if (old && !create->wish->replace)
        snprintf(text, size, "%.100s is there, and %.64s does not name it: it is left alone",
                 create->old_name, create->name);
}

#define refuse(create, ...)                                                                        \
    deploy_find((create)->plan, DEPLOY_REFUSAL, "name", FACT_UNKNOWN, __VA_ARGS__)

static void judge_discard(struct create *create)
{
    const struct create_container *kept = &create->kept;
    struct create_layer layer = {.found = 0};
    if (!create->wish->discard || !kept->json)
        return;
    if (!create_came_for(create->existing.json, kept->id))
        refuse(create,
               "%.100s is not what %.64s came for by its label " CREATE_REPLACES_LABEL
               ": remove it yourself: docker rm %.100s",
               create->kept_name, create->name, create->kept_name);
    else if (kept->running)
        return; /* judge_running refuses */
    else if (create_look_at_layer(create, kept, &layer, NULL) == 0) {
        create_judge_layer(create, create->kept_name, &layer, true);
        deploy_find(create->plan, DEPLOY_NOTE, "name", FACT_UNKNOWN,
                    "%.100s is removed as soon as %.64s answers; its volumes stay",
                    create->kept_name, create->name);
    } else
        refuse(create,
               "what %.100s has in its own layer cannot be seen: look and remove it by "
               "docker rm",
               create->kept_name);
}

/* Compose finds its containers by labels, which nobody can take off. */
static void judge_compose(struct create *create)
{
    const char *project = create_label(create->from, "com.docker.compose.project"),
               *service = create_label(create->from, "com.docker.compose.service");
    if (project && service)
        deploy_find(create->plan, DEPLOY_WARNING, "name", FACT_UNKNOWN,
                    "%.64s is Compose's (project %.64s, service %.64s), and what is kept of it "
                    "stays so: `docker compose up` would %s. Take the service out of its file",
                    create->name, project, service,
                    create->wish->discard ? "make another one beside the new one"
                                          : "start the kept one beside the new one");
}

/* What steps aside needs the names, and leaves its layer behind. */
static void judge_replaced(struct create *create)
{
    struct create_layer layer = {.found = 0};
    struct error err = {0};
    struct create_container one = {.json = (json_t *)create->from};
    if (!create->from)
        return;
    deploy_find(create->plan, DEPLOY_NOTE, "name", FACT_UNKNOWN,
                create->wish->discard
                    ? "what is replaced is removed as soon as %.64s answers (--discard); its "
                      "volumes stay"
                    : "what is replaced is kept, stopped, as %.64s" CREATE_KEPT_SUFFIX
                      ", with its volumes, until --discard",
                create->name);
    judge_compose(create);
    memcpy(one.id, create->from == create->old.json ? create->old.id : create->existing.id,
           sizeof one.id);
    if (create_look_at_layer(create, &one, &layer, &err) < 0)
        refuse(create, "what %.64s has in its own layer cannot be seen: %.200s", create->name,
               err.message);
    create_judge_layer(create, create->from == create->old.json ? create->old_name : create->name,
                       &layer, create->wish->discard);
    if (create->kept.json && !create->wish->discard)
        refuse(create,
               "%.100s is kept from the replacement before: remove it by --discard, then again",
               create->kept_name);
    if (create->old.json && create->from != create->old.json)
        refuse(create,
               "%.100s is there, and %.64s does not name it as the one that it replaced: rename or "
               "remove it",
               create->old_name, create->name);
}

/* Somebody went back to it: it serves, and has the same mounted. True: it is so. */
static bool judge_running(struct create *create)
{
    const char *name = create->name, *kept = create->kept_name;
    if (!create->kept.running || !create_came_for(create->existing.json, create->kept.id))
        return false;
    bool both = create->existing.running && !create->replacing && !create->wish->discard;
    deploy_find(create->plan, both ? DEPLOY_WARNING : DEPLOY_REFUSAL, "name", FACT_UNKNOWN,
                "%.100s, which %.64s replaced, runs: both have the same mounted. Stop it (docker "
                "stop %.100s), or to stay with it: docker rm -f %.64s && docker rename %.100s "
                "%.64s",
                kept, name, kept, name, kept, name);
    return true;
}

void create_judge_kept(struct create *create)
{
    bool runs = judge_running(create);
    if (create->existing.json && !create->replacing && !create->unconfirmed && create->kept.json &&
        !create->wish->discard && !runs)
        deploy_find(create->plan, DEPLOY_NOTE, "name", FACT_UNKNOWN,
                    "%.100s, which was replaced, is kept, stopped: --discard removes it, not its "
                    "volumes",
                    create->kept_name);
    judge_discard(create);
    judge_replaced(create);
}

/* ---- its restart policy */

static struct create_policy policy_of(const json_t *container)
{
    struct create_policy policy = {.retries = 0};
    const json_t *is = json_object_get(json_object_get(container, "HostConfig"), "RestartPolicy");
    snprintf(policy.name, sizeof policy.name, "%s", member_string_or(is, "Name", ""));
    fact retries = member_fact(is, "MaximumRetryCount");
    policy.retries = fact_known(retries) ? retries : 0;
    if (!policy.name[0])
        snprintf(policy.name, sizeof policy.name, "no");
    return policy;
}

/* By the label of the one that came for it, which was written before it was changed; else as it is.
 */
struct create_policy create_policy_before(const json_t *container, const json_t *old)
{
    const char *label = create_label(container, CREATE_RESTART_LABEL);
    if (!label || !create_came_for(container, member_string_or(old, "Id", "")))
        return policy_of(old);
    struct create_policy policy = {.retries = 0};
    size_t length = strcspn(label, ":");
    snprintf(policy.name, sizeof policy.name, "%.*s", (int)length, label);
    if (label[length])
        policy.retries = strtol(label + length + 1, NULL, 10);
    return policy;
}

void create_label_replaced(const struct create *create, json_t *labels)
{
    const struct create_policy policy = create_policy_before(create->existing.json, create->from);
    const char *id = member_string(create->from, "Id");
    if (!id)
        return;
    json_object_set_new(labels, CREATE_REPLACES_LABEL, json_string(id));
    json_object_set_new(labels, CREATE_RESTART_LABEL,
                        policy.retries > 0
                            ? json_sprintf("%s:%lld", policy.name, (long long)policy.retries)
                            : json_string(policy.name));
}

int create_set_policy(struct create *create, const char *id, const struct create_policy *policy,
                      struct error *err)
{
    int r = await_policy(create->await, id, policy->name, policy->retries, err);
    if (await_lost(r, err) && await_engine(create->await, engine_back_ms, err) == 0)
        r = await_policy(create->await, id, policy->name, policy->retries, err);
    return r;
}

/* ---- what becomes of it */

/* The new one does its work: that this fails spoils nothing. */
static int discard_one(struct create *create, const char *id, const char *name)
{
    CLEANUP_JSON json_t *json = NULL;
    struct error own = {0};
    if (create_settle(create, id, &json, NULL) == 0 && create_is_running(json))
        create_say(create, CREATE_WARNING, "%s was started meanwhile, so it is not removed", name);
    else if (create_remove(create, id, &own) < 0)
        create_say(create, CREATE_WARNING, "%s could not be removed: %s", name, own.message);
    else
        create_say(create, CREATE_STEP, "%s is removed; its volumes stay", name);
    return 0;
}

int create_discard(struct create *create, struct error *err)
{
    (void)err;
    if (!create->wish->discard)
        return 0;
    if (create->kept.json)
        return discard_one(create, create->kept.id, create->kept_name);
    if (!create->set_aside)
        create_say(create, CREATE_STEP, "nothing is kept of what %s replaced", create->name);
    return 0;
}

int create_keep_old(struct create *create, struct error *err)
{
    struct error own = {0};
    (void)err;
    if (!create->set_aside)
        return 0;
    if (create->wish->discard)
        return discard_one(create, create->old.id, create->old_name);
    if (!create->wish->wait) {
        create_say(create, CREATE_STEP,
                   "%s is kept, stopped; the next run sees whether %s answers, and puts it back if "
                   "not",
                   create->old_name, create->name);
        return 0;
    }
    if (create_rename(create, create->old.id, create->kept_name, &own) < 0) {
        create_say(create, CREATE_WARNING, "%s, which was replaced, keeps that name: %s",
                   create->old_name, own.message);
        return 0;
    }
    memcpy(create->seen->kept, create->kept_name, sizeof create->seen->kept);
    create_say(create, CREATE_STEP,
               "the container that was replaced is kept as %s, stopped, with its volumes; "
               "--discard removes it",
               create->kept_name);
    return 0;
}
