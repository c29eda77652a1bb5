/* Writing memory.high (row C4): it throttles, so the intent is committed before. It is lost with
 * the cgroup; then the verdict comes back by itself. */
#include "act/control.h"
#include "act/run.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const double apply_s = 5;
static const fact page = 4096;

static int prepare(struct run *run, struct error *err)
{
    return run_control(run, "memory.high", err);
}

static void check(struct run *run)
{
    sense_look_now(run->act->sense, run->id);
    const struct container *c = run_same_life(run);
    if (!c)
        run_drop(run, "it was restarted or removed meanwhile");
    else
        run_shows(run, fact_known(c->cgroup.high) && c->cgroup.high / page == run->expected / page,
                  check, "memory.high was written, and the kernel shows another value");
}

static void job(uv_work_t *work)
{
    struct run *run = work->data;
    char value[32];
    snprintf(value, sizeof value, "%" PRId64, run->expected);
    run->work_result = control_write(run->of.control.cgroupfs, run->of.control.directory,
                                     "memory.high", value, &run->work_error);
}

static void written(struct run *run)
{
    if (run->work_result < 0) {
        run_not_done(run, "%.300s", run->work_error.message);
        return;
    }
    run->deadline_s = clock_boottime_s() + apply_s;
    run_enter(run, STAGE_CHECK);
}

static void deed(struct run *run)
{
    run->expected = run_settings(run)->memory_high;
    if (!fact_known(run->expected)) {
        run_drop(run, "none is wanted any more");
        return;
    }
    run_work(run, job, written);
}

const struct step step_high = {.name = "high",
                               .prepare = prepare,
                               .deed = deed,
                               .check = check,
                               .give_back = run_control_free,
                               .gentle = true};
