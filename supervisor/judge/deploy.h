/* May this container be made on this host, and with which settings? docs/judgement.md, Deploying.
 * Pure: what was seen goes in, the plan with every reason comes out. */
#ifndef SUPERVISOR_JUDGE_DEPLOY_H
#define SUPERVISOR_JUDGE_DEPLOY_H

#include "base/config.h"
#include "judge/footprint.h"
#include "sense/gpu.h"
#include "sense/world.h"

enum { DEPLOY_FINDINGS_MAX = 24, DEPLOY_OTHERS_MAX = 64, DEPLOY_TEXT_SIZE = 1600 };

/* Another container with Ollama that there is on the host. */
struct deploy_other {
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    bool running, exclusive, auto_remove, swarm_task, observed;
    bool
        always; /* the restart policy by which the engine starts it again although it was stopped */
    enum priority priority;
    fact limit; /* bytes, FACT_NONE: none, unknown: not known */
    fact held;  /* now */
};

struct deploy_facts {
    fact memory_total, memory_available; /* of the host */
    fact slice_limit; /* the least limit of the cgroups that it comes below; FACT_NONE: none */
    char slice[128];  /* that one's path */
    bool memory_limits, swap_limits; /* the engine can (its /info) */
    bool gpu_runtime;                /* the engine can hand out GPUs: a runtime, CDI devices */
    struct gpu_list gpus;
    fact disk_free;      /* where the volume lies; unknown: not to be seen from here */
    char disk_path[256]; /* that place, for the sentence */
    bool model_present;  /* it lies in the volume already */
    struct deploy_other others[DEPLOY_OTHERS_MAX]; /* without the one that --replace takes away */
    size_t n_others;
    size_t others_left_out; /* that run too and had no room */
    fact replaced_held; /* of the container that --replace takes away: comes back; 0 without one */
};

struct deploy_wish {
    struct profile profile; /* with what the command line changed */
    bool model_wanted;      /* named on the command line, or to be pulled: must fit, else refused */
    bool pull;              /* its download must fit the disk */
    bool evict;
};

enum deploy_severity { DEPLOY_NOTE, DEPLOY_WARNING, DEPLOY_REFUSAL };
struct deploy_finding {
    enum deploy_severity severity;
    const char *about;           /* static: "memory" "disk" "gpu" "model" "limits" "others" */
    fact missing;                /* bytes that are short; unknown: no such number */
    char text[DEPLOY_TEXT_SIZE]; /* the number that is short and what would free it */
};

/* Where the memory below the limit goes; bytes. weights = vram + file + anon. */
struct deploy_ledger {
    fact weights, weights_vram, weights_file, weights_anon, kv, compute, server, prompt_cache;
    fact needed; /* anonymous: what must fit: weights_anon + kv + compute + server + prompt_cache */
    fact limit;
};

/* What an exclusive one leaves to the host, and from where on the host's pressure acts; bytes. */
struct deploy_margin {
    fact beside; /* the host's memory without its limit */
    fact full;   /* available once it is full, by what others use now; 0: it cannot get full */
    fact unload, stop; /* models go below so much available, a container below that; FACT_NONE: not
                          for that. All unknown: it is not exclusive, or the host is too small */
};

struct deploy_plan {
    struct profile profile;
    fact reserve;
    struct deploy_margin margin;
    bool gpu;                   /* devices are asked for */
    bool gpus[GPUS_MAX];        /* of facts.gpus: those that it gets */
    struct footprint footprint; /* of profile.model */
    struct deploy_ledger ledger;
    fact cache_ram_mib;                       /* LLAMA_ARG_CACHE_RAM; whole MiB */
    size_t evict[DEPLOY_OTHERS_MAX], n_evict; /* indices into facts.others: stopped before */
    struct deploy_finding findings[DEPLOY_FINDINGS_MAX];
    size_t n_findings;
    bool refused; /* one of the findings is a refusal */
};

/* settings: from where on the host's pressure acts. */
void deploy_plan(const struct deploy_wish *wish, const struct deploy_facts *facts,
                 const struct settings *settings, struct deploy_plan *ret_plan);

/* One more finding; those that have no room are left out, but a refusal refuses. */
void deploy_find(struct deploy_plan *plan, enum deploy_severity severity, const char *about,
                 fact missing, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The environment of the container, "NAME=value", in order: what the profile and the plan set.
 * At most max; how many. */
enum { DEPLOY_ENV_MAX = 12, DEPLOY_ENV_SIZE = 96 };
size_t deploy_environment(const struct deploy_plan *plan, char env[][DEPLOY_ENV_SIZE], size_t max);

#endif
