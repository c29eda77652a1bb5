/* The kill switch: stops a container. It is never started again by us (docs/judgement.md,
 * "Pressure"). What becomes of the request is life.h's. */
#include "act/life.h"
#include "base/clock.h"
#include "sense/docker_make.h"

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

static void deed(struct run *run)
{
    run->request_under_way = true;
    run->of.life.asked_s = clock_boottime_s();
    docker_stop(run->act->docker, run->id, run->intent.grace_s,
                (long)run->intent.grace_s * 1000 + life_client_margin_ms, life_answered, run);
}

/* The engine carries it out whoever asked: its end is waited for, it is not asked again. */
const struct step step_stop = {.name = "stop",
                               .prepare = prepare,
                               .deed = deed,
                               .check = life_follow,
                               .recover = life_recover,
                               .last_resort = true};
