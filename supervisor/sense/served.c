#include "sense/served.h"
#include "base/clock.h"
#include "sense/private.h"
#include "sense/proc_file.h"
#include "sense/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROCESSES_MAX = 1 << 16, /* of a host; 32,768 is the usual pid_max of a small one */
    ARGV_READ = 1024,        /* the program and its first word */
    CGROUP_READ = 8192       /* 13 lines in version 1 */
};

static void take(const char *procfs, int64_t pid, struct cgroup_ids *ids)
{
    char buffer[CGROUP_READ];
    struct text text, line;
    struct process process;
    CLOSE_FD int fd = proc_process_open(procfs, pid);
    if (fd < 0 || proc_file_read_at(fd, "cmdline", buffer, ARGV_READ, &text) < 0 ||
        process_classify("", text.at, text_left(&text), &process) != PROCESS_SERVE ||
        proc_file_read_at(fd, "cgroup", buffer, sizeof buffer, &text) < 0)
        return;
    while (text_line(&text, &line))
        cgroup_ids_note(ids, line);
}

void served_read(const char *procfs, struct cgroup_ids *ids)
{
    const struct dirent *entry;
    CLOSE_LIST DIR *list = proc_list(AT_FDCWD, procfs);
    ids->n = 0;
    for (size_t n = 0; list && n < PROCESSES_MAX && (entry = readdir(list)) != NULL;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (pid <= 0 || *end)
            continue;
        n++;
        take(procfs, pid, ids);
    }
    cgroup_ids_sort(ids);
}

/* After a reading that took so long the next one waits so many times longer, however many lists
 * there are: on a host with very many processes. */
static const double rest_times = 4;

static void read_job(uv_work_t *work)
{
    struct sense *sense = work->data;
    double begun_s = clock_boottime_s();
    served_read(sense->procfs, &sense->serving.fresh);
    sense->serving.took_s = clock_boottime_s() - begun_s;
}

static bool same(const struct cgroup_ids *a, const struct cgroup_ids *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->list, b->list, a->n * sizeof *a->list) == 0);
}

static void on_read(uv_work_t *work, int status)
{
    struct sense *sense = work->data;
    sense->serving.under_way = false;
    sense->serving.ok_s = clock_boottime_s() + rest_times * sense->serving.took_s;
    if (status == 0 && !sense->closing) {
        sense->serving.known = true;
        if (!same(&sense->served, &sense->serving.fresh)) {
            struct cgroup_ids before = sense->served;
            sense->served = sense->serving.fresh;
            sense->serving.fresh = before;
            sense->serving.due = true;
            sense_list(sense);
        }
    }
    sense_let_go(sense);
}

void sense_ask_served(struct sense *sense)
{
    if (sense->serving.under_way || clock_boottime_s() < sense->serving.ok_s ||
        !config_settings(sense->o.config)->docker_process)
        return;
    sense->serving.work.data = sense;
    sense->serving.under_way =
        uv_queue_work(sense->o.loop, &sense->serving.work, read_job, on_read) == 0;
    sense->timers += sense->serving.under_way;
}
