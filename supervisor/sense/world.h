/* What was seen in one look at everything, in memory. Its JSON form:
 * sense/world_json.h. Sizes are bytes, times as named. Strings are NUL-terminated, "" means
 * unknown. */
#ifndef SUPERVISOR_SENSE_WORLD_H
#define SUPERVISOR_SENSE_WORLD_H

#include "base/fact.h"
#include "sense/gpu.h"
#include <stddef.h>

enum {
    WORLD_CONTAINERS_MAX =
        4096, /* supervised containers of one engine; more are not looked at (said once) */
    WORLD_PROCESSES_MAX = 1024, /* processes of one container that are kept */
    WORLD_MODELS_MAX = 128,     /* loaded models of one server that are kept */
    WORLD_PAIRS_MAX = 512,      /* labels, or environment entries, of one container that are kept */
    CONTAINER_ID_SIZE = 65,     /* 64 hexadecimal digits and the NUL */
    CONTAINER_NAME_SIZE = 256,
};

struct psi { /* pressure stall information; unknown where the kernel has none */
    double some_avg10, full_avg10; /* per cent; < 0 unknown */
    fact some_total_us, full_total_us;
};

struct host {
    fact cpus, total, available, swap_total, swap_used;
    struct psi psi;
};

struct cgroup_memory { /* `cgroup`: version 1 and 2 brought to one meaning */
    int version;       /* 1, 2; 0 = could not be read at all */
    fact inode, anon, file, shmem, kernel, swap, swapcached, inactive_file;
    fact usage, peak, limit, swap_limit, high, oom_kills, cpu_us;
    fact bound;     /* the least of its limit and those of the groups above it; see cgroup_bound */
    fact disk_read; /* bytes that its processes read from disks */
    fact frozen;    /* 0 or 1: all that is in it stands still until it is let go; FACT_NONE: that is
                       what the processes' own state shows (D) */
    struct psi psi;
    /* FACT_NONE: no limit; of swap (version 2): the kernel does not count it for cgroups. */
};

/* Of a model's GGUF metadata, in bytes. */
struct model_shape {
    fact weights;      /* of its tensors */
    fact kv_per_token; /* of the KV cache, f16, all layers */
    fact graph;        /* of llama.cpp's buffers for a batch of 512 tokens, without its mask */
};
#define SHAPE_UNKNOWN ((struct model_shape){FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN})

struct model {
    char name[CONTAINER_NAME_SIZE];
    char digest[65];
    char blob[80]; /* "sha256-…" of its weights, from /api/show; "" unknown */
    char expires_at[48];
    fact size, size_vram, context_length;
    fact parameters; /* as details.parameter_size says, rounded */
    struct model_shape shape;
};

struct ollama {
    bool foreign; /* it answered, and not as an Ollama does */
    bool offends; /* it answered, and not as an Ollama may: it is left alone for a while */
    bool asked;   /* false: nothing is known about this server (member `ollama` absent) */
    bool reachable;
    char version[32];
    char error[160];   /* why it is not reachable */
    bool doubted;      /* not reachable, and that may be our way to it: it seems to listen */
    fact server;       /* the process that gave the list; FACT_NONE: nobody can tell; unknown (of
                          an older recording): the only one there is */
    double latency_ms; /* < 0 unknown */
    double age_ms;     /* since the question was SENT, at the time of the world; 0 = fresh */
    bool incomplete;   /* of what is listed something is missing, or its name is not the exact one:
                          the list proves that something is loaded, never that something is not */
    struct model *models;
    size_t n_models, models_room; /* room: how many the memory holds; only the functions below */
};

enum process_kind { PROCESS_OTHER, PROCESS_SERVE, PROCESS_RUNNER, PROCESS_HELPER };

struct process {
    fact pid, ns_pid, ppid,
        started_us; /* started_us: since boot; (pid, started_us) never names two processes */
    char state;     /* R S D Z …; 0 unknown */
    enum process_kind kind;
    char comm[16];
    char blob[80];
    fact port, cpu_us, rss_anon, rss_file, swap; /* a zombie has no rss and no swap */
    fact clients; /* established connections to port; unknown: not read in this look */
};

enum container_status {
    STATUS_UNKNOWN,
    STATUS_CREATED,
    STATUS_RUNNING,
    STATUS_PAUSED,
    STATUS_RESTARTING,
    STATUS_REMOVING,
    STATUS_EXITED,
    STATUS_DEAD
};
enum container_health {
    HEALTH_UNKNOWN,
    HEALTH_NONE,
    HEALTH_STARTING,
    HEALTH_HEALTHY,
    HEALTH_UNHEALTHY
};
enum container_mode { MODE_OBSERVE, MODE_ENFORCE };

struct pair {
    char *key, *value;
};

/* A container that was replaced by `create` has its name with one of these: as long as the new one
 * was not seen to answer, and until it is discarded. */
#define REPLACED_SUFFIX "-replaced-by-supervisor"
#define KEPT_SUFFIX     "-kept-by-supervisor"

