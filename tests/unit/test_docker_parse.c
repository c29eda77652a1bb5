/* The engine's answers, read (the shapes are those of the engines 20.10, 26.1 and 28.5). */
#include "sense/docker_parse.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID1 "2f133e508efda7559f6fd48390b72294867dbb07567160bb20d7d7386d822caf"
#define ID2 "78a76218a7b64b829e44e13381a7a89894122ed7fb5e4679f443452a8ae7439f"

static void entries(void **state)
{
    (void)state;
    static const char body[] =
        "{\"Id\":\"" ID1 "\",\"Names\":[\"/other/alias\",\"/ollama\"],\"Image\":"
        "\"ollama/ollama:0.24\",\"State\":\"running\",\"Status\":\"Up 3 minutes (unhealthy)\","
        "\"Labels\":{\"a\":\"b\\u0000c\",\"supervisor.enable\":\"true\",\"n\":7}}",
                      bare[] =
                          "{\"Id\":\"" ID2 "\",\"Names\":null,\"Labels\":null,\"State\":\"odd\"}";
    struct docker_entry entry;
    assert_int_equal(docker_parse_entry(body, sizeof body - 1, &entry), 0);
    assert_string_equal(entry.id, ID1);
    assert_string_equal(entry.name, "ollama");
    assert_string_equal(entry.image, "ollama/ollama:0.24");
    assert_int_equal(entry.status, STATUS_RUNNING);
    assert_int_equal(entry.n_labels, 2); /* ours first, so that the cap never drops them */
    assert_string_equal(entry.labels[0].key, "supervisor.enable");
    assert_string_equal(entry.labels[0].value, "true");
    assert_string_equal(entry.labels[1].value, "b");
    docker_entry_clear(&entry);
    assert_int_equal(docker_parse_entry(bare, sizeof bare - 1, &entry), 0);
    assert_string_equal(entry.name, "");
    assert_int_equal(entry.status, STATUS_UNKNOWN);
    docker_entry_clear(&entry);
    static const char *const none[] = {"{}", "[]", "7", "",
                                       "{\"Id\":\"short\",\"Names\":[\"/x\"]}"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(docker_parse_entry(none[i], strlen(none[i]), &entry), -EBADMSG);
    assert_int_equal(docker_parse_entry(body, sizeof body - 2, &entry), -EBADMSG);
}

/* What is kept of an entry that is too long: who it is. */
static void beginnings(void **state)
{
    static const char *const none[] = {"", "{\"Id\":\"short\",", ("{\"Id\":\"" ID1),
                                       "{\"Names\":[\"/x\"],\"Id\":7}"};
    struct docker_entry entry;
    (void)state;
    static const char huge[] = "{\"Id\":\"" ID1 "\",\"Names\":[\"/hu\x1bge\"],\"Labels\":{\"a";
    assert_true(docker_parse_beginning(huge, sizeof huge - 1, &entry));
    assert_true(entry.unread);
    assert_string_equal(entry.id, ID1);
    assert_string_equal(entry.name, "hu?ge");
    assert_null(entry.labels);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(docker_parse_beginning(none[i], strlen(none[i]), &entry));
}

/* Labels by the hundred kilobyte: what is kept of them is bounded, ours are there. */
static void long_labels(void **state)
{
    enum { LABELS = 100, BYTES = 8000 };
    size_t size = (size_t)LABELS * (BYTES + 100), used, kept = 0;
    char *body = malloc(size), *value = malloc(BYTES + 1);
    struct docker_entry entry;
    (void)state;
    memset(value, 'x', BYTES);
    value[BYTES] = '\0';
    used = (size_t)snprintf(body, size, "{\"Id\":\"" ID1 "\",\"Labels\":{");
    for (int i = 0; i < LABELS; i++)
        used += (size_t)snprintf(body + used, size - used, "\"l%d\":\"%s\",", i, value);
    used += (size_t)snprintf(body + used, size - used, "\"supervisor.mode\":\"observe\"}}");
    assert_int_equal(docker_parse_entry(body, used, &entry), 0);
    assert_string_equal(entry.labels[0].key, "supervisor.mode");
    for (size_t i = 0; i < entry.n_labels; i++)
        kept += strlen(entry.labels[i].key) + strlen(entry.labels[i].value);
    assert_in_range(kept, 8000, 16384);
    docker_entry_clear(&entry);
    free(value);
    free(body);
}

static void many_labels(void **state)
{
    (void)state;
    size_t size = 64 * 1024, used;
    char *body = malloc(size);
    used = (size_t)snprintf(body, size, "{\"Id\":\"" ID1 "\",\"Labels\":{");
    for (int i = 0; i < 600; i++)
        used += (size_t)snprintf(body + used, size - used, "\"l%d\":\"v\",", i);
    used += (size_t)snprintf(body + used, size - used, "\"supervisor.mode\":\"enforce\"}}");
    struct docker_entry entry;
    assert_int_equal(docker_parse_entry(body, used, &entry), 0);
    assert_int_equal(entry.n_labels, WORLD_PAIRS_MAX);
    assert_string_equal(entry.labels[0].key, "supervisor.mode");
    docker_entry_clear(&entry);
    free(body);
}

static const char inspected[] =
    "{\"Id\":\"" ID1 "\",\"Name\":\"/ollama\",\"RestartCount\":2,\"State\":{\"Status\":\"running\","
    "\"Running\":true,\"OOMKilled\":true,\"Pid\":4711,\"ExitCode\":137,\"StartedAt\":"
    "\"2026-11-21T06:39:13.663904735Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\",\"Error\":\"\","
    "\"Health\":{\"Status\":\"unhealthy\",\"Log\":["
    "{\"ExitCode\":0,\"Output\":\"fine\"},{\"ExitCode\":-1,\"Output\":\"exec: \\\"curl\\\": "
    "executable file not found in $PATH\\n\"}]}},"
    "\"HostConfig\":{\"Memory\":8589934592,\"MemorySwap\":-1,\"MemoryReservation\":0,"
    "\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":5},\"AutoRemove\":true,"
    "\"NetworkMode\":\"back\"},\"Config\":{\"Image\":\"ollama/ollama\",\"StopTimeout\":30,"
    "\"Env\":[\"PATH=/bin\",\"OLLAMA_HOST=0.0.0.0:11500\",\"OLLAMA_NOVALUE\","
    "\"LLAMA_ARG_CACHE_RAM=128\",\"AWS_SECRET=x\",\"XOLLAMA_A=1\"],"
    "\"Labels\":{\"com.docker.swarm.task.id\":\"abc\"}},\"NetworkSettings\":{\"IPAddress\":"
    "\"172.17.0.9\",\"Networks\":{\"zoo\":{\"IPAddress\":\"10.0.3.3\"},\"empty\":{\"IPAddress\":"
    "\"\"},\"back\":{\"IPAddress\":\"10.0.1.2\"}}}}";

