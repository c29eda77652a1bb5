#include "sense/host.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { MEMINFO_SIZE = 8192 }; /* 1.5 KiB on 6.18 */

struct host_reader {
    int meminfo, pressure; /* descriptors; pressure < 0: the kernel has none */
    fact cpus;
};

/* The processors that are on: lines "cpu0 …" of PROCFS/stat. They come first. */
static int count_cpu(struct text line, void *userdata)
{
    fact *cpus = userdata;
    int64_t number;

    if (!text_take(&line, "cpu"))
        return -ECANCELED; /* the interrupts' line is long and dear: no further */
    if (line.at < line.end && *line.at != ' ' && text_number(&line, &number))
        *cpus = fact_known(*cpus) ? *cpus + 1 : 1;
    return 0;
}

int host_open(const char *procfs, struct host_reader **ret_reader, struct error *err)
{
    CLOSE_FD int root = proc_directory_open(AT_FDCWD, procfs);
    struct host_reader *reader = calloc(1, sizeof *reader);
    int meminfo = root < 0 ? root : proc_file_open(root, "meminfo");

    if (reader == NULL) {
        proc_file_close(&meminfo);
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory to look at the host");
    }
    if (meminfo < 0) {
        free(reader);
        return error_set(err, FAILURE_UNREACHABLE, meminfo,
                         "%.300s/meminfo cannot be read (%s): name the host's procfs in [paths]",
                         procfs, strerror(-meminfo));
    }
    reader->meminfo = meminfo;
    reader->pressure = proc_file_open(root, "pressure/memory");
    reader->cpus = FACT_UNKNOWN;
    proc_file_lines(root, "stat", count_cpu, &reader->cpus);
    *ret_reader = reader;
    return 0;
}

void host_close(struct host_reader *reader)
{
    if (reader == NULL)
        return;
    proc_file_close(&reader->meminfo);
    proc_file_close(&reader->pressure);
    free(reader);
}

int host_read(struct host_reader *reader, struct host *ret_host)
{
    char buffer[MEMINFO_SIZE];
    struct text text, line;
    struct host host;
    fact swap_free = FACT_UNKNOWN;

    host_init(&host);
    int r = proc_file_read(reader->meminfo, buffer, sizeof buffer, &text);
    if (r < 0)
        return r;
    while (text_line(&text, &line)) {
        fact *places[] = {&host.total, &host.available, &host.swap_total, &swap_free};
        static const char *const keys[] = {"MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:"};
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (*places[i] < 0 && text_take(&line, keys[i]))
                text_kilobytes(line, places[i]);
    }
    if (host.swap_total >= 0 && swap_free >= 0 && swap_free <= host.swap_total)
        host.swap_used = host.swap_total - swap_free;
    host.cpus = reader->cpus;
    if (reader->pressure >= 0 &&
        proc_file_read(reader->pressure, buffer, sizeof buffer, &text) == 0)
        psi_parse(text, &host.psi);
    *ret_host = host;
    return 0;
}

int host_read_once(const char *procfs, struct host *ret_host, struct error *err)
{
    struct host_reader *reader = NULL;
    host_init(ret_host);
    int r = host_open(procfs, &reader, err);
    if (!reader)
        return r;
    host_read(reader, ret_host);
    host_close(reader);
    return 0;
}
