/* Without a network every pull fails as it did when it was recorded, but that of sim/slow, which
 * goes on for pull_ms, and those of SIMOLLAMA_PULLS, which are there when it is over. */
#include "api.h"
#include "models.h"
#include "request.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_MODEL  "sim/slow"
#define STEP_MS     60 /* server/download.go */
#define TOTAL_BYTES (1u << 30)

struct pull {
    struct http_conn *conn;
    uint64_t start_ns, total_ms;
    bool stream, fails;
    uint64_t bytes;
    char name[MODEL_NAME_SIZE];
};

static void line(struct http_conn *conn, json_t *json)
{
    write_json(conn, "", json, "\n");
}

static void status_line(struct http_conn *conn, const char *status)
{
    line(conn, json_pack("{ss}", "status", status));
}

static void client_gone(void *user)
{
    free(user);
}

static void done(struct pull *pull)
{
    struct http_conn *conn = pull->conn;
    conn->user = NULL;
    conn->gone = NULL;
    models_pulled(pull->name);
    if (pull->stream) {
        status_line(conn, "verifying sha256 digest");
        status_line(conn, "writing manifest");
        status_line(conn, "success");
        http_end(conn);
    } else {
        reply_json(conn, 200, FAMILY_NATIVE, json_pack("{ss}", "status", "success"));
    }
    free(pull);
}

static void step(struct timer *timer)
{
    struct http_conn *conn = owner_of(timer, struct http_conn, timer);
    struct pull *pull = conn->user;
    uint64_t passed_ms = (loop_now_ns() - pull->start_ns) / 1000000;
    if (settings.pull_stall && passed_ms > pull->total_ms / 2)
        passed_ms = pull->total_ms / 2;
    if (pull->fails && pull->stream && passed_ms >= pull->total_ms / 2) {
        line(conn, json_pack("{ss}", "error", "max retries exceeded: unexpected EOF"));
        client_gone(pull);
        conn->user = NULL;
        conn->gone = NULL;
        http_end(conn);
        return;
    }
    if (passed_ms >= pull->total_ms) {
        done(pull);
        return;
    }
    if (pull->stream)
        line(conn,
             json_pack("{ss ss sI sI}", "status", "pulling 51a0f0de51a0", "digest",
                       "sha256:51a0f0de51a0f0de51a0f0de51a0f0de51a0f0de51a0f0de51a0f0de51a0f0de",
                       "total", (json_int_t)pull->bytes, "completed",
                       (json_int_t)(pull->bytes / pull->total_ms) * (json_int_t)passed_ms));
    loop_arm(timer, STEP_MS);
}

static void no_network(struct http_conn *conn, const char *name, bool stream)
{
    char message[MODEL_NAME_SIZE * 2 + 256], base[MODEL_NAME_SIZE + 16], full[MODEL_NAME_SIZE];
    model_full_name(name, full);
    char *tag = strchr(full, ':');
    if (tag)
        *tag++ = '\0';
    snprintf(base, sizeof base, "%s%s", strchr(full, '/') ? "" : "library/", full);
    snprintf(
        message, sizeof message,
        "pull model manifest: Get \"https://registry.ollama.ai/v2/%s/manifests/%s\": dial tcp: "
        "lookup registry.ollama.ai on 127.0.0.11:53: no such host",
        base, tag ? tag : "latest");
    if (stream) {
        http_begin(conn, 200, "application/x-ndjson");
        status_line(conn, "pulling manifest");
        line(conn, json_pack("{ss}", "error", message));
        http_end(conn);
    } else {
        reply_plain_json(conn, 500, error_json(500, FAMILY_NATIVE, message));
    }
}

void api_pull(struct http_conn *conn)
{
    struct request request;
    const char *name = "";
    bool stream = true;
    if (request_open(&request, conn, FAMILY_NATIVE, "PullRequest") < 0)
        return;
    if (request_string(&request, "name", &name) < 0 ||
        request_string(&request, "model", &name) < 0 ||
        request_bool(&request, "stream", &stream) < 0) {
        request_close(&request);
        return;
    }
    uint64_t bytes = strcmp(name, SLOW_MODEL) ? models_pullable(name) : TOTAL_BYTES;
    if (!bytes) {
        no_network(conn, name, stream);
        request_close(&request);
        return;
    }
    struct pull *pull = must_alloc(sizeof *pull);
    *pull = (struct pull){
        conn, loop_now_ns(), settings.pull_ms, stream, settings.pull_fails > 0, bytes, ""};
    snprintf(pull->name, sizeof pull->name, "%s", name);
    settings.pull_fails -= pull->fails;
    request_close(&request);
    conn->user = pull;
    conn->gone = client_gone;
    conn->timer.fire = step;
    if (stream) {
        http_begin(conn, 200, "application/x-ndjson");
        status_line(conn, "pulling manifest");
    }
    loop_arm(&conn->timer, STEP_MS);
}
