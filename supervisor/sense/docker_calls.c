/* The calls that ask one question and get one answer. */
#include "sense/docker_private.h"
#include "sense/json_put.h"
#include <inttypes.h>

struct listing {
    struct docker_stream stream;
    docker_entry_seen *seen;
    bool any; /* a container was read */
    size_t unread;
};
_Static_assert(sizeof(struct listing) <= DOCKER_CALL_MAX, "");

static void entry_unread(void *userdata, const char *text, size_t length)
{
    struct listing *listing = userdata;
    struct docker_entry entry;
    if (docker_parse_beginning(text, length, &entry))
        listing->seen(listing->stream.call.userdata, &entry);
    else
        listing->unread++;
}

static bool entry_taken(void *userdata, const char *text, size_t length)
{
    struct listing *listing = userdata;
    struct docker_entry entry;
    if (docker_parse_entry(text, length, &entry) < 0) {
        entry_unread(listing, text, length);
    } else {
        listing->any = true;
        listing->seen(listing->stream.call.userdata, &entry);
        docker_entry_clear(&entry);
    }
    return docker_stream_goes_on(&listing->stream);
}

static void listed(struct docker_call *call, int result, const struct http_response *response,
                   const struct error *err)
{
    struct listing *listing = (struct listing *)call;
    struct error own;
    (void)response;
    if (result == 0 && !json_stream_is_whole(&listing->stream.objects))
        result = docker_read(call, -EBADMSG, &own, &err);
    if (listing->any && (result == -EMSGSIZE || result == -ETIMEDOUT)) {
        result = 0; /* it was going well; what comes after that is not known */
        listing->unread++;
    }
    call->user.listed(call->userdata, result, listing->unread, err);
}

void docker_list(struct docker *docker, docker_entry_seen *seen, docker_listed *done,
                 void *userdata)
{
    struct docker_call like = docker_question(strdup("/containers/json?all=1"), listed, userdata);
    like.user.listed = done;
    like.body_max = DOCKER_LIST_MAX;
    like.timeout_ms = DOCKER_LIST_MS;
    struct listing *listing = (struct listing *)docker_stream_new(
        docker, sizeof *listing, DOCKER_ENTRY_MAX, 1, entry_taken, &like);
    if (!listing)
        return;
    listing->stream.objects.left_out = entry_unread;
    listing->seen = seen;
    docker_call_go(&listing->stream.call);
}

static void inspected(struct docker_call *call, int result, const struct http_response *response,
                      const struct error *err)
{
    struct container container;
    struct docker_details details;
    struct error own;
    if (result == 0)
        result = docker_read(
            call, docker_parse_inspect(response->body, response->length, &container, &details),
            &own, &err);
    bool read = result == 0;
    call->user.inspected(call->userdata, result, read ? &container : NULL, read ? &details : NULL,
                         err);
    if (read)
        container_clear(&container);
}

void docker_inspect(struct docker *docker, const char *id, docker_inspected *done, void *userdata)
{
    struct docker_call like =
        docker_question(docker_container_path(id, "/json"), inspected, userdata);
    like.user.inspected = done;
    like.body_max = DOCKER_INSPECT_MAX;
    docker_ask(docker, &like);
}

static void stats_read(struct docker_call *call, int result, const struct http_response *response,
                       const struct error *err)
{
    struct cgroup_memory memory;
    struct error own;
    if (result == 0)
        result = docker_read(call, docker_parse_stats(response->body, response->length, &memory),
                             &own, &err);
    call->user.stats_read(call->userdata, result, result == 0 ? &memory : NULL, err);
}

void docker_stats(struct docker *docker, const char *id, docker_stats_read *done, void *userdata)
{
    struct docker_call like = docker_question(
        docker_container_path(id, "/stats?stream=false&one-shot=true"), stats_read, userdata);
    like.user.stats_read = done;
    like.body_max = DOCKER_SMALL_MAX;
    docker_ask(docker, &like);
}

