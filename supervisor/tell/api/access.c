#include "tell/api/access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- the Host that is asked for: a page on a name that resolves to us is refused */

/* "[::1]:9000" -> "::1", "host:80" -> "host"; the length, 0: it has none. */
static size_t host_of(const char *authority, const char **ret_host)
{
    *ret_host = authority;
    if (*authority == '[') {
        size_t length = strcspn(authority + 1, "]");
        *ret_host = authority + 1;
        return authority[1 + length] ? length : 0;
    }
    return strcspn(authority, ":/");
}

/* What Host names. */
enum named { NAMED_OTHER, NAMED_OURS, NAMED_LOOPBACK };

/* An address of no machine (0.0.0.0, ::) reaches this one, and browsers do not say then whose page
 * asks: nobody needs it. */
static enum named named_by_address(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, text, &v4) != 1) {
        if (inet_pton(AF_INET6, text, &v6) != 1)
            return NAMED_OTHER;
        if (!IN6_IS_ADDR_V4MAPPED(&v6))
            return IN6_IS_ADDR_UNSPECIFIED(&v6) ? NAMED_OTHER
                   : IN6_IS_ADDR_LOOPBACK(&v6)  ? NAMED_LOOPBACK
                                                : NAMED_OURS;
        memcpy(&v4, v6.s6_addr + 12, sizeof v4);
    }
    uint32_t net = ntohl(v4.s_addr) >> 24;
    return net == 0 ? NAMED_OTHER : net == 127 ? NAMED_LOOPBACK : NAMED_OURS;
}

static enum named named_by(const struct access_rules *rules, const char *authority)
{
    const char *host;
    char name[256];
    size_t length = host_of(authority, &host);
    if (length == 0 || length >= sizeof name)
        return NAMED_OTHER;
    memcpy(name, host, length);
    name[length] = '\0';
    if (strcasecmp(name, "localhost") == 0)
        return NAMED_LOOPBACK;
    return rules->hosts && net_list_has(rules->hosts, name) ? NAMED_OURS : named_by_address(name);
}

/* ---- a browser that acts for somebody else's page */

/* "https://host:port/path" is of that authority. */
static bool of_authority(const char *url, const char *authority)
{
    const char *at = strstr(url, "://");
    size_t length = strlen(authority);
    return at && strncasecmp(at + 3, authority, length) == 0 &&
           (at[3 + length] == '\0' || at[3 + length] == '/' || at[3 + length] == '?');
}

static bool is_foreign(const struct net_head *head)
{
    const char *host = net_head_get(head, "host");
    const char *site = net_head_get(head, "sec-fetch-site");
    static const char *const origins[] = {"origin", "referer"};
    if (site && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0)
        return true;
    for (size_t i = 0; i < 2; i++) {
        const char *origin = net_head_get(head, origins[i]);
        if (origin && !(host && of_authority(origin, host)))
            return true;
    }
    return false;
}

/* A GET is what a mere link or picture of any page makes a browser send, and over plain HTTP not
 * every browser says whose page it was. So where it changes something it must be known to be no
 * such page: the browser says so, or it is no browser (curl) and names loopback. */
static bool is_a_link(const struct access_rules *rules, const struct net_head *head)
{
    const char *host = net_head_get(head, "host");
    const char *agent = net_head_get(head, "user-agent");
    if (net_head_method_of(head) != NET_GET || net_head_get(head, "sec-fetch-site"))
        return false; /* is_foreign has looked at that */
    return (host && named_by(rules, host) != NAMED_LOOPBACK) ||
           (agent && strncasecmp(agent, "mozilla", 7) == 0);
}

/* ---- who it is */

/* Whether a proxy says that it asks for somebody else. */
static bool is_forwarded(const struct net_head *head)
{
    for (unsigned i = 0; i < head->n_fields; i++) {
        const char *name = net_head_field(head, i).name;
        if (strcasecmp(name, "forwarded") == 0 || strcasecmp(name, "via") == 0 ||
            strcasecmp(name, "x-real-ip") == 0 || strncasecmp(name, "x-forwarded-", 12) == 0)
            return true;
    }
    return false;
}

