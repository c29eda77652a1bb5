#include "act/throttle_files.h"
#include "act/control.h"
#include "base/append.h"
#include "base/size.h"
#include "sense/cgroup_parse.h"
#include "sense/cpu_quota.h"
#include "sense/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above what is in use: a request that is under way goes on. */
static const fact margin_least = 64 << 20, page = 4096,
                  largest_page = 64 << 10; /* of the kernels that Ollama's image runs on */
enum { MARGIN_SHARE = 10 };
/* The kernel takes no shorter one (kernel/sched/core.c, min_cfs_quota_period: 1 ms). */
static const fact quota_least_us = 1000;

static int path_of(const char *cgroupfs, const char *relative, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", cgroupfs, relative);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static bool writable(const char *directory, const char *name)
{
    char path[PATH_MAX];
    return path_of(directory, name, path) == 0 && access(path, W_OK) == 0;
}

static int read_high(const char *directory, fact *ret_high)
{
    char path[PATH_MAX], buffer[64];
    struct text text = {0};
    int r = path_of(directory, "memory.high", path);
    if (r == 0)
        r = proc_file_read_at(AT_FDCWD, path, buffer, sizeof buffer, &text);
    if (r < 0)
        return r;
    *ret_high = cgroup_parse_limit(text);
    return *ret_high == FACT_UNKNOWN ? -EIO : 0;
}

/* A bound that is not there is looser than any. */
static bool is_tighter(fact is, fact wanted)
{
    return fact_known(is) && is <= wanted;
}

static void plan_high(const char *directory, fact in_use, fact limit, struct throttle *t)
{
    fact high;
    t->high_before = t->high_set = FACT_UNKNOWN;
    if (t->version != 2 || !fact_known(in_use) || read_high(directory, &high) < 0)
        return;
    fact margin = in_use / MARGIN_SHARE > margin_least ? in_use / MARGIN_SHARE : margin_least;
    fact wanted = (in_use + margin + largest_page - 1) / largest_page * largest_page;
    t->high_before = high;
    if (!is_tighter(high, wanted) && !is_tighter(limit, wanted))
        t->high_set = wanted;
}

static void plan_quota(const char *directory, double percent, struct throttle *t)
{
    struct cpu_quota is;
    t->quota_before_us = t->quota_set_us = t->period_us = FACT_UNKNOWN;
    if (cpu_quota_read((int)t->version, directory, &is) < 0)
        return;
    fact wanted = (fact)((double)is.period_us * percent / 100);
    if (wanted < quota_least_us)
        wanted = quota_least_us;
    t->quota_before_us = is.quota_us;
    t->period_us = is.period_us;
    if (!is_tighter(is.quota_us, wanted))
        t->quota_set_us = wanted;
}

/* path less the root; -EXDEV: it is not below it. */
static int below(const char *cgroupfs, const char *path, char relative[static THROTTLE_PATH_SIZE])
{
    size_t n = strlen(cgroupfs);
    if (strncmp(path, cgroupfs, n) != 0 || path[n] != '/')
        return -EXDEV;
    int length = snprintf(relative, THROTTLE_PATH_SIZE, "%s", path + n + 1);
    return length >= THROTTLE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

int throttle_plan(const char *cgroupfs, const char *path, fact in_use_bytes, fact limit_bytes,
                  double percent, struct throttle *t, char *why, size_t size)
{
    static const char *const quota_files[] = {"cpu.cfs_quota_us", "cpu.max"};
    char cpu[PATH_MAX];
    int r = below(cgroupfs, path, t->directory);
    int found = cpu_quota_find(cgroupfs, (int)t->version, t->container, path, cpu);
    t->quota_before_us = t->quota_set_us = t->period_us = FACT_UNKNOWN;
    plan_high(path, in_use_bytes, limit_bytes, t);
    if (r == 0 && found == 0 && (r = below(cgroupfs, cpu, t->cpu_directory)) == 0)
        plan_quota(cpu, percent, t);
    if (r < 0) {
        snprintf(why, size, "its cgroup does not lie below %.100s", cgroupfs);
        return r;
    }
    bool high = fact_known(t->high_set), quota = fact_known(t->quota_set_us);
    bool known = t->high_before != FACT_UNKNOWN || t->quota_before_us != FACT_UNKNOWN;
    if ((high && !writable(path, "memory.high")) ||
        (quota && !writable(cpu, quota_files[t->version == 2]))) {
        snprintf(why, size, "its cgroup cannot be written: mount %.100s writable", cgroupfs);
        return -EROFS;
    }
    if (!high && !quota) {
        snprintf(why, size,
                 known ? "it is bounded as tightly already"
                       : "this host has neither a CPU quota nor memory.high for it");
        return known ? -EALREADY : -ENOENT;
    }
    return 0;
}

/* ---- one value: memory.high, or the quota with its period ---- */

struct value {
    bool quota;
    fact bytes_or_us, period_us;
};

static int read_value(const struct throttle *t, const char *directory, bool quota,
                      struct value *ret_value)
{
    struct cpu_quota is = {FACT_UNKNOWN, 0};
    int r = quota ? cpu_quota_read((int)t->version, directory, &is)
                  : read_high(directory, &is.quota_us);
    *ret_value = (struct value){quota, is.quota_us, is.period_us};
    return r;
}

static bool same(const struct value *a, const struct value *b)
{
    if (!a->quota && fact_known(a->bytes_or_us) && fact_known(b->bytes_or_us))
        return a->bytes_or_us / page == b->bytes_or_us / page;
    return a->bytes_or_us == b->bytes_or_us && a->period_us == b->period_us;
}

static int write_value(const char *cgroupfs, const struct throttle *t, const char *directory,
                       const struct value *value, struct error *err)
{
    char text[64];
    bool none = value->bytes_or_us == FACT_NONE;
    const char *name = !value->quota     ? "memory.high"
                       : t->version == 2 ? "cpu.max"
                                         : "cpu.cfs_quota_us";
    if (none)
        snprintf(text, sizeof text, "%s", value->quota && t->version == 1 ? "-1" : "max");
    else
        snprintf(text, sizeof text, "%" PRId64, value->bytes_or_us);
    if (value->quota && t->version == 2)
        text_append(text, sizeof text, " %" PRId64, value->period_us);
    struct value is;
    int r = control_write(cgroupfs, directory, name, text, err);
    if (r < 0)
        return r;
    if ((r = read_value(t, directory, value->quota, &is)) < 0)
        return error_set(err, FAILURE_JOB, r, "%.300s/%s cannot be read back (%s)", directory, name,
                         strerror(-r));
    return same(&is, value) ? 0
                            : error_set(err, FAILURE_JOB, -EIO,
                                        "%.300s/%s was written, and the kernel shows another value",
                                        directory, name);
}

/* Sets one of them, or (back) gives it back. 0, -errno; 1: it is left as somebody has set it. */
static int change(const char *cgroupfs, const struct throttle *t, bool quota, bool back,
                  struct error *err)
{
    const char *what = quota ? "its CPU quota" : "its memory.high";
    struct value before = {quota, quota ? t->quota_before_us : t->high_before,
                           quota ? t->period_us : 0};
    struct value ours = {quota, quota ? t->quota_set_us : t->high_set, before.period_us}, is = {0};
    char directory[PATH_MAX];
    if (!fact_known(ours.bytes_or_us))
        return 0;
    int r = path_of(cgroupfs, quota ? t->cpu_directory : t->directory, directory);
    if (r == 0)
        r = read_value(t, directory, quota, &is);
    if (r < 0)
        return error_set(err, FAILURE_JOB, r, "%s cannot be read (%s)", what, strerror(-r));
    if (back && same(&is, &before))
        return 0;
    if (same(&is, back ? &ours : &before))
        return write_value(cgroupfs, t, directory, back ? &before : &ours, err);
    return back ? 1 : error_set(err, FAILURE_JOB, -ESTALE, "%s was just changed by somebody", what);
}

int throttle_apply(const char *cgroupfs, const struct throttle *t, struct error *err)
{
    int r = change(cgroupfs, t, true, false, err);
    return r < 0 ? r : change(cgroupfs, t, false, false, err);
}

static bool gone(int r)
{
    return r == -ENOENT || r == -ENODEV;
}

/* 1: the cgroup that was throttled is there; 0: it is not; -errno: that cannot be told. */
static int still_there(const char *cgroupfs, const char *boot_id, const struct throttle *t,
                       struct error *err)
{
    static const char *const marks[] = {"memory", "cgroup.controllers",
                                        "unified/cgroup.controllers"};
    char path[PATH_MAX];
    struct stat st;
    int r = path_of(cgroupfs, t->directory, path);
    if (strcmp(boot_id, t->boot_id) != 0)
        return 0;
    if (r == 0 && stat(path, &st) < 0)
        r = -errno;
    if (r == 0)
        return (fact)st.st_ino == t->inode;
    for (size_t i = 0; gone(r) && i < sizeof marks / sizeof marks[0]; i++)
        if (path_of(cgroupfs, marks[i], path) == 0 && access(path, F_OK) == 0)
            return 0;
    return error_set(err, FAILURE_JOB, r, "its cgroup below %.100s cannot be read (%s)", cgroupfs,
                     strerror(-r));
}

int throttle_undo(const char *cgroupfs, const char *boot_id, const struct throttle *t,
                  char *ret_text, size_t size, struct error *err)
{
    int results[2] = {0, 0};
    struct error errors[2] = {{0}, {0}};
    int there = still_there(cgroupfs, boot_id, t, err);
    snprintf(ret_text, size, "%s", there ? "" : "its cgroup is gone, and the throttle with it");
    if (there <= 0)
        return there;
    for (int quota = 0; quota < 2; quota++)
        results[quota] = change(cgroupfs, t, quota, true, &errors[quota]);
    for (int quota = 0; quota < 2; quota++)
        if (results[quota] < 0 && !gone(results[quota])) {
            *err = errors[quota];
            return results[quota];
        }
    if (results[0] == 1 || results[1] == 1)
        snprintf(ret_text, size, "%s%s%s changed meanwhile by somebody: left so",
                 results[1] == 1 ? "its CPU quota" : "",
                 results[0] == 1 && results[1] == 1 ? " and " : "",
                 results[0] == 1 ? "memory.high" : "");
    return 0;
}

const char *throttle_format(const struct throttle *t, char *text, size_t size)
{
    text[0] = '\0';
    if (fact_known(t->quota_set_us))
        text_append(text, size, "%.0f %% of a core",
                    100 * (double)t->quota_set_us / (double)t->period_us);
    if (fact_known(t->high_set))
        text_append(text, size, "%smemory.high %s", *text ? ", " : "", SHOWN(t->high_set));
    return text;
}
