/* Requests from bytes, however they are cut: the same requests, or the same refusal. What is
 * refused is tried by real sockets too (tests/system/http_payloads.py). */
#include "fail_calls.h"
#include "net/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct seen {
    char text[4096]; /* each request: "METHOD TARGET name=value … body." */
    size_t length;
    int status;
};

static void say(struct seen *seen, const char *text, size_t length)
{
    assert_true(seen->length + length < sizeof seen->text);
    memcpy(seen->text + seen->length, text, length);
    seen->length += length;
    seen->text[seen->length] = '\0';
}

static void word(struct seen *seen, const char *text)
{
    say(seen, text, strlen(text));
}

static void on_body(void *userdata, const char *data, size_t length)
{
    assert_true(length > 0);
    say(userdata, data, length);
}

static void say_head(struct seen *seen, const struct net_head *head)
{
    word(seen, net_head_method(head));
    word(seen, " ");
    word(seen, net_head_target(head));
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct net_field field = net_head_field(head, i);
        word(seen, " ");
        word(seen, field.name);
        word(seen, "=");
        word(seen, field.value);
    }
    word(seen, " ");
}

/* Feeds it in pieces of `step` bytes, each in a place of its own, so that reading beyond is seen.
 */
static struct seen parse_by(const char *data, size_t length, size_t step,
                            const struct net_limits *limits)
{
    struct seen seen = {.status = 0};
    struct net_parser parser;
    net_parser_init(&parser, limits, on_body, &seen);
    for (size_t at = 0; at < length && seen.status == 0;) {
        size_t n = length - at < step ? length - at : step, used = 0, left = n;
        char *piece = malloc(n), *now = piece;
        memcpy(piece, data + at, n);
        bool more = true;
        while (more && seen.status == 0) {
            enum net_parsed parsed = net_parser_feed(&parser, now, left, &used);
            now += used;
            left -= used;
            switch (parsed) {
            case NET_PARSED_MORE:
                assert_int_equal(left, 0);
                more = false;
                break;
            case NET_PARSED_HEAD:
                say_head(&seen, &parser.head);
                break;
            case NET_PARSED_DONE:
                word(&seen, ".\n");
                net_parser_next(&parser);
                more = left > 0;
                break;
            case NET_PARSED_REFUSED:
                seen.status = parser.status;
                assert_non_null(parser.wrong);
                assert_int_equal(net_parser_feed(&parser, "x", 1, &used), NET_PARSED_REFUSED);
                break;
            }
        }
        free(piece);
        at += n;
    }
    net_parser_clear(&parser);
    return seen;
}

static void expect_within(const char *data, size_t length, const char *text, int status,
                          const struct net_limits *limits)
{
    for (size_t step = 1; step <= length; step++) {
        struct seen seen = parse_by(data, length, step, limits);
        if (strcmp(seen.text, text) != 0 || seen.status != status)
            fail_msg("by %zu bytes: %d \"%s\" for \"%s\"", step, seen.status, seen.text, data);
    }
}

static void expect(const char *data, const char *text, int status)
{
    expect_within(data, strlen(data), text, status, &net_limits);
}

#define EXPECT_WITHIN(data, text, status, limits)                                                  \
    expect_within(data, sizeof(data) - 1, text, status, limits)
#define HEAD "POST /x HTTP/1.1\r\nHost: h\r\n"
#define SEEN "POST /x Host=h "

