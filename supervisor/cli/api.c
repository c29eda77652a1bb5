/* supervisor api: the routes of the daemon's HTTP API, each with a line for curl. Asks nobody. */
#include "cli/cli.h"
#include "cli/say.h"
#include "net/address.h"
#include "tell/api/openapi.h"
#include "tell/serve/serve.h"

#include <stdio.h>
#include <string.h>

/* Where it listens first: "http://127.0.0.1:9000", or "--unix-socket PATH http://localhost". */
static int base_of(const struct settings *s, char *text, size_t size)
{
    const char *list = s->http_listen, *scheme = s->http_certificate[0] ? "https" : "http";
    struct net_address address;
    struct error err;
    if (strcmp(list, "off") == 0 || list[0] == '\0')
        return cli_refuse(FAILURE_JOB, "http.listen is off: there is no API");
    if (net_address_next(&list, &address, &err) < 0)
        return cli_fail(&err);
    const char *port = strrchr(address.text, ':');
    bool any = port == address.text || address.text[0] == '*';
    if (strncmp(address.text, "unix:", 5) == 0)
        snprintf(text, size, "--unix-socket %s http://localhost", address.text + 5);
    else if (any)
        snprintf(text, size, "%s://127.0.0.1%s", scheme, port);
    else
        snprintf(text, size, "%s://%s", scheme, address.text);
    return 0;
}

/* What must be said in the query: "?container=CONTAINER". */
static void put_query(const struct api_route *route)
{
    const char *before = "?";
    for (const struct api_member *p = route->parameters; p && p->name; p++) {
        char segment[64];
        snprintf(segment, sizeof segment, "{%s}", p->name);
        if (p->optional || strstr(route->path, segment))
            continue;
        printf("%s%s=...", before, p->name);
        before = "&";
    }
}

static void print_route(const struct api_route *route, const char *base)
{
    static const char *const methods[] = {
        [NET_GET] = "GET", [NET_POST] = "POST", [NET_PUT] = "PUT", [NET_DELETE] = "DELETE"};
    const char *method = methods[route->method];
    bool stream = route->answers->type && strcmp(route->answers->type, "text/event-stream") == 0;
    printf("%-6s %-44s %s\n       curl -s%s ", method, route->path, route->about,
           stream ? "N" : "");
    if (route->method != NET_GET)
        printf("-X %s ", method);
    if (route->access == API_ADMIN)
        printf("-H \"Authorization: Bearer $TOKEN\" ");
    for (const struct api_member *m = route->body ? route->body->members : NULL; m && m->name; m++)
        printf("%s\"%s\": ...%s", m == route->body->members ? "-d '{" : ", ", m->name,
               m[1].name ? "" : "}' ");
    const char *url = strrchr(base, ' '); /* behind --unix-socket PATH */
    printf("%.*s'%s%s", url ? (int)(url + 1 - base) : 0, base, url ? url + 1 : base, route->path);
    put_query(route);
    printf("'\n");
}

int cmd_api(struct cli *cli)
{
    const struct settings *s = config_settings(cli->config);
    struct api_route routes[SERVE_ROUTES_MAX];
    char base[NET_ADDRESS_SIZE + 64];
    size_t n = serve_routes(routes);
    if (cli_has(cli, "json")) {
        say_json(serve_describe(routes, n, NULL));
        return 0;
    }
    int r = base_of(s, base, sizeof base);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (strcmp(routes[i].family, "self") == 0 ||
            net_list_has(s->http_families, routes[i].family))
            print_route(&routes[i], base);
    return r;
}
