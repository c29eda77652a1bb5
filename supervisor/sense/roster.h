/* Who is followed, of all that the engine lists: at most SENSE_CONTAINERS_MAX. Where there are
 * more, those come first that were named, then those that have a cgroup on this host (an engine, or
 * what stands in its place, can list what it likes), then those that are to be healed, then those
 * that run. Private to sense/. */
#ifndef SUPERVISOR_SENSE_ROSTER_H
#define SUPERVISOR_SENSE_ROSTER_H

#include "base/config.h"
#include "sense/cgroup_find.h"
#include "sense/docker.h"

struct sense;
struct watch;

enum { ROSTER_OTHERS_MAX = 1024 }; /* an engine with more is asked about the others again */

struct candidate { /* one that is listed and waits for its inspect */
    char id[CONTAINER_ID_SIZE];
    bool named;
    bool unsure; /* whether it is chosen at all only its inspect says */
    unsigned char rank;
};

struct roster {
    struct candidate *waiting; /* owned; room for SENSE_CONTAINERS_MAX, NULL: none ever waited */
    size_t n_waiting;
    struct cgroup_ids here;
    bool weighed;                        /* `here` was read for this list */
    size_t listed;                       /* so many of this list are to be followed */
    bool told;                           /* that these are too many; it is still so */
    char left[CONTAINER_NAME_SIZE + 32]; /* one that was left out; "": none yet */
    uint64_t others[ROSTER_OTHERS_MAX];  /* whose inspect said that they are not chosen, */
    size_t others_at;                    /* the oldest of them, */
    char others_by[sizeof((struct settings *)NULL)->docker_image]; /* and by which images */
};

void roster_free(struct roster *roster);
void roster_list_begins(struct sense *sense);
/* One that is followed is listed. */
void roster_keep(struct sense *sense);
/* A listed container that is to be followed and is not: it waits, or is left out. */
void roster_offer(struct sense *sense, const struct docker_entry *entry, bool named, bool unsure);
/* An inspect said that it is not to be followed; whether one did, of so many at least: it is not
 * asked again. */
void roster_pass_over(struct sense *sense, const char *id);
bool roster_is_other(struct sense *sense, const char *id);
/* That there are too many is told once, until a list has room for all. */
void roster_list_ended(struct sense *sense);
/* The best of those that wait; false: nobody does. */
bool roster_next(struct sense *sense, struct candidate *ret_candidate);
/* Whether the next one certainly runs here. */
bool roster_next_is_here(const struct sense *sense);
/* A place for one that was inspected; another one, of a lower rank, may give way. NULL: none. */
struct watch *roster_admit(struct sense *sense, const char *id, unsigned rank);

#endif
