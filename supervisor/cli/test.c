/* supervisor test [SIZE...]: proves that so much memory can be had. */
#include "base/profile.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "deploy/probe.h"
#include "deploy/probe_inside.h"
#include "sense/host.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <errno.h>

static const char row_format[] = "%-11s %-11s %-11s %-8s %-11s %-4s %s\n";

struct test {
    bool quiet;
    json_t *rows, *left; /* owned */
    size_t failed;
};

static void on_left(void *userdata, const char *sentence)
{
    struct test *test = userdata;
    json_array_append_new(test->left, json_string(sentence));
    if (!test->quiet)
        printf("%s\n", sentence);
}

static void on_progress(void *userdata, fact size, fact touched, fact wanted, fact available)
{
    (void)userdata;
    say_progress("%s: %s of %s touched, the host has %s available ...", SHOWN(size), SHOWN(touched),
                 SHOWN(wanted), SHOWN(available));
}

static json_t *row_of(const struct probe_result *r)
{
    json_t *row = json_pack("{s:I, s:b, s:s}", "size", (json_int_t)r->size, "had",
                            r->end == PROBE_HAD, "outcome", probe_end_name(r->end));
    put_fact(row, "limit_engine", r->limit_engine);
    put_fact(row, "limit_cgroup", r->limit_cgroup);
    put_fact(row, "wanted", r->end == PROBE_TOO_LARGE ? FACT_UNKNOWN : r->wanted);
    put_fact(row, "touched", r->touched);
    put_fact(row, "peak", r->peak);
    put_fact(row, "available", r->available);
    put_fact(row, "missing", r->missing);
    put_real(row, "seconds", r->touch_s);
    if (r->end != PROBE_TOO_LARGE && r->end != PROBE_REFUSED)
        json_object_set_new(row, "oom_killed", json_boolean(r->oom_killed));
    put_text(row, "reason", r->reason);
    put_text(row, "warning", r->warning);
    return row;
}

/* What is unknown was not come to: "-", as for none. */
static fact come_to(fact bytes)
{
    return bytes == FACT_UNKNOWN ? FACT_NONE : bytes;
}

static void print_row(const struct probe_result *r)
{
    bool ran = r->end != PROBE_TOO_LARGE && r->end != PROBE_REFUSED;
    const char *oom = !ran ? "-" : r->oom_killed ? "yes" : "no";
    printf(row_format, SHOWN(r->size), SHOWN(come_to(r->limit_cgroup)), SHOWN(come_to(r->touched)),
           r->touch_s >= 0 ? SHOWN_S(r->touch_s) : "-", SHOWN(come_to(r->peak)), oom,
           probe_end_name(r->end));
    if (r->reason[0])
        printf("  %s\n", r->reason);
    if (r->warning[0])
        printf("  the engine warns: %s\n", r->warning);
    fflush(stdout);
}

static int run_sizes(struct test *test, struct probe *probe, const fact *sizes, size_t n,
                     struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct probe_result result;
        int code = probe_size(probe, sizes[i], on_progress, test, &result, err);
        say_clear();
        if (code < 0)
            return code;
        test->failed += result.end != PROBE_HAD;
        json_array_append_new(test->rows, row_of(&result));
        if (!test->quiet)
            print_row(&result);
        if (probe->signal)
            return 0;
    }
    return 0;
}

static int check_engine(struct await *await, struct error *err)
{
    CLEANUP_JSON json_t *info = NULL;
    int code = await_info(await, &info, err);
    if (code == 0 && member_truth(info, "MemoryLimit") == 0)
        code = error_set(err, FAILURE_JOB, -EOPNOTSUPP,
                         "the Docker Engine cannot limit memory (docker info: no memory limit "
                         "support): the kernel needs the memory controller, on some machines by "
                         "cgroup_enable=memory on its command line");
    return code;
}

static void print_head(const struct host *host, const struct probe *probe)
{
    printf("The host has %s of %s available; %s stay reserved. Image: %s\n\n",
           SHOWN(host->available), SHOWN(host->total), SHOWN(probe->reserve), probe->image.name);
    printf(row_format, "SIZE", "LIMIT", "TOUCHED", "TIME", "PEAK", "OOM", "RESULT");
    fflush(stdout);
}

