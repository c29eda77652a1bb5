/* The HTTP client beside a server that answers well, badly, slowly and not at all. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "base/http.h"
#include "http_server.h"

enum { WAIT_MS = 5000 };

struct http_fixture {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    char url[64];
    unsigned done; /* reports so far */
    struct http_response last;
    char body[4096];
    struct http_request *request;
    char streamed[4096];
    bool stop_stream, free_in_callback, start_in_callback;
    uint16_t peer_port;
    size_t most_ports; /* of the client's, seen at a report */
    char seen[4096];   /* the last request, as the server read it */
};

int http_set_up(void **state);
int http_tear_down(void **state);
/* Frees the client before its time. */
void http_free_client(struct http_fixture *f);

/* A GET of the server's path; url is the memory for it. */
struct http_options http_options_for(struct http_fixture *f, const char *path, char url[128]);
/* Starts a request whose report goes to the fixture. */
void http_begin(struct http_fixture *f, const struct http_options *options);
/* The same, and waits for the report. */
void http_ask(struct http_fixture *f, const struct http_options *options);
void http_get(struct http_fixture *f, const char *path);
/* Collects a stream; does what the fixture's flags say. */
bool http_arrived(void *userdata, const char *data, size_t length);
/* The server: what it does depends on the path. */
enum server_next http_answer(void *userdata, int fd, const char *request);
void http_reported(void *userdata, const struct http_response *response);

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, http_set_up, http_tear_down)

#endif
