/* Making a container by a profile: what is there is looked at, the plan (judge/deploy.h)
 * decides, the steps are carried out and taken back again where one fails.
 *
 * The engine is the only memory: what a killed run left behind says by its labels, its state and
 * the name NAME-replaced-by-supervisor how far it had come, and the next run finishes it:
 *   - created, never started: taken away and made anew (label supervisor.evicted: whom it stopped)
 *   - NAME-replaced-by-supervisor is there, the new one is not: it is made
 *   - both are there, and the new one names the id of the other: as soon as it answers the other is
 *     NAME-kept-by-supervisor; if it does not, it is taken away and the other one is put back
 * Nothing is lost: what was replaced stays, stopped, with the restart policy `no`, until a person
 * says --discard; no request ever removes a volume.
 * A lock on the name in the state directory keeps two runs apart; the engine refuses a second
 * container of one name anyway. */
#ifndef SUPERVISOR_DEPLOY_CREATE_H
#define SUPERVISOR_DEPLOY_CREATE_H

#include "deploy/await.h"
#include "judge/deploy.h"

/* Of the one that is replaced: until the new one answers, and then until it is discarded. */
#define CREATE_REPLACED_SUFFIX REPLACED_SUFFIX
#define CREATE_KEPT_SUFFIX     KEPT_SUFFIX
#define CREATE_REPLACES_LABEL  "supervisor.replaces"         /* the id of that one */
#define CREATE_RESTART_LABEL   "supervisor.replaces.restart" /* its policy: "on-failure:3" */

struct create_wish {
    struct deploy_wish deploy;
    bool image_given, volume_given; /* on the command line: the container replaced says nothing */
    bool replace, discard, dry_run, wait;
};

/* What was seen besides the plan's facts, for those who tell it. */
struct create_seen {
    struct deploy_facts facts;
    bool exists;  /* a container of that name that stays: it is not replaced */
    bool running; /* that one runs */
    bool image_present, volume_present;
    char volume_path[256];          /* where the volume lies or will lie, on the host; "" unknown */
    char leftover[320];             /* what an earlier run left, as a sentence; "" nothing */
    char kept[CONTAINER_NAME_SIZE]; /* the replaced one that is kept; "" none */
    bool gpu_by_cdi;                /* GPUs are asked for by CDI, else from NVIDIA's runtime */
};

enum create_event_kind {
    CREATE_LOOKED,  /* seen and plan are known; refused or not */
    CREATE_STEP,    /* text: one thing that was done */
    CREATE_WARNING, /* text */
    CREATE_PROGRESS /* text: of what; current and total bytes; comes often */
};
struct create_event {
    enum create_event_kind kind;
    const char *text;
    fact current, total;
    const struct create_seen *seen;
    const struct deploy_plan *plan;
    const json_t *differs; /* of CREATE_LOOKED: the result's */
};
typedef void create_tell(void *userdata, const struct create_event *event);

enum create_outcome {
    CREATE_MADE,
    CREATE_THERE,   /* it was there already; runs now */
    CREATE_REFUSED, /* the plan says so; nothing was changed, but see taken_back */
    CREATE_PLANNED, /* dry run */
    CREATE_FAILED   /* error; taken back */
};

struct create_result {
    enum create_outcome outcome;
    struct error error; /* CREATE_FAILED */
    int signal;         /* it was interrupted by; 0 */
    bool taken_back;    /* CREATE_REFUSED: what an interrupted run had begun was taken back */
    char id[CONTAINER_ID_SIZE];
    char address[96]; /* "http://127.0.0.1:11434" to reach it from the host; "" unknown */
    fact limit;       /* as its cgroup has it; unknown: could not be read */
    json_t *request;  /* to the engine; NULL where nothing was seen */
    json_t *differs;  /* from the one there is, or that is replaced: [{"what", "is", "would_be"}] */
    struct create_seen seen;
    struct deploy_plan plan;
};
void create_result_clear(struct create_result *result);

/* Blocks. 0, or -errno with *err where nothing could even be looked at (engine away, name locked);
 * everything else is in *ret_result (cleared by the caller, in every case). */
int create_container(const struct config *config, const struct create_wish *wish, create_tell *tell,
                     void *userdata, struct create_result *ret_result, struct error *err);

#endif
