/* What the files of `supervisor doctor` share: each looks at one part of what is around the
 * supervisor and adds what it finds. */
#ifndef SUPERVISOR_CLI_DOCTOR_H
#define SUPERVISOR_CLI_DOCTOR_H

#include "cli/cli.h"
#include "sense/world.h"
#include <jansson.h>

enum doctor_severity {
    DOCTOR_OK,
    DOCTOR_NOTE,    /* worth knowing; nothing is wrong */
    DOCTOR_WARNING, /* something is missing: it costs what `cost` says */
    DOCTOR_CRITICAL /* Ollama, or its supervision, cannot work so */
};

struct doctor {
    struct cli *cli;
    const struct settings *settings;
    json_t *findings; /* [{check, about, severity, text, cost?, mend?}] */
    size_t counts[DOCTOR_CRITICAL + 1];
    json_t *engine;     /* the engine's own description; NULL: it cannot be reached */
    json_t *inspected;  /* of each running container, by its id */
    bool default_gpus;  /* every container of this engine gets the NVIDIA GPUs that it asks for */
    int signal;         /* that ends it; 0 */
    bool found_running; /* a container with Ollama runs */
};

/* check: one word of its own, "memory-controller". about: a container, or "" for the host. text:
 * one sentence. cost: what it costs; mend: the command or the change that mends it; both NULL where
 * nothing is wrong. */
void doctor_find(struct doctor *doctor, enum doctor_severity severity, const char *check,
                 const char *about, const char *cost, const char *mend, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

/* The engine, as it describes itself, and its containers. False: it cannot be reached, which is a
 * finding. */
bool doctor_engine(struct doctor *doctor);
/* The daemon, its state directory, the clock. */
void doctor_host(struct doctor *doctor);
/* All that a look at the world tells: each container, the GPUs, the swap. */
void doctor_world(struct doctor *doctor, const struct world *world);

#endif
