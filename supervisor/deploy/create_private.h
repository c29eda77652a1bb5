/* What the files of create share, the headers that they need among it. */
#ifndef SUPERVISOR_DEPLOY_CREATE_PRIVATE_H
#define SUPERVISOR_DEPLOY_CREATE_PRIVATE_H

#include "deploy/create.h"
#include "keep/keep.h"
#include "sense/json_member.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CREATE_OLLAMA_PORT = 11434,
    CREATE_LOCALAI_PORT = 8080, /* LocalAI's default */
    CREATE_HELD_LOCKS = DEPLOY_OTHERS_MAX + 2,
};

/* A container that is there, or was. */
struct create_container {
    json_t *json; /* inspect; NULL: not there */
    char id[CONTAINER_ID_SIZE];
    bool running;
};

/* A restart policy, as the engine names it. */
struct create_policy {
    char name[24]; /* "" unknown */
    fact retries;  /* of on-failure; 0 none */
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
    struct create_container kept;     /* of that name with CREATE_KEPT_SUFFIX */
    char name[CONTAINER_NAME_SIZE], old_name[CONTAINER_NAME_SIZE], kept_name[CONTAINER_NAME_SIZE];
    bool unfinished;      /* existing was created by us and never started: made anew */
    bool unconfirmed;     /* existing came in the place of old, and nobody saw it answer yet */
    bool replacing;       /* existing goes, or old is there without the new one */
    const json_t *from;   /* whose mounts, networks … are taken over: existing's or old's; NULL */
    const json_t *like;   /* from, or the existing one that stays: what `would be` is by it; NULL */
    json_t *like_image;   /* its image; NULL where that is gone */
    bool models_mounted;  /* its mounts have the models: no volume of the profile's beside them */
    bool models_volume;   /* and it is a volume of its own, whose name is the profile's now */
    char models[200];     /* where the server keeps its models, in the container */
    uint16_t server_port; /* on which it listens there */
    json_t *networks;     /* those that are joined after it was made: name -> endpoint */
    struct create_policy policy;  /* old's restart policy, as it was before */
    char volume_root[600];        /* volume_path as this process reaches it; "" unreachable */
    char token[AWAIT_TOKEN_SIZE]; /* label supervisor.create: is it the one that we asked for? */

    /* what was done, and is taken back */
    bool volume_made, old_was_running, set_aside, quieted, made;
    bool old_locked;
    bool undoing; /* what is taken back is waited for, whatever signal comes */
    char evicted[DEPLOY_OTHERS_MAX][CONTAINER_ID_SIZE];
    size_t n_evicted;
    bool started;
    struct keep_lock *memory_lock; /* from the look at the host until the new one runs */
    struct keep_lock *locks[CREATE_HELD_LOCKS]; /* on those that are stopped for it */
    size_t n_locks;
};

