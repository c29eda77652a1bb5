/* Applying the wanted memory limit. */
#include "act/run.h"
#include "base/clock.h"

static const double apply_s = 5;

/* Beyond the limit. Where nothing is said, what the container was made with: without a limit there
 * was no bound for its swap. */
static fact wanted_swap(const struct run *run, const struct docker_details *d)
{
    fact said = run_settings(run)->memory_swap;
    if (fact_known(said))
        return said;
    if (d->memory_swap == FACT_NONE || d->memory <= 0)
        return FACT_NONE;
    return fact_known(d->memory_swap) && d->memory_swap > d->memory ? d->memory_swap - d->memory
                                                                    : 0;
}

/* As far as the kernel counts it: memory + swap on version 1, swap alone on version 2. */
static bool swap_is_there(const struct run *run, const struct cgroup_memory *m)
{
    fact said = run_settings(run)->memory_swap;
    if (!fact_known(said) || !fact_known(m->swap) || m->swap_limit == FACT_UNKNOWN)
        return true;
    fact wanted = said + (m->version == 1 ? run_settings(run)->memory_limit : 0);
    return fact_known(m->swap_limit) && same_pages(m->swap_limit, wanted);
}

static void check(struct run *run)
{
    const struct container *c = run_container(run);
    fact wanted = run_settings(run)->memory_limit;
    sense_look_now(run->act->o.sense, run->id);
    run_shows(run,
              c && fact_known(c->cgroup.limit) && same_pages(c->cgroup.limit, wanted) &&
                  swap_is_there(run, &c->cgroup),
              check, "the engine took the limit, but the cgroup does not have it");
}

static void updated(struct run *run)
{
    run->deadline_s = clock_boottime_s() + apply_s;
    if (run->work_result < 0)
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, FACT_UNKNOWN, "%s", run->work_error.message);
    else
        run_enter(run, STAGE_CHECK);
}

static void ask(struct run *run)
{
    const struct docker_details *d = sense_details(run->act->o.sense, run->id);
    if (!d) {
        run_drop(run, "it is gone");
        return;
    }
    fact wanted = run_settings(run)->memory_limit, swap = wanted_swap(run, d);
    /* Both are said: the engine's own default is twice the memory. */
    docker_update(run->act->o.docker, run->id, wanted,
                  swap == FACT_NONE ? FACT_NONE : wanted + swap, d->restart_policy,
                  d->restart_max_retries, run_asks(run, updated), run);
}

static void deed(struct run *run)
{
    run_look_last(run, ask);
}

const struct step step_limit = {.name = "limit", .deed = deed, .check = check};
