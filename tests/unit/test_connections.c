/* Connections and received bytes, from fixture trees and from this machine. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/listener.h"
#include "sense/process.h"
#include "tree.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define FIXTURE "tests/unit/fixtures/proc"

static void connections_of_a_fixture(void **state)
{
    static const struct own_port own[] = {{40000}, {50001}};
    fact count = 77, bytes = 77;

    (void)state;
    assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count), 0);
    assert_int_equal(count, 3); /* not: listening, TIME_WAIT, CLOSE_WAIT, the client's end */
    assert_int_equal(connections_count(FIXTURE, 4711, 11434, own, 2, &count), 0);
    assert_int_equal(count, 1);
    count = 77;
    assert_int_equal(connections_count(FIXTURE, 4711, 40000, NULL, 0, &count), -ENOENT);
    assert_int_equal(connections_count(FIXTURE, 4725, 11434, NULL, 0, &count), -ESRCH);
    assert_int_equal(connections_count(FIXTURE, 4720, 11434, NULL, 0, &count), -ESRCH); /* no net */
    assert_int_equal(connections_count("/nonexistent", 1, 11434, NULL, 0, &count), -ENOENT);
    assert_int_equal(count, 77);

    assert_int_equal(received_read(FIXTURE, 4711, &bytes), 0);
    assert_int_equal(bytes, 494987339 + 1000);
    bytes = 77;
    assert_int_equal(received_read(FIXTURE, 4720, &bytes), -ESRCH);
    assert_int_equal(received_read(FIXTURE, 4725, &bytes), -ESRCH);
    assert_int_equal(bytes, 77);
    size_t files = open_files();
    for (long n = 0; n < 4; n++) { /* the root, the process, tcp, tcp6 */
        fail_openat = (struct fail_call){n, EMFILE};
        assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count), -EMFILE);
        fail_openat = NOT_FAILING;
    }
    for (long n = 0; n < 4; n++) { /* tcp, its end, tcp6, its end */
        fail_pread = (struct fail_call){n, EIO};
        assert_int_equal(connections_count(FIXTURE, 4711, 11434, NULL, 0, &count), -EIO);
        fail_pread = NOT_FAILING;
    }
    assert_int_equal(count, 77);
    assert_int_equal(open_files(), files);
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
    fact count;
    char *text = malloc(ROWS * 160 + 8192), *at = text;

    assert_non_null(text);
    at += put_row(at, 0, 11434, 0, "0A");
    for (int i = 1; i < ROWS; i++)
        at += put_row(at, i, 11434, 20000 + i, "01");
    tree_put(tree, "7/net/tcp", text);
    assert_int_equal(connections_count(tree->root, 7, 11434, NULL, 0, &count), 0);
    assert_int_equal(count, ROWS - 1);
    /* A line longer than any real one is passed over, what follows is not. */
    memset(at, 'x', 8000);
    at += 8000;
    *at++ = '\n';
    at += put_row(at, 1, 11434, 19999, "01");
    *at = '\0';
    tree_put(tree, "7/net/tcp", text);
    assert_int_equal(connections_count(tree->root, 7, 11434, NULL, 0, &count), 0);
    assert_int_equal(count, ROWS);
    free(text);
}

static void connections_of_this_process(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof to;
    fact count, bytes;

    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&to, length), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &length), 0);
    uint16_t port = ntohs(to.sin_port);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count), -ENOENT);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, length), 0);
    int server = accept(listener, NULL, NULL); /* waits until this end is established too */
    assert_true(server >= 0);
    assert_int_equal(connections_count("/proc", getpid(), port, NULL, 0, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(getsockname(client, (struct sockaddr *)&to, &length), 0);
    struct own_port own = {ntohs(to.sin_port)};
    assert_int_equal(connections_count("/proc", getpid(), port, &own, 1, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(received_read("/proc", getpid(), &bytes), 0);
    assert_true(bytes >= 0);
    close(server);
    close(client);
    close(listener);
}

/* Real sockets: ours, and one that a child has on the same port beside it. */
static void whose_port_it_is(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2], yes = 1;
    (void)state;
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    uint16_t port = ntohs(at.sin_port);
    int64_t pids[2] = {getpid(), getppid()}, other = getppid();
    assert_int_equal(listener_own("/proc", pids, 1, port), -ENOENT);
    assert_int_equal(listen(listener, 1), 0);
    size_t files = open_files();
    assert_int_equal(listener_own("/proc", pids, 1, port), 0);
    assert_int_equal(listener_own("/proc", pids, 2, port), 0);
    assert_int_equal(listener_own("/proc", &other, 1, port), -EPERM);
    assert_int_equal(listener_own("/proc", NULL, 0, port), -ESRCH);
    assert_int_equal(open_files(), files);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(listener);
        int second = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(second, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
        bool listens = bind(second, (struct sockaddr *)&at, sizeof at) == 0 && !listen(second, 1);
        _exit(write(ends[1], listens ? "y" : "n", 1) == 1 ? (pause(), 0) : 1);
    }
    char listens = 0;
    assert_int_equal(read(ends[0], &listens, 1), 1);
    assert_int_equal(listens, 'y');
    assert_int_equal(listener_own("/proc", pids, 1, port), -EPERM); /* not only ours */
    pids[1] = child;
    assert_int_equal(listener_own("/proc", pids, 2, port), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_of_a_fixture),
        cmocka_unit_test_setup_teardown(no_ipv6_and_long_tables, tree_make, tree_drop),
        cmocka_unit_test(connections_of_this_process),
        cmocka_unit_test(whose_port_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
