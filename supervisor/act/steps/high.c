/* Writing memory.high: it throttles, so the intent is committed before. It is lost with
 * the cgroup; then the verdict comes back by itself. */
#include "act/control.h"
#include "act/run.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const double apply_s = 5;

static int prepare(struct run *run, struct error *err)
{
    return run_control(run, "memory.high", err);
}

static void check(struct run *run)
{
    sense_look_now(run->act->o.sense, run->id);
    const struct container *c = run_same_life(run);
    if (!c)
        run_drop(run, "it was restarted or removed meanwhile");
    else
        run_shows(run, fact_known(c->cgroup.high) && same_pages(c->cgroup.high, run->expected),
                  check, "memory.high was written, and the kernel shows another value");
}

static void job(struct run *run)
{
    char value[32];
    snprintf(value, sizeof value, "%" PRId64, run->expected);
    run->work_result = control_write(run->of.control.cgroupfs, run->of.control.directory,
                                     "memory.high", value, &run->work_error);
}

static void written(struct run *run)
{
    run->deadline_s = clock_boottime_s() + apply_s;
    if (run->work_result < 0)
        run_not_done(run, "%.300s", run->work_error.message);
    else
        run_enter(run, STAGE_CHECK);
}

static void deed(struct run *run)
{
    run->expected = run_settings(run)->memory_high;
    if (fact_known(run->expected))
        run_work(run, job, written);
    else
        run_drop(run, "none is wanted any more");
}

const struct step step_high = {
    .name = "high", .prepare = prepare, .deed = deed, .check = check, .gentle = true};
