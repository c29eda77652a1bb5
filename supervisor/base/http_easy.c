/* One transfer for curl, and curl's verdict on it as an errno. */
#include "base/http_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Large bodies share what there is: so many peers that send much at one time cannot fill the memory
 * either. */
static int collect(struct http_request *request, const char *data, size_t length)
{
    struct http *http = request->http;
    size_t total = request->body.length + length,
           large = total > HTTP_SMALL_BODY ? total - HTTP_SMALL_BODY : 0;
    if (http->collected - request->counted + large > HTTP_BODIES_MAX)
        return -EMSGSIZE;
    int r = buffer_append(&request->body, data, length);
    if (r == 0) {
        http->collected += large - request->counted;
        request->counted = large;
    }
    return r;
}

static size_t head_arrived(char *data, size_t size, size_t count, void *userdata)
{
    struct http_request *request = userdata;
    (void)data;
    request->head_bytes += size * count;
    if (request->failure == 0 &&
        (request->head_bytes > HTTP_HEAD_MAX || ++request->head_lines > HTTP_HEAD_LINES))
        request->failure = -EMSGSIZE;
    return request->failure == 0 ? size * count : 0;
}

static size_t body_arrived(char *data, size_t size, size_t count, void *userdata)
{
    struct http_request *request = userdata;
    size_t length = size * count;
    request->stream_bytes += length;
    if (request->failure == 0) {
        if (!request->on_data)
            request->failure = collect(request, data, length);
        else if (request->stream_max && request->stream_bytes > request->stream_max)
            request->failure = -EMSGSIZE;
        else if (!request->on_data(request->userdata, data, length))
            request->failure = -ECANCELED;
    }
    return request->failure == 0 ? length : 0; /* another number than length ends the transfer */
}

static int connected(void *userdata, char *remote, char *local, int remote_port, int port)
{
    struct http_request *request = userdata;
    (void)remote, (void)local, (void)remote_port;
    if (request->failure == 0 && !request->on_connected(request->userdata, (uint16_t)port))
        request->failure = -EREMCHG;
    return request->failure == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static int add_header(struct http_request *request, const char *line)
{
    struct curl_slist *longer = curl_slist_append(request->headers, line);
    if (!longer)
        return -ENOMEM;
    request->headers = longer;
    return 0;
}

static int set_headers(struct http_request *request, const struct http_options *options)
{
    /* A name with an empty value takes one of curl's own headers out. */
    char type[128];
    snprintf(type, sizeof type, "Content-Type:%s%s", options->body ? " " : "",
             !options->body       ? ""
             : options->body_type ? options->body_type
                                  : "application/json");
    int result = add_header(request, "Expect:");
    if (result == 0)
        result = add_header(request, type);
    if (result == 0 && options->header)
        result = add_header(request, options->header);
    if (result == 0)
        curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
    return result;
}

static size_t body_wanted(char *room, size_t size, size_t count, void *userdata)
{
    struct http_request *request = userdata;
    if (request->failure) /* its owner may have freed the body */
        return CURL_READFUNC_ABORT;
    size_t length = size * count < request->upload_length ? size * count : request->upload_length;
    memcpy(room, request->upload, length);
    request->upload += length;
    request->upload_length -= length;
    return length;
}

static CURLcode set_borrowed(struct http_request *request, const char *body, size_t length)
{
    request->upload = body;
    request->upload_length = length;
    curl_easy_setopt(request->easy, CURLOPT_READFUNCTION, body_wanted);
    curl_easy_setopt(request->easy, CURLOPT_READDATA, request);
    return curl_easy_setopt(request->easy, CURLOPT_POST, 1L);
}

static CURLcode set_method(struct http_request *request, const struct http_options *options)
{
    CURL *easy = request->easy;
    if (strcmp(options->method, "GET") == 0)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (strcmp(options->method, "HEAD") == 0)
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    const char *body = options->body ? options->body : "";
    size_t length = options->body_length ? options->body_length : strlen(body);
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    if (code == CURLE_OK)
        code = options->body_borrowed ? set_borrowed(request, body, length)
                                      : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
    if (code == CURLE_OK && strcmp(options->method, "POST") != 0)
        code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method);
    /* curl sends a request again when a kept connection dies without an answer. What changes
     * something must never be sent twice, so it goes over a connection of its own. */
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    return code;
}

static CURLcode set_target(CURL *easy, const struct http_options *options)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* http_proxy must never matter */
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "supervisor/" SUPERVISOR_VERSION);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_URL, options->url);
    if (code == CURLE_OK && options->unix_socket)
        code = curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options->unix_socket);
    return code;
}

static void set_behaviour(struct http_request *request, const struct http_options *options)
{
    CURL *easy = request->easy;
    long connect_ms = options->connect_timeout_ms ? options->connect_timeout_ms : HTTP_CONNECT_MS;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_READ_BYTES);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, options->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (options->fresh_connection) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_arrived);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head_arrived);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_socket_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_socket_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, request->http);
    if (options->on_connected) {
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, connected);
        curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
    }
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
}

int http_request_prepare(struct http_request *request, const struct http_options *options)
{
    request->on_connected = options->on_connected;
    if (options->netns > 0 && (request->netns = fcntl(options->netns, F_DUPFD_CLOEXEC, 3)) < 0)
        return -errno;
    request->easy = curl_easy_init();
    if (!request->easy)
        return -ENOMEM;
    set_behaviour(request, options);
    CURLcode code = set_target(request->easy, options);
    if (code == CURLE_OK)
        code = set_method(request, options);
    if (code != CURLE_OK)
        return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    return set_headers(request, options);
}

int http_result(CURL *easy, CURLcode code)
{
    long os_errno = 0;
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
        return os_errno > 0 ? -(int)os_errno : -ECONNREFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
        return -EHOSTUNREACH;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return -ECONNRESET;
    case CURLE_FILESIZE_EXCEEDED:
        return -EMSGSIZE;
    case CURLE_ABORTED_BY_CALLBACK:
    case CURLE_WRITE_ERROR:
        return -ECANCELED;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_URL_MALFORMAT:
        return -EINVAL;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also an answer that is not HTTP/1 */
    case CURLE_WEIRD_SERVER_REPLY:
        return -EPROTO;
    default:
        return -EIO;
    }
}
