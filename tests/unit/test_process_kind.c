/* What a process is to Ollama, by comm and argv; the lines of procfs. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/process_parse.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOB "sha256-995e2708ead9c155436dbc51a5abb4dcc43745f0145009a54fa712baad981e33"

static void kinds_by_table(void **state)
{
    static const struct {
        const char *comm;
        const char *argv; /* arguments end with | */
        enum process_kind kind;
        const char *blob;
        fact port;
    } cases[] = {
        {"ollama", "/bin/ollama|serve|", PROCESS_SERVE, "", -1},
        {"ollama", "/usr/local/bin/ollama|serve|", PROCESS_SERVE, "", -1},
        {"ollama", "ollama|start|", PROCESS_SERVE, "", -1},
        {"ollama", "ollama|--verbose|serve|", PROCESS_SERVE, "", -1},
        {"ollama", "/usr/bin/ollama|runner|--model|/m/blobs/" BLOB "|--port|41231|", PROCESS_RUNNER,
         BLOB, 41231},
        {"ollama", "/usr/bin/ollama|runner|--ollama-engine|--model|/m/" BLOB "|--port|1|",
         PROCESS_RUNNER, BLOB, 1},
        {"ollama", "ollama|runner|--mlx-engine|--model|gemma|--port|65535|", PROCESS_RUNNER, "",
         65535},
        {"ollama", "ollama|runner|--ollama-engine|--port|7|", PROCESS_HELPER, "", 7},
        {"llama-server", "/usr/lib/ollama/llama-server|--model|/x/" BLOB "|--port|35171|-c|4096|",
         PROCESS_RUNNER, BLOB, 35171},
        {"llama-server", "llama-server|--model=/x/" BLOB "|--port=8|", PROCESS_RUNNER, BLOB, 8},
        {"llama-server", "llama-server|--port|9|--verbose|", PROCESS_HELPER, "", 9},
        {"llama-server", "llama-server|--list-devices|", PROCESS_HELPER, "", -1},
        {"simollama", "/usr/lib/ollama/llama-server|--model|/x/" BLOB "|", PROCESS_RUNNER, BLOB,
         -1},
        {"ollama_llama_se", "/tmp/ollama1/runners/cpu/ollama_llama_server|--model|" BLOB "|",
         PROCESS_RUNNER, BLOB, -1},
        {"llama-server", "llama-server|--model|", PROCESS_HELPER, "", -1}, /* no value */
        {"llama-server", "llama-server|--port|0|--model|m|", PROCESS_RUNNER, "", -1},
        {"llama-server", "llama-server|--port|65536|--model|m|", PROCESS_RUNNER, "", -1},
        {"llama-server", "llama-server|--port|80x|--model|m|", PROCESS_RUNNER, "", -1},
        {"llama-server", "llama-server|--model|/m/sha256-" BLOB BLOB "|", PROCESS_RUNNER, "", -1},
        {"llama-server", "llama-server|--model|/m/sha256-\xff|", PROCESS_RUNNER, "", -1},
        {"llama-server", "llama-server|--models|m|", PROCESS_HELPER, "", -1},
        {"ollama", "/run/rosetta/rosetta|/bin/ollama|serve|", PROCESS_SERVE, "", -1},
        {"rosetta", "/run/rosetta/rosetta|/usr/bin/ollama|ollama|serve|", PROCESS_SERVE, "", -1},
        {"ollama", "/usr/bin/qemu-x86_64-static|/bin/ollama|runner|--model|" BLOB "|--port|9|",
         PROCESS_RUNNER, BLOB, 9},
        {"llama-server", "/usr/bin/qemu-aarch64|/x/llama-server|/x/llama-server|--model|" BLOB "|",
         PROCESS_RUNNER, BLOB, -1},
        {"ollama", "/run/rosetta/rosetta|/bin/ollama|list|", PROCESS_OTHER, "", -1},
        {"qemu-x86_64", "/usr/bin/qemu-x86_64|/bin/bash|serve|", PROCESS_OTHER, "", -1},
        {"qemu-x86_64", "/usr/bin/qemu-x86_64|", PROCESS_OTHER, "", -1},
        {"ollama", "ollama|list|", PROCESS_OTHER, "", -1},
        {"ollama", "ollama|run|small|", PROCESS_OTHER, "", -1},
        {"ollama", "ollama|", PROCESS_OTHER, "", -1},
        {"ollama", "ollama|pull|runner|", PROCESS_OTHER, "", -1},
        {"docker-init", "/sbin/docker-init|--|/bin/ollama|serve|", PROCESS_OTHER, "", -1},
        {"sh", "/bin/sh|-c|ollama serve|", PROCESS_OTHER, "", -1},
        {"python3", "python3|train.py|--model|x|--port|1|", PROCESS_OTHER, "", -1},
        {"ollama", "", PROCESS_OTHER, "", -1}, /* a zombie, or one that is dying */
        {"llama-server", "", PROCESS_OTHER, "", -1},
        {"ollama", "ollama|serve", PROCESS_OTHER, "", -1}, /* cut off: it may go on */
        {"ollama", "|||", PROCESS_OTHER, "", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char argv[512];
        size_t length = strlen(cases[i].argv);
        struct process process;
        process_init(&process);
        memset(process.blob, 'x', 5);
        process.port = 5; /* must not stay */
        for (size_t c = 0; c < length; c++)
            argv[c] = cases[i].argv[c] == '|' ? '\0' : cases[i].argv[c];
        enum process_kind kind = process_classify(cases[i].comm, argv, length, &process);
        if (kind != cases[i].kind || process.kind != kind ||
            strcmp(process.blob, cases[i].blob) != 0 || process.port != cases[i].port)
            fail_msg("%s: %s \"%s\" %lld", cases[i].argv, process_kind_name(kind), process.blob,
                     (long long)process.port);
    }
}

