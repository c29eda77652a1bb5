#include "sense/ollama_load.h"

#include "sense/ollama_private.h"

struct ollama_load {
    struct ask *ask;
    char model[CONTAINER_NAME_SIZE];
    int64_t keep_alive_s;
    bool embeds; /* it is asked at /api/embed */
    ollama_done *done;
    void *userdata;
};

static void end(void *userdata, int result, const struct error *err)
{
    struct ollama_load *load = userdata;
    load->done(load->userdata, result, err);
    free(load);
}

static int ask_for_it(struct ollama_client *client, struct ollama_load *load);

bool ollama_only_embeds(const struct http_response *response)
{
    char words[200];
    if (response->result < 0 || response->status != 400)
        return false;
    ollama_parse_error(response->body, response->length, words, sizeof words);
    return strstr(words, "does not support generate") != NULL;
}

static void answered(struct ask *ask, const struct http_response *response)
{
    struct ollama_load *load = ask->userdata;
    struct error err;
    if (http_good(response)) {
        end(load, 0, NULL);
        return;
    }
    if (!load->embeds && ollama_only_embeds(response)) {
        load->embeds = true;
        if (ask_for_it(ask->client, load) == 0)
            return;
    }
    int code = ollama_refused(ask, "the load", load->model, response, &err);
    err.failure = FAILURE_JOB;
    end(load, code, &err);
}

static int ask_for_it(struct ollama_client *client, struct ollama_load *load)
{
    const struct ask like = {.answered = answered, .done = end, .userdata = load};
    json_t *body = json_pack("{s:s}", "model", load->model);
    if (load->embeds)
        json_object_set_new(body, "input", json_string(""));
    if (load->keep_alive_s != OLLAMA_KEEP_DEFAULT)
        json_object_set_new(body, "keep_alive", json_integer(load->keep_alive_s));
    return ollama_ask(client, "POST", load->embeds ? "/api/embed" : "/api/generate", body, &like,
                      &load->ask);
}

int ollama_load(struct ollama_client *client, const char *model, int64_t keep_alive_s,
                ollama_done *done, void *userdata, struct ollama_load **ret_load)
{
    struct ollama_load *load = calloc(1, sizeof *load);
    if (!load)
        return -ENOMEM;
    snprintf(load->model, sizeof load->model, "%s", model);
    load->keep_alive_s = keep_alive_s;
    load->done = done;
    load->userdata = userdata;
    int r = ask_for_it(client, load);
    if (r < 0) {
        free(load);
        return r;
    }
    *ret_load = load;
    return 0;
}

void ollama_load_cancel(struct ollama_load *load)
{
    http_cancel(load->ask->request);
}
