/* Containers that a person adopted: a label cannot be added to a container that exists, so who may
 * be healed stands in a file of the state directory instead, by name and image. */
#ifndef SUPERVISOR_SENSE_ADOPTED_H
#define SUPERVISOR_SENSE_ADOPTED_H

#include "base/error.h"
#include "sense/world.h"

#include <sys/stat.h>

struct adopted_one {
    char name[CONTAINER_NAME_SIZE];
    char image[CONTAINER_NAME_SIZE]; /* its repository, without tag and digest: made anew of a newer
                                        image it is the same container to its owner */
};
struct adopted { /* zeroed at first; adopted_clear */
    struct adopted_one *all;
    size_t n;
    struct stat seen; /* of the file that was read last */
    bool unreadable;
};

enum { ADOPTED_MAX = 256 }; /* as many as are supervised at a time */

/* "host:5000/ollama/ollama:0.24@sha256:…" is "host:5000/ollama/ollama". */
void image_repository(const char *image, char text[CONTAINER_NAME_SIZE]);

/* Reads DIRECTORY/adopted where it is another file than that which was read last; true: it was.
 * No file: nobody was adopted. Unreadable, not a file of root's (or ours) alone, or not understood
 * as a whole: unreadable is set, and nobody is. Costs a stat. */
bool adopted_refresh(struct adopted *adopted, const char *directory);
enum adoption { ADOPTION_NONE, ADOPTION_YES, ADOPTION_UNKNOWN /* the file cannot be read */ };
/* image: as the engine has it, with its tag. */
enum adoption adopted_has(const struct adopted *adopted, const char *name, const char *image);
/* Adds or replaces the one of that name; -ENOSPC beyond ADOPTED_MAX, -EINVAL for a name or an image
 * that cannot stand in the file. false of remove: there was none. Neither touches the file. */
int adopted_add(struct adopted *adopted, const char *name, const char *image);
bool adopted_remove(struct adopted *adopted, const char *name);
void adopted_clear(struct adopted *adopted);

/* Reads DIRECTORY/adopted, in place of what ADOPTED had. An unreadable file is an error: a writer
 * would leave nothing of it. */
int adopted_read(struct adopted *adopted, const char *directory, struct error *err);
/* Whether this one is adopted at this moment; false too where the file cannot be read. */
bool adopted_stands(const char *directory, const struct adopted_one *one);
/* Replaces the file durably: after a crash it is the old one or the new one. Whoever writes has the
 * lock of keep_lock_adoptions from before it was read. */
int adopted_write(const struct adopted *adopted, const char *directory, struct error *err);

#endif
