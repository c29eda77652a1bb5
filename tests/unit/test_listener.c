/* Where Ollama listens, and whose port it is; how it is reached from there. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/place.h"
#include "tree.h"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAIN = 100, SECOND = 200, RUNNER = 300 };

#define HEADING                                                                                    \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define ROW(address, port, inode)                                                                  \
    "   0: " address ":" port " 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0    " \
    "    0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define ROW6(address, port, inode)                                                                 \
    "   0: " address ":" port " 00000000000000000000000000000000:0000 0A 00000000:00000000 "       \
    "00:00000000 00000000     0        0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define WAITING(address, port, inode)                                                              \
    "   0: " address ":" port " 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0    " \
    "    0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define ANY     "00000000"
#define LOCAL   "0100007F"
#define ADDRESS "0200000A" /* 10.0.0.2 */
#define ANY6    "00000000000000000000000000000000"
#define MAPPED  "0000000000000000FFFF00000100007F"
#define DNS     ROW("0B00007F", "9C41", "9")
#define P11434  "2CAA"
#define P8080   "1F90"
#define P40001  "9C41"

static const struct scene {
    const char *name;
    enum network network;
    bool second, hidden, nobody;
    uint16_t wanted;
    const char *tcp, *tcp6;
    int own[2], second_own; /* inodes among the open files of the two */
    const char *environ;
    int result;
    fact server;
    uint16_t port, other;
    const char *address;
    bool loopback, full;
} scenes[] = {
    {"as ever", .wanted = 11434, .tcp6 = ROW6(ANY6, P11434, "7"), .own = {7}, .server = MAIN,
     .port = 11434, .address = ""},
    {"another port than told", .wanted = 11434, .tcp = DNS ROW(ANY, P8080, "7"), .own = {7},
     .server = MAIN, .port = 8080, .address = ""},
    {"another port, files hidden", .hidden = true, .wanted = 11434,
     .tcp = DNS ROW(ANY, P8080, "7") ROW(LOCAL, P40001, "8"), .server = MAIN, .port = 8080,
     .address = ""},
    {"two ports, files hidden", .hidden = true, .wanted = 11434,
     .tcp = ROW(LOCAL, "1F92", "6") ROW(ANY, P8080, "7") ROW(ANY, "1F91", "8"), .server = FACT_NONE,
     .port = 8080, .other = 8081, .address = ""},
    {"files hidden, the wanted port may be a proxy's", .hidden = true, .wanted = 11434,
     .tcp = ROW(LOCAL, "2CAB", "6") ROW(ANY, P11434, "7"), .server = FACT_NONE, .port = 11434,
     .address = ""},
    {"two ports of its own", .wanted = 11434, .tcp = ROW(ANY, P8080, "7") ROW(ANY, "0050", "8"),
     .own = {7, 8}, .environ = "A=B\1OLLAMA_HOST=0.0.0.0:8080\1", .server = MAIN, .port = 8080,
     .address = ""},
    {"one address", .wanted = 11434, .tcp = ROW(ADDRESS, P11434, "7"), .own = {7}, .server = MAIN,
     .port = 11434, .address = "10.0.0.2"},
    {"loopback", .wanted = 11434, .tcp = ROW(LOCAL, P11434, "7"), .own = {7}, .server = MAIN,
     .port = 11434, .address = "127.0.0.1", .loopback = true},
    {"loopback as IPv6 has it", .wanted = 11434, .tcp6 = ROW6(MAPPED, P11434, "7"), .own = {7},
     .server = MAIN, .port = 11434, .address = "::ffff:127.0.0.1", .loopback = true},
    {"two servers: the wanted port's", .second = true, .wanted = 11434,
     .tcp = ROW(ANY, P8080, "7") ROW(ANY, P11434, "8"), .own = {7}, .second_own = 8,
     .server = SECOND, .port = 11434, .address = ""},
    {"two servers on other ports: the main one's", .second = true, .wanted = 1,
     .tcp = ROW(ANY, P8080, "7") ROW(ANY, P11434, "8"), .own = {7}, .second_own = 8, .server = MAIN,
     .port = 8080, .address = ""},
    {"two servers, files hidden", .second = true, .hidden = true, .wanted = 11434,
     .tcp = ROW(ANY, P8080, "7") ROW(ANY, P11434, "8"), .server = FACT_NONE, .port = 11434,
     .address = ""},
    {"two servers on one port", .second = true, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7") ROW(ANY, P11434, "8"), .own = {7}, .second_own = 8,
     .server = FACT_NONE, .port = 11434, .address = ""},
    {"it listens nowhere", .wanted = 11434, .tcp = ROW(LOCAL, P40001, "8"), .result = -ENOENT},
    {"a joined network", .network = NETWORK_JOINED, .wanted = 11434,
     .tcp = ROW(ANY, "0016", "3") ROW(ANY, P11434, "7"), .own = {7}, .server = MAIN, .port = 11434,
     .address = ""},
    {"a joined one, files hidden, the only port", .network = NETWORK_JOINED, .hidden = true,
     .wanted = 11434, .tcp = DNS ROW(LOCAL, P40001, "8") ROW(ANY, P8080, "7"), .server = MAIN,
     .port = 8080, .address = ""},
    {"a joined one, files hidden, somebody else's port beside it", .network = NETWORK_JOINED,
     .hidden = true, .wanted = 11434, .tcp = ROW(ANY, "0016", "3") ROW(ANY, P11434, "7"),
     .result = -ENOTDIR},
    {"a joined one, files hidden, nobody listens", .network = NETWORK_JOINED, .hidden = true,
     .wanted = 11434, .tcp = DNS, .result = -ENOENT},
    {"files hidden, two addresses of one port: two may have them", .hidden = true, .wanted = 11434,
     .tcp = ROW(LOCAL, P11434, "6") ROW(ADDRESS, P11434, "7"), .server = FACT_NONE, .port = 11434,
     .address = "10.0.0.2"},
    {"files hidden, both families", .hidden = true, .wanted = 11434, .tcp = ROW(ANY, P11434, "6"),
     .tcp6 = ROW6(ANY6, P11434, "7"), .server = MAIN, .port = 11434, .address = ""},
    {"connections wait", .wanted = 11434, .tcp = WAITING(ANY, P11434, "7"), .own = {7},
     .server = MAIN, .port = 11434, .address = "", .full = true},
    {"a shared one: hidden", .network = NETWORK_SHARED, .hidden = true, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7"), .result = -ENOTDIR},
    {"a shared one: its own", .network = NETWORK_SHARED, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7"), .own = {7}, .server = MAIN, .port = 11434, .address = ""},
    {"a shared one: not only its own", .network = NETWORK_SHARED, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7") ROW(LOCAL, P11434, "8"), .own = {7}, .result = -EPERM},
    {"a shared one: another's", .network = NETWORK_SHARED, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "8"), .result = -ENOENT},
    {"no server, nobody listens", .nobody = true, .wanted = 11434, .tcp = ROW(ANY, P8080, "7"),
     .own = {7}, .result = -ESRCH},
    {"no server that is known, and it listens", .nobody = true, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7"), .server = FACT_NONE, .port = 11434, .address = ""},
    {"no server, another listens", .network = NETWORK_SHARED, .nobody = true, .wanted = 11434,
     .tcp = ROW(ANY, P11434, "7"), .result = -EPERM},
};

static void put_process(const struct tree *tree, int pid, const struct scene *s, const int own[2])
{
    char path[64], text[4096], link[32];
    snprintf(path, sizeof path, "%d/net/tcp", pid);
    snprintf(text, sizeof text, HEADING "%s", s->tcp ? s->tcp : "");
    tree_put(tree, path, text);
    snprintf(path, sizeof path, "%d/net/tcp6", pid);
    snprintf(text, sizeof text, HEADING "%s", s->tcp6 ? s->tcp6 : "");
    tree_put(tree, path, text);
    snprintf(path, sizeof path, "%d/fd", pid);
    if (s->hidden) {
        tree_put(tree, path, ""); /* -ENOTDIR: root may read every directory */
        return;
    }
    tree_make_directory(tree, path);
    for (int i = 0; i < 2 && own[i]; i++) {
        snprintf(path, sizeof path, "%d/fd/%d", pid, i + 3);
        snprintf(link, sizeof link, "socket:[%d]", own[i]);
        assert_int_equal(symlink(link, tree_path(tree, path)), 0);
    }
    snprintf(path, sizeof path, "%d/environ", pid);
    snprintf(text, sizeof text, "%s", s->environ ? s->environ : "");
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\1')
            text[i] = '\0';
    tree_put_bytes(tree, path, text, length);
}

/* A tree of its own for each case. */
static struct tree tree_of(const struct tree *tree, size_t i)
{
    struct tree own;
    char name[16];
    snprintf(name, sizeof name, "%zu", i);
    tree_make_directory(tree, name);
    assert_true(snprintf(own.root, sizeof own.root, "%s", tree_path(tree, name)) <
                (int)sizeof own.root);
    return own;
}

static void add(struct container *c, enum process_kind kind, int pid, int ppid, fact port)
{
    struct process *p = container_add_process(c);
    p->kind = kind;
    p->pid = pid;
    p->ppid = ppid;
    p->state = 'S';
    p->started_us = pid;
    p->port = port;
}

static void where_it_listens(void **state)
{
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        const struct scene *s = &scenes[i];
        struct container c;
        struct listener found = {0};
        container_init(&c);
        c.pid = MAIN;
        struct tree tree = tree_of(*state, i);
        put_process(&tree, MAIN, s, s->own);
        add(&c, s->nobody ? PROCESS_OTHER : PROCESS_SERVE, MAIN, 1, FACT_UNKNOWN);
        add(&c, PROCESS_RUNNER, RUNNER, MAIN, 40001);
        if (!s->nobody && !s->hidden) /* forked a moment ago */
            add(&c, PROCESS_SERVE, RUNNER + 1, MAIN, FACT_UNKNOWN);
        if (s->second) {
            put_process(&tree, SECOND, s, (int[2]){s->second_own});
            add(&c, PROCESS_SERVE, SECOND, 1, FACT_UNKNOWN);
        }
        size_t files = open_files();
        int r = listener_find(tree.root, &c, s->network, s->wanted, &found);
        if (r != s->result ||
            (r == 0 && (found.server != s->server || found.port != s->port ||
                        found.others[0] != s->other || strcmp(found.address, s->address) != 0 ||
                        found.loopback != s->loopback || found.full != s->full)))
            fail_msg("%s: %d, server %lld, port %u, %s", s->name, r, (long long)found.server,
                     (unsigned)found.port, found.address);
        assert_int_equal(open_files(), files);
        container_clear(&c);
    }
}

/* A container can make servers, files and connections without number: the search has an end. */
static void a_search_has_an_end(void **state)
{
    enum { LINES = 66000, FILES = 17000 };
    static const struct scene s = {.tcp = ROW(ANY, P11434, "7")};
    struct container c;
    struct listener found;
    char path[64];
    container_init(&c);
    c.pid = MAIN;
    for (int i = 0; i < 9; i++) {
        add(&c, PROCESS_SERVE, MAIN + i, 1, FACT_UNKNOWN);
        put_process(*state, MAIN + i, &s, (int[2]){i == 8 ? 7 : 0});
    }
    assert_int_equal(listener_find(((struct tree *)*state)->root, &c, NETWORK_OWN, 1, &found),
                     -E2BIG);
    c.n_processes = 8;
    assert_int_equal(listener_find(((struct tree *)*state)->root, &c, NETWORK_OWN, 1, &found),
                     -ENOENT);
    c.n_processes = 1;
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%d/fd/%d", MAIN, i);
        assert_int_equal(symlink("pipe:[1]", tree_path(*state, path)), 0);
    }
    assert_int_equal(listener_find(((struct tree *)*state)->root, &c, NETWORK_OWN, 1, &found),
                     -E2BIG);
    char *rows = malloc(LINES * sizeof ROW(ANY, P11434, "12"));
    assert_non_null(rows);
    static const struct {
        const char *line;
        int n, result;
    } many[] = {
        {"0: 00000000:0001 00000000:0001 06 0:0\n", LINES, 0}, /* they follow who listens */
        {"0: 00000000:0001 00000000:0001 03 0:0\n", LINES, -E2BIG},
        {ROW(ANY, P8080, "12"), 4095, 0},
        {ROW(ANY, P8080, "12"), 4096, -E2BIG},
    };
    snprintf(path, sizeof path, "%d/net/tcp", MAIN + 8);
    c.processes[0].pid = MAIN + 8;
    for (size_t k = 0; k < sizeof many / sizeof many[0]; k++) {
        char *at = stpcpy(rows, ROW(ANY, P11434, "7"));
        for (int i = 0; i < many[k].n; i++)
            at = stpcpy(at, many[k].line);
        tree_put(*state, path, rows);
        int r = listener_find(((struct tree *)*state)->root, &c, NETWORK_OWN, 1, &found);
        if (r != many[k].result)
            fail_msg("%zu: %d", k, r);
    }
    free(rows);
    /* The other table is read as well. */
    tree_put(*state, path, "0: 00000000:0001 00000000:0001 06 0:0\n" ROW(ANY, P11434, "7"));
    snprintf(path, sizeof path, "%d/net/tcp6", MAIN + 8);
    tree_put(*state, path, ROW6(ANY6, P8080, "7"));
    assert_int_equal(listener_find(((struct tree *)*state)->root, &c, NETWORK_OWN, 1, &found), 0);
    assert_int_equal(found.port, 8080);
    container_clear(&c);
}

#define TRIE                                                                                       \
    "Main:\n  +-- 0.0.0.0/1 2 0 2\n     |-- 10.0.0.0\n        /24 link UNICAST\n"                  \
    "        |-- 10.0.0.2\n           /32 host LOCAL\n        |-- 10.0.1.7\n"                      \
    "           /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n"                      \
    "     |-- 10.0.0.255\n        /32 link BROADCAST\nLocal:\n        |-- 10.0.0.2\n"              \
    "           /32 host LOCAL\n"
#define IF6                                                                                        \
    "00000000000000000000000000000001 01 80 10 80       lo\n"                                      \
    "fd000000000000000000000000000002 0c 40 00 80     eth0\n"                                      \
    "fe800000000000000042acfffe110002 0c 40 20 80     eth0\n"

static void ways_to_it(void **state)
{
    static const struct {
        const char *tcp, *tcp6, *engine, *ways, *why;
        bool published, unknown, elsewhere, on_host;
        enum network network;
    } cases[] = {
        {.tcp6 = ROW6(ANY6, P11434, "7"),
         .engine = "10.0.1.7",
         .ways = "10.0.1.7:11434 10.0.0.2:11434 fd00::2:11434 "},
        {.tcp = ROW(ANY, P8080, "7"), .engine = "", .ways = "10.0.0.2:8080 10.0.1.7:8080 "},
        {.tcp = ROW(ADDRESS, P11434, "7"),
         .engine = "10.0.1.7",
         .published = true,
         .ways = "10.0.0.2:11434 127.0.0.1:80 "},
        {.tcp = ROW(LOCAL, P11434, "7"),
         .engine = "10.0.1.7",
         .published = true,
         .ways = "",
         .why = "listens on 127.0.0.1 in its container: set OLLAMA_HOST=0.0.0.0"},
        {.tcp = "", .engine = "10.0.1.7", .ways = "10.0.1.7:11434 "},
        {.tcp = "", .engine = "10.0.1.7", .unknown = true, .ways = "10.0.1.7:11434 "},
        /* What the engine publishes is on the host, and we are not. */
        {.tcp = ROW(ADDRESS, P11434, "7"),
         .engine = "10.0.1.7",
         .published = true,
         .elsewhere = true,
         .ways = "10.0.0.2:11434 "},
        /* Its network is the host's, and we have one of our own: our loopback is not the host's. */
        {.tcp = ROW(ANY, P11434, "7"),
         .engine = "127.0.0.1",
         .on_host = true,
         .network = NETWORK_SHARED,
         .ways = "10.0.0.2:11434 10.0.1.7:11434 "},
        /* It listens nowhere: in a network with others nobody is asked in its place. */
        {.tcp = ROW(ANY, P11434, "8"),
         .engine = "127.0.0.1",
         .on_host = true,
         .network = NETWORK_SHARED,
         .ways = "",
         .why = "its server listens on no port"},
        {.tcp = "",
         .engine = "10.0.1.7",
         .network = NETWORK_JOINED,
         .ways = "",
         .why = "its server listens on no port"},
        {.tcp = "",
         .engine = "127.0.0.1",
         .unknown = true,
         .on_host = true,
         .network = NETWORK_SHARED,
         .ways = "",
         .why = "it cannot be seen whose port 11434"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct docker_details details = {
            .port = 11434, .n_published = cases[i].published, .host_network = cases[i].on_host};
        struct scene s = {.tcp = cases[i].tcp, .tcp6 = cases[i].tcp6};
        struct container c;
        struct place place;
        char ways[512] = "";
        container_init(&c);
        c.pid = MAIN;
        c.processes_known = !cases[i].unknown;
        add(&c, PROCESS_SERVE, MAIN, 1, FACT_UNKNOWN);
        details.published[0].inside = 11434;
        details.published[0].outside = 80;
        memcpy(details.published[0].address, "127.0.0.1", sizeof "127.0.0.1");
        memcpy(details.address, cases[i].engine, strlen(cases[i].engine));
        struct tree tree = tree_of(*state, i);
        put_process(&tree, MAIN, &s, (int[2]){7});
        tree_put(&tree, "100/net/fib_trie", TRIE);
        tree_put(&tree, "100/net/if_inet6", IF6);
        tree_make_directory(&tree, "1/net");
        if (!cases[i].elsewhere)
            assert_int_equal(symlink("/proc/self/net/tcp", tree_path(&tree, "1/net/tcp")), 0);
        place_find(tree.root, &c, &details, cases[i].network, &place);
        for (size_t k = 0; k < place.n; k++)
            snprintf(ways + strlen(ways), sizeof ways - strlen(ways), "%s:%u ",
                     place.ways[k].address, (unsigned)place.ways[k].port);
        assert_string_equal(ways, cases[i].ways);
        if (cases[i].why)
            assert_non_null(strstr(place.why, cases[i].why));
        container_clear(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_it_listens, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_search_has_an_end, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(ways_to_it, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
