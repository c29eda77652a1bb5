/* `supervisor test`: can this much memory be had? A container with that limit, in which
 * the program itself touches the memory (probe_inside.h), step by step and never into the reserve.
 */
#ifndef SUPERVISOR_DEPLOY_PROBE_H
#define SUPERVISOR_DEPLOY_PROBE_H

#include "deploy/await.h"

/* Containers carry a run's token in it. */
#define PROBE_LABEL "supervisor.probe"
#define PROBE_IMAGE "supervisor-probe" /* containers' names begin with it */
#define PROBE_EMPTY PROBE_IMAGE ":empty"

enum {
    PROBE_SIZE_MIN = 32 * 1024 * 1024,       /* the program and what the kernel needs for it */
    PROBE_OVERHEAD_BYTES = 16 * 1024 * 1024, /* of a limit, not touched: the program itself ... */
    PROBE_OVERHEAD_PART = 256,               /* ... and a 256th: page tables, a 512th of it */
};

enum probe_end {
    PROBE_HAD,         /* all of it was touched below the limit */
    PROBE_TOO_LARGE,   /* larger than the host's memory: not attempted */
    PROBE_SHORT,       /* stopped at the reserve */
    PROBE_REFUSED,     /* by the engine */
    PROBE_NOT_LIMITED, /* engine or cgroup have another limit */
    PROBE_KILLED,      /* by the kernel: out of memory */
    PROBE_FAILED,      /* otherwise */
    PROBE_INTERRUPTED,
};
/* "had", "too large" … */
const char *probe_end_name(enum probe_end end);

/* What the program said in there last (probe_inside.h). */
struct probe_answer {
    bool spoke;                /* there was one */
    fact limit, touched, peak; /* bytes; the limit as its cgroup has it, FACT_NONE: none */
    fact available;            /* of the host, at the end of the touching */
    fact wrong_pages;
    double seconds;   /* < 0: it has not ended */
    char stopped[16]; /* "reserve", "overcommit", "unreadable"; "" none */
};

/* Unknown where it did not come so far. */
struct probe_result {
    fact size; /* the limit that was asked for */
    enum probe_end end;
    fact limit_engine; /* as read back; FACT_NONE: none */
    fact wanted;       /* bytes that are to be touched */
    fact missing;      /* bytes that are short, where that is the reason */
    struct probe_answer answer;
    bool oom_killed;
    char reason[600];  /* one sentence, "" with PROBE_HAD */
    char warning[256]; /* the engine's at the create, "" none */
};

/* An image with this program in it, or an empty one and what is bound into that. */
struct probe_image {
    char name[256];     /* or id */
    char program[4096]; /* its path there */
    json_t *mounts;     /* NULL: none */
};

struct probe {
    struct await *await;
    const char *docker_label; /* setting docker.label: "false" in it keeps the daemon away */
    const char *procfs;       /* of the host */
    fact reserve;             /* bytes */
    char token[AWAIT_TOKEN_SIZE];
    int lock;        /* a descriptor; -1: none */
    int signal;      /* that came meanwhile, 0: none */
    unsigned number; /* of the containers so far */
    struct probe_image image;
};

/* What is told on the way. */
typedef void probe_left(void *userdata, const char *sentence);
typedef void probe_progress(void *userdata, fact size, fact touched, fact wanted, fact available);

/* await and settings are borrowed. What earlier runs left behind is taken away, each told by
 * `left`. -EBUSY: such a test is under way now. On failure too probe_finish is to be called. */
int probe_begin(struct probe *probe, struct await *await, const struct settings *settings,
                fact reserve, probe_left *left, void *userdata, struct error *err);
/* Finds the image, or makes the empty one. */
int probe_image_find(struct probe *probe, struct error *err);
/* One size; blocks. Whatever happens the container is gone again, or *err says that it is not
 * (negative: the test cannot go on). Otherwise 0 and *ret_result. A signal: PROBE_INTERRUPTED. */
int probe_size(struct probe *probe, fact size, probe_progress *progress, void *userdata,
               struct probe_result *ret_result, struct error *err);
/* Takes the empty image away. */
int probe_finish(struct probe *probe, struct error *err);

#endif
