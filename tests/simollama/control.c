#include "control.h"
#include "api.h"
#include "load.h"
#include "memory.h"
#include "models.h"
#include "request.h"
#include "sched.h"
#include "settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_DEFAULT "0.0.0.0:11435"
#define ORPHANS_MAX     64
#define SIGNALS_MAX     65
#define LEAK_STEP_BYTES (64ull << 20) /* a step touches for some 30 ms, then others get a turn */

static struct http_server server = {.watch.fd = -1};
static pid_t orphans[ORPHANS_MAX];
static size_t orphan_count;
static uint64_t signals_seen[SIGNALS_MAX];

/* A leak under way; its client need not wait for the end. */
struct leak {
    struct timer timer;
    struct http_conn *conn;
    uint64_t left_bytes;
};

void control_signal_seen(int signal_number)
{
    if (signal_number > 0 && signal_number < SIGNALS_MAX)
        signals_seen[signal_number]++;
}

void control_child_exited(pid_t pid)
{
    for (size_t i = 0; i < orphan_count; i++)
        if (orphans[i] == pid)
            orphans[i--] = orphans[--orphan_count];
}

static json_t *runners_json(void)
{
    static const char *const states[] = {"loading", "loaded", "dead", "killed"};
    json_t *all = json_array();
    for (const struct runner *r = sched_runners(); r; r = r->next)
        json_array_append_new(all, json_pack("{ss si si ss sI sI si sb}", "model", r->model.name,
                                             "pid", (int)r->pid, "port", (int)r->port, "state",
                                             states[r->state], "context", (json_int_t)r->context,
                                             "anon", (json_int_t)r->anon_bytes, "requests",
                                             (int)r->refs, "stuck", r->stuck));
    return all;
}

static void state(struct http_conn *conn)
{
    json_t *pids = json_array(), *signals = json_object();
    for (size_t i = 0; i < orphan_count; i++)
        json_array_append_new(pids, json_integer(orphans[i]));
    for (int i = 1; i < SIGNALS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        if (signals_seen[i])
            json_object_set_new(signals, name, json_integer((json_int_t)signals_seen[i]));
    }
    const struct sched_counts *counts = sched_counts();
    reply_json(conn, 200, FAMILY_OPENAI,
               json_pack("{ss sI so so so so sI sI sI sI so}", "version", sim_version(), "leaked",
                         (json_int_t)memory_leaked(), "runners", runners_json(), "orphans", pids,
                         "signals", signals, "requests", api_counts(), "loads",
                         (json_int_t)counts->loads, "load_failures",
                         (json_int_t)counts->load_failures, "unloads", (json_int_t)counts->unloads,
                         "runner_deaths", (json_int_t)counts->deaths, "settings", settings_json()));
}

static void set(struct http_conn *conn, const json_t *body)
{
    char why[256];
    if (settings_set(body, why, sizeof why) < 0) {
        reply_error(conn, 400, FAMILY_NATIVE, why);
        return;
    }
    reply_json(conn, 200, FAMILY_OPENAI, settings_json());
    api_recheck();
    sched_recheck();
}

/* The bytes a request names, as a number or as "512m". 0, or 400 is answered. */
static int read_bytes(struct http_conn *conn, const json_t *body, uint64_t *ret_bytes)
{
    const json_t *value = field_of(body, "bytes");
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        *ret_bytes = (uint64_t)json_integer_value(value);
    else if (!json_is_string(value) || bytes_parse(json_string_value(value), ret_bytes) < 0) {
        reply_error(conn, 400, FAMILY_NATIVE, "\"bytes\" is missing or no number");
        return -EINVAL;
    }
    return 0;
}

static void leak_step(struct timer *timer)
{
    struct leak *leak = owner_of(timer, struct leak, timer);
    uint64_t step = leak->left_bytes < LEAK_STEP_BYTES ? leak->left_bytes : LEAK_STEP_BYTES;
    int error = memory_leak(step);
    leak->left_bytes -= step;
    if (!error && leak->left_bytes) {
        loop_arm(timer, 0);
        return;
    }
    if (leak->conn) {
        leak->conn->gone = NULL;
        if (error)
            reply_error(leak->conn, 500, FAMILY_NATIVE, strerror(-error));
        else
            reply_json(leak->conn, 200, FAMILY_OPENAI,
                       json_pack("{sI}", "leaked", (json_int_t)memory_leaked()));
    }
    free(leak);
}

static void leak_client_gone(void *user)
{
    ((struct leak *)user)->conn = NULL;
}

static void leak(struct http_conn *conn, const json_t *body)
{
    uint64_t bytes;
    if (read_bytes(conn, body, &bytes) < 0)
        return;
    struct leak *new = must_alloc(sizeof *new);
    *new = (struct leak){.timer.fire = leak_step, .conn = conn, .left_bytes = bytes};
    conn->user = new;
    conn->gone = leak_client_gone;
    loop_arm(&new->timer, 0);
}

