/* Who may: the rules of access.h, and a limit for whoever tries tokens. */
#include "base/log.h"
#include "tell/serve/serve_private.h"

#include <string.h>

/* A secret has 64 bits at least, so that guessing is no way in; this keeps the log and the CPU from
 * whoever tries. This machine is not counted: everybody here is one site. */
enum { FAILED_MAX = 10, FAILED_MS = 60000 };

/* Of that client; the one that is over first gives way. NULL: it is not remembered. */
static struct site *site_of(struct serve *serve, const struct net_peer *peer, bool make)
{
    uint64_t now_ms = uv_now(serve->o.loop);
    struct site *oldest = &serve->sites[0];
    for (size_t i = 0; i < SITES_MAX; i++) {
        struct site *site = &serve->sites[i];
        if (site->until_ms > now_ms && memcmp(site->site, peer->site, sizeof site->site) == 0)
            return site;
        if (site->until_ms < oldest->until_ms)
            oldest = site;
    }
    if (!make)
        return NULL;
    *oldest = (struct site){.until_ms = now_ms + FAILED_MS};
    memcpy(oldest->site, peer->site, sizeof oldest->site);
    return oldest;
}

int admit(void *userdata, struct net_exchange *exchange, const struct api_route *route,
          const char **ret_detail)
{
    struct serve *serve = userdata;
    const struct net_peer *peer = net_exchange_peer(exchange);
    const struct net_head *head = net_exchange_head(exchange);
    struct access_caller caller;
    bool says = net_head_get(head, "authorization") != NULL;
    struct site *site = says && peer->counted ? site_of(serve, peer, false) : NULL;
    *ret_detail = "too many wrong tokens came from there: try again in a minute";
    if (site && site->failed >= FAILED_MAX)
        return 429;
    int status = access_refuses(&serve->rules, peer, head, route->access,
                                route->access != API_READS, &caller, ret_detail);
    if (status != 0 && says)
        log_line(LOG_LEVEL_WARNING, "http refused", LS("who", caller.name), LS("path", route->path),
                 LN("status", status), LS("why", *ret_detail));
    if (status == 401 && says && peer->counted)
        site_of(serve, peer, true)->failed++;
    return status;
}

void admit_caller(struct serve *serve, const struct api_call *call,
                  struct access_caller *ret_caller)
{
    const char *detail;
    access_refuses(&serve->rules, net_exchange_peer(call->exchange),
                   net_exchange_head(call->exchange), call->route->access,
                   call->route->access != API_READS, ret_caller, &detail);
}
