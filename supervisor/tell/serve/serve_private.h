/* What the files of the daemon's API share. */
#ifndef SUPERVISOR_TELL_SERVE_PRIVATE_H
#define SUPERVISOR_TELL_SERVE_PRIVATE_H

#include "act/load.h"
#include "judge/runner_uses.h"
#include "net/server.h"
#include "tell/api/call.h"
#include "tell/serve/serve.h"
#include "tell/serve/tokens.h"

#include <sys/queue.h>

enum {
    PLACES_MAX = 16,             /* addresses to listen on */
    SITES_MAX = 64,              /* of clients with wrong tokens that are remembered */
    JOBS_MAX = 16,               /* questions to the history that wait for the one under way */
    READERS_MAX = 64,            /* of the stream of events: a quarter of the connections, */
    READERS_KEPT_FOR_ADMINS = 16 /* and so many more that only admins may open */
};

struct place {
    struct net_address address;
    mode_t mode; /* of a unix socket */
    bool tls, open, told;
};

struct job;
struct reader;
struct operation;

enum { STEPS = 11 };
extern const char *const serve_steps[STEPS]; /* as heal_event has them */

struct serve {
    struct serve_options o;
    struct net_server *server;
    struct net_tls *tls; /* NULL: plain HTTP */
    struct place places[PLACES_MAX];
    size_t n_places;
    uv_timer_t timer; /* once a second: places that are taken, beats of the stream */
    unsigned ticks;
    struct api_route routes[SERVE_ROUTES_MAX];
    struct api api;
    char families[200];
    struct tokens tokens;
    struct access_rules rules;
    struct site {
        unsigned char site[8];
        unsigned failed;
        uint64_t until_ms;
    } sites[SITES_MAX];
    STAILQ_HEAD(jobs, job) jobs; /* the first is under way */
    unsigned n_jobs;
    TAILQ_HEAD(readers, reader) readers;
    unsigned n_readers;
    double world_sent_s;                  /* monotonic, of the last world in the stream */
    double ticked_s, lag_s;               /* boottime of the last tick, and how late it was */
    double looked_s;                      /* boottime of the last look; 0: none */
    uint64_t remedies[STEPS][HEAL_KINDS]; /* since the start, by what became of them */
    struct loader *loader;                /* for all operations that load: one at a time */
    struct runner_uses *uses;
    TAILQ_HEAD(operations, operation) operations; /* the oldest first */
    size_t n_operations_open, n_operations_over;
    int64_t n_operations;     /* so many were ever begun: the number of the newest */
    int64_t unloaded_wall_ms; /* when a model was unloaded last; 0: never */
    int64_t alerts_after;     /* the history of alerts begins behind that event */
    bool stopping;
};

/* ---- the tables; each ends with a NULL path */
extern const struct api_route routes_self[], routes_api[], routes_records[], routes_metrics[],
    routes_operations[], routes_memory[], routes_runbook[], routes_alerts[];

/* ---- admit.c */
int admit(void *userdata, struct net_exchange *exchange, const struct api_route *route,
          const char **ret_detail);
/* Who asks, for log and history. */
void admit_caller(struct serve *serve, const struct api_call *call,
                  struct access_caller *ret_caller);

/* ---- what several tables need */

/* What was last seen, or the call is answered (503). */
bool serve_seen(struct serve *serve, struct api_call *call, struct state *ret_state);
/* The container of that name, or whose id begins so (12 digits or more); NULL: the call is answered
 * (404). */
const struct container *serve_named(struct api_call *call, const struct world *world,
                                    const char *named);
/* Answers 200 with a text; errors as net_answer. */
int serve_answer_text(struct api_call *call, const char *type, const char *text, size_t length);
/* Not healthy: why. NULL: all is well. */
const char *serve_ill(struct serve *serve, char *text, size_t size);

extern const struct api_member no_members[];
extern const struct api_member container_parameter[]; /* ?container=, optional */

/* ---- operations.c */
int operations_new(struct serve *serve);
void operations_free(struct serve *serve); /* after the healer was freed */
void operations_look(struct serve *serve, const struct world *world,
                     const struct judgement *judgement);
void operations_heal(struct serve *serve, const struct heal_event *event);

/* ---- api_alerts.c: from where the history of alerts begins, as an earlier daemon was told */
void alerts_remember(struct serve *serve);

/* ---- stream.c */
void stream_look(struct serve *serve, const struct judgement *judgement);
void stream_heal(struct serve *serve, const struct heal_event *event);
void stream_beat(struct serve *serve);
api_serve stream_begin;

#endif
