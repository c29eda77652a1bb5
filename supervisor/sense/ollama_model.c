#include "sense/ollama_model.h"

#include "base/gguf.h"
#include "base/model_name.h"
#include "sense/json_member.h"
#include "sense/ollama_private.h"

enum { KEY_SIZE = 96, LAYERS_MAX = 4096, HEADS_MAX = 1 << 20 };

void ollama_model_init(struct ollama_model *model)
{
    *model = (struct ollama_model){.file = FACT_UNKNOWN,
                                   .shape = SHAPE_UNKNOWN,
                                   .parameters = FACT_UNKNOWN,
                                   .context = FACT_UNKNOWN,
                                   .trained = FACT_UNKNOWN};
}

int ollama_parse_tags(const char *body, size_t length, const char *model,
                      struct ollama_model *ret_model)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const json_t *models = json_object_get(parsed, "models");
    size_t i;
    json_t *item;
    if (!json_is_array(models))
        return -EBADMSG;
    json_array_foreach((json_t *)models, i, item)
    {
        const char *name = member_string(item, "name");
        if (!name || !model_same(name, model) || strlen(name) >= sizeof ret_model->name)
            continue;
        ollama_model_init(ret_model);
        member_text(item, "name", ret_model->name, sizeof ret_model->name);
        member_text(item, "digest", ret_model->digest, sizeof ret_model->digest);
        ret_model->file = member_fact(item, "size");
        ret_model->cloud = member_string(item, "remote_host") != NULL;
        ret_model->parameters = ollama_parse_parameters(item);
        return 0;
    }
    return -ENOENT;
}

/* "llama.block_count" for architecture llama. */
static const json_t *of_architecture(const json_t *info, const char *key)
{
    char name[KEY_SIZE];
    const char *architecture = member_string(info, "general.architecture");
    snprintf(name, sizeof name, "%.60s.%s", architecture ? architecture : "", key);
    return json_object_get(info, name);
}

static fact number(const json_t *info, const char *key, fact most)
{
    const json_t *value = of_architecture(info, key);
    fact n = json_is_integer(value) ? (fact)json_integer_value(value) : FACT_UNKNOWN;
    return n >= 0 && n <= most ? n : FACT_UNKNOWN;
}

/* The KV heads of all layers: one number for each, or a list of them. */
static fact kv_heads(const json_t *info, fact layers, fact heads)
{
    const json_t *value = of_architecture(info, "attention.head_count_kv");
    if (!json_is_array(value)) {
        fact each = number(info, "attention.head_count_kv", HEADS_MAX);
        each = fact_known(each) ? each : heads;
        return fact_known(each) ? each * layers : FACT_UNKNOWN;
    }
    fact sum = 0;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item)
    {
        fact each = (fact)json_integer_value(item);
        if (i >= LAYERS_MAX || each < 0 || each > HEADS_MAX)
            return FACT_UNKNOWN;
        sum += each;
    }
    return sum;
}

static fact kv_of(const json_t *info)
{
    fact layers = number(info, "block_count", LAYERS_MAX);
    fact heads = number(info, "attention.head_count", HEADS_MAX);
    fact width = number(info, "embedding_length", HEADS_MAX);
    fact key = number(info, "attention.key_length", HEADS_MAX);
    fact value = number(info, "attention.value_length", HEADS_MAX);
    fact each = heads > 0 && fact_known(width) ? width / heads : FACT_UNKNOWN;
    key = fact_known(key) ? key : each;
    value = fact_known(value) ? value : each;
    fact all = fact_known(layers) ? kv_heads(info, layers, heads) : FACT_UNKNOWN;
    if (!fact_known(all) || !fact_known(key) || !fact_known(value))
        return FACT_UNKNOWN;
    return all * (key + value) * 2; /* f16 */
}

/* The values of a tensor, at least 1; unknown where its shape is none. */
static fact values_of(const json_t *tensor)
{
    fact values = 1;
    size_t i;
    json_t *dimension;
    json_array_foreach(json_object_get(tensor, "shape"), i, dimension) values =
        fact_times(values, (fact)json_integer_value(dimension));
    return i > 0 ? values : FACT_UNKNOWN;
}

/* The bytes of all tensors; unknown where one is of an unknown type. */
static fact weights_of(const json_t *tensors, fact *ret_vocabulary)
{
    fact sum = json_array_size(tensors) > 0 ? 0 : FACT_UNKNOWN;
    size_t i;
    json_t *tensor;
    json_array_foreach((json_t *)tensors, i, tensor)
    {
        double bits = gguf_bits(member_string_or(tensor, "type", ""));
        sum = bits > 0 ? fact_add(sum, fact_scale(values_of(tensor), bits / 8)) : FACT_UNKNOWN;
        if (!strcmp(member_string_or(tensor, "name", ""), "token_embd.weight"))
            *ret_vocabulary =
                (fact)json_integer_value(json_array_get(json_object_get(tensor, "shape"), 1));
    }
    return sum;
}

