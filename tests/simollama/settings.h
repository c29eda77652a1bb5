/* The faults and sizes that can be asked for: each by an environment variable SIMOLLAMA_<NAME> at
 * the start and by POST /sim/set {"name": value} later. README.md lists them. */
#ifndef SIMOLLAMA_SETTINGS_H
#define SIMOLLAMA_SETTINGS_H

#include <jansson.h>
#include <stdint.h>

/* Bytes where the name says nothing else; switches are 0 or 1. UNSET: decided by what is loaded. */
#define UNSET UINT64_MAX
struct settings {
    /* loads */
    uint64_t load_ms;    /* UNSET: 250 ms + 1 ms a MiB */
    uint64_t stall_load; /* a load stops half-way and its client waits */
    uint64_t mmap;       /* the weights are mapped instead of read: file-backed, as with a GPU */
    uint64_t amx;        /* the weights are listed as VRAM, as on a CPU with AMX */
    uint64_t idle_us;    /* CPU time a second of a runner that has nothing to do. UNSET: 36 us on
                            0.33, 1 us on 0.24 */
    /* answers */
    uint64_t tokens_per_s;
    uint64_t prompt_tokens_per_s;
    uint64_t default_tokens; /* of an answer whose request names no num_predict */
    uint64_t cpu_percent;    /* of one core, while a runner works */
    uint64_t abandon_ms;     /* how long a runner goes on after its client left */
    /* memory that grows */
    uint64_t leak_per_request; /* in serve, per generate or chat */
    uint64_t cache_per_prompt; /* in the runner, per distinct prompt. UNSET: KV size x tokens on
                                  0.33, nothing on 0.24 */
    uint64_t cache_bound;      /* UNSET: LLAMA_ARG_CACHE_RAM MiB, else 8,192 MiB */
    /* the server's manners */
    uint64_t hang;         /* accepts, never answers; goes on where it stopped when switched off */
    uint64_t slow_ms;      /* before every answer */
    uint64_t refuse;       /* the listener is closed */
    uint64_t replace_ms;   /* from the next request for a hung runner until that is replaced */
    uint64_t stuck_unload; /* an unloaded model stays, expires_at in the past, requests wait */
    uint64_t keep_answering; /* an unload is answered and ignored */
    uint64_t stop_delay_ms;  /* between SIGTERM and the exit */
    uint64_t ignore_term;
    uint64_t pull_ms;    /* how long pulling sim/slow, or one of SIMOLLAMA_PULLS, takes */
    uint64_t pull_fails; /* so many pulls break off half-way, with an error in the stream */
    uint64_t pull_stall; /* a pull stands still half-way */
};

extern struct settings settings;

/* Defaults, then environment; ends the process on a value that is none. */
void settings_start(void);
/* Sets what the object names (a number, a boolean, or text as "512m"; null: the default again).
 * -EINVAL and one sentence in why for an unknown name or bad value; nothing is set then. */
int settings_set(const json_t *object, char *why, size_t why_size);
/* All of them; UNSET is null. */
json_t *settings_json(void);

#define KEEP_FOREVER INT64_MAX
/* OLLAMA_KEEP_ALIVE or OLLAMA_LOAD_TIMEOUT, or what is the default. */
int64_t duration_from_environment(const char *variable, int64_t otherwise_ns);

#endif
