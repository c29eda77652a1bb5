/* Loading a model: is there room? What must go for it is unloaded first; then the load,
 * with its connection held; then the proof that it is loaded, and with models.probe one token of
 * it. One at a time. docs/judgement.md,
 * "Loading". */
#ifndef SUPERVISOR_ACT_LOAD_H
#define SUPERVISOR_ACT_LOAD_H

#include "act/healer.h"
#include "judge/admission.h"
#include "keep/history.h"

struct loader;

enum load_end {
    LOAD_DONE,
    LOAD_THERE,   /* it was loaded already */
    LOAD_WOULD,   /* dry run: it fits, after those that admission names were unloaded */
    LOAD_REFUSED, /* there is no room: admission says what is short */
    LOAD_FAILED,
};

struct load_wish {
    char id[CONTAINER_ID_SIZE]; /* of the container */
    char model[CONTAINER_NAME_SIZE];
    int64_t keep_alive_s; /* as sense/ollama_load.h has it */
    bool force, keep_others, dry_run;
};

struct load_report {
    enum load_end end;
    const char *id, *container;
    const char *model;                 /* as Ollama lists it where that is known */
    const struct admission *admission; /* NULL: it did not come so far */
    const struct room *room;           /* of that admission */
    fact before, after;                /* held by the container before the first step, and now */
    fact runner;                       /* what the model's runner holds */
    fact context, size, size_vram;     /* as /api/ps says; unknown */
    size_t unloaded;                   /* models that went for it */
    double took_s, load_s;             /* all of it; the load alone */
    double probe_s;   /* until it had generated a token (models.probe); < 0: it was not asked to */
    const char *text; /* one sentence, "" for none */
};

enum load_phase {
    LOAD_IDLE,
    LOAD_ASKING, /* what the model is */
    LOAD_LOOKING,
    LOAD_WAITING, /* text says for what */
    LOAD_LOCKING,
    LOAD_UNLOADING,
    LOAD_LOADING,
    LOAD_CONFIRMING,
    LOAD_PROBING /* it is loaded, and asked for a token */
};

struct load_progress {
    enum load_phase phase;
    const char *model, *text; /* text: for what it waits, or what it unloads; "" */
    fact grown, expected;     /* LOADING: what its runner holds, of about */
};

struct loader_options {
    struct healer *healer;        /* for unloads; and whose config, sense and state are used */
    struct keep_history *history; /* what was learned of models (borrowed); NULL: nothing */
    /* In each look while something is under way; may be NULL. */
    void (*progress)(void *userdata, const struct load_progress *progress);
    /* The end of one; another may be begun from within it. */
    void (*done)(void *userdata, const struct load_report *report);
    void *userdata;
};

int loader_new(const struct loader_options *options, struct loader **ret_loader);
/* After the sense and the healer were freed, which end what is under way: a load is aborted then,
 * because its client leaves. done is not called. */
void loader_free(struct loader *loader);

/* What was learned of models (borrowed), from now on; NULL: nothing. */
void loader_set_history(struct loader *loader, struct keep_history *history);
/* -EBUSY: one is under way. */
int loader_begin(struct loader *loader, const struct load_wish *wish);
/* The model whose load has been asked for and is not over; NULL: none. */
const char *loader_loading(const struct loader *loader);

/* After every look's healer_consider. */
void loader_look(struct loader *loader);
/* Every event of the healer. */
void loader_heal(struct loader *loader, const struct heal_event *event);

#endif
