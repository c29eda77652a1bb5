/* The kill switch: stops a container. It is never started again by us (docs/judgement.md,
 * "Pressure"). What becomes of the request is life.h's. */
#include "act/life.h"

#include <errno.h>

/* Inspect was asked in this very look: what it forbids is not done. */
static int prepare(struct run *run, struct error *err)
{
    const struct container *c = run_container(run);
    if (c->auto_remove == 0 && c->swarm_task == 0)
        return 0;
    return error_set(err, FAILURE_JOB, -EPERM,
                     "its stop might delete it (--rm), or it is a Swarm task");
}

static void ask(struct run *run)
{
    if (life_told_to_stop(run))
        run_drop(run, "somebody else has told it to stop already");
    else
        life_stop(run, life_answered);
}

static void deed(struct run *run)
{
    run_look_last(run, ask);
}

/* The engine carries it out whoever asked: its end is waited for, it is not asked again. */
const struct step step_stop = {.name = "stop",
                               .prepare = prepare,
                               .deed = deed,
                               .check = life_follow,
                               .recover = life_recover,
                               .last_resort = true};