static void unleak(struct http_conn *conn, const json_t *body)
{
    (void)body;
    memory_unleak();
    reply_json(conn, 200, FAMILY_OPENAI, json_pack("{sI}", "leaked", (json_int_t)memory_leaked()));
}

static struct model *named_model(const json_t *body)
{
    const char *name = json_string_value(field_of(body, "model"));
    return models_find(name ? name : "small");
}

static void orphan(struct http_conn *conn, const json_t *body)
{
    uint64_t bytes;
    pid_t pid;
    if (read_bytes(conn, body, &bytes) < 0)
        return;
    const struct model *model = named_model(body);
    if (!model || orphan_count == ORPHANS_MAX) {
        reply_error(conn, 400, FAMILY_NATIVE,
                    model ? "there are too many orphans" : "there is no such model");
        return;
    }
    int error = load_orphan(model, bytes, &pid);
    if (error) {
        reply_error(conn, 500, FAMILY_NATIVE, strerror(-error));
        return;
    }
    orphans[orphan_count++] = pid;
    reply_json(conn, 200, FAMILY_OPENAI, json_pack("{si}", "pid", (int)pid));
}

static void ghost(struct http_conn *conn, const json_t *body)
{
    const struct model *model = named_model(body);
    if (model && sched_ghost(model))
        reply_json(conn, 200, FAMILY_OPENAI, json_pack("{ss}", "ghost", model->name));
    else
        reply_error(conn, 404, FAMILY_NATIVE, "no such model is loaded");
}

static void hang(struct http_conn *conn, const json_t *body)
{
    const struct model *model = named_model(body);
    if (model && sched_hang(model))
        reply_json(conn, 200, FAMILY_OPENAI, json_pack("{ss}", "hung", model->name));
    else
        reply_error(conn, 404, FAMILY_NATIVE, "no such model is loaded");
}

static void renew(struct http_conn *conn, const json_t *body)
{
    struct model *model = named_model(body);
    if (!model) {
        reply_error(conn, 404, FAMILY_NATIVE, "there is no such model");
        return;
    }
    models_renew(model);
    reply_json(conn, 200, FAMILY_OPENAI, json_pack("{ss}", "digest", model->digest));
}

/* A real server listens on one port. */
static void alone(struct http_conn *conn, const json_t *body)
{
    (void)body;
    reply_json(conn, 200, FAMILY_OPENAI, json_object());
    loop_close(&server.watch);
}

static void handle(struct http_conn *conn)
{
    static const struct {
        const char *path;
        void (*answer)(struct http_conn *conn, const json_t *body);
    } posts[] = {
        {"/sim/set", set},       {"/sim/leak", leak},   {"/sim/unleak", unleak},
        {"/sim/orphan", orphan}, {"/sim/ghost", ghost}, {"/sim/renew", renew},
        {"/sim/alone", alone},   {"/sim/hang", hang},
    };
    if (!strcmp(conn->path, "/sim/state")) {
        state(conn);
        return;
    }
    if (!strcmp(conn->path, "/sim/sink")) {
        reply_json(conn, 200, FAMILY_OPENAI,
                   json_pack("{sI}", "swallowed", (json_int_t)conn->discarded_bytes));
        return;
    }
    for (size_t i = 0; i < sizeof posts / sizeof posts[0]; i++) {
        if (strcmp(posts[i].path, conn->path) != 0)
            continue;
        json_t *body =
            conn->body.len ? json_loadb(conn->body.data, conn->body.len, 0, NULL) : json_object();
        if (!json_is_object(body))
            reply_error(conn, 400, FAMILY_NATIVE, "the body is no JSON object");
        else
            posts[i].answer(conn, body);
        json_decref(body);
        return;
    }
    reply_error(conn, 404, FAMILY_NATIVE, "there is no such control");
}

static int discards(const struct http_conn *conn)
{
    return !strcmp(conn->path, "/sim/sink");
}

void control_start(void)
{
    const char *where = getenv("SIMOLLAMA_CONTROL");
    char host[64];
    if (!where || !*where)
        where = CONTROL_DEFAULT;
    const char *colon = strrchr(where, ':');
    if (!colon || (size_t)(colon - where) >= sizeof host)
        die("SIMOLLAMA_CONTROL=%s is not ADDRESS:PORT", where);
    snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
    server.handle = handle;
    server.discards = discards;
    int error = http_listen(&server, host, (uint16_t)strtoul(colon + 1, NULL, 10));
    if (error < 0)
        die("listening on %s: %s", where, strerror(-error));
}