static void inspect(void **state)
{
    (void)state;
    struct container c;
    struct docker_details d;
    assert_int_equal(docker_parse_inspect(inspected, sizeof inspected - 1, &c, &d), 0);
    assert_string_equal(c.id, ID1);
    assert_string_equal(c.name, "ollama");
    assert_string_equal(c.image, "ollama/ollama");
    assert_int_equal(c.status, STATUS_RUNNING);
    assert_false(d.start_failed);
    assert_int_equal(d.finished_ms, FACT_UNKNOWN);
    assert_int_equal(c.health, HEALTH_UNHEALTHY);
    assert_true(c.health_probed);
    assert_int_equal(c.health_exit, -1);
    assert_string_equal(c.health_output, "exec: \"curl\": executable file not found in $PATH?");
    assert_string_equal(c.started_at, "2026-11-21T06:39:13.663904735Z");
    assert_int_equal(c.restart_count, 2);
    assert_int_equal(c.exit_code, 137);
    assert_int_equal(c.pid, 4711);
    assert_int_equal(c.oom_killed, 1);
    assert_int_equal(c.auto_remove, 1);
    assert_int_equal(c.swarm_task, 1);
    assert_int_equal(c.n_env, 2); /* never anything that may be a secret */
    assert_string_equal(container_env(&c, "LLAMA_ARG_CACHE_RAM"), "128");
    assert_int_equal(c.baseline, FACT_UNKNOWN);
    assert_int_equal(d.memory, INT64_C(8589934592));
    assert_int_equal(d.memory_swap, FACT_NONE);
    assert_int_equal(d.memory_reservation, 0);
    assert_string_equal(d.restart_policy, "on-failure");
    assert_int_equal(d.restart_max_retries, 5);
    assert_int_equal(d.stop_timeout_s, 30);
    assert_string_equal(d.address, "10.0.1.2"); /* of "back", the first by name that has one */
    assert_int_equal(d.port, 11500);
    assert_false(d.host_network);
    container_clear(&c);
}

