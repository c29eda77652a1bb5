#include "base/clock.h"
#include "base/log.h"
#include "tell/serve/serve_private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 1000, RETRY_TICKS = 10, BEAT_TICKS = 15 };

const char *const serve_steps[STEPS] = {"unload",     "load",  "kill",    "restart",
                                        "limit",      "high",  "reclaim", "throttle",
                                        "unthrottle", "flush", "stop"};

/* ---- listening */

static void listen_on(struct serve *serve, struct place *place)
{
    struct error err = {0};
    if (net_server_listen(serve->server, &place->address, place->tls ? serve->tls : NULL,
                          place->mode, &err) == 0) {
        int port = net_server_port(serve->server, 0); /* the newest listener is the first */
        place->open = true;
        log_line(LOG_LEVEL_INFO, "http listening", LS("address", place->address.text),
                 LN("port", port < 0 ? FACT_UNKNOWN : port), LN("tls", place->tls));
    } else if (!place->told) {
        place->told = true;
        log_line(LOG_LEVEL_WARNING, "http not listening", LS("address", place->address.text),
                 LS("why", err.message), LS("instead", "it is tried again every 10 s"));
    }
}

static int add_place(struct serve *serve, const struct net_address *address, mode_t mode, bool tls,
                     struct error *err)
{
    if (serve->n_places == PLACES_MAX)
        return error_set(err, FAILURE_USAGE, -E2BIG, "http.listen has more than %d addresses",
                         PLACES_MAX);
    serve->places[serve->n_places++] =
        (struct place){.address = *address, .mode = mode, .tls = tls};
    return 0;
}

/* Who came over a unix socket is known: others than root may read. */
static int add_list(struct serve *serve, const char *list, bool tls, struct error *err)
{
    struct net_address address;
    int r;
    while ((r = net_address_next(&list, &address, err)) > 0)
        if ((r = add_place(serve, &address, 0666, tls && address.to.any.sa_family != AF_UNIX,
                           err)) < 0)
            break;
    return r;
}

static int find_places(struct serve *serve, struct error *err)
{
    const struct settings *s = config_settings(serve->o.config);
    char path[PATH_MAX];
    struct net_address address;
    int r = add_list(serve, s->http_listen, serve->tls != NULL, err);
    if (r == 0)
        r = add_list(serve, s->http_legacy_listen, serve->tls != NULL, err);
    int n = snprintf(path, sizeof path, "%s/http.sock", serve->o.state);
    /* A path that is too long for a socket: there is none. */
    if (r < 0 || n < 0 || (size_t)n >= sizeof path || net_address_local(path, &address, NULL) < 0)
        return r;
    return add_place(serve, &address, 0600, false, err);
}

static void tick(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    double now_s = clock_boottime_s();
    serve->lag_s = serve->ticks > 0 ? now_s - serve->ticked_s - TICK_MS / 1000.0 : 0;
    serve->ticked_s = now_s;
    serve->ticks++;
    for (size_t i = 0; serve->ticks % RETRY_TICKS == 0 && i < serve->n_places; i++) {
        if (!serve->places[i].open)
            listen_on(serve, &serve->places[i]);
    }
    if (serve->ticks % BEAT_TICKS == 0)
        stream_beat(serve);
}

/* ---- settings */

static void apply_rules(struct serve *serve)
{
    const struct settings *s = config_settings(serve->o.config);
    snprintf(serve->families, sizeof serve->families, "%s, self", s->http_families);
    serve->rules =
        (struct access_rules){.tokens = serve->tokens.list,
                              .n_tokens = serve->tokens.n,
                              .hosts = s->http_hosts[0] ? s->http_hosts : NULL,
                              .loopback = strcmp(s->http_loopback, "read") == 0   ? LOOPBACK_READS
                                          : strcmp(s->http_loopback, "none") == 0 ? LOOPBACK_NOTHING
                                                                                  : LOOPBACK_ACTS,
                              .uid = getuid()};
}

static int check_settings(const struct settings *s, struct error *err)
{
    if (!s->http_certificate[0] != !s->http_key[0])
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "http.certificate and http.key belong together: set both, or none");
    return 0;
}

