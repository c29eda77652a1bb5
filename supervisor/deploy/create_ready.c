/* After the start: the limit read back, the answer waited for, the model pulled. */
#include "base/clock.h"
#include "base/size.h"
#include "deploy/create_private.h"
#include <unistd.h>

static const int64_t verify_ms = 5000; /* the cgroup is there when start has answered */
static const int64_t look_ms = 200;    /* between two questions whether it answers */
static const long ask_ms = 2000;       /* for the answer to one of them */
/* Finding the GPUs may take Ollama 30 s a backend; LocalAI's first start unpacks its backends. */
static const double answer_s[] = {[SERVER_OLLAMA] = 180, [SERVER_LOCALAI] = 900};
static const fact deaths_max = 2; /* restarts by its policy, then it is given up */

enum { LOG_LINES = 5, LOG_SIZE = 400 };

static int read_limit(struct create *create, fact *ret_limit, fact *ret_bound, struct error *err)
{
    CLEANUP_JSON json_t *json = NULL;
    struct cgroup_memory memory = {.limit = FACT_UNKNOWN};
    int r = await_json(create->await, DOCKER_CONTAINER, create->result->id, &json, err);
    if (r == 0)
        r = create_read_cgroup(create, json, &memory, err);
    if (r < 0)
        return r;
    if (memory.limit == FACT_UNKNOWN)
        return error_set(err, FAILURE_JOB, -ENODATA, "the limit in the cgroup of %s cannot be read",
                         create->name);
    *ret_limit = memory.limit;
    *ret_bound = cgroup_bound(&memory);
    return 0;
}

int create_verify(struct create *create, struct error *err)
{
    struct error own = {0};
    fact limit = FACT_UNKNOWN, bound = FACT_UNKNOWN, page = sysconf(_SC_PAGESIZE);
    double end_s = clock_boottime_s() + (double)verify_ms / 1000;
    int r;
    while ((r = read_limit(create, &limit, &bound, &own)) < 0 && r != -ECHILD &&
           clock_boottime_s() < end_s)
        if (await_sleep(create->await, look_ms) < 0)
            return error_set(err, FAILURE_JOB, -EINTR, "interrupted");
    if (r == -ECHILD)
        return 0; /* it died at once: the wait for its answer says how */
    if (r < 0) {
        create_say(create, CREATE_WARNING, "the limit could not be read back: %s", own.message);
        return 0;
    }
    create->result->limit = limit;
    if (create->seen->exists)
        return 0; /* what differs is told, not mended */
    fact asked = create->plan->profile.memory;
    if (limit == FACT_NONE || limit / page != asked / page)
        return error_set(err, FAILURE_JOB, -EIO,
                         "the engine took the limit of %s, but the cgroup of %s has %s",
                         SHOWN(asked), create->name, limit == FACT_NONE ? "none" : SHOWN(limit));
    if (fact_known(bound) && bound / page < asked / page)
        return error_set(err, FAILURE_JOB, -EIO,
                         "a cgroup above that of %s may have %s only: its limit of %s cannot be "
                         "had; raise that one, or take less --memory",
                         create->name, SHOWN(bound), SHOWN(asked));
    create_say(create, CREATE_STEP, "limit %s, read back from its cgroup (%lld bytes)",
               SHOWN(asked), (long long)limit);
    return 0;
}

/* Its last words, on one line. */
static void last_words(struct create *create, char *text, size_t size)
{
    char said[4096];
    await_logs(create->await, create->result->id, LOG_LINES, said, sizeof said);
    size_t length = strlen(said), used = 0;
    while (length > 0 && said[length - 1] == '\n')
        length--;
    size_t from = length > size - 1 ? length - (size - 1) : 0;
    for (; from < length && used + 1 < size; from++)
        text[used++] = said[from] == '\n' ? '|' : said[from];
    text[used] = '\0';
}

static int died(struct create *create, const json_t *json, struct error *err)
{
    char words[LOG_SIZE];
    const json_t *state = json_object_get(json, "State");
    bool oom = member_truth(state, "OOMKilled") == 1;
    last_words(create, words, sizeof words);
    return error_set(err, FAILURE_JOB, -ESRCH,
                     "%s ended with status %lld%s instead of answering%s%s", create->name,
                     (long long)member_fact(state, "ExitCode"), oom ? " (killed for memory)" : "",
                     words[0] ? "; its last words: " : "", words);
}

