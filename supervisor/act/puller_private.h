/* What the files of pulling share. */
#ifndef SUPERVISOR_ACT_PULLER_PRIVATE_H
#define SUPERVISOR_ACT_PULLER_PRIVATE_H

#include "act/private.h"
#include "act/puller.h"
#include "sense/disk.h"
#include "sense/ollama_pull.h"

enum { PULLS_MAX = 256 };

struct puller {
    const struct act *act; /* the healer's */
    void (*progress)(void *userdata, const struct wanted_pull *pull);
    void *userdata;
    struct wanted_pull *pulls; /* owned */
    size_t n;
    struct taken { /* containers whose list was taken */
        char id[CONTAINER_ID_SIZE];
    } *taken; /* owned */
    size_t n_taken;
    bool ending;
    /* The one under way: its index, or PULLS_MAX. */
    size_t at;
    struct ollama_pull *request; /* NULL: it was not asked for yet */
    bool stalled, cut_off;
    double began_s, moved_s, told_s; /* boottime */
    struct disk_look *disk; /* how much is free where its models lie; NULL: nobody is looking */
    fact available;         /* bytes */
    fact missing;           /* that do not fit: the pull was ended for it; unknown: none */
};

/* The one under way; NULL: there is none. */
static inline struct wanted_pull *puller_under_way(struct puller *puller)
{
    return puller->at < puller->n ? &puller->pulls[puller->at] : NULL;
}

/* puller_try.c: a try of that one begins; it is under way until it has ended. */
void puller_try(struct puller *puller, size_t at);
/* In each look while it is. */
void puller_watch(struct puller *puller);

#endif
