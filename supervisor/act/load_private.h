/* What the files of loading share. */
#ifndef SUPERVISOR_ACT_LOAD_PRIVATE_H
#define SUPERVISOR_ACT_LOAD_PRIVATE_H

#include "act/load.h"
#include "sense/ollama_load.h"
#include "sense/ollama_model.h"

struct loader {
    struct loader_options o;
    struct runner_uses *uses;
    const struct world *world; /* of the last look */
    const struct judgement *judgement;
    struct load_wish wish;
    enum load_phase phase;
    char text[ADMISSION_TEXT_SIZE]; /* for progress and report */
    char name[CONTAINER_NAME_SIZE]; /* the container's */
    char started_at[48];
    struct ollama_model model;
    struct admission admission;
    struct room room;
    bool decided;                    /* admission and room are of this load */
    char going[CONTAINER_NAME_SIZE]; /* the model that is being unloaded */
    char gone[CONTAINER_NAME_SIZE];  /* the one before: it must not be named again */
    struct keep_lock *lock;
    uv_work_t locking;
    int lock_result;
    struct error lock_error;
    double locked_until_s; /* another supervisor has it, which is waited for; 0: none has */
    struct ollama_load *load;
    int load_result;
    char load_error[512];
    double begun_s, load_begun_s, load_s; /* boottime */
    double until_s;                       /* of waiting, of confirming */
    double idle_known_s;                  /* until then it is waited for who is busy */
    double moved_s;
    fact moved, before, runner_before, oom_before;
    size_t unloaded;
};

/* The container in the last look; NULL: it is gone. */
const struct container *loader_container(const struct loader *loader);
/* A fresh look, then loader_decide; tried again with the next look where another is under way. */
void loader_look_afresh(struct loader *loader);
void loader_end(struct loader *loader, enum load_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* load_room.c: the room in its container; and by that into loader->admission whether it is loaded.
 * no_waiting: nobody waits any more for who is busy. */
void loader_room_of(struct loader *loader, const struct container *c, struct room *ret_room);
void loader_decide_room(struct loader *loader, const struct container *c, bool no_waiting);

/* load_request.c: the lock is ours and there is room. */
void loader_ask(struct loader *loader);
/* In each look while it is under way, or to be confirmed. */
void loader_watch(struct loader *loader);
void loader_confirm(struct loader *loader);

#endif
