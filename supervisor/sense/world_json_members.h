/* The members of a world's JSON form that lie flat in a struct, as tables that the
 * reader and the writer share: name, place, meaning. */
#ifndef SUPERVISOR_SENSE_WORLD_JSON_MEMBERS_H
#define SUPERVISOR_SENSE_WORLD_JSON_MEMBERS_H

#include <stddef.h>

enum member_type {
    MEMBER_FACT,  /* fact: an integer >= 0 */
    MEMBER_LIMIT, /* fact: the same, or null = known to be none */
    MEMBER_FLAG,  /* fact 0 or 1: true or false */
    MEMBER_REAL,  /* double >= 0, < 0 unknown */
    MEMBER_TEXT,  /* char[]: cut at a character's end where it is too long */
    MEMBER_TOKEN, /* char[]: an identity, unknown ("") where it is too long */
};

struct member {
    const char *name;
    size_t offset;
    enum member_type type;
    unsigned size; /* of the char[] */
};

struct members {
    const struct member *list;
    size_t n;
};

extern const struct members psi_members, host_members, cgroup_members, process_members,
    model_members, ollama_members, gpu_members;
/* A container's in two parts: what stands before and after the structured ones. */
extern const struct members container_members, container_tail_members;

#endif
