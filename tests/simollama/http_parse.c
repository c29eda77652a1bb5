#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *http_header(const struct http_conn *conn, const char *name, char *value, size_t size)
{
    size_t name_len = strlen(name);
    const char *line = conn->head.data;
    while (line && (line = strstr(line, "\r\n"))) {
        line += 2;
        if (strncasecmp(line, name, name_len) || line[name_len] != ':')
            continue;
        line += name_len + 1;
        line += strspn(line, " \t");
        size_t len = strcspn(line, "\r\n");
        if (len >= size)
            len = size - 1;
        memcpy(value, line, len);
        value[len] = '\0';
        return value;
    }
    return NULL;
}

/* Go's answer to what is no HTTP; the connection ends with it. */
static int refuse(struct http_conn *conn, int status, const char *body)
{
    conn->keep_alive = 0;
    conn->state = HTTP_BUSY;
    http_reply(conn, status, "text/plain; charset=utf-8", body, strlen(body));
    return 0;
}

/* "POST /api/chat?x HTTP/1.1": method and path without the query. */
static int parse_request_line(struct http_conn *conn)
{
    const char *line = conn->head.data;
    size_t method_len = strcspn(line, " \r\n");
    if (!method_len || method_len >= sizeof conn->method || line[method_len] != ' ')
        return -EBADMSG;
    const char *target = line + method_len + 1;
    size_t target_len = strcspn(target, " \r\n");
    if (*target != '/' || strncmp(target + target_len, " HTTP/1.", 8) != 0)
        return -EBADMSG;
    size_t path_len = strcspn(target, "? \r\n");
    if (path_len >= sizeof conn->path)
        return -ENAMETOOLONG;
    memcpy(conn->method, line, method_len);
    conn->method[method_len] = '\0';
    memcpy(conn->path, target, path_len);
    conn->path[path_len] = '\0';
    conn->keep_alive = target[target_len + 8] == '1';
    conn->old_http = !conn->keep_alive;
    conn->head_only = !strcmp(conn->method, "HEAD");
    return 0;
}

static int parse_head(struct http_conn *conn)
{
    char value[64];
    if (parse_request_line(conn) < 0)
        return refuse(conn, 400, "400 Bad Request");
    if (!http_header(conn, "Host", value, sizeof value))
        return refuse(conn, 400, "400 Bad Request: missing required Host header");
    if (http_header(conn, "Connection", value, sizeof value) && !strcasecmp(value, "close"))
        conn->keep_alive = 0;

    conn->discard = conn->server->discards && conn->server->discards(conn);
    if (http_header(conn, "Transfer-Encoding", value, sizeof value)) {
        conn->state = HTTP_CHUNK_SIZE;
    } else if (http_header(conn, "Content-Length", value, sizeof value)) {
        char *end;
        errno = 0;
        conn->body_left = strtoull(value, &end, 10);
        if (end == value || *end || errno)
            return refuse(conn, 400, "400 Bad Request");
        conn->state = HTTP_BODY;
    } else {
        conn->state = HTTP_BODY;
        conn->body_left = 0;
    }
    if (!conn->discard && conn->body_left > HTTP_BODY_MAX)
        return refuse(conn, 413, "413 Request Entity Too Large");
    if (http_header(conn, "Expect", value, sizeof value) && conn->state != HTTP_HEAD) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        text_append(&conn->out, go_on, sizeof go_on - 1, HTTP_OUT_MAX);
    }
    return 1;
}

static int step_head(struct http_conn *conn)
{
    if (!conn->in.len)
        return 0;
    char *end = strstr(conn->in.data, "\r\n\r\n");
    if (!end)
        return conn->in.len > HTTP_HEAD_MAX
                   ? refuse(conn, 431, "431 Request Header Fields Too Large")
                   : 0;
    size_t len = (size_t)(end - conn->in.data);
    conn->head.len = 0;
    text_append(&conn->head, conn->in.data, len, HTTP_HEAD_MAX * 2);
    text_append(&conn->head, "\r\n", 2, HTTP_HEAD_MAX * 2);
    text_consume(&conn->in, len + 4);
    conn->body.len = 0;
    conn->discarded_bytes = 0;
    conn->body_left = 0;
    return parse_head(conn);
}

static int request_complete(struct http_conn *conn)
{
    conn->state = HTTP_BUSY;
    conn->server->handle(conn);
    return 1;
}

/* Takes what there is of the body_left bytes; whether they are all taken. */
static int take_body(struct http_conn *conn)
{
    size_t len = conn->in.len < conn->body_left ? conn->in.len : (size_t)conn->body_left;
    if (conn->discard)
        conn->discarded_bytes += len;
    else if (len && text_append(&conn->body, conn->in.data, len, HTTP_BODY_MAX) < 0) {
        refuse(conn, 413, "413 Request Entity Too Large");
        return 0;
    }
    text_consume(&conn->in, len);
    conn->body_left -= len;
    return conn->body_left == 0;
}

static int step_chunk_size(struct http_conn *conn)
{
    char *end = conn->in.len ? strstr(conn->in.data, "\r\n") : NULL;
    if (!end)
        return conn->in.len > 1024 ? refuse(conn, 400, "400 Bad Request") : 0;
    char *rest;
    uint64_t size = strtoull(conn->in.data, &rest, 16);
    if (rest == conn->in.data)
        return refuse(conn, 400, "400 Bad Request");
    text_consume(&conn->in, (size_t)(end - conn->in.data) + 2);
    conn->body_left = size ? size + 2 : 0; /* with the line's end after the data */
    conn->state = size ? HTTP_CHUNK_DATA : HTTP_TRAILER;
    return 1;
}

static int step_chunk_data(struct http_conn *conn)
{
    if (!take_body(conn))
        return 0;
    if (!conn->discard)
        conn->body.len -= 2;
    conn->state = HTTP_CHUNK_SIZE;
    return 1;
}

static int step_trailer(struct http_conn *conn)
{
    char *end = conn->in.len ? strstr(conn->in.data, "\r\n") : NULL;
    if (!end)
        return conn->in.len > HTTP_HEAD_MAX ? refuse(conn, 400, "400 Bad Request") : 0;
    size_t len = (size_t)(end - conn->in.data);
    text_consume(&conn->in, len + 2);
    return len ? 1 : request_complete(conn);
}

int http_step(struct http_conn *conn)
{
    switch (conn->state) {
    case HTTP_HEAD:
        return step_head(conn);
    case HTTP_BODY:
        return take_body(conn) ? request_complete(conn) : 0;
    case HTTP_CHUNK_SIZE:
        return step_chunk_size(conn);
    case HTTP_CHUNK_DATA:
        return step_chunk_data(conn);
    case HTTP_TRAILER:
        return step_trailer(conn);
    case HTTP_BUSY:
        break;
    }
    return 0;
}
