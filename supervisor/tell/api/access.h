/* Who may ask what: by token, by where it comes from, and not by somebody else's page in a browser.
 * Pure. What it decides is told to people, so each refusal names what to do. */
#ifndef SUPERVISOR_TELL_API_ACCESS_H
#define SUPERVISOR_TELL_API_ACCESS_H

#include "net/exchange.h"
#include "tell/api/route.h"

struct access_token {
    char name[32];    /* who it is, in the log and the history */
    char secret[136]; /* as it is sent; at least ACCESS_SECRET_MIN bytes */
    bool admin;       /* else it reads only */
};

enum { ACCESS_SECRET_MIN = 16 }; /* 64 bits as hexadecimal: not guessed at a rate that is limited */

/* What loopback may without a token: what Ollama lets anybody there do, read, or nothing. */
enum access_loopback { LOOPBACK_ACTS, LOOPBACK_READS, LOOPBACK_NOTHING };

struct access_rules {
    const struct access_token *tokens;
    size_t n_tokens;
    const char *hosts; /* names, beside addresses and localhost, that Host may have */
    enum access_loopback loopback;
    uid_t uid; /* whoever this daemon is: like root, an admin over a unix socket */
};

struct access_caller {
    char name[80]; /* the token's, "root over the socket", or the address */
    bool admin;
};

/* Whether the caller may do what such a route does. `changes`: it does more than read, by whatever
 * method. 0, or the status to refuse with (401, 403, 421), and *ret_detail is the sentence
 * (static). A 401 for a token that is none is to be counted (rate limit); *ret_caller says who it
 * was, in each case. */
int access_refuses(const struct access_rules *rules, const struct net_peer *peer,
                   const struct net_head *head, enum api_access access, bool changes,
                   struct access_caller *ret_caller, const char **ret_detail);

#endif
