/* The client: requests from start to report. How curl meets the loop is in http_loop.c. */
#include "base/http_private.h"
#include "base/text_clean.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void request_free(struct http_request *request)
{
    if (request->easy)
        curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    *request->collected -= request->counted;
    buffer_clear(&request->body);
    if (request->netns > 0)
        close(request->netns);
    free(request);
}

static void fill_response(struct http_request *request, CURLcode code, struct http_response *ret)
{
    long request_bytes = 0;
    curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &ret->status);
    ret->sent = request_bytes > 0;
    ret->result = request->failure ? request->failure : http_result(request->easy, code);
    ret->latency_ms = (double)(uv_hrtime() - request->started_ns) / 1e6;
    ret->body = buffer_text(&request->body);
    ret->length = request->body.length;
    struct curl_header *header = NULL;
    if (request->answer_header && curl_easy_header(request->easy, request->answer_header, 0,
                                                   CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(ret->header, sizeof ret->header, "%s", header->value);
    text_clean(ret->header);
    if (ret->result == 0)
        return;
    const char *words = request->failure == -EMSGSIZE    ? "the answer is too long"
                        : request->failure == -ECANCELED ? "cancelled"
                        : request->failure               ? strerror(-request->failure)
                        : request->message[0]            ? request->message
                                                         : curl_easy_strerror(code);
    snprintf(ret->message, sizeof ret->message, "%s", words);
    text_clean(ret->message);
}

/* The one way out of a request: takes it from curl, reports and frees it. */
static void finish(struct http_request *request, CURLcode code)
{
    struct http_response response = {0};
    if (request->added)
        curl_multi_remove_handle(request->http->multi, request->easy);
    fill_response(request, code, &response);
    LIST_REMOVE(request, link);
    request->done(request->userdata, &response);
    request_free(request);
}

static void tear_down(struct http *http)
{
    struct http_request *request;
    http->closed = true;
    while ((request = LIST_FIRST(&http->requests))) {
        request->failure = -ECANCELED;
        finish(request, CURLE_OK);
    }
    curl_multi_cleanup(http->multi);
    http_loop_close(http);
    curl_global_cleanup();
}

static void add_waiting(struct http *http)
{
    struct http_request *request;
    http->waiting = false;
    LIST_FOREACH(request, &http->requests, link)
    {
        if (request->added || request->failure)
            continue;
        request->added = curl_multi_add_handle(http->multi, request->easy) == CURLM_OK;
        if (!request->added)
            http_request_fail(request, -ENOMEM);
    }
}

void http_settle(struct http *http)
{
    CURLMsg *message;
    int left;
    if (http->closed)
        return;
    while (!http->closing && (message = curl_multi_info_read(http->multi, &left))) {
        struct http_request *request = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        finish(request, code);
    }
    if (http->closing) {
        if (!http->closed)
            tear_down(http);
    } else if (http->waiting) {
        add_waiting(http);
    }
}

void http_report_failed(struct http *http)
{
    struct http_request *request = LIST_FIRST(&http->requests);
    while (request && !http->closing) {
        if (!request->failure) {
            request = LIST_NEXT(request, link);
            continue;
        }
        finish(request, CURLE_OK);
        request = LIST_FIRST(&http->requests); /* the callback may have changed the list */
    }
}

int http_new(uv_loop_t *loop, struct http **ret_http, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
        return error_set(err, FAILURE_JOB, -ENOMEM, "cannot start the HTTP client: out of memory");
    struct http *http = calloc(1, sizeof *http);
    CURLM *multi = http ? curl_multi_init() : NULL;
    if (!multi) {
        free(http);
        curl_global_cleanup();
        return error_set(err, FAILURE_JOB, -ENOMEM, "cannot start the HTTP client: %s",
                         strerror(ENOMEM));
    }
    http->loop = loop;
    http->multi = multi;
    LIST_INIT(&http->requests);
    LIST_INIT(&http->watches);
    LIST_INIT(&http->sockets);
    http_loop_open(http);
    *ret_http = http;
    return 0;
}

void http_free(struct http *http)
{
    if (!http || http->closing)
        return;
    http->closing = true;
    if (!http->inside) /* else http_settle does it when curl is off the stack */
        tear_down(http);
}

int http_start(struct http *http, const struct http_options *options, http_done *done,
               void *userdata, struct http_request **ret_request)
{
    if (http->closing)
        return -ESHUTDOWN;
    struct http_request *request = calloc(1, sizeof *request);
    if (!request)
        return -ENOMEM;
    request->http = http;
    request->collected = &http->collected[options->unix_socket != NULL];
    request->paced = options->on_data && !options->timeout_ms;
    request->room = HTTP_STREAM_BYTES;
    request->room_ns = uv_hrtime();
    request->done = done;
    request->on_data = options->on_data;
    request->userdata = userdata;
    request->answer_header = options->answer_header;
    request->started_ns = uv_hrtime();
    buffer_init(&request->body, options->body_max ? options->body_max : HTTP_BODY_MAX);
    request->stream_max = options->on_data ? options->body_max : 0;
    int result = http_request_prepare(request, options);
    if (result == 0 && !http->inside) {
        request->added = curl_multi_add_handle(http->multi, request->easy) == CURLM_OK;
        result = request->added ? 0 : -ENOMEM;
    }
    if (result < 0) {
        request_free(request);
        return result;
    }
    http->waiting |= !request->added;
    LIST_INSERT_HEAD(&http->requests, request, link);
    if (ret_request)
        *ret_request = request;
    return 0;
}

void http_cancel(struct http_request *request)
{
    http_request_fail(request, -ECANCELED);
}
