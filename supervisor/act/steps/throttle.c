/* Throttling: a CPU quota and, on cgroup version 2, a memory.high, for who gives way.
 * What was there is written down before; act/throttler.c gives it back. Both are lost with the
 * cgroup. */
#include "act/run.h"
#include "act/throttle_files.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What cannot be taken from it without harm: memory in use that is no page cache. Unknown: nobody
 * can tell. */
static fact in_use(const struct run *run, const struct container *c)
{
    const struct cgroup_memory *m = &c->cgroup;
    fact most = run_held(run);
    if (!fact_known(most))
        return FACT_UNKNOWN;
    fact occupied = fact_add(processes_held(c), m->shmem); /* as for the floor of a limit */
    if (occupied > most)
        most = occupied;
    most += fact_known(m->kernel) ? m->kernel : 0;
    if (fact_known(m->usage) && fact_known(m->file) && m->usage - m->file > most)
        most = m->usage - m->file; /* network buffers, and what older kernels do not tell */
    return most;
}

static int prepare(struct run *run, struct error *err)
{
    const struct container *c = run_container(run);
    const char *path = sense_cgroup_path(run->act->o.sense, run->id);
    const struct settings *s = run_settings(run);
    if (!c || !path || !fact_known(c->cgroup.inode))
        return error_set(err, FAILURE_JOB, -ENOENT, "where its cgroup lies is unknown");
    struct throttle *t = &run->of.throttle.t;
    snprintf(run->of.throttle.cgroupfs, sizeof run->of.throttle.cgroupfs, "%s", s->cgroupfs);
    memcpy(t->container, run->id, sizeof t->container);
    memcpy(t->name, run->name, sizeof t->name);
    memcpy(t->started_at, run->intent.started_at, sizeof t->started_at);
    memcpy(t->boot_id, run->act->boot_id, sizeof t->boot_id);
    t->version = c->cgroup.version;
    t->inode = c->cgroup.inode;
    t->since_wall_ms = clock_wall_ms();
    run->act->throttles->begun = true;
    return throttle_plan(run->of.throttle.cgroupfs, path, in_use(run, c), c->cgroup.limit,
                         s->remedy_throttle_cpu_percent, t, err->message, sizeof err->message);
}

static void job(struct run *run)
{
    const char *cgroupfs = run->of.throttle.cgroupfs;
    const struct throttle *t = &run->of.throttle.t;
    struct keep *keep = run->act->o.keep;
    char text[128];
    struct error err = {0};
    int r = keep_throttle_begin(keep, t, &run->work_error);
    run->of.throttle.not_remembered = r < 0;
    run->of.throttle.stands = r == 0;
    if (r == 0)
        r = throttle_apply(cgroupfs, t, &run->work_error);
    /* What stands of it goes; where that fails the row stays, and so it is known. */
    if (run->of.throttle.stands && r < 0 &&
        throttle_undo(cgroupfs, t->boot_id, t, text, sizeof text, &err) == 0 &&
        keep_throttle_end(keep, run->id, &err) == 0)
        run->of.throttle.stands = false;
    run->work_result = r;
}

static void written(struct run *run)
{
    char text[96];
    if (run->of.throttle.stands && !throttles_find(run->act->throttles, run->id) &&
        !throttles_add(run->act->throttles, &run->of.throttle.t))
        run->act->throttles->known = false; /* memory is spent: read again from keep */
    if (run->of.throttle.not_remembered)
        run_end(run, INTENT_DROPPED, HEAL_NO_MEMORY_OF_IT, run_held(run), "%.300s",
                run->work_error.message);
    else if (run->work_result < 0)
        run_not_done(run, "%.300s", run->work_error.message);
    else
        run_done(run, "%s", throttle_format(&run->of.throttle.t, text, sizeof text));
}

static void deed(struct run *run)
{
    run_work(run, job, written);
}

const struct step step_throttle = {
    .name = "throttle", .prepare = prepare, .deed = deed, .gentle = true};
