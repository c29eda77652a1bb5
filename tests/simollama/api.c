#include "api.h"
#include "models.h"
#include "request.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLLAMA_PORT   11434
#define HANG_CHECK_MS 50
#define ORIGIN_SIZE   256
#define CORS_HEADERS                                                                               \
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,"  \
    "X-Stainless-Async,X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,"                \
    "X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,X-Stainless-Poll-Helper,"         \
    "X-Stainless-Retry-Count,X-Stainless-Runtime,X-Stainless-Runtime-Version,X-Stainless-Timeout"

static void root(struct http_conn *conn)
{
    static const char alive[] = "Ollama is running";
    http_reply(conn, 200, "text/plain; charset=utf-8", alive, sizeof alive - 1);
}

static void version(struct http_conn *conn)
{
    reply_json(conn, 200, FAMILY_NATIVE, json_pack("{ss}", "version", sim_version()));
}

static void cloud_status(struct http_conn *conn)
{
    reply_json(conn, 200, FAMILY_NATIVE,
               json_pack("{s{sb ss}}", "cloud", "disabled", 0, "source", "none"));
}

/* Routes that change what is not simulated; README.md says why. */
static void left_out(struct http_conn *conn)
{
    reply_error(conn, 501, FAMILY_NATIVE, "simollama does not play this route");
}

static struct route {
    const char *method, *path;
    void (*answer)(struct http_conn *conn);
    uint64_t asked;
} routes[] = {
    {"HEAD", "/", root, 0},
    {"GET", "/", root, 0},
    {"HEAD", "/api/version", version, 0},
    {"GET", "/api/version", version, 0},
    {"GET", "/api/status", cloud_status, 0},
    {"HEAD", "/api/tags", api_tags, 0},
    {"GET", "/api/tags", api_tags, 0},
    {"POST", "/api/show", api_show, 0},
    {"GET", "/api/ps", api_ps, 0},
    {"POST", "/api/generate", api_generate, 0},
    {"POST", "/api/chat", api_chat, 0},
    {"POST", "/api/embed", api_embed, 0},
    {"POST", "/api/embeddings", api_embeddings, 0},
    {"POST", "/api/pull", api_pull, 0},
    {"POST", "/api/copy", api_copy, 0},
    {"DELETE", "/api/delete", api_delete, 0},
    {"POST", "/api/push", left_out, 0},
    {"POST", "/api/create", left_out, 0},
    {"POST", "/v1/chat/completions", api_v1_chat, 0},
    {"POST", "/v1/completions", api_v1_completions, 0},
    {"POST", "/v1/embeddings", api_v1_embeddings, 0},
    {"GET", "/v1/models", api_v1_models, 0},
    {"GET", V1_MODEL_PREFIX, api_v1_model, 0},
    {"POST", "/v1/responses", api_v1_responses, 0},
    {"POST", "/v1/messages", api_v1_messages, 0},
};
#define ROUTES_LEN (sizeof routes / sizeof routes[0])

static uint64_t asked_other;
static struct http_server server = {.watch.fd = -1};
static char listen_host[64];
static uint16_t listen_port;

static bool on_path(const struct route *route, const char *path)
{
    if (!strcmp(route->path, V1_MODEL_PREFIX))
        return !strncmp(path, V1_MODEL_PREFIX, sizeof V1_MODEL_PREFIX - 1);
    return !strcmp(route->path, path);
}

/* The methods of a path as gin's Allow header has them; "" for an unknown path. */
static void allowed_methods(const char *path, char *allow, size_t size)
{
    allow[0] = '\0';
    for (size_t i = 0; i < ROUTES_LEN; i++) {
        size_t n = strlen(allow);
        if (on_path(&routes[i], path))
            snprintf(allow + n, size - n, "%s%s", n ? ", " : "", routes[i].method);
    }
}

static void no_route(struct http_conn *conn)
{
    char allow[64];
    allowed_methods(conn->path, allow, sizeof allow);
    asked_other++;
    if (*allow) {
        static const char text[] = "405 method not allowed";
        text_print(&conn->extra, "Allow: %s\r\n", allow);
        http_reply(conn, 405, "text/plain", text, sizeof text - 1);
    } else {
        static const char text[] = "404 page not found";
        http_reply(conn, 404, "text/plain", text, sizeof text - 1);
    }
}

