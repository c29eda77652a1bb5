/* Asking for page cache under pressure (docs/judgement.md, acting 7): at most what is
 * inactive, by memory.reclaim, on a worker, because the write lasts as long as the kernel works. */
#include "act/control.h"
#include "act/run.h"
#include "base/size.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Then the page cache is compared with what it was: what is read again meanwhile is in use. */
static const uint64_t settle_ms = 5000;
/* One write: short enough that the end of the supervisor need not wait for it. */
static const fact piece = 32 << 20;
/* Memory is not swapped out for this. Where the kernel does not know the key swappiness (before
 * 6.10), so much page cache is left (from 16 MiB of it on down, 6.1 turns to other memory as well),
 * and it ends when that happens all the same. */
static const fact untouched = 64 << 20, swap_slack = 4 << 20;

static int prepare(struct run *run, struct error *err)
{
    const struct container *c = run_container(run);
    int r = run_control(run, "memory.reclaim", err);
    if (r < 0)
        return r;
    if (!c || !fact_known(c->cgroup.inactive_file) || !fact_known(c->cgroup.file))
        return error_set(err, FAILURE_JOB, -ENODATA, "its page cache cannot be read");
    run->expected = c->cgroup.inactive_file;
    run->page_cache_before = c->cgroup.file;
    return 0;
}

/* One file of the cgroup, as cgroup_parse_number or _key understands it; unknown where it cannot be
 * read. */
static fact read_number(int directory, const char *name, const char *key)
{
    char buffer[16 * 1024]; /* memory.stat has 2 KiB on 6.18 */
    struct text text;
    fact number = FACT_UNKNOWN;
    if (proc_file_read_at(directory, name, buffer, sizeof buffer, &text) == 0)
        number = key ? cgroup_parse_key(text, key) : cgroup_parse_number(text);
    return number;
}

/* Why a kernel that does not know swappiness=0 is asked for no more; NULL: it may be. As long as
 * there is inactive page cache enough it scans nothing else. */
static const char *would_swap(int directory, fact swap_before)
{
    fact left = read_number(directory, "memory.stat", "inactive_file");
    fact swap = read_number(directory, "memory.swap.current", NULL);
    if (left < untouched)
        return fact_known(left) ? "the rest was left, so that nothing is swapped out"
                                : "what is inactive cannot be read any more";
    if (fact_known(swap_before) && swap - swap_before > swap_slack)
        return "ended early, because the kernel began to swap out";
    return NULL;
}

/* Asks for bytes of page cache. *ret_text says why it ended early. 0 or -errno. */
static int reclaim(const char *directory, fact bytes, atomic_bool *stop, const char **ret_text)
{
    int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int file = place < 0 ? -1 : openat(place, "memory.reclaim", O_WRONLY | O_CLOEXEC);
    int code = file < 0 ? -errno : 0;
    fact swap = code < 0 ? FACT_UNKNOWN : read_number(place, "memory.swap.current", NULL);
    bool knows_key = true;
    while (code == 0 && bytes > 0 && !atomic_load(stop)) {
        char text[64];
        fact part = bytes < piece ? bytes : piece;
        const char *why = knows_key ? NULL : would_swap(place, swap);
        if (why) {
            *ret_text = why;
            break;
        }
        snprintf(text, sizeof text, "%" PRId64 "%s", part, knows_key ? " swappiness=0" : "");
        if (write(file, text, strlen(text)) >= 0) {
            bytes -= part;
        } else if (errno == EINVAL && knows_key) {
            knows_key = false;
        } else if (errno == EAGAIN) {
            *ret_text = "the kernel found no more to give back";
            break;
        } else if (errno != EINTR) {
            code = -errno;
        }
    }
    if (file >= 0)
        close(file);
    if (place >= 0)
        close(place);
    return code;
}

static void job(struct run *run)
{
    run->of.control.early = "";
    run->work_result =
        reclaim(run->of.control.directory, run->expected, &run->stop, &run->of.control.early);
}

static void compare(struct run *run)
{
    sense_look_now(run->act->o.sense, run->id);
    const struct container *c = run_same_life(run);
    if (!c) {
        run_end(run, INTENT_DONE, HEAL_DROPPED, FACT_UNKNOWN,
                "it was restarted or removed meanwhile");
        return;
    }
    run->page_cache_after = c->cgroup.file;
    fact back = fact_known(c->cgroup.file) ? run->page_cache_before - c->cgroup.file : FACT_UNKNOWN;
    const char *early = run->of.control.early, *mark = *early ? "; " : "";
    if (back > 0)
        run_done(run, "%s of %s given back%s%s", SHOWN(back), SHOWN(run->page_cache_before), mark,
                 early);
    else
        run_end(run, INTENT_DONE, HEAL_NOT_DONE, run_held(run), "%s%s%s",
                fact_known(back) ? "page cache comes back as fast as it is taken"
                                 : "what was given back is unknown",
                mark, early);
}

static void asked(struct run *run)
{
    if (run->work_result < 0)
        run_not_done(run, "memory.reclaim: %s", strerror(-run->work_result));
    else
        run_enter(run, STAGE_CHECK);
}

static void check(struct run *run)
{
    run_later(run, settle_ms, compare);
}

static void deed(struct run *run)
{
    run_work(run, job, asked);
}

const struct step step_reclaim = {.name = "reclaim",
                                  .prepare = prepare,
                                  .deed = deed,
                                  .check = check,
                                  .gentle = true,
                                  .rest_s = 300};
