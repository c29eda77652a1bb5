/* Reading a request's JSON as Go does (field names in any case, its words for what is wrong) and
 * answering with JSON. */
#ifndef SIMOLLAMA_REQUEST_H
#define SIMOLLAMA_REQUEST_H

#include "http.h"

#include <jansson.h>
#include <stdbool.h>

#define JSON_TYPE "application/json; charset=utf-8"
#define V1_TYPE   "application/json"

/* Which family of answers a route speaks. */
enum family { FAMILY_NATIVE, FAMILY_OPENAI, FAMILY_ANTHROPIC };

/* Takes body over. The OpenAI and Anthropic families end their JSON with a newline. */
void reply_json(struct http_conn *conn, int status, enum family family, json_t *body);
/* The native form with a type that names no character set, as failed pulls have it. */
void reply_plain_json(struct http_conn *conn, int status, json_t *body);
/* A piece of a stream: before, the JSON (taken over), after. */
void write_json(struct http_conn *conn, const char *before, json_t *json, const char *after);
/* An error in the family's form. */
void reply_error(struct http_conn *conn, int status, enum family family, const char *message);
/* The same as JSON. */
json_t *error_json(int status, enum family family, const char *message);
/* 200 without a body. */
void reply_empty(struct http_conn *conn);

/* A request's body while it is read; go_struct is the name that Go would give in an error. */
struct request {
    struct http_conn *conn;
    enum family family;
    const char *go_struct;
    json_t *json; /* an object; freed by request_close */
};

/* The functions below give 0 and fill what is asked for where the field is there (else it stays as
 * it was), or answer 400 themselves and give -EINVAL: the conn is not to be touched then. */
int request_open(struct request *request, struct http_conn *conn, enum family family,
                 const char *go_struct);
void request_close(struct request *request);
int request_string(struct request *request, const char *key, const char **ret);
int request_bool(struct request *request, const char *key, bool *ret);
int request_number(struct request *request, const char *key, int64_t *ret);
/* Without a check of its type; NULL where absent. */
const json_t *request_field(const struct request *request, const char *key);
/* The same in any object. */
const json_t *field_of(const json_t *object, const char *key);
/* keep_alive: a number of seconds, a Go duration; negative is forever. */
int request_keep_alive(struct request *request, bool *ret_set, int64_t *ret_ns);

#endif
