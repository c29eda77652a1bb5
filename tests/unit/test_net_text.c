/* What a server says and where it listens: heads of answers, events, addresses. */
#include "net/address.h"
#include "net/answer_head.h"
#include "net/events.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void head_is(const struct answer_head *head, const char *text)
{
    CLEANUP_BUFFER struct buffer to;
    buffer_init(&to, 1000);
    assert_int_equal(answer_head_put(&to, head), 0);
    assert_string_equal(buffer_text(&to), text);
}

static void test_heads(void **state)
{
    static const struct net_field fields[] = {{"A", "b"}, {"C", ""}};
    (void)state;
    struct answer_head head = {.status = 200,
                               .fields = fields,
                               .n_fields = 2,
                               .framing = ANSWER_LENGTH,
                               .length = UINT64_C(12345678901),
                               .keep_alive = true,
                               .date = "now"};
    head_is(&head, "HTTP/1.1 200 OK\r\nDate: now\r\nA: b\r\nC: \r\n"
                   "Content-Length: 12345678901\r\n\r\n");
    head.http_1_0 = true;
    head.n_fields = 0;
    head.length = 0;
    head_is(&head, "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 0\r\n"
                   "Connection: keep-alive\r\n\r\n");
    head.keep_alive = false;
    head.framing = ANSWER_CHUNKED;
    head.status = 503;
    head_is(&head, "HTTP/1.1 503 Service Unavailable\r\nDate: now\r\nTransfer-Encoding: chunked\r\n"
                   "Connection: close\r\n\r\n");
    head.framing = ANSWER_BODYLESS;
    head.status = 299;
    head_is(&head, "HTTP/1.1 299 \r\nDate: now\r\nConnection: close\r\n\r\n");
    const struct net_field dated = {"date", "then"};
    head.fields = &dated;
    head.n_fields = 1;
    head_is(&head, "HTTP/1.1 299 \r\ndate: then\r\nConnection: close\r\n\r\n");
}

static void test_heads_that_are_none(void **state)
{
    static const struct net_field bad[] = {
        {"", "x"},
        {"A B", "x"},
        {"A:", "x"},
        {"A", "x\r\nB: y"},
        {"A", "x\n"},
        {"A", "\x01"},
        {"A", "\x7f"},
        {"content-LENGTH", "5"},
        {"Transfer-Encoding", "chunked"},
        {"Connection", "x"},
        {"Upgrade", "x"},
    };
    (void)state;
    CLEANUP_BUFFER struct buffer to;
    buffer_init(&to, 1000);
    struct answer_head head = {.status = 200, .n_fields = 1, .date = "now"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        head.fields = &bad[i];
        assert_int_equal(answer_head_put(&to, &head), -EINVAL);
    }
    head.n_fields = 0;
    head.status = 100;
    assert_int_equal(answer_head_put(&to, &head), -EINVAL);
    head.status = 1000;
    assert_int_equal(answer_head_put(&to, &head), -EINVAL);
    assert_int_equal(to.length, 0);
    struct buffer tight;
    buffer_init(&tight, 20);
    head.status = 200;
    assert_int_equal(answer_head_put(&tight, &head), -EMSGSIZE);
    buffer_clear(&tight);
}

static void test_date(void **state)
{
    char text[NET_DATE_SIZE];
    (void)state;
    net_date(784111777, text); /* RFC 9110 5.6.7's own */
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    net_date(1796044647, text);
    assert_string_equal(text, "Mon, 30 Nov 2026 13:17:27 GMT");
}

static void event_is(const char *name, const char *id, const char *data, const char *text)
{
    CLEANUP_BUFFER struct buffer to;
    buffer_init(&to, 1000);
    assert_int_equal(net_event_format(&to, name, id, data), 0);
    assert_string_equal(buffer_text(&to), text);
}

static void test_events(void **state)
{
    CLEANUP_BUFFER struct buffer to;
    (void)state;
    event_is(NULL, NULL, "", "data: \n\n");
    event_is("world", "12", "{}", "event: world\nid: 12\ndata: {}\n\n");
    event_is(NULL, NULL, "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
    buffer_init(&to, 1000);
    assert_int_equal(net_event_format(&to, "a\nb", NULL, "x"), -EINVAL);
    assert_int_equal(net_event_format(&to, NULL, "a\rb", "x"), -EINVAL);
}

static void test_addresses(void **state)
{
    const char *list = " 127.0.0.1:9000,[::1]:80  unix:/run/x.sock, *:1 :65535 localhost:2";
    struct net_address address;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address.to.storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address.to.storage;
    (void)state;
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(ntohs(v4->sin_port), 9000);
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_true(v6->sin6_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_string_equal(address.to.local.sun_path, "/run/x.sock");
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_true(v6->sin6_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr));
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_int_equal(ntohs(v6->sin6_port), 65535);
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(net_address_next(&list, &address, NULL), 0);
}

static void test_addresses_that_are_none(void **state)
{
    static const char *const bad[] = {"9000",        "127.0.0.1",   "127.0.0.1:", "127.0.0.1:65536",
                                      "1.2.3:80",    "[::1]",       "[::1:80",    "::1:80",
                                      "host:80",     "unix:",       "unix:x",     "127.0.0.1:8x",
                                      "[1.2.3.4]:1", "127.0.0.1:-1"};
    struct net_address address;
    struct error err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *list = bad[i];
        assert_int_equal(net_address_next(&list, &address, &err), -EINVAL);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_non_null(strstr(err.message, bad[i]));
    }
}

static struct net_peer peer_of(const char *text, int family)
{
    struct sockaddr_storage storage = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;
    struct net_peer peer;
    v4->sin_port = htons(5);
    assert_int_equal(
        inet_pton(family, text, family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr),
        1);
    net_peer_from((const struct sockaddr *)&storage, &peer);
    return peer;
}

static void test_peers(void **state)
{
    (void)state;
    struct net_peer one = peer_of("192.0.2.7", AF_INET),
                    same = peer_of("::ffff:192.0.2.7", AF_INET6);
    assert_string_equal(one.text, "192.0.2.7:5");
    assert_string_equal(same.text, "192.0.2.7:5");
    assert_memory_equal(one.site, same.site, sizeof one.site);
    assert_true(one.counted && !one.loopback);
    one = peer_of("2001:db8:1:2::3", AF_INET6);
    same = peer_of("2001:db8:1:2:9:9:9:9", AF_INET6);
    assert_string_equal(one.text, "[2001:db8:1:2::3]:5");
    assert_memory_equal(one.site, same.site, sizeof one.site);
    same = peer_of("2001:db8:1:3::3", AF_INET6);
    assert_memory_not_equal(one.site, same.site, sizeof one.site);
    /* Neighbours on a link share their /64: each is one by its whole address. */
    one = peer_of("fe80::1:2", AF_INET6);
    same = peer_of("fe80::1:3", AF_INET6);
    assert_true(one.counted);
    assert_memory_not_equal(one.site, same.site, sizeof one.site);
    same = peer_of("fe80::1:2", AF_INET6);
    assert_memory_equal(one.site, same.site, sizeof one.site);
    static const char *const loopback[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    for (size_t i = 0; i < 4; i++) {
        one = peer_of(loopback[i], i < 2 ? AF_INET : AF_INET6);
        assert_true(one.loopback && !one.counted && !one.local);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),     cmocka_unit_test(test_heads_that_are_none),
        cmocka_unit_test(test_date),      cmocka_unit_test(test_events),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_addresses_that_are_none),
        cmocka_unit_test(test_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
