#include "sense/cpu_quota.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char file[] = "cpu.max", quota_file[] = "cpu.cfs_quota_us",
                  period_file[] = "cpu.cfs_period_us";

struct cpu_quota cpu_quota_parse(struct text text)
{
    static const struct cpu_quota unknown = {FACT_UNKNOWN, FACT_UNKNOWN};
    struct cpu_quota quota = {FACT_NONE, FACT_UNKNOWN};
    if (!text_take(&text, "max") && !text_number(&text, &quota.quota_us))
        return unknown;
    if (!text_take(&text, " "))
        return unknown;
    quota.period_us = cgroup_parse_number(text);
    return fact_known(quota.period_us) ? quota : unknown;
}

fact cpu_quota_parse_v1(struct text text)
{
    return text_is(text, "-1\n") ? FACT_NONE : cgroup_parse_number(text);
}

static int read_in(const char *directory, const char *name, char *buffer, size_t size,
                   struct text *ret_text)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    return proc_file_read_at(AT_FDCWD, path, buffer, size, ret_text);
}

int cpu_quota_read(int version, const char *directory, struct cpu_quota *ret_quota)
{
    char buffer[64];
    struct text text = {0};
    struct cpu_quota quota;
    int r = read_in(directory, version == 2 ? file : quota_file, buffer, sizeof buffer, &text);
    if (r < 0)
        return r;
    if (version == 2) {
        quota = cpu_quota_parse(text);
    } else {
        quota.quota_us = cpu_quota_parse_v1(text);
        if ((r = read_in(directory, period_file, buffer, sizeof buffer, &text)) < 0)
            return r;
        quota.period_us = cgroup_parse_number(text);
    }
    if (quota.quota_us == FACT_UNKNOWN || quota.period_us <= 0)
        return -EIO;
    *ret_quota = quota;
    return 0;
}

int cpu_quota_find(const char *root, int version, const char *id, const char *memory,
                   char ret_path[static PATH_MAX])
{
    static const char *const hierarchies[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"};
    char path[PATH_MAX], above[PATH_MAX], by_cgroupfs[128], by_systemd[128];
    int n = snprintf(above, sizeof above, "%s/memory/", root);
    if (n < 0 || (size_t)n >= sizeof above)
        return -ENAMETOOLONG;
    const char *same = strncmp(memory, above, (size_t)n) == 0 ? memory + n : "";
    const char *const places[] = {same, by_cgroupfs, by_systemd};
    snprintf(by_cgroupfs, sizeof by_cgroupfs, "docker/%s", id);
    snprintf(by_systemd, sizeof by_systemd, "system.slice/docker-%s.scope", id);
    if (version == 2) {
        n = snprintf(ret_path, PATH_MAX, "%s", memory);
        return n < 0 || n >= PATH_MAX           ? -ENAMETOOLONG
               : proc_file_exists(memory, file) ? 0
                                                : -ENOENT;
    }
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (size_t h = 0; h < sizeof hierarchies / sizeof hierarchies[0] && *places[p]; h++) {
            n = snprintf(path, sizeof path, "%s/%s/%s", root, hierarchies[h], places[p]);
            if (n > 0 && (size_t)n < sizeof path && proc_file_exists(path, quota_file)) {
                memcpy(ret_path, path, (size_t)n + 1);
                return 0;
            }
        }
    return -ENOENT;
}