void serve_settings_changed(struct serve *serve)
{
    struct error err = {0};
    if (!serve)
        return;
    const struct settings *s = config_settings(serve->o.config);
    if (tokens_read(s, &serve->tokens, &err) < 0)
        log_line(LOG_LEVEL_ERROR, "tokens refused", LS("why", err.message),
                 LS("kept", "the old ones"));
    if (serve->tls && net_tls_reload(serve->tls, s->http_certificate, s->http_key, &err) < 0)
        log_line(LOG_LEVEL_ERROR, "certificate refused", LS("why", err.message),
                 LS("kept", "the old one"));
    apply_rules(serve);
}

/* ---- its life */

size_t serve_routes(struct api_route routes[static SERVE_ROUTES_MAX])
{
    static const struct api_route *const tables[] = {
        routes_self,       routes_api,    routes_records, routes_metrics,
        routes_operations, routes_memory, routes_runbook, routes_alerts};
    size_t n = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct api_route *route = tables[i]; route->path && n < SERVE_ROUTES_MAX;
             route++)
            routes[n++] = *route;
    return n;
}

static int add_routes(struct serve *serve, struct error *err)
{
    size_t n = serve_routes(serve->routes);
    serve->api = (struct api){.routes = serve->routes,
                              .n_routes = n,
                              .families = serve->families,
                              .userdata = serve,
                              .refuses = admit};
    return api_check(serve->routes, n, err);
}

static int begin(struct serve *serve, struct error *err)
{
    const struct settings *s = config_settings(serve->o.config);
    const struct net_service service = {
        .userdata = &serve->api, .body_max = api_body_max, .request = api_request};
    int r = check_settings(s, err);
    if (r == 0)
        r = tokens_read(s, &serve->tokens, err);
    if (r == 0 && s->http_certificate[0])
        r = net_tls_new(s->http_certificate, s->http_key, &serve->tls, err);
    if (r == 0)
        r = find_places(serve, err);
    if (r == 0)
        r = add_routes(serve, err);
    if (r == 0 && (r = net_server_new(serve->o.loop, &service, &net_limits, &serve->server)) < 0)
        error_set(err, FAILURE_JOB, r, "not enough memory");
    return r;
}

int serve_new(const struct serve_options *options, struct serve **ret_serve, struct error *err)
{
    struct serve *serve;
    *ret_serve = NULL;
    const char *listen = config_settings(options->config)->http_listen;
    if (!listen[0] || strcmp(listen, "off") == 0)
        return 0;
    serve = calloc(1, sizeof *serve);
    if (!serve)
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory");
    serve->o = *options;
    STAILQ_INIT(&serve->jobs);
    TAILQ_INIT(&serve->readers);
    int r = operations_new(serve);
    r = r < 0 ? error_set(err, FAILURE_JOB, r, "not enough memory") : begin(serve, err);
    if (r < 0) {
        serve_free(serve);
        return r;
    }
    apply_rules(serve);
    alerts_remember(serve);
    uv_timer_init(options->loop, &serve->timer);
    serve->timer.data = serve;
    uv_timer_start(&serve->timer, tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < serve->n_places; i++)
        listen_on(serve, &serve->places[i]);
    *ret_serve = serve;
    return 0;
}

void serve_stop(struct serve *serve)
{
    if (!serve)
        return;
    serve->stopping = true;
    net_server_free(serve->server);
    serve->server = NULL;
    uv_close((uv_handle_t *)&serve->timer, NULL);
}

void serve_free(struct serve *serve)
{
    if (!serve)
        return;
    operations_free(serve);
    net_tls_free(serve->tls);
    free(serve);
}

void serve_look(struct serve *serve, const struct world *world, const struct judgement *judgement)
{
    if (!serve)
        return;
    serve->looked_s = world->monotonic_s;
    stream_look(serve, judgement);
    operations_look(serve, world, judgement);
}

static void count(struct serve *serve, const struct heal_event *event)
{
    if (event->kind == HEAL_LOCKED_LONG) /* HEAL_LOCKED was told before, and is called the same */
        return;
    if (event->kind == HEAL_DONE && strcmp(event->step, "unload") == 0)
        serve->unloaded_wall_ms = clock_wall_ms();
    for (size_t i = 0; i < STEPS; i++)
        if (strcmp(serve_steps[i], event->step) == 0)
            serve->remedies[i][event->kind]++;
}

void serve_heal(struct serve *serve, const struct heal_event *event)
{
    if (!serve)
        return;
    count(serve, event);
    operations_heal(serve, event);
    stream_heal(serve, event);
}