static bool local_origin(const char *origin)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "0.0.0.0"};
    const char *host = strstr(origin, "://");
    if (!host || (strncmp(origin, "http://", 7) != 0 && strncmp(origin, "https://", 8) != 0))
        return false;
    host += 3;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t len = strlen(hosts[i]);
        if (!strncmp(host, hosts[i], len) && (!host[len] || host[len] == ':'))
            return true;
    }
    return false;
}

/* The browser's rules (gin-contrib/cors); whether it answered already. */
static bool cors(struct http_conn *conn)
{
    char origin[ORIGIN_SIZE], host[ORIGIN_SIZE], allow[64];
    if (!http_header(conn, "Origin", origin, sizeof origin))
        return false;
    const char *rest = strstr(origin, "://");
    if (rest && http_header(conn, "Host", host, sizeof host) && !strcmp(rest + 3, host))
        return false; /* of the same origin */
    if (!local_origin(origin)) {
        http_reply(conn, 403, NULL, "", 0);
        return true;
    }
    text_print(&conn->extra, "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
    if (strcmp(conn->method, "OPTIONS") != 0)
        return false;
    allowed_methods(conn->path, allow, sizeof allow);
    text_print(&conn->extra,
               "Access-Control-Allow-Headers: " CORS_HEADERS "\r\n"
               "Access-Control-Allow-Methods: GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS\r\n"
               "Access-Control-Max-Age: 43200\r\n"
               "Vary: Access-Control-Request-Method\r\nVary: Access-Control-Request-Headers\r\n");
    if (*allow)
        text_print(&conn->extra, "Allow: %s\r\n", allow);
    http_reply(conn, 204, NULL, "", 0);
    return true;
}

static void answer(struct http_conn *conn)
{
    if (cors(conn))
        return;
    for (size_t i = 0; i < ROUTES_LEN; i++) {
        if (!strcmp(routes[i].method, conn->method) && on_path(&routes[i], conn->path)) {
            routes[i].asked++;
            routes[i].answer(conn);
            return;
        }
    }
    no_route(conn);
}

static void parked(struct timer *timer)
{
    struct http_conn *conn = owner_of(timer, struct http_conn, timer);
    if (settings.hang)
        loop_arm(timer, HANG_CHECK_MS);
    else
        answer(conn);
}

static void handle(struct http_conn *conn)
{
    conn->timer.fire = parked;
    if (settings.slow_ms)
        loop_arm(&conn->timer, settings.slow_ms);
    else if (settings.hang)
        loop_arm(&conn->timer, HANG_CHECK_MS);
    else
        answer(conn);
}

void api_recheck(void)
{
    if (settings.refuse && server.watch.fd >= 0)
        loop_close(&server.watch);
    if (settings.refuse || server.watch.fd >= 0)
        return;
    int error = http_listen(&server, listen_host, listen_port);
    if (error < 0)
        die("listening on %s:%u: %s", listen_host, listen_port, strerror(-error));
}

void api_start(void)
{
    const char *host = getenv("OLLAMA_HOST");
    if (!host || !*host)
        host = "0.0.0.0";
    const char *colon = strrchr(host, ':');
    size_t len = colon ? (size_t)(colon - host) : strlen(host);
    snprintf(listen_host, sizeof listen_host, "%.*s", (int)len, host);
    listen_port = colon && colon[1] ? (uint16_t)strtoul(colon + 1, NULL, 10) : OLLAMA_PORT;
    server.handle = handle;
    api_recheck();
}

void api_end(void)
{
    loop_close(&server.watch);
}

json_t *api_counts(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < ROUTES_LEN; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s %s", routes[i].method, routes[i].path);
        json_object_set_new(all, name, json_integer((json_int_t)routes[i].asked));
    }
    json_object_set_new(all, "other", json_integer((json_int_t)asked_other));
    return all;
}