/* In a time that says nothing of how much of it was right. */
static bool is_secret(const char *secret, const char *said)
{
    size_t length = strlen(secret), theirs = strlen(said);
    unsigned char differ = length != theirs;
    for (size_t i = 0; i < theirs; i++)
        differ |= (unsigned char)(said[i] ^ secret[length ? i % length : 0]);
    return differ == 0 && length >= ACCESS_SECRET_MIN;
}

static const struct access_token *find_token(const struct access_rules *rules, const char *said)
{
    const struct access_token *found = NULL;
    for (size_t i = 0; i < rules->n_tokens; i++) {
        if (is_secret(rules->tokens[i].secret, said))
            found = &rules->tokens[i];
    }
    return found;
}

static int by_token(const struct access_rules *rules, const char *authorization,
                    enum api_access access, bool changes, struct access_caller *caller,
                    const char **ret_detail)
{
    static const char bearer[] = "bearer ";
    size_t length = sizeof bearer - 1;
    const struct access_token *token =
        strncasecmp(authorization, bearer, length) == 0
            ? find_token(rules, authorization + length + strspn(authorization + length, " "))
            : NULL;
    *ret_detail = "the token is none of those of http.token and http.read_token";
    if (!token)
        return 401;
    snprintf(caller->name, sizeof caller->name, "%s", token->name);
    caller->admin = token->admin;
    *ret_detail = "this token may only read: use one of http.token";
    return token->admin || (access == API_READS && !changes) ? 0 : 403;
}

static int by_place(const struct access_rules *rules, const struct net_peer *peer,
                    const struct net_head *head, enum api_access access, bool changes,
                    struct access_caller *caller, const char **ret_detail)
{
    bool reads = access == API_READS && !changes;
    *ret_detail = "a proxy forwarded this: send Authorization: Bearer with a token of http.token";
    if (is_forwarded(head))
        return 401;
    if (peer->local) {
        caller->admin = peer->uid == 0 || peer->uid == rules->uid;
        if (caller->admin)
            snprintf(caller->name, sizeof caller->name, "uid %u over the socket",
                     (unsigned)peer->uid);
        *ret_detail = "only root and the daemon's own user may do this over the socket";
        return caller->admin || reads ? 0 : 403;
    }
    *ret_detail = "from another machine a token is needed: set http.token or http.read_token, and "
                  "send it as Authorization: Bearer";
    if (!peer->loopback)
        return rules->n_tokens > 0 ? 401 : 403;
    *ret_detail =
        "http.loopback is \"none\": send Authorization: Bearer with a token of http.token "
        "or http.read_token";
    if (rules->loopback == LOOPBACK_NOTHING)
        return rules->n_tokens > 0 ? 401 : 403;
    *ret_detail =
        "this needs a token: set http.token, and send it as Authorization: Bearer; or ask "
        "over the socket in the state directory";
    if (access == API_ADMIN)
        return rules->n_tokens > 0 ? 401 : 403;
    *ret_detail = "http.loopback is \"read\": this needs a token of http.token";
    return reads || rules->loopback == LOOPBACK_ACTS ? 0 : 401;
}

int access_refuses(const struct access_rules *rules, const struct net_peer *peer,
                   const struct net_head *head, enum api_access access, bool changes,
                   struct access_caller *ret_caller, const char **ret_detail)
{
    const char *host = net_head_get(head, "host");
    const char *authorization = net_head_get(head, "authorization");
    *ret_caller = (struct access_caller){0};
    snprintf(ret_caller->name, sizeof ret_caller->name, "%s", peer->text);
    *ret_detail = "Host names another server: if it is this one, add the name to http.hosts";
    if (host && !peer->local && named_by(rules, host) == NAMED_OTHER)
        return 421;
    *ret_detail = "somebody else's page asks for this: it is done only for pages of this server";
    if (changes && is_foreign(head))
        return 403;
    *ret_detail = "a link may not do this: ask by POST, or by GET at localhost without a browser";
    if (changes && !authorization && !peer->local && is_a_link(rules, head))
        return 403;
    return authorization ? by_token(rules, authorization, access, changes, ret_caller, ret_detail)
                         : by_place(rules, peer, head, access, changes, ret_caller, ret_detail);
}
