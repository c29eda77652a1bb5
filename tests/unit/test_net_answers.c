/* Answers from bytes, as whoever asks a server reads them. */
#include "net/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static char seen[2000];

static void see(const char *text, size_t length)
{
    size_t have = strlen(seen);
    assert_true(have + length < sizeof seen);
    memcpy(seen + have, text, length);
    seen[have + length] = '\0';
}

static void on_body(void *userdata, const char *data, size_t length)
{
    (void)userdata;
    see(data, length);
}

static void see_head(const struct net_parser *parser)
{
    char text[400];
    int n =
        snprintf(text, sizeof text, "%u %s", parser->head.status, net_head_target(&parser->head));
    see(text, (size_t)n);
    for (unsigned i = 0; i < parser->head.n_fields; i++) {
        struct net_field field = net_head_field(&parser->head, i);
        n = snprintf(text, sizeof text, " %s=%s", field.name, field.value);
        see(text, (size_t)n);
    }
    see(parser->framing.keep_alive ? " + " : " - ", 3);
}

/* Reads all answers, in pieces of `step` bytes. 0, or the status of the refusal. "." for each that
 * is whole, "~" for one that the end makes so. */
static int read_by(const char *data, size_t step, bool bodyless)
{
    struct net_parser parser;
    size_t length = strlen(data), used;
    int status = 0;
    *seen = '\0';
    net_parser_init(&parser, &net_limits, on_body, NULL);
    net_parser_next_answer(&parser, bodyless);
    for (size_t at = 0; at < length && status == 0;) {
        size_t left = length - at < step ? length - at : step;
        char *piece = malloc(left), *now = piece;
        memcpy(piece, data + at, left);
        at += left;
        for (bool more = true; more;) {
            enum net_parsed parsed = net_parser_feed(&parser, now, left, &used);
            now += used;
            left -= used;
            more = parsed == NET_PARSED_HEAD || (parsed == NET_PARSED_DONE && left > 0);
            if (parsed == NET_PARSED_HEAD)
                see_head(&parser);
            if (parsed == NET_PARSED_REFUSED)
                status = parser.status;
            if (parsed == NET_PARSED_DONE) {
                see(".", 1);
                net_parser_next_answer(&parser, bodyless);
            }
        }
        free(piece);
    }
    if (net_parser_is_whole(&parser))
        see("~", 1);
    net_parser_clear(&parser);
    return status;
}

static void reads(const char *data, const char *text, int status, bool bodyless)
{
    for (size_t step = 1; step <= strlen(data); step++) {
        int found = read_by(data, step, bodyless);
        if (found != status || strcmp(seen, text) != 0)
            fail_msg("by %zu bytes: %d \"%s\" for \"%s\"", step, found, seen, data);
    }
}

static void test_answers(void **state)
{
    (void)state;
    reads("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 404 Not  Found\r\n"
          "Content-Length: 0\r\n\r\n",
          "200 OK A=b Content-Length=5 + hello.404 Not  Found Content-Length=0 + .", 0, false);
    reads("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nT: "
          "t\r\n\r\n",
          "200  Transfer-Encoding=chunked + abc.", 0, false);
    reads("HTTP/1.1 200\r\nA: b\r\nContent-Length: 1\r\n\r\nx", "200  A=b Content-Length=1 + x.", 0,
          false);
    reads("HTTP/1.1 200 OK\r\n\r\nto the end", "200 OK - to the end~", 0, false);
    reads("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
          "200 OK Connection=keep-alive Content-Length=1 + x.", 0, false);
    reads("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No "
          "Content\r\n\r\n",
          "100 Continue + .103 Early Hints Link=x + .204 No Content + .", 0, false);
    reads("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
          "304 Not Modified Content-Length=7 + .", 0, false);
    reads("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n",
          "200 OK Content-Length=7 Connection=close - .", 0, true);
    reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
          "200 OK Transfer-Encoding=chunked + .", 0, true);
}

static void test_cut(void **state)
{
    (void)state;
    /* No "~": they are not whole. */
    reads("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "200 OK Content-Length=5 + hell", 0,
          false);
    reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
          "200 OK Transfer-Encoding=chunked + hello", 0, false);
    reads("HTTP/1.1 200 OK\r\nA: b\r\n", "", 0, false);
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 O\1K\r\n\r\n",
        "200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        reads(bad[i], "", 502, false);
    reads("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
          "200 OK Transfer-Encoding=chunked + ", 502, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