#define STAT_TAIL " 0 0 20 0 12 0 182692 3133440 418 18446744073709551615 1 1\n"

static void stat_lines(void **state)
{
    static const struct {
        const char *line;
        int result;
        const char *comm;
        char process_state;
        fact started_us;
    } cases[] = {
        {"1 (ollama) S 0 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, 0, "ollama", 'S', 1826920000},
        {"1 (a) S (b ) R 0 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, 0, "a) S (b ", 'R',
         1826920000},
        {"1 (two\nlines) S 0 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, 0, "two?lines", 'S',
         1826920000},
        {"1 () Z 0 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, 0, "", 'Z', 1826920000},
        {"1 (kworker/u8:2-events_unbound) I 0 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, 0,
         "kworker/u8:2-ev", 'I', 1826920000},
        {"1 (x) S 0 1 1 0 -1 4194304 1 0 0 0 150 25 0 0 -51 -20 12 0 182692 3\n", 0, "x", 'S',
         1826920000},
        {"1 (x) S 0 1 1 0 -1 4194304 1 0 0 0 150 25 0 0 20 0 12 0 182692\n", -EIO, NULL, 0, 0},
        {"1 (x) S 0 1 1 0 -1 4194304 1 0 0 0 150 25 0 0 20 0 12 0 182692 3", -EIO, NULL, 0, 0},
        {"1 (x) S 0 1 1 0 -1 4194304 1 0 0 0 150\n", -EIO, NULL, 0, 0},
        {"1 (x) S x 1 1 0 -1 4194304 1 0 0 0 150 25" STAT_TAIL, -EIO, NULL, 0, 0},
        {"1 (x) S 0 1 1 0 -1 4194304 1 0 0 0 150x 25" STAT_TAIL, -EIO, NULL, 0, 0},
        {"1 (x S 0 1\n", -EIO, NULL, 0, 0},
        {"1 x) S 0 1\n", -EIO, NULL, 0, 0},
        {")(\n", -EIO, NULL, 0, 0},
        {"\n", -EIO, NULL, 0, 0},
        {"", -EIO, NULL, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct process process;
        process_init(&process);
        int r = process_parse_stat(text_of(cases[i].line, strlen(cases[i].line)), 100, &process);
        if (r != cases[i].result)
            fail_msg("%s: %d", cases[i].line, r);
        if (r < 0) {
            assert_int_equal(process.started_us, FACT_UNKNOWN);
            continue;
        }
        assert_string_equal(process.comm, cases[i].comm);
        assert_int_equal(process.state, cases[i].process_state);
        assert_int_equal(process.started_us, cases[i].started_us);
        assert_int_equal(process.cpu_us, 1750000);
        assert_int_equal(process.ppid, 0);
    }
}

static void connection_rows(void **state)
{
    static const struct {
        const char *line;
        bool row;
        unsigned local, remote, state;
    } cases[] = {
        {"   2: 020011AC:2CAA 010011AC:C351 01 00000000:00000000 00", true, 11434, 50001, 1},
        {"  12: 00000000000000000000000000000000:2CAA 00000000000000000000000000000000:0000 0A x",
         true, 11434, 0, 10},
        {"  sl  local_address rem_address   st tx_queue", false, 0, 0, 0},
        {"   2: 020011AC:2CAA 010011AC:C351", false, 0, 0, 0},
        {"   2: 020011AC:2CAA1 010011AC:C351 01", false, 0, 0, 0},
        {"   2: 020011AC 010011AC:C351 01", false, 0, 0, 0},
        {"   2: 020011AC: 010011AC:C351 01", false, 0, 0, 0},
        {"   2: 020011AC:2CAA 010011AC:C351 0x1", false, 0, 0, 0},
        {"   2 020011AC:2CAA 010011AC:C351 01", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tcp_row row;
        bool taken = tcp_row_parse(text_of(cases[i].line, strlen(cases[i].line)), &row);
        if (taken != cases[i].row)
            fail_msg("%s", cases[i].line);
        if (!taken)
            continue;
        assert_int_equal(row.local_port, cases[i].local);
        assert_int_equal(row.remote_port, cases[i].remote);
        assert_int_equal(row.state, cases[i].state);
    }
}

static void interface_rows(void **state)
{
    static const struct {
        const char *line;
        fact bytes;
    } cases[] = {
        {"  eth0: 494987339    9816    0", 494987339},
        {"eth1:1000 10 0", 1000},
        {"    lo:    3193      29", FACT_UNKNOWN},
        {"  loop0: 5 1", 5},
        {" face |bytes    packets errs", FACT_UNKNOWN},
        {"Inter-|   Receive", FACT_UNKNOWN},
        {"  eth0: 18446744073709551615 1", FACT_UNKNOWN},
        {"  eth0: 12", FACT_UNKNOWN}, /* torn */
        {"  eth0:", FACT_UNKNOWN},
        {"", FACT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (received_parse(text_of(cases[i].line, strlen(cases[i].line))) != cases[i].bytes)
            fail_msg("%s", cases[i].line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_by_table),
        cmocka_unit_test(stat_lines),
        cmocka_unit_test(connection_rows),
        cmocka_unit_test(interface_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
