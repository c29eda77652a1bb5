/* The client itself and its single questions. */
#include "sense/ollama.h"
#include "sense/json_member.h"
#include "sense/ollama_parse.h"
#include "sense/ollama_private.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fits_a_url(const char *address)
{
    if (!address[0])
        return false;
    for (; *address; address++) {
        if (!isalnum((unsigned char)*address) && !strchr(".:-", *address))
            return false;
    }
    return true;
}

int ollama_client_new(struct http *http, const char *address, uint16_t port,
                      struct ollama_client **ret_client)
{
    if (!fits_a_url(address) || port == 0)
        return -EINVAL;
    struct ollama_client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    const char *format = strchr(address, ':') ? "http://[%s]:%u" : "http://%s:%u";
    int length = snprintf(client->url, sizeof client->url, format, address, (unsigned)port);
    if (length < 0 || (size_t)length >= sizeof client->url) {
        free(client);
        return -ENAMETOOLONG;
    }
    client->http = http;
    LIST_INIT(&client->asks);
    *ret_client = client;
    return 0;
}

static void answered(void *userdata, const struct http_response *response)
{
    struct ask *ask = userdata;
    if (ask->client) {
        LIST_REMOVE(ask, link);
        ask->request = NULL;
        ask->answered(ask, response);
    }
    free(ask);
}

void ollama_client_meet(struct ollama_client *client, int netns, ollama_is_its *is_its,
                        void *userdata)
{
    client->netns = netns;
    client->is_its = is_its;
    client->met_userdata = userdata;
}

bool ollama_client_met(const struct ollama_client *client)
{
    return client->met;
}

static bool connected(void *userdata, uint16_t local_port)
{
    struct ask *ask = userdata;
    struct ollama_client *client = ask->client;
    if (client && !client->met)
        client->met = !client->is_its || client->is_its(client->met_userdata, local_port);
    return client && client->met;
}

/* The longest answers: what the real ones have, many times over. /api/show carries the model's
 * licence and template, /api/tags some hundred bytes a model. */
static size_t answer_max(const char *path)
{
    static const struct {
        const char *path;
        size_t max;
    } caps[] = {{"/api/ps", 256 * 1024},
                {"/api/version", 4 * 1024},
                {"/api/show", 2 * 1024 * 1024},
                {"/api/tags", 2 * 1024 * 1024}};
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++)
        if (!strcmp(path, caps[i].path))
            return caps[i].max;
    return 64 * 1024;
}

int ollama_ask(struct ollama_client *client, const char *method, const char *path, const char *body,
               long timeout_ms, ask_answered *on_answer, struct ask **ret_ask)
{
    char url[OLLAMA_URL_SIZE + 32];
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return -ENOMEM;
    snprintf(url, sizeof url, "%s%s", client->url, path);
    ask->client = client;
    ask->answered = on_answer;
    struct http_options options = {
        .method = method,
        .url = url,
        .body = body,
        .timeout_ms = timeout_ms,
        .fresh_connection = true,
        .body_max = answer_max(path),
        .netns = client->netns,
        .on_connected = connected,
    };
    int result = http_start(client->http, &options, answered, ask, &ask->request);
    if (result < 0) {
        free(ask);
        return result;
    }
    LIST_INSERT_HEAD(&client->asks, ask, link);
    *ret_ask = ask;
    return 0;
}

void ollama_describe(const struct ollama_client *client, const char *what, long timeout_ms,
                     const struct http_response *response, char *text, size_t size)
{
    char words[96];
    int code = response->result;
    if (code == 0) {
        ollama_parse_error(response->body, response->length, words, sizeof words);
        snprintf(text, size, "%s answered %s with HTTP %ld%s%s", client->url, what,
                 response->status, words[0] ? ": " : "", words);
    } else if (code == -ECONNREFUSED) {
        snprintf(text, size, "%s refuses connections", client->url);
    } else if (code == -ETIMEDOUT && !response->sent) {
        snprintf(text, size, "%s cannot be connected to: no answer", client->url);
    } else if (code == -ETIMEDOUT) {
        snprintf(text, size, "%s did not answer %s within %.1f s", client->url, what,
                 (double)timeout_ms / 1000);
    } else if (code == -EREMCHG) {
        snprintf(text, size, "%s is not this container's", client->url);
    } else if (code == -ECONNRESET) {
        snprintf(text, size, "%s closed the connection before it answered %s", client->url, what);
    } else {
        snprintf(text, size, "%s: %s failed: %.80s", client->url, what, response->message);
    }
}

static void unload_answered(struct ask *ask, const struct http_response *response)
{
    struct error err;
    if (response->result == 0 && response->status == 200) {
        ask->done(ask->userdata, 0, NULL);
        return;
    }
    char text[256];
    ollama_describe(ask->client, "the unload", ask->timeout_ms, response, text, sizeof text);
    int code = response->result < 0 ? response->result : response->status == 404 ? -ENOENT : -EIO;
    bool unreachable = response->result < 0 && !response->sent;
    error_set(&err, unreachable ? FAILURE_UNREACHABLE : FAILURE_JOB, code, "%s", text);
    ask->done(ask->userdata, code, &err);
}

void ollama_unload(struct ollama_client *client, const char *model, long timeout_ms,
                   ollama_done *done, void *userdata)
{
    CLEANUP_JSON json_t *question = json_pack("{s:s,s:i}", "model", model, "keep_alive", 0);
    char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
    struct ask *ask = NULL;
    int result = -EINVAL; /* a name that is not UTF-8 cannot be asked for */
    if (body)
        result =
            ollama_ask(client, "POST", "/api/generate", body, timeout_ms, unload_answered, &ask);
    free(body);
    if (result == 0) {
        ask->done = done;
        ask->userdata = userdata;
        ask->timeout_ms = timeout_ms;
        return;
    }
    struct error err;
    error_set(&err, FAILURE_JOB, result, "cannot ask %s to unload a model: %s", client->url,
              strerror(-result));
    done(userdata, result, &err);
}

void ollama_client_free(struct ollama_client *client)
{
    if (!client)
        return;
    struct error err;
    error_set(&err, FAILURE_JOB, -ECANCELED, "the request at %s was cancelled", client->url);
    struct ask *ask;
    while ((ask = LIST_FIRST(&client->asks))) {
        LIST_REMOVE(ask, link);
        ask->client = NULL;
        http_cancel(ask->request);
        if (ask->done)
            ask->done(ask->userdata, -ECANCELED, &err);
    }
    ollama_clear(&client->answer);
    free(client->blobs);
    if (client->netns > 0)
        close(client->netns);
    free(client);
}
