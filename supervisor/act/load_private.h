/* What the files of loading share. */
#ifndef SUPERVISOR_ACT_LOAD_PRIVATE_H
#define SUPERVISOR_ACT_LOAD_PRIVATE_H

#include "act/load.h"
#include "act/private.h"
#include "sense/ollama_load.h"
#include "sense/ollama_model.h"

struct loader {
    struct loader_options o;
    const struct act *act; /* the healer's */
    struct runner_uses *uses;
    struct load_wish wish;
    enum load_phase phase;
    char text[ADMISSION_TEXT_SIZE]; /* for progress and report */
    char name[CONTAINER_NAME_SIZE]; /* the container's */
    char started_at[48];
    char key[CONTAINER_NAME_SIZE]; /* as healer_key_of */
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
    bool again;            /* the fresh look that is waited for failed */
    double locked_until_s; /* another supervisor has it, which is waited for; 0: none has */
    struct ollama_load *load;
    int load_result;
    char load_error[512];
    double begun_s, load_begun_s, load_s; /* boottime */
    double until_s;                       /* of waiting, of confirming */
    double probe_begun_s, probe_s;        /* < 0: not probed */
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

/* load_room.c: the room in its container into loader->room: the model as it is loaded there (NULL:
 * it is not); and by that into loader->admission whether it is loaded. no_waiting: nobody waits any
 * more for who is busy. */
const struct loaded_model *loader_listed(struct loader *loader, const struct container *c);
void loader_decide_room(struct loader *loader, const struct container *c, bool no_waiting);

/* load_lock.c: a worker's job for loader->locking, with its result; and its undoing. */
void loader_lock_job(uv_work_t *work);
/* The lock is ours and there is room: it is written down, and then asked for. */
void loader_record(struct loader *loader);
void loader_give_back(struct loader *loader);

/* load_request.c: it is written down. */
void loader_ask(struct loader *loader);
/* In each look while it is under way, or to be confirmed. */
/* What all runners hold together. */
fact loader_of_runners(const struct container *c);
/* No answer comes any more, and the flow may be ending: the next look, if there is one, tells. */
void loader_cut_off(struct loader *loader);
void loader_watch(struct loader *loader);
void loader_confirm(struct loader *loader);
/* load_probe.c: it is loaded and listed; ends in loader_end, with models.probe after a token. */
void loader_probe(struct loader *loader, const struct container *c);
/* A fresh look after that. */
void loader_probed(struct loader *loader);

#endif
