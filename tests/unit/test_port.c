/* Whose port it is, by real sockets. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/listener.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Real sockets: ours, and one that a child has on the same port beside it. */
static void whose_port_it_is(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), ends[2], yes = 1;
    struct listener found;
    struct container c;
    (void)state;
    container_init(&c);
    c.pid = getpid();
    struct process *p = container_add_process(&c);
    p->kind = PROCESS_SERVE;
    p->pid = getpid();
    p->ppid = 0;
    p->state = 'S';
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    uint16_t port = ntohs(at.sin_port);
    assert_int_equal(listener_find("/proc", &c, NETWORK_SHARED, port, &found), -ENOENT);
    assert_int_equal(listen(listener, 1), 0);
    int client = socket(AF_INET, SOCK_STREAM, 0); /* the kernel lists it behind who listens */
    assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    size_t files = open_files();
    assert_int_equal(listener_find("/proc", &c, NETWORK_SHARED, port, &found), 0);
    assert_int_equal(found.server, getpid());
    assert_true(found.loopback && found.v4_only);
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
    assert_int_equal(listener_find("/proc", &c, NETWORK_SHARED, port, &found), -EPERM);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    close(client);
    close(listener);
    container_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whose_port_it_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
