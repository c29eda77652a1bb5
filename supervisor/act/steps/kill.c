/* Killing one runner: by pidfd, after its start time was compared (docs/judgement.md,
 * orphan-runner). */
#include "act/run.h"
#include "base/clock.h"
#include "sense/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const double exit_s = 10; /* a runner with 30 GB needs a while to give it back */
static const uint64_t look_ms = 100;

static bool alive(struct run *run, int64_t pid, int64_t started_us)
{
    struct process p;
    return process_read(run_settings(run)->procfs, pid, &p) == 0 && p.started_us == started_us &&
           p.state != 'Z' && p.state != 'X';
}

static int prepare(struct run *run, struct error *err)
{
    int64_t pid = run->verdict.pid;
    run->expected = (fact)verdict_evidence(&run->verdict, "runner");
    run->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (run->pidfd < 0) {
        int code = -errno;
        return error_set(err, FAILURE_JOB, code, "process %lld: %s", (long long)pid,
                         strerror(-code));
    }
    if (!alive(run, pid, run->verdict.started_us))
        return error_set(err, FAILURE_JOB, -ESRCH, "process %lld is another one now, or gone",
                         (long long)pid);
    return 0;
}

static void compare(struct run *run)
{
    fact held = run_held(run);
    bool back =
        fact_known(held) && fact_known(run->before) && run->before - held >= run->expected / 2;
    if (!back && clock_boottime_s() < run->deadline_s) {
        sense_look_now(run->act->o.sense, run->id);
        run_later(run, look_ms, compare);
        return;
    }
    run->end.nothing_left = true;
    run->end.carried_out = true;
    if (back)
        run_end(run, INTENT_DONE, HEAL_DONE, held, "%s", "");
    else
        run_end_short(run, INTENT_FAILED, held, "the runner is gone: ");
}

static void wait_for_exit(struct run *run)
{
    if (!alive(run, run->verdict.pid, run->verdict.started_us)) {
        run->deadline_s = clock_boottime_s() + 2;
        sense_look_now(run->act->o.sense, run->id);
        run_later(run, look_ms, compare);
    } else if (clock_boottime_s() > run->deadline_s) {
        run_not_done(run, "process %lld was killed and does not end", (long long)run->verdict.pid);
    } else {
        run_later(run, look_ms, wait_for_exit);
    }
}

static void kill_it(struct run *run)
{
    if (syscall(SYS_pidfd_send_signal, run->pidfd, SIGKILL, NULL, 0) < 0) {
        int code = errno;
        run_end(run, code == EPERM ? INTENT_FAILED : INTENT_DROPPED, HEAL_NOT_DONE, FACT_UNKNOWN,
                "process %lld cannot be killed: %s%s", (long long)run->verdict.pid, strerror(code),
                code == EPERM ? " (the capability KILL is missing)" : "");
        return;
    }
    run->deadline_s = clock_boottime_s() + exit_s;
    run_enter(run, STAGE_CHECK);
}

static void deed(struct run *run)
{
    run_look_last(run, kill_it);
}

static void recover(struct run *run)
{
    if (alive(run, run->intent.pid, run->intent.process_started_us))
        run_end(run, INTENT_DROPPED, HEAL_RECOVERED, FACT_UNKNOWN,
                "an earlier supervisor's kill was not carried out");
    else {
        run->end.carried_out = true;
        run_end(run, INTENT_DONE, HEAL_RECOVERED, run_held(run),
                "an earlier supervisor's kill was carried out");
    }
}

const struct step step_kill = {
    .name = "kill", .prepare = prepare, .deed = deed, .check = wait_for_exit, .recover = recover};
