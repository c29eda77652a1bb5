/* One look at the server: /api/ps, and what is not known yet beside it. */
#include "base/grow.h"
#include "base/model_name.h"
#include "sense/json_member.h"
#include "sense/ollama_model.h"
#include "sense/ollama_private.h"

/* Touches nothing of the client after the callback, which may free it or poll anew. */
static void deliver(struct ollama_client *client)
{
    struct ollama answer = client->answer;
    client->answer = (struct ollama){0};
    client->polling = false;
    for (size_t i = 0; i < answer.n_models; i++) {
        const struct known_blob *known = ollama_blob(client, answer.models[i].digest);
        if (!known)
            continue;
        memcpy(answer.models[i].blob, known->blob, sizeof known->blob);
        answer.models[i].shape = known->shape;
    }
    if (client->too_old && client->version[0])
        snprintf(
            answer.error, sizeof answer.error,
            "Ollama %s is too old to tell its models: it has no /api/ps (0.1.33 and later have)",
            client->version);
    if (answer.reachable || client->too_old)
        memcpy(answer.version, client->version, sizeof answer.version);
    if (!answer.reachable)
        client->version[0] = '\0'; /* another one may come back */
    answer.age_ms = (double)(uv_hrtime() - client->sent_ns) / 1e6;
    client->polled(client->polled_userdata, &answer, client->sent_ns);
    ollama_clear(&answer);
}

static bool ask_for_names(struct ollama_client *client);

static void one_less(struct ollama_client *client)
{
    if (--client->poll_asks == 0 && !ask_for_names(client))
        deliver(client);
}

static int ask_for_poll(struct ollama_client *client, const char *method, const char *path,
                        json_t *body, long timeout_ms, ask_answered *answered, struct ask **ret_ask)
{
    const struct ask like = {.of_poll = true, .timeout_ms = timeout_ms, .answered = answered};
    int result = ollama_ask(client, method, path, body, &like, ret_ask);
    client->poll_asks += result == 0;
    return result;
}

void ollama_forget_shown(struct ollama_client *client)
{
    free(client->shown);
    client->shown = NULL;
    client->n_shown = 0;
}

static void version_answered(struct ask *ask, const struct http_response *response)
{
    if (http_good(response))
        ollama_parse_version(response->body, response->length, ask->client->version,
                             sizeof ask->client->version);
    one_less(ask->client);
}

/* A blob is asked for by name, and what is loaded is known by digest: after a pull of a newer one
 * the name means another model. What it does not mean any more is never learned ("": no blob). */
static void believe(struct ollama_client *client, const char *name, const char *digest)
{
    struct ollama_model unknown;
    ollama_model_init(&unknown);
    for (size_t i = 0; i < client->n_shown; i++)
        for (size_t k = 0; k < client->answer.n_models; k++) {
            const struct model *model = &client->answer.models[k];
            if (strcmp(model->digest, client->shown[i].digest) != 0 ||
                !model_same(model->name, name))
                continue;
            struct known_blob known = client->shown[i];
            if (strcmp(model->digest, digest) != 0) {
                known.blob[0] = '\0';
                known.shape = unknown.shape;
            }
            ollama_remember_blob(client, &known);
        }
}

static void names_answered(struct ask *ask, const struct http_response *response)
{
    CLEANUP_JSON json_t *parsed =
        http_good(response) ? answer_parse(response->body, response->length) : NULL;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(parsed, "models"), i, item)
    {
        const char *name = member_string(item, "name"), *digest = member_string(item, "digest");
        if (name && digest)
            believe(ask->client, name, digest);
    }
    ollama_forget_shown(ask->client);
    one_less(ask->client);
}

/* After the blobs, so that a pull in between is seen. False: there is nothing to ask. */
static bool ask_for_names(struct ollama_client *client)
{
    struct ask *ask;
    return client->answer.reachable && client->n_shown > 0 &&
           ask_for_poll(client, "GET", "/api/tags", NULL, OLLAMA_ASIDE_MS, names_answered, &ask) ==
               0;
}

static void ask_blobs(struct ollama_client *client, unsigned most);

/* One that was answered makes room for the next; one that was not ends it for this poll. */
static void show_answered(struct ask *ask, const struct http_response *response)
{
    struct ollama_client *client = ask->client;
    struct known_blob shown, *added;
    struct ollama_model model;
    ollama_model_init(&model);
    if (http_good(response) &&
        ollama_parse_show(response->body, response->length, shown.blob, sizeof shown.blob) == 0 &&
        (added = array_more(&client->shown, &client->n_shown, OLLAMA_SHOWS_MAX, sizeof *added))) {
        ollama_parse_metadata(response->body, response->length, &model);
        shown.shape = model.shape;
        memcpy(shown.digest, ask->digest, sizeof shown.digest);
        *added = shown;
        ask_blobs(client, 1);
    }
    one_less(client);
}