static void inspect_of_little(void **state)
{
    (void)state;
    struct container c;
    struct docker_details d;
    static const char bare[] = "{\"Id\":\"" ID1 "\"}";
    assert_int_equal(docker_parse_inspect(bare, sizeof bare - 1, &c, &d), 0);
    assert_int_equal(c.status, STATUS_UNKNOWN);
    assert_int_equal(c.health, HEALTH_UNKNOWN);
    assert_false(c.health_probed);
    assert_int_equal(c.pid, FACT_UNKNOWN);
    assert_int_equal(c.oom_killed, FACT_UNKNOWN);
    assert_int_equal(c.swarm_task, FACT_UNKNOWN);
    assert_int_equal(d.memory, FACT_UNKNOWN);
    assert_int_equal(d.memory_swap, FACT_UNKNOWN);
    assert_int_equal(d.stop_timeout_s, FACT_UNKNOWN);
    assert_string_equal(d.address, "");
    assert_int_equal(d.port, 11434);
    container_clear(&c);

    static const char stopped[] =
        "{\"Id\":\"" ID1 "\",\"Name\":\"/o\",\"State\":{\"Status\":\"exited\",\"Pid\":0,"
        "\"Error\":\"no such file\",\"FinishedAt\":\"1970-01-01T00:00:01.5Z\"},"
        "\"HostConfig\":{\"NetworkMode\":\"host\",\"MemorySwap\":-2},\"Config\":{\"StopTimeout\":"
        "-1,\"Labels\":null,\"Env\":null},\"NetworkSettings\":{\"Networks\":{\"host\":"
        "{\"IPAddress\":\"\"}}}}";
    assert_int_equal(docker_parse_inspect(stopped, sizeof stopped - 1, &c, &d), 0);
    assert_int_equal(c.status, STATUS_EXITED);
    assert_int_equal(c.health, HEALTH_NONE);
    assert_int_equal(c.pid, FACT_UNKNOWN); /* 0 is no process */
    assert_true(d.start_failed);
    assert_int_equal(d.finished_ms, 1500);
    assert_int_equal(c.swarm_task, 0);
    assert_int_equal(d.memory_swap, FACT_UNKNOWN);
    assert_int_equal(d.stop_timeout_s, FACT_NONE);
    assert_true(d.host_network);
    assert_string_equal(d.address, "127.0.0.1");
    container_clear(&c);

    static const char bound[] = "{\"Id\":\"" ID1 "\",\"HostConfig\":{\"NetworkMode\":\"host\"},"
                                "\"Config\":{\"Env\":[\"OLLAMA_HOST=192.0.2.7:1234\"]}}";
    assert_int_equal(docker_parse_inspect(bound, sizeof bound - 1, &c, &d), 0);
    assert_string_equal(d.address, "127.0.0.1"); /* never what it names */
    assert_int_equal(d.port, 1234);
    container_clear(&c);

    static const char old[] =
        "{\"Id\":\"" ID1 "\",\"NetworkSettings\":{\"IPAddress\":\"172.17.0.2\",\"Networks\":{}}}";
    assert_int_equal(docker_parse_inspect(old, sizeof old - 1, &c, &d), 0);
    assert_string_equal(d.address, "172.17.0.2");
    container_clear(&c);

    assert_int_equal(docker_parse_inspect("{\"Id\":\"x\"}", 10, &c, &d), -EBADMSG);
    assert_int_equal(docker_parse_inspect("[]", 2, &c, &d), -EBADMSG);
    assert_int_equal(docker_parse_inspect(inspected, 100, &c, &d), -EBADMSG);
}

