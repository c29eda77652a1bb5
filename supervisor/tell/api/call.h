/* A request of the API: found in the table, its parameters and body checked, then served. */
#ifndef SUPERVISOR_TELL_API_CALL_H
#define SUPERVISOR_TELL_API_CALL_H

#include "tell/api/route.h"

struct api {
    const struct api_route *routes;
    size_t n_routes;
    const char *families; /* NULL: all */
    void *userdata;       /* for those who serve */
    /* Whether the caller may: 0, or the status to refuse with and the sentence. NULL: always. Asked
     * before parameters and body are looked at; for what is in no table, with a route that reads
     * and has a path alone. */
    int (*refuses)(void *userdata, struct net_exchange *exchange, const struct api_route *route,
                   const char **ret_detail);
};

/* Lives until its exchange is done; whoever keeps it says so by `calls`. */
struct api_call {
    const struct api *api;
    const struct api_route *route;
    struct net_exchange *exchange;
    json_t *parameters; /* an object; typed, as the table has them */
    json_t *body;       /* an object; empty if none was sent; NULL for a route without one */
    struct buffer text; /* of the body */
    bool cut;           /* some of it is lost */
    struct api_match match;
    /* Set by whoever serves: what it is told (room, half_closed, done), with own. */
    const struct net_calls *calls;
    void *own;
};

/* For a net_service, with a struct api as userdata. */
uint64_t api_body_max(void *userdata, const struct net_head *head);
void api_request(void *userdata, struct net_exchange *exchange);

/* Answers with JSON; value is taken over, NULL is a lack of memory (500). Errors as net_answer; one
 * that could not be made has been answered by 500. */
int api_answer(struct api_call *call, int status, json_t *value);
int api_problem(struct api_call *call, int status, const char *detail);
/* A parameter; NULL or fallback: not given. */
const char *api_text(const struct api_call *call, const char *name);
int64_t api_whole(const struct api_call *call, const char *name, int64_t fallback);

#endif
