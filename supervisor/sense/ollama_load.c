#include "sense/ollama_load.h"

#include "sense/json_member.h"
#include "sense/ollama_parse.h"
#include "sense/ollama_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ollama_load {
    struct ask *ask;
    char model[CONTAINER_NAME_SIZE];
    int64_t keep_alive_s;
    bool embeds; /* it is asked at /api/embed */
    ollama_done *done;
    void *userdata;
};

static void end(struct ollama_load *load, int result, const struct error *err)
{
    load->done(load->userdata, result, err);
    free(load);
}

static void on_cancelled(void *userdata, int result, const struct error *err)
{
    end(userdata, result, err);
}

static int ask_for_it(struct ollama_client *client, struct ollama_load *load);

static bool only_embeds(const struct ollama_load *load, const struct http_response *response)
{
    char words[200];
    if (load->embeds || response->result < 0 || response->status != 400)
        return false;
    ollama_parse_error(response->body, response->length, words, sizeof words);
    return strstr(words, "does not support generate") != NULL;
}

static void answered(struct ask *ask, const struct http_response *response)
{
    struct ollama_load *load = ask->userdata;
    struct error err;
    if (response->result == 0 && response->status == 200) {
        end(load, 0, NULL);
        return;
    }
    if (only_embeds(load, response)) {
        load->embeds = true;
        if (ask_for_it(ask->client, load) == 0)
            return;
    }
    char text[256];
    int code = response->result < 0 ? response->result : response->status == 404 ? -ENOENT : -EIO;
    if (code == -ENOENT && response->result == 0)
        snprintf(text, sizeof text, "%.100s is not installed there: ollama pull %.100s",
                 load->model, load->model);
    else
        ollama_describe(ask->client, "the load", 0, response, text, sizeof text);
    error_set(&err, FAILURE_JOB, code, "%s", text);
    end(load, code, &err);
}

static int ask_for_it(struct ollama_client *client, struct ollama_load *load)
{
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "model", load->model);
    if (body && load->embeds)
        json_object_set_new(body, "input", json_string(""));
    if (body && load->keep_alive_s != OLLAMA_KEEP_DEFAULT)
        json_object_set_new(body, "keep_alive", json_integer(load->keep_alive_s));
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL; /* NULL: no UTF-8 */
    int r = text ? ollama_ask(client, "POST", load->embeds ? "/api/embed" : "/api/generate", text,
                              0, answered, &load->ask)
                 : -EINVAL;
    free(text);
    if (r == 0) {
        load->ask->done = on_cancelled;
        load->ask->userdata = load;
    }
    return r;
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
