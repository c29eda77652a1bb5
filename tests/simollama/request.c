#include "request.h"
#include "sched.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MESSAGE_MAX 1024

/* before, the JSON, after; takes json over. */
static void put_json(struct text *out, const char *before, json_t *json, const char *after)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(json);
    if (!text)
        die("an answer that is no JSON");
    text_append(out, before, strlen(before), SIZE_MAX / 4);
    text_append(out, text, strlen(text), SIZE_MAX / 4);
    text_append(out, after, strlen(after), SIZE_MAX / 4);
    free(text);
}

void reply_json(struct http_conn *conn, int status, enum family family, json_t *body)
{
    bool native = family == FAMILY_NATIVE;
    struct text out = {0};
    put_json(&out, "", body, native ? "" : "\n");
    http_reply(conn, status, native ? JSON_TYPE : V1_TYPE, out.data, out.len);
    text_free(&out);
}

void reply_plain_json(struct http_conn *conn, int status, json_t *body)
{
    struct text out = {0};
    put_json(&out, "", body, "");
    http_reply(conn, status, V1_TYPE, out.data, out.len);
    text_free(&out);
}

void write_json(struct http_conn *conn, const char *before, json_t *json, const char *after)
{
    struct text out = {0};
    put_json(&out, before, json, after);
    http_write(conn, out.data, out.len);
    text_free(&out);
}

/* A message may quote a client's bytes that are no UTF-8: those come out as question marks. */
static json_t *any_text(const char *message)
{
    char plain[MESSAGE_MAX];
    json_t *text = json_string(message);
    if (text)
        return text;
    snprintf(plain, sizeof plain, "%s", message);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(plain);
}

json_t *error_json(int status, enum family family, const char *message)
{
    if (family == FAMILY_NATIVE)
        return json_pack("{so}", "error", any_text(message));
    const char *type = status == 404   ? "not_found_error"
                       : status == 400 ? "invalid_request_error"
                                       : "api_error";
    if (family == FAMILY_OPENAI)
        return json_pack("{s{so ss sn sn}}", "error", "message", any_text(message), "type", type,
                         "param", "code");
    char id[32];
    snprintf(id, sizeof id, "req_%012llx%012llx",
             (unsigned long long)loop_now_ns() & 0xffffffffffff,
             (unsigned long long)text_hash(message, strlen(message)) & 0xffffffffffff);
    return json_pack("{ss s{ss so} ss}", "type", "error", "error", "type", type, "message",
                     any_text(message), "request_id", id);
}

void reply_error(struct http_conn *conn, int status, enum family family, const char *message)
{
    reply_json(conn, status, family, error_json(status, family, message));
}

void reply_empty(struct http_conn *conn)
{
    http_reply(conn, 200, NULL, "", 0);
}

const json_t *field_of(const json_t *object, const char *key)
{
    const json_t *found = NULL;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!strcasecmp(name, key)) /* the last of several wins */
            found = value;
    }
    return found;
}

const json_t *request_field(const struct request *request, const char *key)
{
    const json_t *value = field_of(request->json, key);
    return value && !json_is_null(value) ? value : NULL;
}

static int bad(struct request *request, const char *message)
{
    reply_error(request->conn, 400, request->family, message);
    return -EINVAL;
}

static int wrong_type(struct request *request, const char *key, const json_t *value,
                      const char *wanted)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object",  [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "number", [JSON_REAL] = "number", [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",     [JSON_NULL] = "null"};
    char message[MESSAGE_MAX];
    snprintf(message, sizeof message,
             "json: cannot unmarshal %s into Go struct field %s.%s of type %s",
             names[json_typeof(value)], request->go_struct, key, wanted);
    return bad(request, message);
}

int request_open(struct request *request, struct http_conn *conn, enum family family,
                 const char *go_struct)
{
    *request = (struct request){.conn = conn, .family = family, .go_struct = go_struct};
    json_error_t error;
    if (!conn->body.len)
        return bad(request, family == FAMILY_NATIVE ? "missing request body" : "EOF");
    request->json = json_loadb(conn->body.data, conn->body.len,
                               JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!request->json) {
        char message[MESSAGE_MAX];
        size_t at = error.position > 0 ? (size_t)error.position - 1 : 0;
        if (json_error_code(&error) == json_error_premature_end_of_input || at >= conn->body.len)
            return bad(request, "unexpected EOF");
        snprintf(message, sizeof message, "invalid character '%c' looking for beginning of value",
                 conn->body.data[at]);
        return bad(request, message);
    }
    if (!json_is_object(request->json)) {
        json_t *value = request->json;
        int error_code = wrong_type(request, "", value, go_struct);
        json_decref(value);
        request->json = NULL;
        return error_code;
    }
    return 0;
}

void request_close(struct request *request)
{
    json_decref(request->json);
    request->json = NULL;
}

int request_string(struct request *request, const char *key, const char **ret)
{
    const json_t *value = request_field(request, key);
    if (value && !json_is_string(value))
        return wrong_type(request, key, value, "string");
    if (value)
        *ret = json_string_value(value);
    return 0;
}

int request_bool(struct request *request, const char *key, bool *ret)
{
    const json_t *value = request_field(request, key);
    if (value && !json_is_boolean(value))
        return wrong_type(request, key, value, "bool");
    if (value)
        *ret = json_is_true(value);
    return 0;
}

int request_number(struct request *request, const char *key, int64_t *ret)
{
    const json_t *value = request_field(request, key);
    if (value && !json_is_number(value))
        return wrong_type(request, key, value, "int");
    if (value)
        *ret = (int64_t)json_number_value(value);
    return 0;
}

int request_keep_alive(struct request *request, bool *ret_set, int64_t *ret_ns)
{
    const json_t *value = request_field(request, "keep_alive");
    char why[MESSAGE_MAX];
    int64_t ns = 0;
    if (!value)
        return 0;
    if (json_is_number(value)) {
        double seconds = json_number_value(value);
        ns = seconds >= 9.2e9 ? KEEP_FOREVER : (int64_t)(seconds * 1e9);
    } else if (!json_is_string(value)) {
        snprintf(why, sizeof why, "Unsupported type: '%s'",
                 json_is_boolean(value) ? "bool" : "map[string]interface {}");
        return bad(request, why);
    } else if (duration_parse(json_string_value(value), &ns, why, sizeof why) < 0) {
        return bad(request, why);
    }
    *ret_set = true;
    *ret_ns = ns < 0 ? KEEP_FOREVER : ns;
    return 0;
}
