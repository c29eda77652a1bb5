#include "deploy/create.h"
#include "deploy/create_private.h"
#include <stdlib.h>

static const int64_t memory_look_ms = 200;

static void emit(struct create *create, enum create_event_kind kind, const char *text, fact current,
                 fact total)
{
    struct create_event event = {
        kind, text, current, total, create->seen, create->plan, create->result->differs};
    create->tell(create->userdata, &event);
}

void create_say(struct create *create, enum create_event_kind kind, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    emit(create, kind, text, FACT_UNKNOWN, FACT_UNKNOWN);
}

void create_say_progress(struct create *create, const char *what, fact current, fact total)
{
    emit(create, CREATE_PROGRESS, what, current, total);
}

void create_result_clear(struct create_result *result)
{
    json_decref(result->request);
    json_decref(result->differs);
    result->request = result->differs = NULL;
}

/* Those that an interrupted run of this name stopped, by its container's label: they are stopped
 * for this one now. */
static void take_over_evicted(struct create *create)
{
    const struct deploy_facts *facts = &create->seen->facts;
    const char *label = create->unfinished || create->unconfirmed
                            ? create_label(create->existing.json, "supervisor.evicted")
                            : NULL;
    for (size_t i = 0; label && i < facts->n_others; i++) {
        char id[16];
        snprintf(id, sizeof id, "%.12s", facts->others[i].id);
        if (strstr(label, id) && !facts->others[i].running && create->n_evicted < DEPLOY_OTHERS_MAX)
            memcpy(create->evicted[create->n_evicted++], facts->others[i].id, CONTAINER_ID_SIZE);
    }
}

/* A container that runs has its memory, its port and its GPU: of the plan only the disk for a pull,
 * and whose it is, still matter. */
static void keep_what_matters(struct create *create)
{
    struct deploy_plan *plan = create->plan;
    size_t kept = 0;
    if (!create->seen->running)
        return;
    plan->refused = false;
    for (size_t i = 0; i < plan->n_findings; i++) {
        const struct deploy_finding *finding = &plan->findings[i];
        if (strcmp(finding->about, "disk") != 0 && strcmp(finding->about, "name") != 0)
            continue;
        plan->refused |= finding->severity == DEPLOY_REFUSAL;
        plan->findings[kept++] = *finding;
    }
    plan->n_findings = kept;
}

static int plan(struct create *create, struct error *err)
{
    create->plan->profile = create->wish->deploy.profile; /* what looking goes by */
    int r = create_look(create, err);
    if (r < 0)
        return r;
    struct deploy_wish wish = create->wish->deploy;
    wish.profile = create->plan->profile; /* with the replaced one's volume, and AMD's image */
    deploy_plan(&wish, &create->seen->facts, create->settings, create->plan);
    create_add_findings(create);
    keep_what_matters(create);
    take_over_evicted(create);
    create->result->request = create_request(create);
    if (!create->result->request)
        return error_set(err, FAILURE_JOB, -ENOMEM, "the request to the engine cannot be made");
    create_take_over(create, create->result->request);
    if (create->like)
        create->result->differs = create_differs(create, create->like, create->result->request);
    return 0;
}

static void find_out_address(struct create *create)
{
    const struct profile *profile = &create->plan->profile;
    char address[64] = "", own[16];
    uint16_t port = 0;
    struct create_result *result = create->result;
    CLEANUP_JSON json_t *json = NULL;
    if (await_json(create->await, DOCKER_CONTAINER, result->id, &json, NULL) < 0)
        return;
    int r = await_address(create->await, result->id, address, sizeof address, &port, NULL);
    port = r == 0 && profile->server == SERVER_OLLAMA ? port : create->server_port;
    snprintf(own, sizeof own, "%u/tcp", port);
    const json_t *ports = json_object_get(json_object_get(json, "NetworkSettings"), "Ports"),
                 *binding = json_array_get(json_object_get(ports, own), 0);
    const char *ip = member_string(binding, "HostIp"), *of = member_string(binding, "HostPort");
    if (ip && of) {
        bool every = strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0 || !ip[0];
        snprintf(result->address, sizeof result->address,
                 strchr(ip, ':') && !every ? "http://[%s]:%s" : "http://%s:%s",
                 every ? "127.0.0.1" : ip, of);
    } else if (r == 0 && address[0])
        snprintf(result->address, sizeof result->address, "http://%s:%u", address, port);
}

static void carry_out(struct create *create)
{
    struct create_result *result = create->result;
    bool exists = create->seen->exists;
    int r = exists ? create_finish_existing(create, &result->error)
                   : create_carry_out(create, &result->error);
    result->outcome = r < 0 ? CREATE_FAILED : exists ? CREATE_THERE : CREATE_MADE;
    result->signal = r == -EINTR ? await_signal(create->await) : 0;
    if (r < 0)
        create_undo(create);
    else if (r == 0)
        find_out_address(create);
}

