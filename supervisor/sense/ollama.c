/* The client itself and its single questions. */
#include "sense/ollama.h"
#include "sense/json_member.h"
#include "sense/ollama_private.h"
#include <ctype.h>
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

int ollama_url(const char *address, uint16_t port, char url[static OLLAMA_URL_SIZE])
{
    const char *format = strchr(address, ':') ? "http://[%s]:%u" : "http://%s:%u";
    int length = snprintf(url, OLLAMA_URL_SIZE, format, address, (unsigned)port);
    return length < 0 || length >= OLLAMA_URL_SIZE ? -ENAMETOOLONG : 0;
}

int ollama_client_new(struct http *http, const char *address, uint16_t port,
                      struct ollama_client **ret_client)
{
    if (!fits_a_url(address) || port == 0)
        return -EINVAL;
    struct ollama_client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    if (ollama_url(address, port, client->url) < 0) {
        free(client);
        return -ENAMETOOLONG;
    }
    client->http = http;
    client->models_max = WORLD_MODELS_MAX;
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

bool ollama_client_works(const struct ollama_client *client)
{
    const struct ask *ask = client ? LIST_FIRST(&client->asks) : NULL;
    while (ask && ask->of_poll)
        ask = LIST_NEXT(ask, link);
    return ask != NULL;
}

void ollama_client_doubt(struct ollama_client *client)
{
    client->proven = false;
}

static bool connected(void *userdata, const struct http_ends *ends)
{
    const struct ask *ask = userdata;
    struct ollama_client *client = ask->client;
    if (!client)
        return false;
    bool now = !client->proven || !client->is_its || !ask->of_poll; /* before each deed anew */
    if (now)
        client->proven = !client->is_its || client->is_its(client->met_userdata, ends);
    client->met |= ask->of_poll && now && client->proven;
    return client->proven;
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

int ollama_ask(struct ollama_client *client, const char *method, const char *path, json_t *body,
               const struct ask *like, struct ask **ret_ask)
{
    char url[OLLAMA_URL_SIZE + 32];
    CLEANUP_JSON json_t *question = body;
    char *text = json_dumps(question, JSON_COMPACT);
    struct ask *ask = malloc(sizeof *ask);
    int result = !ask ? -ENOMEM : !text && strcmp(method, "POST") == 0 ? -EINVAL : 0;
    if (result == 0) {
        snprintf(url, sizeof url, "%s%s", client->url, path);
        *ask = *like;
        ask->client = client;
        struct http_options options = {
            .method = method,
            .url = url,
            .body = text,
            .timeout_ms = ask->timeout_ms,
            .fresh_connection = true,
            .on_data = ask->on_data,
            .body_max = ask->on_data ? 0 : answer_max(path),
            .netns = client->netns,
            .on_connected = connected,
        };
        result = http_start(client->http, &options, answered, ask, &ask->request);
    }
    free(text);
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
        snprintf(text, size, "%s refuses connections: nobody listens there", client->url);
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

int ollama_refused(const struct ask *ask, const char *what, const char *model,
                   const struct http_response *response, struct error *err)
{
    char text[256];
    int code = response->result < 0 ? response->result : response->status == 404 ? -ENOENT : -EIO;
    bool unreachable = response->result < 0 && !response->sent;
    if (model && code == -ENOENT && response->result == 0)
        return error_set(err, FAILURE_JOB, code,
                         "%.100s is not installed there: ollama pull %.100s", model, model);
    ollama_describe(ask->client, what, ask->timeout_ms, response, text, sizeof text);
    return error_set(err, unreachable ? FAILURE_UNREACHABLE : FAILURE_JOB, code, "%s", text);
}

static void unload_answered(struct ask *ask, const struct http_response *response)
{
    struct error err;
    int code = http_good(response) ? 0 : ollama_refused(ask, "the unload", NULL, response, &err);
    ask->done(ask->userdata, code, code < 0 ? &err : NULL);
}

void ollama_unload(struct ollama_client *client, const char *model, long timeout_ms,
                   ollama_done *done, void *userdata)
{
    const struct ask like = {
        .answered = unload_answered, .done = done, .userdata = userdata, .timeout_ms = timeout_ms};
    struct ask *ask;
    struct error err;
    int result = ollama_ask(client, "POST", "/api/generate",
                            json_pack("{s:s,s:i}", "model", model, "keep_alive", 0), &like, &ask);
    if (result == 0)
        return;
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
    ollama_forget_shown(client);
    free(client->blobs);
    if (client->netns > 0)
        close(client->netns);
    free(client);
}
