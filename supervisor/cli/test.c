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
    const struct settings *settings;
    const struct test_wish *wish;
    struct await *await;
    struct probe probe;
    struct host host;
    bool quiet;
    json_t *rows, *left; /* borrowed */
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
    put_fact(row, "limit_cgroup", r->answer.limit);
    put_fact(row, "wanted", r->end == PROBE_TOO_LARGE ? FACT_UNKNOWN : r->wanted);
    put_fact(row, "touched", r->answer.touched);
    put_fact(row, "peak", r->answer.peak);
    put_fact(row, "available", r->answer.available);
    put_fact(row, "missing", r->missing);
    put_real(row, "seconds", r->answer.seconds);
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
    printf(row_format, SHOWN(r->size), SHOWN(come_to(r->answer.limit)),
           SHOWN(come_to(r->answer.touched)),
           r->answer.seconds >= 0 ? SHOWN_S(r->answer.seconds) : "-",
           SHOWN(come_to(r->answer.peak)), oom, probe_end_name(r->end));
    if (r->reason[0])
        printf("  %s\n", r->reason);
    if (r->warning[0])
        printf("  the engine warns: %s\n", r->warning);
    fflush(stdout);
}

static int run_sizes(struct test *test, struct error *err)
{
    for (size_t i = 0; i < test->wish->n && !test->probe.signal; i++) {
        struct probe_result result;
        int code = probe_size(&test->probe, test->wish->sizes[i], on_progress, test, &result, err);
        say_clear();
        if (code < 0)
            return code;
        test->failed += result.end != PROBE_HAD;
        json_array_append_new(test->rows, row_of(&result));
        if (!test->quiet)
            print_row(&result);
    }
    return 0;
}

static int check_engine(struct await *await, struct error *err)
{
    CLEANUP_JSON json_t *info = NULL;
    int code = await_json(await, DOCKER_INFO, "", &info, err);
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

static int run(struct test *test, struct error *err)
{
    struct probe *probe = &test->probe;
    int code = check_engine(test->await, err);
    if (code == 0)
        code = host_read_once(test->settings->procfs, &test->host, err);
    if (code < 0)
        return code;
    code = probe_begin(probe, test->await, test->settings, test->wish->reserve, on_left, test, err);
    if (code == 0 && !await_signal(test->await))
        code = probe_image_find(probe, err);
    probe->signal = await_signal(test->await);
    if (code == 0 && !probe->signal) {
        if (!test->quiet)
            print_head(&test->host, probe);
        code = run_sizes(test, err);
    }
    struct error finishing;
    if (probe_finish(probe, &finishing) < 0 && code == 0) {
        *err = finishing;
        code = err->code;
    }
    return code;
}

int test_sizes(const struct config *config, const struct test_wish *wish, bool quiet,
               json_t **ret_report)
{
    struct error err = {0};
    CLEANUP_AWAIT struct await *await = NULL;
    json_t *rows = json_array(), *left = json_array();
    int code = await_new(config, &await, &err);
    struct test test = {.settings = config_settings(config),
                        .wish = wish,
                        .await = await,
                        .probe.lock = -1,
                        .host = {.total = FACT_UNKNOWN, .available = FACT_UNKNOWN},
                        .quiet = quiet,
                        .rows = rows,
                        .left = left};
    if (code == 0)
        code = run(&test, &err);
    *ret_report = json_pack(
        "{s:o*, s:o*, s:o*, s:o*, s:o, s:o}", "memory_total", json_known(test.host.total),
        "memory_available", json_known(test.host.available), "reserve", json_known(wish->reserve),
        "image", json_told(test.probe.image.name), "taken_away", left, "sizes", rows);
    if (test.probe.signal)
        fputs("supervisor: interrupted; what was made is taken away again\n", stderr);
    if (code < 0)
        return cli_fail(&err);
    return test.probe.signal ? 128 + test.probe.signal : test.failed > 0 ? FAILURE_JOB : 0;
}

int test_wish_read(const struct cli *cli, const char *more, struct test_wish *ret_wish)
{
    struct test_wish wish = {.reserve = RESERVE_STANDARD, .n = (size_t)cli->n_operands};
    const char *reserve = cli_value(cli, "reserve");
    struct error err;
    if (reserve && size_parse(reserve, &wish.reserve, &err) < 0) {
        error_wrap(&err, "--reserve");
        return cli_fail(&err);
    }
    for (size_t i = 0; i < wish.n; i++) {
        if (size_parse(cli->operands[i], &wish.sizes[i], &err) < 0)
            return cli_fail(&err);
        if (wish.sizes[i] < PROBE_SIZE_MIN)
            return cli_refuse(FAILURE_USAGE, "%.64s is too little to test: 32m is the least%s",
                              cli->operands[i], more);
    }
    *ret_wish = wish;
    return 0;
}

int cmd_test(struct cli *cli)
{
    static const fact usual_gib[] = {10, 20, 25};
    struct test_wish wish = {0};
    json_t *report = NULL;
    bool json = cli_has(cli, "json");
    int status = test_wish_read(cli, ", the program itself needs some", &wish);
    if (status != 0)
        return status;
    for (size_t i = 0; cli->n_operands == 0 && i < sizeof usual_gib / sizeof usual_gib[0]; i++)
        wish.sizes[wish.n++] = usual_gib[i] << 30;
    status = test_sizes(cli->config, &wish, json, &report);
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
