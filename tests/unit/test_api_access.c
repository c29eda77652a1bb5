/* Who may ask what: a table of callers. */
#include "net/parser.h"
#include "tell/api/access.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#define ADMIN_SECRET "0123456789abcdef0123456789abcdef"
#define READ_SECRET  "fedcba9876543210"

static const struct access_token tokens[] = {
    {"ops", ADMIN_SECRET, true}, {"grafana", READ_SECRET, false}, {"short", "secret", true}};
static const struct access_rules open_rules = {.hosts = "box.example, box", .uid = 991};
static const struct access_rules closed_rules = {.tokens = tokens,
                                                 .n_tokens = 3,
                                                 .hosts = "box.example, box",
                                                 .loopback = LOOPBACK_READS,
                                                 .uid = 991};
static const struct net_peer loopback = {.text = "127.0.0.1:5", .loopback = true};
static const struct net_peer remote = {.text = "192.0.2.7:5", .counted = true};
static const struct net_peer root = {.text = "unix", .local = true};
static const struct net_peer daemon_self = {.text = "unix", .local = true, .uid = 991};
static const struct net_peer user = {.text = "unix", .local = true, .uid = 1000};

static void on_body(void *userdata, const char *data, size_t length)
{
    (void)userdata;
    (void)data;
    (void)length;
}

static struct access_caller caller;
static const char *detail;

static const char *method = "GET";

/* What the rules say to a request with these lines (each with its CRLF). */
static int say(const struct access_rules *rules, const struct net_peer *peer, const char *lines,
               enum api_access access, bool changes)
{
    char text[1024];
    struct net_parser parser;
    size_t used;
    int length = snprintf(text, sizeof text, "%s /x HTTP/1.%d\r\n%s\r\n", method,
                          strstr(lines, "Host:") != NULL, lines);
    net_parser_init(&parser, &net_limits, on_body, NULL);
    assert_int_equal(net_parser_feed(&parser, text, (size_t)length, &used), NET_PARSED_HEAD);
    int status = access_refuses(rules, peer, &parser.head, access, changes, &caller, &detail);
    net_parser_clear(&parser);
    return status;
}

#define HOST "Host: localhost:9000\r\n"

static void test_places(void **state)
{
    static const struct {
        const struct net_peer *peer;
        int open[3], closed[3]; /* reads, acts, admin */
    } places[] = {
        {&loopback, {0, 0, 403}, {0, 401, 401}}, {&remote, {403, 403, 403}, {401, 401, 401}},
        {&root, {0, 0, 0}, {0, 0, 0}},           {&daemon_self, {0, 0, 0}, {0, 0, 0}},
        {&user, {0, 403, 403}, {0, 403, 403}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (enum api_access access = API_READS; access <= API_ADMIN; access++) {
            assert_int_equal(say(&open_rules, places[i].peer, HOST, access, access > 0),
                             places[i].open[access]);
            assert_int_equal(say(&closed_rules, places[i].peer, HOST, access, access > 0),
                             places[i].closed[access]);
        }
    }
    /* What changes something does, whatever the route is called. */
    assert_int_equal(say(&closed_rules, &loopback, HOST, API_READS, true), 401);
    assert_int_equal(say(&open_rules, &user, HOST, API_READS, true), 403);
    say(&open_rules, &remote, HOST, API_READS, false);
    assert_non_null(strstr(detail, "http.token"));
    assert_string_equal(caller.name, "192.0.2.7:5");
    say(&open_rules, &root, HOST, API_ADMIN, true);
    assert_true(caller.admin);
    assert_string_equal(caller.name, "uid 0 over the socket");
}

static void test_tokens(void **state)
{
    static const char *const wrong[] = {
        "Bearer " ADMIN_SECRET "0",
        "Bearer 0123456789abcdef",
        "Bearer",
        "Bearer ",
        "Basic " ADMIN_SECRET,
        "Bearer secret",
        ADMIN_SECRET,
        "Bearer 0123456789abcdef0123456789abcdeF",
        "Bearer " ADMIN_SECRET ADMIN_SECRET,
    };
    char lines[256];
    (void)state;
    for (enum api_access access = API_READS; access <= API_ADMIN; access++) {
        assert_int_equal(say(&closed_rules, &remote,
                             HOST "Authorization: Bearer " ADMIN_SECRET "\r\n", access, true),
                         0);
        assert_true(caller.admin);
        assert_string_equal(caller.name, "ops");
        assert_int_equal(say(&closed_rules, &remote,
                             HOST "Authorization: bearer  " READ_SECRET "\r\n", access, access > 0),
                         access > 0 ? 403 : 0);
        assert_string_equal(caller.name, "grafana");
        assert_false(caller.admin);
    }
    /* Through a proxy too; but a bad one is worse than none, even where none is needed. */
    assert_int_equal(say(&closed_rules, &loopback,
                         HOST "Via: x\r\nAuthorization: Bearer " ADMIN_SECRET "\r\n", API_ADMIN,
                         true),
                     0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(lines, sizeof lines, HOST "Authorization: %s\r\n", wrong[i]);
        assert_int_equal(say(&closed_rules, &loopback, lines, API_READS, false), 401);
        assert_int_equal(say(&open_rules, &loopback, lines, API_READS, false), 401);
    }
}

static void test_proxies(void **state)
{
    static const char *const lines[] = {
        HOST "X-Forwarded-For: 1.2.3.4\r\n", HOST "Forwarded: for=1.2.3.4\r\n",
        HOST "via: 1.1 x\r\n", HOST "X-Forwarded-Proto: https\r\n", HOST "x-real-ip: 1.2.3.4\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(say(&open_rules, &loopback, lines[i], API_READS, false), 401);
        assert_int_equal(say(&open_rules, &root, lines[i], API_READS, false), 401);
    }
    assert_int_equal(say(&open_rules, &loopback, HOST "X-Forward: 1\r\n", API_READS, false), 0);
}

static void test_hosts(void **state)
{
    static const char *const ours[] = {"localhost", "LOCALHOST:9000", "127.0.0.1:9000",
                                       "192.0.2.1", "[::1]:9000",     "[2001:db8::1]",
                                       "box",       "Box.Example:80"};
    static const char *const others[] = {"evil.example",
                                         "localhost.evil.example",
                                         "box.example.evil",
                                         "127.0.0.1.evil.example",
                                         ":9000",
                                         "1.2.3",
                                         "[::1",
                                         "[evil]:80",
                                         "boxx",
                                         "0.0.0.0:9000",
                                         "0.0.0.1",
                                         "[::]:9000",
                                         "[::ffff:0.0.0.0]"};
    char lines[128];
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        snprintf(lines, sizeof lines, "Host: %s\r\n", ours[i]);
        assert_int_equal(say(&open_rules, &loopback, lines, API_READS, false), 0);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(lines, sizeof lines, "Host: %s\r\n", others[i]);
        assert_int_equal(say(&open_rules, &loopback, lines, API_READS, false), 421);
        assert_int_equal(say(&open_rules, &root, lines, API_READS, false),
                         0); /* curl --unix-socket */
    }
    assert_int_equal(say(&open_rules, &loopback, "", API_READS, false), 0); /* HTTP/1.0 */
}

