/* Connections and received bytes, from fixture trees and from this machine. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/process.h"
#include "tree.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIXTURE "tests/unit/fixtures/proc"

static void connections_of_a_fixture(void **state)
{
    static const struct own_port own[] = {{40000}, {50001}};
    fact unread, count = 77, bytes = 77;

    (void)state;
    assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count, &unread), 0);
    assert_int_equal(count, 3); /* not: listening, TIME_WAIT, CLOSE_WAIT, the client's end */
    assert_int_equal(connections_count(FIXTURE, 4711, 11434, own, 2, &count, &unread), 0);
    assert_int_equal(count, 1);
    count = 77;
    assert_int_equal(connections_count(FIXTURE, 4711, 40000, NULL, 0, &count, &unread), -ENOENT);
    assert_int_equal(connections_count(FIXTURE, 4725, 11434, NULL, 0, &count, &unread), -ESRCH);
    assert_int_equal(connections_count(FIXTURE, 4720, 11434, NULL, 0, &count, &unread),
                     -ESRCH); /* no net */
    assert_int_equal(connections_count("/nonexistent", 1, 11434, NULL, 0, &count, &unread),
                     -ENOENT);
    assert_int_equal(count, 77);

    assert_int_equal(received_read(FIXTURE, 4711, &bytes), 0);
    assert_int_equal(bytes, 494987339 + 1000);
    bytes = 77;
    assert_int_equal(received_read(FIXTURE, 4720, &bytes), -ESRCH);
    assert_int_equal(received_read(FIXTURE, 4725, &bytes), -ESRCH);
    assert_int_equal(bytes, 77);
    size_t files = open_files();
    for (long n = 0; n < 3; n++) { /* the process, tcp, tcp6 */
        fail_openat = (struct fail_call){n, EMFILE};
        assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count, &unread),
                         -EMFILE);
        fail_openat = NOT_FAILING;
    }
    for (long n = 0; n < 4; n++) { /* tcp, its end, tcp6, its end */
        fail_pread = (struct fail_call){n, EIO};
        assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count, &unread), -EIO);
        fail_pread = NOT_FAILING;
    }
    assert_int_equal(count, 77);
    assert_int_equal(open_files(), files);
}

static void clients_of_runners(void **state)
{
    enum { N = 70 };
    struct process all[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        process_init(&all[i]);
        all[i].kind = PROCESS_RUNNER;
        all[i].port = 1;
    }
    all[0].kind = PROCESS_SERVE;
    all[1].port = FACT_UNKNOWN;
    all[2].port = all[69].port = 11434;
    assert_int_equal(connections_of_runners(FIXTURE, 4711, all, N), 0);
    assert_int_equal(all[0].clients, FACT_UNKNOWN);
    assert_int_equal(all[1].clients, FACT_UNKNOWN);
    assert_int_equal(all[2].clients, 3);
    assert_int_equal(all[3].clients, 0); /* it does not listen */
    assert_int_equal(all[69].clients, FACT_UNKNOWN);
    assert_int_equal(connections_of_runners(FIXTURE, 4725, all + 2, 1), -ESRCH);
    all[2].clients = FACT_UNKNOWN;
    fail_pread = (struct fail_call){1, EIO};
    assert_int_equal(connections_of_runners(FIXTURE, 4711, all + 2, 1), -EIO);
    fail_pread = NOT_FAILING;
    assert_int_equal(all[2].clients, FACT_UNKNOWN);
}

/* A row of net/tcp; its length. */
static int put_row(char *at, int slot, int local, int remote, const char *tcp_state)
{
    return snprintf(at, 160, "%4d: 0100007F:%04X 0100007F:%04X %s 00000000:00000000 00:00000000\n",
                    slot, (unsigned)local, (unsigned)remote, tcp_state);
}

static void no_ipv6_and_long_tables(void **state)
{
    enum { ROWS = 2000 };
    const struct tree *tree = *state;
    fact count, unread;
    char *text = malloc(ROWS * 160 + 8192), *at = text;

    assert_non_null(text);
    at += put_row(at, 0, 11434, 0, "0A");
    for (int i = 1; i < ROWS; i++)
        at += put_row(at, i, 11434, 20000 + i, "01");
    tree_put(tree, "7/net/tcp", text);
    assert_int_equal(connections_count(tree->root, 7, 11434, NULL, 0, &count, &unread), 0);
    assert_int_equal(count, ROWS - 1);
    /* A line longer than any real one is passed over, what follows is not. */
    memset(at, 'x', 8000);
    at += 8000;
    *at++ = '\n';
    at += put_row(at, 1, 11434, 19999, "01");
    *at = '\0';
    tree_put(tree, "7/net/tcp", text);
    assert_int_equal(connections_count(tree->root, 7, 11434, NULL, 0, &count, &unread), 0);
    assert_int_equal(count, ROWS);
    free(text);
}

