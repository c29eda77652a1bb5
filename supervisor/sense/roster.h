/* Who is followed, of all that the engine lists: at most SENSE_CONTAINERS_MAX. Where there are
 * more, those come first that were named, then those that have a cgroup on this host (an engine, or
 * what stands in its place, can list what it likes), then those that are to be healed, then those
 * that run. Private to sense/. */
#ifndef SUPERVISOR_SENSE_ROSTER_H
#define SUPERVISOR_SENSE_ROSTER_H

#include "sense/cgroup_find.h"
#include "sense/docker.h"

struct sense;
struct watch;

struct candidate { /* one that is listed and waits for its inspect */
    char id[CONTAINER_ID_SIZE];
    bool named;
    unsigned char rank;
};

struct roster {
    struct candidate *waiting; /* owned; room for SENSE_CONTAINERS_MAX, NULL: none ever waited */
    size_t n_waiting;
    struct cgroup_ids here;
    bool weighed;                        /* `here` was read for this list */
    size_t left_out, told;               /* by this list; how many were told */
    char left[CONTAINER_NAME_SIZE + 32]; /* one of those */
};

void roster_free(struct roster *roster);
void roster_list_begins(struct sense *sense);
/* A listed container that is to be followed and is not: it waits, or is left out. */
void roster_offer(struct sense *sense, const struct docker_entry *entry, bool named);
void roster_list_ended(struct sense *sense);
/* The best of those that wait; false: nobody does. */
bool roster_next(struct sense *sense, struct candidate *ret_candidate);
/* Whether the next one certainly runs here. */
bool roster_next_is_here(const struct sense *sense);
/* A place for one that was inspected; another one, of a lower rank, may give way. NULL: none. */
struct watch *roster_admit(struct sense *sense, const char *id, unsigned rank);

#endif