/* As Ollama's envconfig reads it. */
static void ollama_host(void **state)
{
    (void)state;
    static const struct {
        const char *value, *host;
        uint16_t port;
    } cases[] = {
        {NULL, "127.0.0.1", 11434},
        {"", "127.0.0.1", 11434},
        {"0.0.0.0:11434", "", 11434},
        {"0.0.0.0", "", 11434},
        {":8080", "", 8080},
        {"http://x:123", "x", 123},
        {"http://x", "x", 80},
        {"https://x/api", "x", 443},
        {"http://0.0.0.0:11434/", "", 11434},
        {"[::]:11435", "", 11435},
        {"[::1]:11435", "::1", 11435},
        {"::", "", 11434},
        {"fe80::1", "fe80::1", 11434},
        {" \"10.0.0.1:99\" ", "10.0.0.1", 99},
        {"10.0.0.1:", "10.0.0.1", 11434},
        {"10.0.0.1:65535", "10.0.0.1", 65535},
        {"10.0.0.1:65536", "10.0.0.1", 11434},
        {"10.0.0.1:99999999999999999999", "10.0.0.1", 11434},
        {"10.0.0.1:-1", "10.0.0.1", 11434},
        {"10.0.0.1:8o", "10.0.0.1", 11434},
        {"a-very-long-name.of-a-host.that-does-not-fit.example", "", 11434},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[48];
        uint16_t port;
        docker_parse_ollama_host(cases[i].value, host, sizeof host, &port);
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

static void events(void **state)
{
    (void)state;
    struct docker_event event;
#define EVENT(type, action, attributes)                                                            \
    "{\"Type\":\"" type "\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" ID1                    \
    "\",\"Attributes\":{" attributes "}},\"time\":1795243159,\"timeNano\":1795243159447563297}"
    static const char die[] = EVENT("container", "die", "\"exitCode\":\"137\",\"name\":\"o\"");
    assert_true(docker_parse_event(die, sizeof die - 1, &event));
    assert_string_equal(event.id, ID1);
    assert_string_equal(event.action, "die");
    assert_int_equal(event.time_ns, INT64_C(1795243159447563297));
    assert_int_equal(event.exit_code, 137);
    assert_int_equal(event.signal, FACT_UNKNOWN);
    static const char kill[] = EVENT("container", "kill", "\"signal\":\"15\",\"exitCode\":\"\"");
    assert_true(docker_parse_event(kill, sizeof kill - 1, &event));
    assert_int_equal(event.signal, 15);
    assert_int_equal(event.exit_code, FACT_UNKNOWN);
    static const char health[] = EVENT("container", "health_status: unhealthy", "");
    assert_true(docker_parse_event(health, sizeof health - 1, &event));
    assert_string_equal(event.action, "health_status");
    static const char *const none[] = {
        EVENT("container", "health_statuses: unhealthy", ""),
        EVENT("container", "exec_start: ollama list", ""),
        EVENT("container", "exec_die", ""),
        EVENT("container", "", ""),
        EVENT("container", "an-action-that-is-longer-than-any-engine-has-ever-sent", ""),
        EVENT("image", "pull", ""),
        "{\"Type\":\"container\",\"Action\":\"die\",\"timeNano\":1}",
        "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"" ID1 "\"}}",
        "{\"message\":\"no\"}",
        "null",
        "",
        "{",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(docker_parse_event(none[i], strlen(none[i]), &event));
}

static void stats(void **state)
{
    (void)state;
    struct cgroup_memory m;
    static const char v1[] =
        "{\"pids_stats\":{\"current\":1},\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":22817123}},"
        "\"memory_stats\":{\"usage\":565248,\"max_usage\":3780608,\"limit\":104857600,\"stats\":{"
        "\"rss\":1,\"total_rss\":49152,\"total_cache\":500,\"total_inactive_file\":100}}}";
    assert_int_equal(docker_parse_stats(v1, sizeof v1 - 1, &m), 0);
    assert_int_equal(m.version, 1);
    assert_int_equal(m.anon, 49152);
    assert_int_equal(m.file, FACT_UNKNOWN); /* these engines do not give the shmem in it */
    assert_int_equal(m.inactive_file, 100);
    assert_int_equal(m.usage, 565248);
    assert_int_equal(m.peak, 3780608);
    assert_int_equal(m.limit, FACT_UNKNOWN);
    assert_int_equal(m.swap, FACT_UNKNOWN);
    assert_int_equal(m.cpu_us, 22817);
    static const char v2[] =
        "{\"pids_stats\":{\"current\":1,\"limit\":18446744073709551615},\"memory_stats\":{"
        "\"usage\":7000,\"stats\":{\"anon\":4096,\"file\":2048,\"shmem\":1024,"
        "\"inactive_file\":512}}}";
    assert_int_equal(docker_parse_stats(v2, sizeof v2 - 1, &m), 0);
    assert_int_equal(m.version, 2);
    assert_int_equal(m.anon, 4096);
    assert_int_equal(m.file, 1024);
    assert_int_equal(m.shmem, 1024);
    assert_int_equal(m.peak, FACT_UNKNOWN);
    assert_int_equal(m.cpu_us, FACT_UNKNOWN);
    static const char stopped[] = "{\"read\":\"0001-01-01T00:00:00Z\",\"memory_stats\":{}}";
    assert_int_equal(docker_parse_stats(stopped, sizeof stopped - 1, &m), 0);
    assert_int_equal(m.version, 0);
    assert_int_equal(m.anon, FACT_UNKNOWN);
    assert_int_equal(docker_parse_stats("[]", 2, &m), -EBADMSG);
}

static void words_of_a_refusal(void **state)
{
    (void)state;
    char text[64];
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"{\"message\":\"No such container: x\"}\n", "No such container: x"},
        {"{\"message\":\"a\\nforged\\u0007 line\\u00e4\"}", "a forged line??"},
        {"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by rules.\n</body></html>",
         "403 Forbidden Request forbidden by rules."},
        {"404 page not found\n", "404 page not found"},
        {"{\"message\":7}", "{\"message\":7}"},
        {"<unclosed", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docker_parse_message(cases[i].body, strlen(cases[i].body), text, sizeof text);
        assert_string_equal(text, cases[i].words);
    }
    char many[400];
    memset(many, 'm', sizeof many);
    docker_parse_message(many, sizeof many, text, sizeof text);
    assert_true(strlen(text) < sizeof text && strlen(text) > 60);

    assert_int_equal(docker_parse_version("1.41"), 41);
    assert_int_equal(docker_parse_version("1.52"), 52);
    static const char *const odd[] = {"", "1", "1.", "2.0", "1.4x", "1.-4", "v1.41", "1.123456"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_int_equal(docker_parse_version(odd[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),     cmocka_unit_test(beginnings),
        cmocka_unit_test(long_labels), cmocka_unit_test(many_labels),
        cmocka_unit_test(inspect),     cmocka_unit_test(inspect_of_little),
        cmocka_unit_test(ollama_host), cmocka_unit_test(events),
        cmocka_unit_test(stats),       cmocka_unit_test(words_of_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