/* The same ports between other addresses are another connection, and so is one that is only on its
 * way out. */
static void whose_connection_it_is(void **state)
{
#define CONNECTION(local, remote, at) "   0: " local ":2CAA " remote ":9C42 " at " 0:0 0 0 0\n"
#define SERVER                        "0200000A" /* 10.0.0.2 */
#define V6(address)                   "0000000000000000FFFF0000" address
    static const struct {
        const char *table, *row;
        bool its;
    } cases[] = {
        {"100/net/tcp", CONNECTION(SERVER, "0100000A", "01"), true},
        {"100/net/tcp", CONNECTION(SERVER, "0100000A", "03"), true},
        {"100/net/tcp", CONNECTION(SERVER, "0100000A", "02"), false},
        {"100/net/tcp", CONNECTION(SERVER, "0300000A", "01"), false},
        {"100/net/tcp", CONNECTION("0300000A", "0100000A", "01"), false},
        {"100/net/tcp6", CONNECTION(V6(SERVER), V6("0100000A"), "01"), true},
        {"100/net/tcp6", CONNECTION(V6(SERVER), V6("0300000A"), "01"), false},
    };
    const struct tree *tree = *state;
    const struct http_ends ends = {"10.0.0.1", "10.0.0.2", 0x9C42, 0x2CAA};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(tree, "100/net/tcp", "heading\n");
        tree_put(tree, "100/net/tcp6", "heading\n");
        tree_put(tree, cases[i].table, cases[i].row);
        if (connections_have(tree->root, 100, &ends) != cases[i].its)
            fail_msg("%s", cases[i].row);
    }
    /* Among more rows than anybody has it is not looked for. */
    static const char row[] = "   0: 0:1 0:1 06\n", its[] = CONNECTION(SERVER, "0100000A", "01");
    static const size_t n = 262143;
    char *text = malloc((n + 1) * sizeof row + sizeof its), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, row);
    for (int more = 0; more < 2; more++) {
        memcpy(at, its, sizeof its);
        tree_put(tree, "100/net/tcp", text);
        assert_int_equal(connections_have(tree->root, 100, &ends), !more);
        at = stpcpy(at, row);
    }
    free(text);
}

static void connections_of_this_process(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof to;
    fact unread, count, bytes;

    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&to, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &length), 0);
    uint16_t port = ntohs(to.sin_port);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count, &unread), -ENOENT);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count, &unread), 0);
    assert_int_equal(count, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, length), 0);
    int server = accept(listener, NULL, NULL); /* waits until this end is established too */
    assert_true(server >= 0);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count, &unread), 0);
    assert_int_equal(count, 1);
    assert_int_equal(getsockname(client, (struct sockaddr *)&to, &length), 0);
    assert_int_equal(unread, 0);
    static const char text[1 << 16];
    while (send(server, text, sizeof text, MSG_DONTWAIT) > 0) /* nobody takes it */
        ;
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count, &unread), 0);
    assert_true(unread > 0);
    struct own_port own = {ntohs(to.sin_port)};
    struct http_ends ends = {"127.0.0.1", "127.0.0.1", own.port, port};
    assert_true(connections_have("/proc", getpid(), &ends));
    assert_false(connections_have("/proc", 0, &ends));
    ends.local_port = port;
    assert_false(connections_have("/proc", getpid(), &ends));
    assert_int_equal(connections_count("/proc", getpid(), port, &own, 1, &count, &unread), 0);
    assert_int_equal(count, 0);
    assert_int_equal(received_read("/proc", getpid(), &bytes), 0);
    assert_true(bytes >= 0);
    close(server);
    close(client);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_of_a_fixture),
        cmocka_unit_test(clients_of_runners),
        cmocka_unit_test_setup_teardown(no_ipv6_and_long_tables, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(whose_connection_it_is, tree_make, tree_drop),
        cmocka_unit_test(connections_of_this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