/* What llama.cpp computes a batch in holds the most either in a feed-forward network or where the
 * next token is told. Measured, in floats a token: 3 x feed forward + 5 x width (llama-server of
 * November 2026) or + 3 x width (that of 0.24); vocabulary + width (8B models). */
static fact graph_of(const json_t *info, fact vocabulary)
{
    enum { BATCH = 512, FLOAT = 4, FEED = 3, WIDE = 4 };
    fact width = number(info, "embedding_length", HEADS_MAX);
    fact feed = number(info, "feed_forward_length", HEADS_MAX);
    fact inside = fact_add(fact_times(FEED, feed), fact_times(WIDE, width));
    fact last = fact_add(vocabulary, width);
    return fact_times(inside > last ? inside : last, (fact)BATCH * FLOAT);
}

static void shape_of(const json_t *answer, const json_t *info, struct model_shape *ret_shape)
{
    fact vocabulary = number(info, "vocab_size", INT32_MAX);
    *ret_shape =
        (struct model_shape){.weights = weights_of(json_object_get(answer, "tensors"), &vocabulary),
                             .kv_per_token = kv_of(info)};
    ret_shape->graph = graph_of(info, vocabulary);
}

/* "num_ctx                        2048" among the lines of the parameters. */
static fact context_of(const char *parameters)
{
    static const char name[] = "num_ctx";
    for (const char *line = parameters; line && *line;) {
        if (!strncmp(line, name, sizeof name - 1) && strchr(" \t", line[sizeof name - 1])) {
            long long value = strtoll(line + sizeof name, NULL, 10);
            return value > 0 && value < INT32_MAX ? (fact)value : FACT_UNKNOWN;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return FACT_UNKNOWN;
}

int ollama_parse_metadata(const char *body, size_t length, struct ollama_model *model)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const json_t *info = json_object_get(parsed, "model_info");
    if (!json_is_object(parsed))
        return -EBADMSG;
    model->context = context_of(member_string(parsed, "parameters"));
    model->trained = number(info, "context_length", INT32_MAX);
    shape_of(parsed, info, &model->shape);
    fact parameters = member_fact(info, "general.parameter_count");
    if (fact_known(parameters))
        model->parameters = parameters;
    return 0;
}

struct question {
    char model[CONTAINER_NAME_SIZE];
    struct ollama_model answer;
    ollama_model_asked *done;
    void *userdata;
};

static void end(void *userdata, int result, const struct error *err)
{
    struct question *question = userdata;
    question->done(question->userdata, result, &question->answer, err);
    free(question);
}

static void show_answered(struct ask *ask, const struct http_response *response)
{
    struct question *question = ask->userdata;
    if (http_good(response))
        ollama_parse_metadata(response->body, response->length, &question->answer);
    end(question, 0, NULL); /* its size is known all the same */
}

static void tags_answered(struct ask *ask, const struct http_response *response)
{
    struct question *question = ask->userdata;
    struct error err;
    int r = -EBADMSG;
    if (http_good(response))
        r = ollama_parse_tags(response->body, response->length, question->model, &question->answer);
    if (r == 0) {
        struct ask like = *ask, *show;
        like.answered = show_answered;
        if (ollama_ask(ask->client, "POST", "/api/show",
                       json_pack("{s:s}", "model", question->answer.name), &like, &show) < 0)
            end(question, 0, NULL);
        return;
    }
    char text[256];
    if (r == -ENOENT) {
        error_set(&err, FAILURE_JOB, r, "%.200s is not installed there: ollama pull %.200s",
                  question->model, question->model);
    } else {
        ollama_describe(ask->client, "GET /api/tags", ask->timeout_ms, response, text, sizeof text);
        r = response->result < 0 ? response->result : -EIO;
        error_set(&err, FAILURE_JOB, r, "%s", text);
    }
    end(question, r, &err);
}

void ollama_ask_model(struct ollama_client *client, const char *model, long timeout_ms,
                      ollama_model_asked *done, void *userdata)
{
    struct question *question = calloc(1, sizeof *question);
    const struct ask like = {
        .answered = tags_answered, .done = end, .userdata = question, .timeout_ms = timeout_ms};
    struct ask *ask;
    int r = question ? ollama_ask(client, "GET", "/api/tags", NULL, &like, &ask) : -ENOMEM;
    if (r < 0) {
        struct error err;
        struct ollama_model nothing;
        free(question);
        ollama_model_init(&nothing);
        error_set(&err, FAILURE_JOB, r, "cannot ask %s for its models: %s", client->url,
                  strerror(-r));
        done(userdata, r, &nothing, &err);
        return;
    }
    snprintf(question->model, sizeof question->model, "%s", model);
    ollama_model_init(&question->answer);
    question->done = done;
    question->userdata = userdata;
}