static void test_requests(void **state)
{
    (void)state;
    expect("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / Host=h .\n", 0);
    expect("GET /a?b=%20 HTTP/1.0\r\n\r\n", "GET /a?b=%20 .\n", 0);
    expect("\r\n\r\nOPTIONS * HTTP/1.1\r\nHost:h\r\nX:\r\nY: \t a \t b \t\r\n\r\n",
           "OPTIONS * Host=h X= Y=a \t b .\n", 0);
    expect(HEAD "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           SEEN "Content-Length=5 hello.\nGET / Host=h .\n", 0);
    expect(HEAD "Content-Length: 0\r\n\r\n", SEEN "Content-Length=0 .\n", 0);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"
                "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
           SEEN "Transfer-Encoding=chunked hello0123456789.\nGET / Host=h .\n", 0);
    expect(HEAD "Transfer-Encoding: CHUNKED \r\n\r\n0\r\nX: y\r\nContent-Lengthy: 1\r\n\r\n",
           SEEN "Transfer-Encoding=CHUNKED .\n", 0);
    expect(HEAD "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\n"
                "Host: h\r\n\r\n",
           SEEN "Connection=upgrade Upgrade=x Content-Length=1 x.\nGET / Host=h .\n", 0);
    expect(
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / Host=h Connection=close .\nGET / Host=h .\n", 0);
}

static void test_refusals(void **state)
{
    (void)state;
    expect(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "", 400);
    expect(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "", 400);
    expect(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "", 400);
    expect(HEAD "X: a\r\n b\r\n\r\n", "", 400);
    expect(HEAD ": a\r\n\r\n", "", 400);
    expect(HEAD "X : a\r\n\r\n", "", 400);
    expect("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "", 400);
    expect("GET / HTTP/1.2\r\nHost: h\r\n\r\n", "", 400);
    expect("GET / HTTP/1.1\r\n\r\n", "", 400);
    expect("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "", 405);
    expect("NOTIFYX / HTTP/1.1\r\nHost: h\r\n\r\n", "", 405);
    expect(HEAD "Expect: x\r\n\r\n", "", 417);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\nCONTENT-LENGTH: 1\r\n\r\n",
           SEEN "Transfer-Encoding=chunked ", 400);
    expect(HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\nxx", SEEN "Transfer-Encoding=chunked x",
           400);
    EXPECT_WITHIN("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", "", 400, &net_limits);
}

static void test_limits(void **state)
{
    (void)state;
    struct net_limits small = net_limits;
    small.headers = 3;
    small.body_bytes = 4;
    static const char fits[] = "GET / HTTP/1.1\r\nHost: h\r\nXXXXXXX: y\r\n\r\n";
    small.head_bytes = sizeof fits - 1;
    EXPECT_WITHIN(fits, "GET / Host=h XXXXXXX=y .\n", 0, &small);
    EXPECT_WITHIN("GET / HTTP/1.1\r\nHost: h\r\nXXXXXXX: yz\r\n\r\n", "", 431, &small);
    EXPECT_WITHIN("GET / HTTP/1.1\r\nHost:h\r\na:\r\na:\r\n\r\n", "GET / Host=h a= a= .\n", 0,
                  &small);
    small.headers = 2;
    EXPECT_WITHIN("GET / HTTP/1.1\r\nHost:h\r\na:\r\na:\r\n\r\n", "", 431, &small);
    small = net_limits;
    small.body_bytes = 4;
    const char *chunks = HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    expect_within(chunks, strlen(chunks), SEEN "Transfer-Encoding=chunked abcd.\n", 0, &small);
    small.body_bytes = 3;
    for (size_t step = 1; step <= strlen(chunks); step++)
        assert_int_equal(parse_by(chunks, strlen(chunks), step, &small).status, 413);
    const char *counted = HEAD "Content-Length: 4\r\n\r\n";
    expect_within(counted, strlen(counted), SEEN "Content-Length=4 ", 413, &small);
}

static struct net_framing framing_of(const char *data)
{
    struct net_parser parser;
    struct seen seen = {.status = 0};
    size_t used;
    net_parser_init(&parser, &net_limits, on_body, &seen);
    assert_int_equal(net_parser_feed(&parser, data, strlen(data), &used), NET_PARSED_HEAD);
    struct net_framing framing = parser.framing;
    net_parser_clear(&parser);
    return framing;
}

static void test_framing(void **state)
{
    (void)state;
    assert_true(framing_of("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keep_alive);
    assert_false(framing_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert_true(framing_of("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n").keep_alive);
    assert_false(framing_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n"
                            "Connection: x ,CLOSE\r\n\r\n")
                     .keep_alive);
    assert_true(framing_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n").keep_alive);
    assert_true(framing_of(HEAD "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n").expects);
    assert_false(framing_of(HEAD "Expect: 100-continue\r\n\r\n").expects);
    assert_false(
        framing_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expects);
    assert_int_equal(framing_of(HEAD "Content-Length: 999999999999999999\r\n\r\n").length,
                     999999999999999999);
}

static void test_head(void **state)
{
    (void)state;
    const char *data = "PATCH /a/b?c=d?e HTTP/1.1\r\nhost: h\r\nX: 1\r\nx: 2\r\n\r\n";
    struct net_parser parser;
    struct seen seen = {.status = 0};
    size_t used;
    unsigned i = 0;
    net_parser_init(&parser, &net_limits, on_body, &seen);
    assert_int_equal(net_parser_feed(&parser, data, strlen(data), &used), NET_PARSED_HEAD);
    const struct net_head *head = &parser.head;
    assert_int_equal(net_head_method_of(head), NET_PATCH);
    assert_int_equal(net_head_path_length(head), 4);
    assert_string_equal(net_head_query(head), "c=d?e");
    assert_string_equal(net_head_get(head, "HOST"), "h");
    assert_string_equal(net_head_next(head, "x", &i), "1");
    assert_string_equal(net_head_next(head, "x", &i), "2");
    assert_null(net_head_next(head, "x", &i));
    assert_null(net_head_get(head, "y"));
    net_head_release(&parser.head);
    assert_string_equal(net_head_target(head), "");
    assert_int_equal(head->n_fields, 0);
    net_parser_next(&parser); /* usable again */
    assert_int_equal(net_parser_feed(&parser, data, strlen(data), &used), NET_PARSED_HEAD);
    assert_string_equal(net_head_get(head, "host"), "h");
    net_parser_clear(&parser);
    assert_true(net_list_has("a,b , c", "B") && net_list_has("a,b , c", "c"));
    assert_false(net_list_has("ab, c", "a") || net_list_has("", "a"));
}

static void ignore(void *userdata, const char *data, size_t length)
{
    (void)userdata;
    (void)data;
    (void)length;
}

/* Each allocation is refused in turn: the request is then, and nothing is left behind. */
static void test_without_memory(void **state)
{
    static char data[4000];
    struct net_parser parser;
    size_t used;
    bool whole = false;
    (void)state;
    snprintf(data, sizeof data, "GET /%01000d HTTP/1.1\r\nHost: h\r\n", 0);
    for (int i = 0; i < 40; i++)
        snprintf(data + strlen(data), sizeof data - strlen(data), "X-%d: %020d\r\n", i, i);
    snprintf(data + strlen(data), sizeof data - strlen(data), "\r\n");
    for (long at = 0; !whole; at++) {
        net_parser_init(&parser, &net_limits, ignore, NULL);
        fail_malloc = (struct fail_call){at, ENOMEM};
        enum net_parsed parsed = net_parser_feed(&parser, data, strlen(data), &used);
        whole = fail_malloc.at >= 0;
        fail_malloc = NOT_FAILING;
        assert_int_equal(parsed, whole ? NET_PARSED_HEAD : NET_PARSED_REFUSED);
        assert_int_equal(parser.status, whole ? 0 : 500);
        net_parser_clear(&parser);
        assert_true(whole || at < 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_framing),
        cmocka_unit_test(test_head),     cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