static void test_other_pages(void **state)
{
    static const char *const foreign[] = {
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: http://localhost:9000.evil.example\r\n",
        "Origin: http://localhost:3000\r\n",
        "Referer: http://evil.example/localhost:9000\r\n",
        "Origin: http://localhost:9000\r\nReferer: http://evil.example/\r\n",
        "Origin:\r\n",
        "Referer: localhost:9000\r\n",
        "Origin: http://localhost:9000@evil.example\r\n"};
    static const char *const own[] = {
        "", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n",
        "Origin: http://localhost:9000\r\n",
        "Origin: https://LOCALHOST:9000\r\nReferer: http://localhost:9000/page?x\r\n"};
    char lines[256];
    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        snprintf(lines, sizeof lines, HOST "%s", foreign[i]);
        assert_int_equal(say(&open_rules, &loopback, lines, API_ACTS, true), 403);
        assert_int_equal(say(&open_rules, &loopback, lines, API_READS, true), 403);
        assert_int_equal(say(&open_rules, &loopback, lines, API_READS, false), 0);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        snprintf(lines, sizeof lines, HOST "%s", own[i]);
        assert_int_equal(say(&open_rules, &loopback, lines, API_ACTS, true), 0);
    }
}

/* What a GET changes is not for links: of browsers only for their own page or address line. */
static void test_links(void **state)
{
    static const struct {
        const char *lines;
        int status;
    } asked[] = {
        {HOST, 0},
        {HOST "User-Agent: curl/8.5\r\n", 0},
        {"Host: 127.0.0.1:9000\r\nUser-Agent: curl/8.5\r\n", 0},
        {"Host: [::1]:9000\r\n", 0},
        {HOST "User-Agent: Mozilla/5.0 (X11)\r\n", 403},
        {HOST "User-Agent: Mozilla/5.0 (X11)\r\nSec-Fetch-Site: none\r\n", 0},
        {HOST "User-Agent: Mozilla/5.0 (X11)\r\nSec-Fetch-Site: same-origin\r\n", 0},
        {HOST "Sec-Fetch-Site: cross-site\r\n", 403},
        {"Host: box\r\n", 403},
        {"Host: 192.0.2.1:9000\r\n", 403},
        {"Host: 0.0.0.0:9000\r\n", 421},
        {"Host: 192.0.2.1\r\nAuthorization: Bearer " ADMIN_SECRET "\r\n", 401},
    };
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        assert_int_equal(say(&open_rules, &loopback, asked[i].lines, API_ACTS, true),
                         asked[i].status);
    assert_int_equal(say(&closed_rules, &loopback, asked[11].lines, API_ACTS, true), 0);
    assert_int_equal(say(&open_rules, &root, "Host: box\r\n", API_ACTS, true), 0);
    method = "POST";
    assert_int_equal(say(&open_rules, &loopback, "Host: box\r\n", API_ACTS, true), 0);
    method = "GET";
}

static void test_loopback_may_nothing(void **state)
{
    struct access_rules rules = closed_rules;
    (void)state;
    rules.loopback = LOOPBACK_NOTHING;
    assert_int_equal(say(&rules, &loopback, HOST, API_READS, false), 401);
    assert_non_null(strstr(detail, "http.loopback"));
    assert_int_equal(
        say(&rules, &loopback, HOST "Authorization: Bearer " READ_SECRET "\r\n", API_READS, false),
        0);
    assert_int_equal(say(&rules, &root, HOST, API_ACTS, true), 0);
    rules.n_tokens = 0;
    assert_int_equal(say(&rules, &loopback, HOST, API_READS, false), 403);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_other_pages),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_loopback_may_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