static bool asked_already(const struct ollama_client *client, const char *digest)
{
    for (size_t i = 0; i < client->n_shown; i++)
        if (strcmp(client->shown[i].digest, digest) == 0)
            return true;
    const struct ask *ask;
    LIST_FOREACH(ask, &client->asks, link)
    {
        if (strcmp(ask->digest, digest) == 0)
            return true;
    }
    return false;
}

static void ask_blobs(struct ollama_client *client, unsigned most)
{
    for (size_t i = 0; i < client->answer.n_models && most > 0 && client->shows < OLLAMA_SHOWS_MAX;
         i++) {
        const struct model *model = &client->answer.models[i];
        if (!model->digest[0] || ollama_blob(client, model->digest) ||
            asked_already(client, model->digest))
            continue;
        struct ask *ask;
        if (ask_for_poll(client, "POST", "/api/show", json_pack("{s:s}", "model", model->name),
                         OLLAMA_ASIDE_MS, show_answered, &ask) < 0)
            continue;
        memcpy(ask->digest, model->digest, sizeof ask->digest);
        client->shows++;
        most--;
    }
}

/* Nothing more of this poll is worth waiting for. */
static void cancel_others(struct ollama_client *client)
{
    struct ask *ask;
    LIST_FOREACH(ask, &client->asks, link)
    {
        if (ask->of_poll)
            http_cancel(ask->request);
    }
}

static void failed(struct ollama_client *client, const struct ask *ask,
                   const struct http_response *response)
{
    struct ollama *answer = &client->answer;
    ollama_clear(answer);
    answer->asked = true;
    answer->reachable = false;
    answer->latency_ms = -1;
    if (http_good(response))
        snprintf(answer->error, sizeof answer->error,
                 "%s answered GET /api/ps with something that is not Ollama's", client->url);
    else
        ollama_describe(client, "GET /api/ps", ask->timeout_ms, response, answer->error,
                        sizeof answer->error);
    answer->foreign = response->result == 0;
    client->proven = client->proven && answer->foreign;
    answer->offends = http_good(response) || response->result == -EMSGSIZE;
    client->too_old = response->result == 0 && response->status == 404;
    if (!client->too_old) /* whose version is worth waiting for */
        cancel_others(client);
}

static void trim(struct ollama *answer, size_t max)
{
    if (answer->n_models <= max)
        return;
    answer->incomplete = true;
    struct model *fewer = reallocarray(answer->models, max, sizeof *fewer);
    if (fewer)
        answer->models = fewer;
    answer->n_models = answer->models_room = max;
}

static void ps_answered(struct ask *ask, const struct http_response *response)
{
    struct ollama_client *client = ask->client;
    struct ollama *answer = &client->answer;
    if (http_good(response) && ollama_parse_ps(response->body, response->length, answer) == 0) {
        answer->reachable = true;
        answer->latency_ms = response->latency_ms;
        trim(answer, client->models_max);
        ask_blobs(client, OLLAMA_SHOWS_AT_ONCE);
    } else {
        failed(client, ask, response);
    }
    one_less(client);
}

int ollama_poll(struct ollama_client *client, long timeout_ms, ollama_polled *done, void *userdata)
{
    struct ask *ask;
    if (client->polling)
        return -EBUSY;
    client->sent_ns = uv_hrtime();
    int result = ask_for_poll(client, "GET", "/api/ps", NULL, timeout_ms, ps_answered, &ask);
    if (result < 0)
        return result;
    client->polling = true;
    client->shows = 0;
    ollama_forget_shown(client);
    client->too_old = client->met = false;
    client->polled = done;
    client->polled_userdata = userdata;
    client->answer = (struct ollama){.asked = true, .latency_ms = -1, .server = FACT_UNKNOWN};
    if (!client->version[0]) /* not sent: the next poll asks for it again */
        ask_for_poll(client, "GET", "/api/version", NULL,
                     timeout_ms < OLLAMA_ASIDE_MS ? timeout_ms : OLLAMA_ASIDE_MS, version_answered,
                     &ask);
    return 0;
}

void ollama_keep_models(struct ollama_client *client, size_t max)
{
    client->models_max = max;
}

bool ollama_poll_pending(const struct ollama_client *client)
{
    return client->polling;
}