/* verb: "stop", "restart". */
static void end_life(struct docker *docker, const char *id, const char *verb, int64_t grace_s,
                     long timeout_ms, docker_done *done, void *userdata)
{
    char tail[48];
    snprintf(tail, sizeof tail, "/%s?t=%" PRId64, verb, grace_s);
    struct docker_call like =
        docker_change("POST", docker_container_path(id, tail), done, userdata);
    like.timeout_ms = timeout_ms;
    like.not_modified_is_fine = true;
    docker_ask(docker, &like);
}

void docker_restart(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                    docker_done *done, void *userdata)
{
    end_life(docker, id, "restart", grace_s, timeout_ms, done, userdata);
}

void docker_stop(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                 docker_done *done, void *userdata)
{
    end_life(docker, id, "stop", grace_s, timeout_ms, done, userdata);
}

void docker_start(struct docker *docker, const char *id, docker_done *done, void *userdata)
{
    struct docker_call like =
        docker_change("POST", docker_container_path(id, "/start"), done, userdata);
    like.not_modified_is_fine = true;
    docker_ask(docker, &like);
}

/* A kernel without the control lets the engine say "Limitation discarded" in a warning of a 200:
 * nothing was limited then. */
static void updated(struct docker_call *call, int result, const struct http_response *response,
                    const struct error *err)
{
    struct error own;
    CLEANUP_JSON json_t *answer =
        result == 0 ? answer_parse(response->body, response->length) : NULL;
    size_t i;
    json_t *warning;
    json_array_foreach(json_object_get(answer, "Warnings"), i, warning)
    {
        const char *words = json_string_value(warning);
        if (result < 0 || !words || !strstr(words, "iscarded"))
            continue;
        result = error_set(&own, FAILURE_JOB, -EOPNOTSUPP, "the Docker Engine at %s: %.300s",
                           call->docker->socket_path, words);
        err = &own;
    }
    call->user.done(call->userdata, result, err);
}

static char *update_body(fact memory, fact memory_swap, const char *policy, fact max_retries)
{
    CLEANUP_JSON json_t *body = json_object();
    put_known(body, "Memory", memory);
    if (memory_swap != FACT_UNKNOWN)
        json_object_set_new(body, "MemorySwap",
                            json_integer(memory_swap == FACT_NONE ? -1 : memory_swap));
    if (policy && policy[0]) {
        json_t *object = json_pack("{s:s}", "Name", policy);
        if (max_retries > 0) /* refused with any other policy than on-failure */
            json_object_set_new(object, "MaximumRetryCount", json_integer(max_retries));
        json_object_set_new(body, "RestartPolicy", object);
    }
    return json_dumps(body, JSON_COMPACT);
}

void docker_update(struct docker *docker, const char *id, fact memory, fact memory_swap,
                   const char *restart_policy, fact max_retries, docker_done *done, void *userdata)
{
    struct docker_call like =
        docker_change("POST", docker_container_path(id, "/update"), done, userdata);
    like.answered = updated;
    like.with_body = true;
    like.body = update_body(memory, memory_swap, restart_policy, max_retries);
    docker_ask(docker, &like);
}

/* Answers given on as they are: inspects of containers, images and volumes, the list, /info. */

static void json_read(struct docker_call *call, int result, const struct http_response *response,
                      const struct error *err)
{
    struct error own;
    CLEANUP_JSON json_t *answer = NULL;
    if (result == 0) {
        answer = answer_parse(response->body, response->length);
        result = docker_read(call, answer ? 0 : -EBADMSG, &own, &err);
    }
    call->user.json_read(call->userdata, result, answer, err);
}

void docker_json(struct docker *docker, enum docker_thing thing, const char *name,
                 docker_json_read *done, void *userdata)
{
    static const struct {
        const char *before, *behind;
    } paths[] = {
        [DOCKER_CONTAINER] = {"/containers/", "/json"},
        [DOCKER_IMAGE] = {"/images/", "/json"},
        [DOCKER_VOLUME] = {"/volumes/", ""},
        [DOCKER_INFO] = {"/info", ""},
        [DOCKER_LIST] = {"/containers/json?all=1&size=0", ""},
    };
    char *path = docker_named_path(paths[thing].before, name, paths[thing].behind);
    struct docker_call like = docker_question(path, json_read, userdata);
    like.user.json_read = done;
    docker_ask(docker, &like);
}
