/* What is asked to be done: unloads and restarts by the healer's own way, loads by the loader's.
 * Each is an operation, which goes on when whoever asked has left, and is kept for a while. */
#ifndef SUPERVISOR_TELL_SERVE_OPERATIONS_H
#define SUPERVISOR_TELL_SERVE_OPERATIONS_H

#include "act/load.h"
#include "tell/serve/serve_private.h"

enum {
    OPERATIONS_OPEN_MAX = 16,       /* at a time, */
    OPERATIONS_KEPT_FOR_ADMINS = 8, /* and so many more that only admins may open */
    OPERATIONS_KEPT_MAX = 64,       /* that are over */
    OPERATION_JOBS_MAX = 512,       /* models that one of them unloads */
    OPERATION_LOADS_MAX = 64,
    OPERATION_TARGETS_MAX = 256,
};

struct operation;

/* How the end is answered: as an operation, or in the words of an older API. */
typedef void operation_answer(struct api_call *call, const struct operation *op, int status);

struct operation_job {
    char id[CONTAINER_ID_SIZE];
    char model[CONTAINER_NAME_SIZE]; /* "": the container is restarted */
    enum { JOB_TO_DO, JOB_UNDER_WAY, JOB_ENDED } state;
    double
        first_s; /* boottime: since when it is the first that waits in its container; 0: not yet */
};

struct operation_target {
    char id[CONTAINER_ID_SIZE];
    bool looked; /* what it has loaded was asked since the operation began */
};

struct operation {
    struct serve *serve;
    struct api_call *call; /* NULL: nobody waits */
    operation_answer *answer;
    int64_t number;
    const char *what; /* static: "unload" … */
    char who[80];
    int64_t wall_ms;
    double began_s, took_s; /* boottime; until it is over took_s is 0 */
    bool admin; /* asked by one: goes before others, and is never counted instead of told */
    bool force, over;
    bool unloads;                    /* the models of that name, or all */
    char model[CONTAINER_NAME_SIZE]; /* "": all */
    bool optimizes;                  /* looks for what may go, until nothing may */
    bool loading;                    /* the loader is at loads[at_load] */
    struct operation_job *jobs;      /* owned; in one container one after the other */
    size_t n_jobs;
    struct operation_target *targets; /* owned */
    size_t n_targets;
    struct load_wish *loads; /* owned; when the jobs have ended, one after the other */
    size_t n_loads, at_load;
    double load_due_s; /* boottime: the next load is begun until then, or not at all; 0: not yet */
    json_t *rows;      /* one a model or container: container, model, result, text, before, after */
    size_t failed, pending, refused;
    fact held_before, freed; /* of the targets; bytes that came back */
    TAILQ_ENTRY(operation) link;
};

/* A new one for a call, with the containers that it is for: the one that is named, else those that
 * are enforced, else the only one there is. NULL: the call is answered. operation_begin follows. */
struct operation *operation_new(struct serve *serve, struct api_call *call, const char *what,
                                const char *container, operation_answer *answer);
/* The models of that name (NULL: all) of all targets, as their Ollamas list them then. */
void operation_add_unloads(struct operation *op, const char *model);
/* -E2BIG. */
int operation_add_unload(struct operation *op, const struct container *c, const char *model);
int operation_add_restart(struct operation *op, const struct container *c);
int operation_add_load(struct operation *op, const struct load_wish *wish);
/* The i-th target in the last look; NULL: it is gone. */
const struct container *operation_target(const struct operation *op, size_t i);
/* Says what became of one without doing anything: `result` is "done", "failed", "stays". */
void operation_say(struct operation *op, const char *container, const char *model,
                   const char *result, const char *text);
/* Takes it over; where it may not begin, the call is answered. */
void operation_begin(struct operation *op);
/* Never begun: the call is answered already. */
void operation_drop(struct operation *op);
/* The same, to put numbers into. */
json_t *operation_row(struct operation *op, const char *container, const char *model,
                      const char *result, const char *text);
/* operations_step.c: goes on with one; false: it is over. And the loader's done, with the serve. */
bool operation_step(struct operation *op, const struct state *state);
void operation_loaded(void *userdata, const struct load_report *report);
/* As /api/v1/operations has it; a new reference. */
json_t *operation_json(const struct operation *op);
operation_answer operation_answer_it;
extern const struct api_schema operation_schema;
#define OPERATION_BEGUN                                                                            \
    {.status = 202,                                                                                \
     .about = "begun, as `Prefer: respond-async` wants it",                                        \
     .schema = &operation_schema}

/* api_operations.c: what is asked for in one go; each answers the call. model NULL: all that are
 * loaded. flushed: all are unloaded first. force is for admins: whoever sets it has looked. */
void operation_unload(struct serve *serve, struct api_call *call, const char *model,
                      const char *container, bool force, operation_answer *answer);
void operation_load(struct serve *serve, struct api_call *call, const char *model,
                    const char *container, int64_t keep_alive_s, bool force,
                    operation_answer *answer);
void operation_preload(struct serve *serve, struct api_call *call, const char *container,
                       bool flushed, operation_answer *answer);

#endif