/* Two that count what is left of it at once would both take it. */
static int lock_memory(struct create *create, struct error *err)
{
    fact holder = FACT_UNKNOWN;
    bool told = false;
    int r;
    while ((r = keep_lock_memory(create->settings->state, &create->memory_lock, &holder, err)) ==
           -EWOULDBLOCK) {
        if (!told)
            create_say(create, CREATE_STEP, "%s: waited for", err->message);
        told = true;
        if (await_sleep(create->await, memory_look_ms) < 0)
            return error_set(err, FAILURE_JOB, -EINTR, "interrupted");
    }
    return r;
}

int create_release_memory(struct create *create, struct error *err)
{
    (void)err;
    keep_unlock(create->memory_lock);
    create->memory_lock = NULL;
    return 0;
}

/* An interrupted run had stopped the old one, and others; what it wanted in their place may not be
 * any more. One that was started once stays: whoever stopped it knows why. */
static void refuse(struct create *create)
{
    const json_t *existing = create->existing.json, *old = create->old.json;
    create->result->outcome = CREATE_REFUSED;
    if (existing && !create->unfinished)
        return;
    bool back = old && (existing ? create_came_for(existing, create->old.id)
                                 : create_serves_the_same(create, old));
    /* Those run again where the taking back was interrupted too; then it goes alone. */
    if (!back && create->n_evicted == 0 && !create_label(existing, "supervisor.evicted"))
        return;
    if (back) {
        create->set_aside = create->old_was_running = create->quieted = true;
        create->policy = create_policy_before(existing, old);
    }
    create->made = existing != NULL;
    memcpy(create->result->id, create->existing.id, sizeof create->result->id);
    create->result->taken_back = true;
    create_undo(create);
}

static void run(struct create *create, struct error *err, int *ret_result)
{
    struct create_result *result = create->result;
    *ret_result = create->wish->dry_run ? 0 : lock_memory(create, err);
    if (*ret_result == 0)
        *ret_result = plan(create, err);
    if (*ret_result == -EINTR) { /* nothing was made yet */
        result->error = *err;
        result->signal = await_signal(create->await);
        *ret_result = 0;
        return;
    }
    if (*ret_result < 0)
        return;
    create_say(create, CREATE_LOOKED, "%s", "");
    if (create->wish->dry_run)
        result->outcome = CREATE_PLANNED;
    else if (create->plan->refused)
        refuse(create);
    else
        carry_out(create);
}

static void clear(struct create *create)
{
    for (size_t i = 0; i < create->n_locks; i++)
        keep_unlock(create->locks[i]);
    keep_unlock(create->memory_lock);
    json_decref(create->list);
    json_decref(create->existing.json);
    json_decref(create->old.json);
    json_decref(create->kept.json);
    json_decref(create->like_image);
    json_decref(create->networks);
    await_free(create->await);
    free(create);
}

int create_container(const struct config *config, const struct create_wish *wish, create_tell *tell,
                     void *userdata, struct create_result *ret_result, struct error *err)
{
    struct keep_lock *name_lock = NULL;
    *ret_result = (struct create_result){.outcome = CREATE_FAILED, .limit = FACT_UNKNOWN};
    struct create *create = calloc(1, sizeof *create);
    if (!create)
        return error_set(err, FAILURE_JOB, -ENOMEM, "out of memory");
    create->config = config;
    create->settings = config_settings(config);
    create->wish = wish;
    create->tell = tell;
    create->userdata = userdata;
    create->result = ret_result;
    create->seen = &ret_result->seen;
    create->plan = &ret_result->plan;
    snprintf(create->name, sizeof create->name, "%s", wish->deploy.profile.container);
    snprintf(create->old_name, sizeof create->old_name, "%s" CREATE_REPLACED_SUFFIX,
             wish->deploy.profile.container);
    snprintf(create->kept_name, sizeof create->kept_name, "%s" CREATE_KEPT_SUFFIX,
             wish->deploy.profile.container);
    int r = await_token(create->token);
    if (r < 0)
        error_set(err, FAILURE_JOB, r, "no random number can be had");
    if (r == 0)
        r = await_new(config, &create->await, err);
    if (r == 0 && !wish->dry_run)
        r = keep_lock_name(create->settings->state, create->settings->docker_host, create->name,
                           &name_lock, NULL, err);
    if (r == 0)
        run(create, err, &r);
    clear(create);
    keep_unlock(name_lock);
    return r;
}
