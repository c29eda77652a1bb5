/* Profiles: the sizes of container that `supervisor create` makes. Four are built in (standard,
 * 33b, 70b, localai); [profile "NAME"] of the configuration file changes one or adds one. */
#ifndef SUPERVISOR_BASE_PROFILE_H
#define SUPERVISOR_BASE_PROFILE_H

#include "base/error.h"
#include "base/fact.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROFILES_MAX = 16, PROFILE_NAME_SIZE = 32, PROFILE_TEXT_SIZE = 128 };

enum server_kind { SERVER_OLLAMA, SERVER_LOCALAI };
/* Label supervisor.priority: who gives way to whom. */
enum priority { PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH };

struct profile {
    char name[PROFILE_NAME_SIZE]; /* [a-z0-9][a-z0-9._-]* */
    enum server_kind server;
    fact memory;                   /* the limit; bytes, 6 MiB at least */
    fact swap;                     /* beyond it; 0: none; FACT_NONE: as much as it likes */
    double cpus;                   /* 0: all */
    char gpu[PROFILE_TEXT_SIZE];   /* "auto" (all where there are some), "all", "none", or ids:
                                      "0,1", "GPU-…" */
    char model[PROFILE_TEXT_SIZE]; /* the one it is sized for; "" none */
    bool exclusive;                /* a large one: does not share the host's memory */
    enum priority priority;
    char container[PROFILE_TEXT_SIZE]; /* its name */
    char image[PROFILE_TEXT_SIZE], volume[PROFILE_TEXT_SIZE];
    char address[64]; /* on which the port is published: 127.0.0.1 */
    uint16_t port;    /* of the host; 0: not published */
    fact context, parallel,
        max_loaded;      /* OLLAMA_CONTEXT_LENGTH, …_NUM_PARALLEL, …_MAX_LOADED_MODELS */
    char keep_alive[16]; /* OLLAMA_KEEP_ALIVE: "5m", "-1" */
    fact cache_ram;      /* bytes of prompt cache; unknown: what the limit leaves */
    fact disk;           /* free bytes wanted; unknown: the model's download */
    fact reserve;        /* of the host's memory; unknown: 4 GiB, exclusive 1 GiB */
};

/* The limits of docs/judgement.md, Deploying. */
#define RESERVE_STANDARD  (INT64_C(4) << 30)
#define RESERVE_EXCLUSIVE (INT64_C(1) << 30)

const char *priority_name(enum priority priority);                     /* "low" … */
int priority_parse(const char *text, enum priority *ret_priority);     /* -EINVAL */
const char *server_kind_name(enum server_kind server);                 /* "ollama", "localai" */
int server_kind_parse(const char *text, enum server_kind *ret_server); /* -EINVAL */

/* The built-in ones; the first is standard. */
enum { PROFILES_BUILTIN_N = 4 };
extern const struct profile profiles_builtin_table[PROFILES_BUILTIN_N];
/* Whether its letters are those of a profile's or a tier's name. */
bool profile_name_good(const char *name);
/* A new one as [profile "NAME"] finds it before its keys are read: standard's values with its own
 * name, container "ollama-NAME" and volume "ollama". -EINVAL: no name for a profile. */
int profile_init(struct profile *profile, const char *name, struct error *err);
/* Another server: what is still as the server before it has it (container "ollama-NAME", image,
 * volume, gpu, port) becomes as this one has it. */
void profile_take_server(struct profile *profile, enum server_kind server);
/* One key of its section. -EINVAL or -ERANGE (FAILURE_USAGE; the sentence names key and value, and
 * the nearest known key); the profile is then unchanged. Also what --memory, --port … of the
 * command line use. "port" takes "[ADDRESS:]PORT" too, "server" is profile_take_server. */
int profile_set(struct profile *profile, const char *key, const char *value, struct error *err);
/* The keys that there are, NULL at the end, in the order in which they are shown; and a value as
 * text that profile_set reads back ("" unset). */
enum { PROFILE_KEYS_N = 20 };
extern const char *const profile_keys[PROFILE_KEYS_N + 1];
void profile_format(const struct profile *profile, const char *key, char *text, size_t size);
/* Its place in profile_keys, or -1. */
int profile_key(const char *key);
/* {key: value} of all of them, in bytes and counts; null: unset, and for swap: unlimited. NULL
 * without memory. */
json_t *profile_json(const struct profile *profile);

#endif
