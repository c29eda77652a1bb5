#include "base/clock.h"
#include "base/size.h"
#include "deploy/probe_private.h"
#include "sense/host.h"
#include "sense/json_member.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    LOOK_EVERY_MS = 150,
    REMOVE_TRIES = 3,
    REMOVE_PAUSE_MS = 1000,
    SAID_LINES = 5,
    SAID_SIZE = 4096,
};
static const double stall_s = 120; /* without another byte touched: the host is ill */

/* One size under way. */
struct run {
    struct probe *probe;
    char name[64];
    struct probe_result *result;
    probe_progress *progress;
    void *userdata;
    char said[SAID_SIZE];
    double moved_s;
};

static json_t *request(const struct probe *probe, fact size, fact wanted)
{
    char wanted_text[32], reserve_text[32];
    snprintf(wanted_text, sizeof wanted_text, "%" PRId64, wanted);
    snprintf(reserve_text, sizeof reserve_text, "%" PRId64, probe->reserve);
    /* A host with SELinux would not let a container read the files that are bound into it. */
    json_t *host = json_pack(
        "{s:I, s:I, s:s, s:b, s:[s], s:[s,s*], s:i, s:i, s:{s:s}, s:{s:s, s:{s:s}}, s:O*}",
        "Memory", (json_int_t)size, "MemorySwap", (json_int_t)size, "NetworkMode", "none",
        "ReadonlyRootfs", 1, "CapDrop", "ALL", "SecurityOpt", "no-new-privileges",
        probe->image.mounts ? "label=disable" : NULL, "PidsLimit", 16, "OomScoreAdj", 1000,
        "RestartPolicy", "Name", "no", "LogConfig", "Type", "json-file", "Config", "max-size", "4m",
        "Mounts", probe->image.mounts);
    return json_pack("{s:s, s:[s], s:[s,s,s], s:s, s:{s:s, s:s}, s:o}", "Image", probe->image.name,
                     "Entrypoint", probe->image.program, "Cmd", "probe-memory", wanted_text,
                     reserve_text, "User", "65534:65534", "Labels", PROBE_LABEL, probe->token,
                     probe->docker_label, "false", "HostConfig", host);
}

/* Whether it is not worth an attempt. */
static bool too_large(const struct probe *probe, struct probe_result *r)
{
    struct host host;
    host_read_once(probe->procfs, &host, NULL);
    if (!fact_known(host.total) || r->size <= host.total)
        return false;
    r->end = PROBE_TOO_LARGE;
    r->missing = r->size - host.total;
    snprintf(r->reason, sizeof r->reason,
             "not attempted: the host has %s in all, %s less than that", SHOWN(host.total),
             SHOWN(r->missing));
    return true;
}

/* The refusal of a create or a start is a result; an engine that is away is an error. */
static int refused(struct probe_result *r, enum probe_end end, int result, const struct error *err)
{
    if (await_lost(result, err))
        return result;
    r->end = end;
    snprintf(r->reason, sizeof r->reason, "%.500s", err->message);
    return 0;
}

static void hear(struct run *run)
{
    struct probe_answer answer;
    await_logs(run->probe->await, run->name, SAID_LINES, run->said, sizeof run->said);
    if (!probe_answer_read(run->said, &answer))
        return;
    struct probe_answer *last = &run->result->answer;
    if (!fact_known(last->touched) || answer.touched > last->touched)
        run->moved_s = clock_boottime_s();
    *last = answer;
    if (run->progress && fact_known(answer.available))
        run->progress(run->userdata, run->result->size, answer.touched, run->result->wanted,
                      answer.available);
}

/* Until it has ended: 0 with its state; -EINTR; -ETIMEDOUT; what the engine's answers were. */
static int follow(struct run *run, json_t **ret_state, struct error *err)
{
    struct probe_result *r = run->result;
    run->moved_s = clock_boottime_s();
    for (;;) {
        CLEANUP_JSON json_t *seen = NULL;
        int result = await_json(run->probe->await, DOCKER_CONTAINER, run->name, &seen, err);
        if (result < 0)
            return result;
        r->limit_engine = member_fact(json_object_get(seen, "HostConfig"), "Memory");
        if (r->limit_engine == 0) /* the engine's word for it */
            r->limit_engine = FACT_NONE;
        json_t *state = json_object_get(seen, "State");
        bool running = member_truth(state, "Running") != 0;
        hear(run);
        if (!running) {
            *ret_state = json_incref(state);
            return 0;
        }
        if (clock_boottime_s() - run->moved_s > stall_s)
            return error_set(err, FAILURE_JOB, -ETIMEDOUT,
                             "the probe touched nothing more for %.0f s", stall_s);
        if (await_sleep(run->probe->await, LOOK_EVERY_MS) < 0)
            return error_set(err, FAILURE_JOB, -EINTR, "interrupted");
    }
}

static int attempt(struct run *run, struct error *err)
{
    struct probe *probe = run->probe;
    struct probe_result *r = run->result;
    char id[CONTAINER_ID_SIZE];
    CLEANUP_JSON json_t *body = request(probe, r->size, r->wanted), *state = NULL;
    if (!body)
        return error_set(err, FAILURE_JOB, -ENOMEM, "out of memory");
    int result =
        await_create(probe->await, run->name, body, id, r->warning, sizeof r->warning, err);
    if (result < 0)
        return refused(r, PROBE_REFUSED, result, err);
    if (await_signal(probe->await)) {
        r->end = PROBE_INTERRUPTED;
        return 0;
    }
    result = await_call(probe->await, docker_start, run->name, err);
    if (result < 0)
        return refused(r, PROBE_REFUSED, result, err);
    result = follow(run, &state, err);
    if (result == 0) {
        probe_judge(probe, state, run->said, r);
        return 0;
    }
    if (result != -EINTR)
        return refused(r, PROBE_FAILED, result, err);
    r->end = PROBE_INTERRUPTED;
    return 0;
}

static int take_away(struct probe *probe, const char *name, struct error *err)
{
    int result = 0;
    if (!probe->signal)
        probe->signal = await_signal(probe->await);
    await_forget_signal(probe->await); /* what was begun is undone all the same */
    for (int i = 0; i < REMOVE_TRIES; i++) {
        if (i > 0)
            await_sleep(probe->await, REMOVE_PAUSE_MS);
        result = probe_container_remove(probe, name, err);
        if (result == 0)
            return 0;
    }
    return result;
}

int probe_size(struct probe *probe, fact size, probe_progress *progress, void *userdata,
               struct probe_result *ret_result, struct error *err)
{
    struct run run = {
        .probe = probe, .result = ret_result, .progress = progress, .userdata = userdata};
    *ret_result =
        (struct probe_result){.size = size,
                              .end = PROBE_FAILED,
                              .limit_engine = FACT_UNKNOWN,
                              .wanted = size - size / PROBE_OVERHEAD_PART - PROBE_OVERHEAD_BYTES,
                              .missing = FACT_UNKNOWN};
    probe_answer_read("", &ret_result->answer);
    if (too_large(probe, ret_result))
        return 0;
    snprintf(run.name, sizeof run.name, PROBE_IMAGE "-%s-%u", probe->token, ++probe->number);
    struct error removing;
    int result = attempt(&run, err);
    int removed = take_away(probe, run.name, &removing);
    if (removed < 0) {
        if (result == 0)
            *err = removing;
        return error_wrap(
            err, "the container %s may be left behind, the next `supervisor test` takes it away",
            run.name);
    }
    return result;
}