/* create.c */
void create_say(struct create *create, enum create_event_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int create_release_memory(struct create *create, struct error *err); /* a step */
void create_say_progress(struct create *create, const char *what, fact current, fact total);

/* create_look.c: everything that the plan wants to know, and what is there of that name. */
int create_look(struct create *create, struct error *err);
/* One thing by its name: 1 and a new reference; 0: the engine has no such thing; or -errno. */
int create_find(struct create *create, enum docker_thing thing, const char *name, json_t **ret_json,
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
/* -ECHILD: it does not run. */
int create_read_cgroup(struct create *create, const json_t *container,
                       struct cgroup_memory *ret_memory, struct error *err);
/* create_host.c: memory, GPUs, disk, ports: what is seen without the engine. */
int create_look_at_host(struct create *create, struct error *err);
/* The path as the host has it, seen from here; -ENOENT: it is not. */
int create_host_path(const struct create *create, const char *path, char *text, size_t size);
/* create_disk.c: where the volume lies or will lie (root_dir: the engine's); free there. */
void create_look_at_disk(struct create *create, const json_t *volume, const char *root_dir);
fact create_disk_free(const struct create *create);
/* Of a container that runs: by the place where the volume is mounted in it, whatever it is; false:
 * not to be seen. */
bool create_look_inside(struct create *create, const json_t *container);
/* create_slice.c: the cgroups above the one that it will have. */
void create_look_at_slice(struct create *create, const json_t *info);
bool create_gpu_hook(const struct create *create);
bool create_amd_devices(const struct create *create);
/* By the sockets of the host's first process. Somebody listens there: 1, nobody: 0, not to be
 * known from here: -errno. */
int create_port_taken(const struct create *create, const char *address, uint16_t port);
/* create_refuse.c: the findings that the plan does not have: name, port, image. */
void create_add_findings(struct create *create);
/* It was made by a profile, or is another of the same kind. */
bool create_serves_the_same(const struct create *create, const json_t *container);

/* create_take_over.c */
/* Not the host's nor another container's, in which it has no ports. */
bool create_has_own_network(const struct create *create);
/* Not empty, 0, false or null. */
bool create_is_set(const json_t *value);
/* "NAME=value" is in the environment of like's image. */
bool create_of_image(const struct create *create, const char *text);
void create_take_over(struct create *create, json_t *request);
/* create_models.c: create's models and server_port, by the environment that is taken over. */
void create_find_models(struct create *create);
/* The volume with the models is the profile's, or where they lie else is seen. */
void create_take_over_models(struct create *create);
/* What follows the directory in the path, "" for itself; NULL: it is not below it. */
const char *create_below(const char *path, const char *directory);
/* The container's own, or its image's; NULL: unset. Belongs to the container. */
const char *create_env(const json_t *container, const char *name);
/* HOME/.ollama; false: no absolute path, or too long. */
bool create_home(const char *home, char *text, size_t size);
/* The path lies at or below something that is mounted. */
bool create_is_mounted(const json_t *container, const char *path);
/* create_layer.c: what no volume has of the models, in the container's own layer. */
struct create_layer {
    size_t others;   /* files and directories elsewhere, of which something may be missed */
    char other[128]; /* the first of them */
    size_t found;
    char first[128], root[200]; /* the first path, the directory of models that it is in */
};
int create_look_at_layer(struct create *create, const struct create_container *container,
                         struct create_layer *ret_layer, struct error *err);
/* Finds what there is to say. discarded: the container goes for good. */
void create_judge_layer(struct create *create, const char *name, const struct create_layer *layer,
                        bool discarded);
/* create_kept.c: the one that is replaced, or was. */
void create_judge_names(struct create *create); /* what is there, and what becomes of it */
void create_judge_kept(struct create *create);  /* findings */
/* The container says by its label that it came in the place of the one with this id. */
bool create_came_for(const json_t *container, const char *id);
/* Adds the labels by which it says so, and how that one was restarted. */
void create_label_replaced(const struct create *create, json_t *labels);
struct create_policy create_policy_before(const json_t *container, const json_t *old);
int create_set_policy(struct create *create, const char *id, const struct create_policy *policy,
                      struct error *err);
int create_keep_old(struct create *create, struct error *err);
int create_discard(struct create *create, struct error *err);

/* create_depends.c: findings: who shares a namespace of the one that is replaced, or is linked. */
void create_judge_depends(struct create *create);

/* create_request.c */
json_t *create_request(const struct create *create);
const char *create_models_path(enum server_kind server);
uint16_t create_server_port(enum server_kind server);
/* create_differs.c: what of the container is not as the request would make it. */
json_t *create_differs(const struct create *create, const json_t *container, const json_t *request);

/* create_steps.c: carries out, takes back. */
int create_carry_out(struct create *create, struct error *err);
int create_lock(struct create *create, const char *id, struct error *err);
/* With its own grace. */
int create_stop(struct create *create, const json_t *container, struct error *err);
int create_finish_existing(struct create *create, struct error *err);
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
/* Makes a call about one thing, again where the answer was lost and it was not carried out; 0 too
 * where it is so already: gone, or of that name. grace_s: of a stop. */
enum create_deed { DEED_START, DEED_START_AGAIN, DEED_STOP, DEED_REMOVE };
int create_do(struct create *create, enum create_deed deed, const char *id, int64_t grace_s,
              struct error *err);
void create_undo(struct create *create);
/* The old one serves again: it runs, and has its name and its restart policy. */
void create_put_back_old(struct create *create);
int create_settle(struct create *create, const char *id, json_t **ret_json, struct error *err);
/* create_ready.c: limit read back; waited until it answers; the model pulled. */
int create_verify(struct create *create, struct error *err);
int create_wait(struct create *create, struct error *err);
int create_pull_model(struct create *create, struct error *err);

#endif