static int run(struct test *test, struct probe *probe, struct await *await,
               const struct settings *settings, const fact *sizes, size_t n, fact reserve,
               struct host *host, struct error *err)
{
    int code = check_engine(await, err);
    if (code == 0)
        code = host_read_once(settings->procfs, host, err);
    if (code < 0)
        return code;
    code = probe_begin(probe, await, settings, reserve, on_left, test, err);
    if (code == 0 && !await_signal(await))
        code = probe_image_find(probe, err);
    probe->signal = await_signal(await);
    if (code == 0 && !probe->signal) {
        if (!test->quiet)
            print_head(host, probe);
        code = run_sizes(test, probe, sizes, n, err);
    }
    struct error finishing;
    if (probe_finish(probe, &finishing) < 0 && code == 0) {
        *err = finishing;
        code = err->code;
    }
    return code;
}

int test_sizes(const struct config *config, const fact *sizes, size_t n, fact reserve, bool quiet,
               json_t **ret_report)
{
    struct error err = {0};
    struct host host = {.total = FACT_UNKNOWN, .available = FACT_UNKNOWN};
    struct probe probe = {.lock = -1};
    CLEANUP_AWAIT struct await *await = NULL;
    CLEANUP_JSON json_t *report = json_object(), *rows = json_array(), *left = json_array();
    struct test test = {.quiet = quiet, .rows = rows, .left = left};
    int code = await_new(config, &await, &err);
    if (code == 0)
        code = run(&test, &probe, await, config_settings(config), sizes, n, reserve, &host, &err);
    put_fact(report, "memory_total", host.total);
    put_fact(report, "memory_available", host.available);
    put_fact(report, "reserve", reserve);
    put_text(report, "image", probe.image.name);
    json_object_set(report, "taken_away", left);
    json_object_set(report, "sizes", rows);
    *ret_report = json_incref(report);
    if (probe.signal)
        fputs("supervisor: interrupted; what was made is taken away again\n", stderr);
    if (code < 0)
        return cli_fail(&err);
    return probe.signal ? 128 + probe.signal : test.failed > 0 ? FAILURE_JOB : 0;
}

static int read_sizes(int n, char **words, fact *sizes, struct error *err)
{
    for (int i = 0; i < n; i++) {
        int code = size_parse(words[i], &sizes[i], err);
        if (code < 0)
            return code;
        if (sizes[i] < PROBE_SIZE_MIN)
            return error_set(err, FAILURE_USAGE, -ERANGE,
                             "%.64s is too little to test: 32m is the least, the program itself "
                             "needs some",
                             words[i]);
    }
    return 0;
}

int cmd_test(struct cli *cli)
{
    static const fact usual[] = {INT64_C(10) << 30, INT64_C(20) << 30, INT64_C(25) << 30};
    fact sizes[TEST_SIZES_MAX], reserve = RESERVE_STANDARD;
    struct error err;
    json_t *report = NULL;
    const char *text = cli_value(cli, "reserve");
    bool json = cli_has(cli, "json");
    if (text && size_parse(text, &reserve, &err) < 0) {
        error_wrap(&err, "--reserve");
        return cli_fail(&err);
    }
    if (read_sizes(cli->n_operands, cli->operands, sizes, &err) < 0)
        return cli_fail(&err);
    size_t n = (size_t)cli->n_operands;
    int status = n > 0 ? test_sizes(cli->config, sizes, n, reserve, json, &report)
                       : test_sizes(cli->config, usual, sizeof usual / sizeof usual[0], reserve,
                                    json, &report);
    if (json && json_array_size(json_object_get(report, "sizes")) > 0)
        say_json(json_incref(report));
    json_decref(report);
    return status;
}

/* supervisor probe-memory BYTES RESERVE: the inner half, in its container. */
int cmd_probe_memory(struct cli *cli)
{
    fact wanted, reserve;
    struct error err;
    if (size_parse(cli->operands[0], &wanted, &err) < 0 ||
        size_parse(cli->operands[1], &reserve, &err) < 0)
        return cli_fail(&err);
    return probe_inside(wanted, reserve, "/proc", "/sys/fs/cgroup");
}
