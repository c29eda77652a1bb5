/* Writing memory.high (row C4): it throttles, so the intent is committed before. It is lost with
 * the cgroup; then the verdict comes back by itself. */
#include "act/control.h"
#include "act/run.h"
#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t look_ms = 200;
static const double apply_s = 5;
static const fact page = 4096;

static int prepare(struct run *run, char *why, size_t size)
{
    return run_control(run, "memory.high", why, size);
}

static void check(struct run *run)
{
    sense_look_now(run->act->sense, run->id);
    const struct container *c = run_same_life(run);
    if (!c) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
                "it was restarted or removed meanwhile");
        return;
    }
    if (fact_known(c->cgroup.high) && c->cgroup.high / page == run->expected / page) {
        run_end(run, INTENT_DONE, HEAL_DONE, run_held(run), "%s", "");
        return;
    }
    if (clock_boottime_s() < run->deadline_s)
        run_later(run, look_ms, check);
    else
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, run_held(run),
                "memory.high was written, and the kernel shows another value");
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
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, run_held(run), "%.300s",
                run->work_error.message);
        return;
    }
    run->deadline_s = clock_boottime_s() + apply_s;
    run_enter(run, STAGE_CHECK);
}

static void deed(struct run *run)
{
    run->expected = run_settings(run)->memory_high;
    if (!fact_known(run->expected)) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "none is wanted any more");
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
