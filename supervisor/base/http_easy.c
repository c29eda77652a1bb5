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
    size_t *collected = request->collected;
    size_t total = request->body.length + length,
           large = total > HTTP_SMALL_BODY ? total - HTTP_SMALL_BODY : 0;
    if (*collected - request->counted + large > HTTP_BODIES_MAX)
        return -EMSGSIZE;
    int r = buffer_append(&request->body, data, length);
    if (r == 0) {
        *collected += large - request->counted;
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

/* A peer that sends without end keeps nobody from the rest of the work. */
static bool too_fast(struct http_request *request, size_t length)
{
    uint64_t now_ns = uv_hrtime();
    request->room += (double)(now_ns - request->room_ns) / 1e9 * HTTP_STREAM_BYTES;
    request->room_ns = now_ns;
    if (request->room > HTTP_STREAM_BYTES)
        request->room = HTTP_STREAM_BYTES;
    if (request->room < (double)length)
        return true;
    request->room -= (double)length;
    return false;
}

static size_t body_arrived(char *data, size_t size, size_t count, void *userdata)
{
    struct http_request *request = userdata;
    size_t length = size * count;
    if (request->paced && request->failure == 0 && too_fast(request, length)) {
        http_request_waits(request);
        return CURL_WRITEFUNC_PAUSE; /* it comes again */
    }
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
    const struct http_ends ends = {local, remote, (uint16_t)port, (uint16_t)remote_port};
    if (request->failure == 0 && !request->on_connected(request->userdata, &ends))
        request->failure = -EREMCHG;
    return request->failure == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static int set_headers(struct http_request *request, const struct http_options *options)
{
    /* A name with an empty value takes one of curl's own headers out. */
    char type[128];
    snprintf(type, sizeof type, "Content-Type:%s%s", options->body ? " " : "",
             !options->body       ? ""
             : options->body_type ? options->body_type
                                  : "application/json");
    request->headers = curl_slist_append(NULL, "Expect:");
    if (!request->headers || !curl_slist_append(request->headers, type))
        return -ENOMEM;
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
    return 0;
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
        code = curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
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
    const struct {
        CURLoption option;
        const char *value;
    } strings[] = {
        {CURLOPT_PROTOCOLS_STR, "http"}, {CURLOPT_PROXY, ""}, /* http_proxy must never matter */
        {CURLOPT_NOPROXY, "*"},          {CURLOPT_USERAGENT, "supervisor/" SUPERVISOR_VERSION},
        {CURLOPT_URL, options->url},     {CURLOPT_UNIX_SOCKET_PATH, options->unix_socket}};
    CURLcode code = CURLE_OK;
    for (size_t i = 0; code == CURLE_OK && i < sizeof strings / sizeof strings[0]; i++)
        code = curl_easy_setopt(easy, strings[i].option, strings[i].value);
    return code;
}

static void set_behaviour(struct http_request *request, const struct http_options *options)
{
    CURL *easy = request->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)HTTP_READ_BYTES);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, options->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
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
    static const struct {
        CURLcode code;
        int result;
    } results[] = {{CURLE_OK, 0},
                   {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
                   {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
                   {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
                   {CURLE_GOT_NOTHING, -ECONNRESET},
                   {CURLE_RECV_ERROR, -ECONNRESET},
                   {CURLE_SEND_ERROR, -ECONNRESET},
                   {CURLE_PARTIAL_FILE, -ECONNRESET},
                   {CURLE_FILESIZE_EXCEEDED, -EMSGSIZE},
                   {CURLE_ABORTED_BY_CALLBACK, -ECANCELED},
                   {CURLE_WRITE_ERROR, -ECANCELED},
                   {CURLE_OUT_OF_MEMORY, -ENOMEM},
                   {CURLE_URL_MALFORMAT, -EINVAL},
                   {CURLE_UNSUPPORTED_PROTOCOL, -EPROTO}, /* also an answer that is not HTTP/1 */
                   {CURLE_WEIRD_SERVER_REPLY, -EPROTO}};
    long os_errno = 0;
    if (code == CURLE_COULDNT_CONNECT)
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno > 0)
        return -(int)os_errno;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        if (results[i].code == code)
            return results[i].result;
    return -EIO;
}