struct container {
    char id[CONTAINER_ID_SIZE];
    char name[CONTAINER_NAME_SIZE]; /* without the leading slash */
    char image[CONTAINER_NAME_SIZE];
    struct pair *labels, *env; /* owned; env: only names that begin with OLLAMA_ or LLAMA_ARG_ */
    size_t n_labels, n_env;
    bool labels_cut; /* of ours there are more, or longer ones, than are kept */
    enum container_status status;
    enum container_health health;
    bool health_probed;      /* the last run of its health check is known: */
    int health_exit;         /* -1: it could not be started, or took too long */
    char health_output[161]; /* how its output begins */
    char started_at[48];     /* RFC 3339 as the engine has it: identity together with the id */
    fact restart_count, exit_code, pid, oom_killed, auto_remove,
        swarm_task; /* the last three 0 or 1 */
    enum container_mode mode;
    char mode_why[64]; /* "label", "adopted", "found by image", "configuration", "named" */
    fact baseline;     /* bytes; unknown until learned */
    double uptime_s;   /* < 0 unknown */
    double age_s; /* of its sample, which an earlier look had already; < 0: it is this look's */
    struct cgroup_memory cgroup;
    fact connections; /* foreign established ones to Ollama's port; unknown = not read in this look
                       */
    fact unread;      /* bytes sent by these to their clients, who have not taken them */
    fact received; /* bytes since the start of its network interfaces; FACT_NONE: it has none of its
                      own */
    bool processes_known;
    struct process *processes;
    size_t n_processes, processes_room;
    struct ollama ollama;
};

struct world {
    double monotonic_s; /* CLOCK_BOOTTIME, or any origin in a recording */
    int64_t time_ms;    /* wall clock, Unix epoch; < 0 unknown */
    struct host host;
    struct container *containers;
    size_t n_containers, containers_room;
    bool gpus_known; /* false: nobody has looked for them (yet); true with none: there is none */
    struct gpu *gpus;
    size_t n_gpus, gpus_room;
    char gpus_missing[200]; /* why a driver that is there could not be asked; "" */
};

/* Sets every fact to unknown (bytes of 0 would be claims), mode to observe. */
void world_init(struct world *world);
void container_init(struct container *container);
void process_init(struct process *process);
void cgroup_memory_init(struct cgroup_memory *memory);
void psi_init(struct psi *psi);
void host_init(struct host *host);

/* Frees what the struct owns, not the struct; leaves it as after _init. */
void world_clear(struct world *world);
void container_clear(struct container *container);
void ollama_clear(struct ollama *ollama); /* leaves `asked` false */
void pairs_clear(struct pair **pairs, size_t *n_pairs);

/* As after _init, but keeps the memory of processes and models for the next filling. */
void container_reset(struct container *container);

/* Appends one initialised element; NULL when memory or the cap is spent. The pointer is valid until
 * the next append. */
struct container *world_add_container(struct world *world);
/* Of that id; NULL: the world has none. */
const struct container *world_container(const struct world *world, const char *id);
struct process *container_add_process(struct container *container);
struct model *ollama_add_model(struct ollama *ollama);
/* Of that very name; NULL: it does not list it. */
const struct model *ollama_model(const struct ollama *ollama, const char *name);
struct gpu *world_add_gpu(struct world *world); /* at most GPUS_MAX */
/* Appends a copy of key and value. 0, -ENOMEM, -E2BIG at the cap (WORLD_PAIRS_MAX). */
int pairs_add(struct pair **pairs, size_t *n_pairs, const char *key, const char *value);

/* The value, NULL where there is none. */
const char *pairs_get(const struct pair *pairs, size_t n, const char *key);

/* A deep copy into *copy (initialised by this call); 0 or -ENOMEM, then *copy is empty. */
int container_copy(struct container *copy, const struct container *from);
int ollama_copy(struct ollama *copy, const struct ollama *from); /* the same */

/* false: the label supervisor.kind names another server (localai). Its memory is watched and its
 * limit kept; nobody asks it what Ollama is asked. */
bool container_is_ollama(const struct container *container);

/* It was replaced, and is kept: by its name. */
bool container_is_kept(const struct container *container);

/* The label's (or environment entry's) value, NULL where there is none. */
const char *container_label(const struct container *container, const char *key);
const char *container_env(const struct container *container, const char *key);

/* What bounds its memory: bound; where that is not known (an older recording) its own limit.
 * FACT_NONE: nothing but the host's. */
fact cgroup_bound(const struct cgroup_memory *memory);

/* The kernel rounds a limit (known, and so is the wanted one) down to its pages, of which none is
 * larger than 64 KiB. */
static inline bool same_pages(fact is, fact wanted)
{
    return is / 4096 == wanted / 4096 || (is < wanted && wanted - is < 65536);
}

/* Held (docs/judgement.md, fact 1): anon + shmem + swap; on version 2 less swapcached. A part that
 * the kernel lacks is filled: no swap on the host -> swap 0; no swap accounting (v1: no total_swap
 * in memory.stat; v2: swap is FACT_NONE) -> the processes' VmSwap; no swapcached on v2 while some
 * is swapped -> RssAnon + VmSwap of the processes + shmem. Unknown if a part that exists could not
 * be read. host may be NULL: then nothing is known of its swap. */
fact container_held(const struct container *container, const struct host *host);

/* The process that is Ollama itself: the one that gave the list; where that is not known the main
 * process (container->pid) if that is serve, else the oldest serve. NULL: none seen. */
const struct process *container_serve(const struct container *container);

/* Whether a server of its own: a child that was forked a moment ago still looks like its parent. */
bool container_server(const struct container *container, const struct process *process);

/* The server whose list it is, and below which what is not on it must hang (see ollama.server).
 * NULL: nobody can tell. */
const struct process *container_lister(const struct container *container);

/* The sum over its processes; unknown if they, or a part of one, are. */
fact processes_held(const struct container *container);

/* RssAnon + VmSwap of a process; unknown if one is. A zombie holds nothing: 0. */
fact process_held(const struct process *process);

const char *container_status_name(enum container_status status);
enum container_status container_status_parse(
    const char *name); /* STATUS_UNKNOWN for a foreign word */
const char *container_health_name(enum container_health health);
enum container_health container_health_parse(const char *name);
const char *process_kind_name(enum process_kind kind);
enum process_kind process_kind_parse(const char *name); /* PROCESS_OTHER for a foreign word */

#endif
