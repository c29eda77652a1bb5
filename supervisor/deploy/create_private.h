/* What the files of create share. */
#ifndef SUPERVISOR_DEPLOY_CREATE_PRIVATE_H
#define SUPERVISOR_DEPLOY_CREATE_PRIVATE_H

#include "deploy/create.h"
#include "keep/keep.h"
#include <errno.h>

enum {
    CREATE_OLLAMA_PORT = 11434,
    CREATE_LOCALAI_PORT = 8080, /* LocalAI's default */
    CREATE_HELD_LOCKS = DEPLOY_OTHERS_MAX + 1,
};

/* A container that is there, or was. */
struct create_container {
    json_t *json; /* inspect; NULL: not there */
    char id[CONTAINER_ID_SIZE];
    bool running;
};

struct create {
    const struct config *config;
    const struct settings *settings;
    const struct create_wish *wish;
    struct await *await;
    create_tell *tell;
    void *userdata;
    struct create_result *result;
    struct create_seen *seen; /* the result's */
    struct deploy_plan *plan;
    json_t *list;
    struct create_container existing; /* of the name that is wanted */
    struct create_container old;      /* of that name with CREATE_REPLACED_SUFFIX */
    char name[CONTAINER_NAME_SIZE], old_name[CONTAINER_NAME_SIZE];
    bool unfinished;              /* existing was created by us and never started: made anew */
    bool replacing;               /* existing goes, or old is there without the new one */
    char volume_root[600];        /* volume_path as this process reaches it; "" unreachable */
    char token[AWAIT_TOKEN_SIZE]; /* label supervisor.create: is it the one that we asked for? */

    /* what was done, and is taken back */
    bool volume_made, old_was_running, set_aside, made;
    char evicted[DEPLOY_OTHERS_MAX][CONTAINER_ID_SIZE];
    size_t n_evicted;
    struct keep_lock *locks[CREATE_HELD_LOCKS]; /* on those that are stopped for it */
    size_t n_locks;
};

/* create.c */
void create_say(struct create *create, enum create_event_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void create_say_progress(struct create *create, const char *what, fact current, fact total);

/* create_look.c: everything that the plan wants to know, and what is there of that name. */
int create_look(struct create *create, struct error *err);
/* One thing by its name: 1 and a new reference; 0: the engine has no such thing; or -errno. */
int create_find(struct create *create, await_question *call, const char *name, json_t **ret_json,
                struct error *err);
const char *create_label(const json_t *container, const char *key);
bool create_is_running(const json_t *container);
/* create_busy.c: what the engine still does for an interrupted run. The names' containers, once
 * none of them is being removed, renamed or stopped; *_busy says so once and waits a moment:
 * -EBUSY after a minute (*end_s is 0 at first). */
int create_look_at_names(struct create *create, struct error *err);
int create_busy(struct create *create, double *end_s, const char *what, const char *name,
                struct error *err);
/* Made by us and never started. */
bool create_is_unfinished(const json_t *container);
/* Runs, and was told to stop. */
bool create_is_stopping(struct create *create, const json_t *container);
enum create_whose {
    CREATE_NOBODYS,    /* not there, or going: where the name is taken, the engine is at work */
    CREATE_OURS,       /* of this run, by its token */
    CREATE_UNFINISHED, /* of another run of ours, which was interrupted */
    CREATE_ANOTHERS
};
int create_whose(struct create *create, const char *name, enum create_whose *ret_whose,
                 char ret_id[CONTAINER_ID_SIZE], struct error *err);
/* create_others.c: the containers with Ollama beside it; the one that is replaced. */
int create_look_at_others(struct create *create, struct error *err);
fact create_held(struct create *create, const json_t *container);
/* create_host.c: memory, GPUs, disk, ports: what is seen without the engine. */
int create_look_at_host(struct create *create, struct error *err);
void create_look_at_disk(struct create *create, const json_t *volume, const char *root_dir);
fact create_disk_free(const struct create *create);
bool create_model_present(const struct create *create, const char *model);
/* A pull has left something there, or it cannot be seen. */
bool create_volume_used(const struct create *create);
bool create_gpu_hook(const struct create *create);
bool create_amd_devices(const struct create *create);
/* By the sockets of the host's first process. Somebody listens there: 1, nobody: 0, not to be
 * known from here: -errno. */
int create_port_taken(const struct create *create, const char *address, uint16_t port);
/* create_refuse.c: the findings that the plan does not have: name, port, image. */
void create_add_findings(struct create *create);

/* create_request.c */
json_t *create_request(const struct create *create);
const char *create_models_path(enum server_kind server);
uint16_t create_server_port(enum server_kind server);
/* create_differs.c: what of the container is not as the request would make it. */
json_t *create_differs(const json_t *container, const json_t *request);

/* create_steps.c: carries out, takes back. */
int create_carry_out(struct create *create, struct error *err);
int create_finish_existing(struct create *create, struct error *err);
/* Removes one that a run left half-way, under its lock. */
int create_remove_unfinished(struct create *create, const char *id, struct error *err);
/* Also where the answer is lost, or it has that name already. */
int create_rename(struct create *create, const char *id, const char *name, struct error *err);
/* The engine says that there is no such thing (a missing socket is -ENOENT as well). */
static inline bool create_absent(int result, const struct error *err)
{
    return result == -ENOENT && err->failure != FAILURE_UNREACHABLE;
}
/* create_undo.c */
/* Removes it, also where the answer is lost; 0 where it is gone already. */
int create_remove(struct create *create, const char *id, struct error *err);
/* A call about one thing, whose answer may be lost. */
struct create_deed {
    enum { DEED_START, DEED_START_AGAIN, DEED_STOP, DEED_REMOVE, DEED_REMOVE_VOLUME } what;
    const char *id;
    int64_t grace_s; /* of a stop */
};
/* Makes it, again where the answer was lost and it was not carried out; 0 too where it is so
 * already: gone, or of that name. */
int create_do(struct create *create, const struct create_deed *deed, struct error *err);
void create_undo(struct create *create);
int create_settle(struct create *create, const char *id, json_t **ret_json, struct error *err);
/* create_ready.c: limit read back; waited until it answers; the model pulled. */
int create_verify(struct create *create, struct error *err);
int create_wait(struct create *create, struct error *err);
int create_pull_model(struct create *create, struct error *err);

#endif
