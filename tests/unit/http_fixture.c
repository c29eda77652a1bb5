#include "http_fixture.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

void http_free_client(struct http_fixture *f)
{
    http_free(f->http);
    f->http = NULL;
}

void http_reported(void *userdata, const struct http_response *response)
{
    struct http_fixture *f = userdata;
    f->last = *response;
    assert_int_equal(strlen(response->body), response->length);
    snprintf(f->body, sizeof f->body, "%s", response->body);
    f->done++;
    uint16_t ports[64];
    size_t n_ports = f->http ? http_local_ports(f->http, ports, 64) : 0;
    f->most_ports = n_ports > f->most_ports ? n_ports : f->most_ports;
    if (f->free_in_callback)
        http_free_client(f);
}

static const char *path_of(const char *request)
{
    return strchr(request, '/');
}

static bool asks_for(const char *request, const char *path)
{
    return strncmp(path_of(request), path, strlen(path)) == 0;
}

enum server_next http_answer(void *userdata, int fd, const char *request)
{
    struct http_fixture *f = userdata;
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET)
        f->peer_port = ntohs(peer.sin_port);
    if (!asks_for(request, "/many"))
        snprintf(f->seen, sizeof f->seen, "%s", request);
    if (asks_for(request, "/chunks")) {
        static const char *const pieces[] = {"HTTP/1.1 200 OK\r\nTransfer-Enc",
                                             "oding: chunked\r\n",
                                             "\r\n3\r\na",
                                             "bc\r",
                                             "\n1",
                                             "\r\nd\r\n0\r\n",
                                             "\r\n"};
        for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            server_say(fd, pieces[i]);
            server_wait_ms(10);
        }
    } else if (asks_for(request, "/silent")) {
        server_wait_ms(400);
        return SERVER_CLOSE;
    } else if (asks_for(request, "/reset")) {
        return SERVER_RESET;
    } else if (asks_for(request, "/close")) {
        return SERVER_CLOSE;
    } else if (asks_for(request, "/half")) {
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return SERVER_RESET;
    } else if (asks_for(request, "/declared")) {
        server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8388609\r\n\r\n");
        return SERVER_CLOSE;
    } else if (asks_for(request, "/endless")) {
        server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        char block[65536];
        memset(block, 'x', sizeof block - 1);
        block[sizeof block - 1] = '\0';
        for (int i = 0; i < 129; i++)
            server_say(fd, block);
        return SERVER_CLOSE;
    } else if (asks_for(request, "/foreign")) {
        server_say(fd, "SSH-2.0-OpenSSH_9.2\r\n");
        return SERVER_CLOSE;
    } else if (asks_for(request, "/keep-then-close")) {
        server_reply(fd, 200, "", "kept");
        return SERVER_CLOSE;
    } else if (asks_for(request, "/many")) {
        server_wait_ms(3);
        server_reply(fd, 200, "", "one of many");
    } else if (asks_for(request, "/404")) {
        server_reply(fd, 404, "X-Word: spoken\r\n", "{\"error\":\"none\"}");
    } else {
        server_reply(fd, 200, "X-Word: spoken\r\n", strncmp(request, "HEAD", 4) ? "hello" : "");
    }
    return SERVER_KEEP;
}

int http_set_up(void **state)
{
    struct http_fixture *f = calloc(1, sizeof *f);
    struct error err;
    uv_loop_init(&f->loop);
    if (http_new(&f->loop, &f->http, &err) < 0)
        return -1;
    f->server = server_tcp(http_answer, f);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", server_port(f->server));
    *state = f;
    return 0;
}

int http_tear_down(void **state)
{
    struct http_fixture *f = *state;
    http_free(f->http);
    bool closed = loop_end(&f->loop);
    server_stop(f->server);
    free(f);
    return closed ? 0 : -1;
}

struct http_options http_options_for(struct http_fixture *f, const char *path, char url[128])
{
    snprintf(url, 128, "%s%s", f->url, path);
    return (struct http_options){.method = "GET", .url = url, .timeout_ms = WAIT_MS};
}

void http_begin(struct http_fixture *f, const struct http_options *options)
{
    unsigned before = f->done;
    assert_int_equal(http_start(f->http, options, http_reported, f, &f->request), 0);
    assert_int_equal(f->done, before); /* never from within the call */
}

void http_ask(struct http_fixture *f, const struct http_options *options)
{
    unsigned before = f->done;
    http_begin(f, options);
    assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
    assert_int_equal(f->done, before + 1);
}

void http_get(struct http_fixture *f, const char *path)
{
    char url[128];
    struct http_options options = http_options_for(f, path, url);
    http_ask(f, &options);
}

bool http_arrived(void *userdata, const char *data, size_t length)
{
    struct http_fixture *f = userdata;
    size_t used = strlen(f->streamed);
    if (used + length < sizeof f->streamed)
        memcpy(f->streamed + used, data, length);
    if (f->free_in_callback)
        http_free_client(f);
    if (f->start_in_callback) {
        f->start_in_callback = false;
        char url[128];
        struct http_options options = http_options_for(f, "/hello", url);
        assert_int_equal(http_start(f->http, &options, http_reported, f, NULL), 0);
    }
    return !f->stop_stream;
}