/* By its own address, else by the one that is published. */
static int find_address(struct create *create, char *address, size_t size, uint16_t *ret_port,
                        struct error *err)
{
    const struct profile *profile = &create->plan->profile;
    int r = await_address(create->await, create->result->id, address, size, ret_port, err);
    if (r < 0)
        return r;
    if (profile->server != SERVER_OLLAMA)
        *ret_port = create_server_port(profile->server);
    if (address[0] == '\0' && profile->port) {
        snprintf(address, size, "%s",
                 strcmp(profile->address, "0.0.0.0") == 0 ? "127.0.0.1" : profile->address);
        *ret_port = profile->port;
    }
    return 0;
}

static bool answers(struct create *create, struct error *err)
{
    char address[64] = "";
    uint16_t port = 0;
    const char *path = create->plan->profile.server == SERVER_LOCALAI ? "/readyz" : "/api/version";
    if (find_address(create, address, sizeof address, &port, err) < 0 || !address[0])
        return false;
    return await_get(create->await, address, port, path, ask_ms) == 200;
}

int create_wait(struct create *create, struct error *err)
{
    double start_s = clock_boottime_s();
    double wait_s = answer_s[create->plan->profile.server];
    struct error own = {0};
    if (!create->wish->wait)
        return 0;
    for (;;) {
        CLEANUP_JSON json_t *json = NULL;
        double now_s = clock_boottime_s();
        if (answers(create, &own)) {
            create_say(create, CREATE_STEP, "answers after %.1f s", now_s - start_s);
            return 0;
        }
        int r = create_settle(create, create->result->id, &json, err);
        if (r < 0)
            return r;
        const json_t *state = json_object_get(json, "State");
        const char *status = member_string(state, "Status");
        bool ended = status && (strcmp(status, "exited") == 0 || strcmp(status, "dead") == 0);
        if (ended || member_fact(json, "RestartCount") >= deaths_max)
            return died(create, json, err);
        if (now_s - start_s > wait_s)
            return error_set(err, FAILURE_JOB, -ETIMEDOUT, "%s does not answer after %.0f s",
                             create->name, now_s - start_s);
        if (await_sleep(create->await, look_ms) < 0)
            return error_set(err, FAILURE_JOB, -EINTR, "interrupted while %s had not answered yet",
                             create->name);
    }
}

/* ---- the model */

struct pulling {
    struct create *create;
    fact missing; /* that do not fit; what ended the pull */
};

static bool on_progress(void *userdata, const struct pull_progress *progress)
{
    struct pulling *pulling = userdata;
    struct create *create = pulling->create;
    fact free_bytes = create_disk_free(create), left = progress->total - progress->current;
    if (fact_known(free_bytes) && left > free_bytes) {
        pulling->missing = left - free_bytes;
        return false;
    }
    create_say_progress(create, create->plan->profile.model, progress->current, progress->total);
    return true;
}

static int no_room(const struct create *create, fact missing, struct error *err)
{
    return error_set(err, FAILURE_JOB, -ENOSPC,
                     "%s does not fit: %s more are needed where volume %s lies (%s); remove a "
                     "model that is not used (docker exec -it %s ollama rm MODEL)",
                     create->plan->profile.model, SHOWN(missing), create->plan->profile.volume,
                     create->seen->volume_path, create->name);
}

int create_pull_model(struct create *create, struct error *err)
{
    struct pulling pulling = {create, FACT_UNKNOWN};
    const char *model = create->plan->profile.model;
    char address[64] = "";
    uint16_t port = 0;
    if (!create->wish->deploy.pull || !model[0])
        return 0;
    CLEANUP_JSON json_t *json = NULL;
    if (await_json(create->await, DOCKER_CONTAINER, create->result->id, &json, NULL) == 0)
        create_look_inside(create, json);
    if (create->seen->facts.model_present) {
        create_say(create, CREATE_STEP, "model %s is there", model);
        return 0;
    }
    double start_s = clock_boottime_s();
    fact wanted = fact_known(create->plan->profile.disk) ? create->plan->profile.disk
                                                         : create->plan->footprint.download,
         free_bytes = create->seen->facts.disk_free;
    if (fact_known(wanted) && fact_known(free_bytes) && free_bytes < wanted)
        return no_room(create, wanted - free_bytes, err);
    int r = find_address(create, address, sizeof address, &port, err);
    if (r < 0)
        return r;
    r = await_model_pull(create->await, address, port, model, on_progress, &pulling, err);
    if (fact_known(pulling.missing))
        return no_room(create, pulling.missing, err);
    if (r == 0)
        create_say(create, CREATE_STEP, "model %s pulled in %.0f s", model,
                   clock_boottime_s() - start_s);
    return r;
}
