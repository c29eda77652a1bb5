/* Applying the wanted memory limit (row C4). */
#include "act/run.h"
#include "base/clock.h"

static const double apply_s = 5;
static const fact page = 4096;

/* Beyond the limit. Where nothing is said, what the container was made with. */
static fact wanted_swap(const struct run *run, const struct docker_details *d)
{
    fact said = run_settings(run)->memory_swap;
    if (fact_known(said))
        return said;
    return fact_known(d->memory_swap) && d->memory_swap > d->memory && d->memory > 0
               ? d->memory_swap - d->memory
               : 0;
}

/* As far as the kernel counts it: memory + swap on version 1, swap alone on version 2. */
static bool swap_is_there(const struct run *run, const struct cgroup_memory *m)
{
    fact said = run_settings(run)->memory_swap;
    if (!fact_known(said) || !fact_known(m->swap) || m->swap_limit == FACT_UNKNOWN)
        return true;
    return m->swap_limit / page ==
           (said + (m->version == 1 ? run_settings(run)->memory_limit : 0)) / page;
}

static void check(struct run *run)
{
    const struct container *c = run_container(run);
    fact wanted = run_settings(run)->memory_limit;
    sense_look_now(run->act->sense, run->id);
    run_shows(run,
              c && fact_known(c->cgroup.limit) && c->cgroup.limit / page == wanted / page &&
                  swap_is_there(run, &c->cgroup),
              check, "the engine took the limit, but the cgroup does not have it");
}

static void on_updated(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0) {
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, FACT_UNKNOWN, "%s",
                err ? err->message : "the engine refused the limit");
        return;
    }
    run->deadline_s = clock_boottime_s() + apply_s;
    run_enter(run, STAGE_CHECK);
}

static void deed(struct run *run)
{
    const struct docker_details *d = sense_details(run->act->sense, run->id);
    if (!d) {
        run_drop(run, "it is gone");
        return;
    }
    fact wanted = run_settings(run)->memory_limit;
    run->request_under_way = true;
    /* Memory + swap = memory where nothing else is wanted: a limit that lets a leak go on in swap
     * is none (facts on Docker, 1.5: the engine's own default is twice). */
    docker_update(run->act->docker, run->id, wanted, wanted + wanted_swap(run, d),
                  d->restart_policy, d->restart_max_retries, on_updated, run);
}

const struct step step_limit = {.name = "limit", .deed = deed, .check = check};
