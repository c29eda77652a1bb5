/* Ollama's answers, read: functions of the bytes alone. */
#ifndef SUPERVISOR_SENSE_OLLAMA_PARSE_H
#define SUPERVISOR_SENSE_OLLAMA_PARSE_H

#include "sense/world.h"
#include <jansson.h>

/* GET /api/ps into answer->models (appended). 0; -EBADMSG if it is not {"models": [...]}; -ENOMEM.
 * A model without a name is left out. */
int ollama_parse_ps(const char *body, size_t length, struct ollama *answer);

/* Of an entry of either list of models, as details.parameter_size says; unknown without. */
fact ollama_parse_parameters(const json_t *item);

/* GET /api/version -> "0.33.0". 0 or -EBADMSG. */
int ollama_parse_version(const char *body, size_t length, char *ret_version, size_t size);

/* POST /api/show: the "sha256-…" of the first FROM line of its modelfile; "" where that names none
 * (a model that is not a GGUF file). 0 or -EBADMSG. */
int ollama_parse_show(const char *body, size_t length, char *ret_blob, size_t size);

/* The server's words of an error, {"error": "…"}: printable, one line, "" without any. */
void ollama_parse_error(const char *body, size_t length, char *text, size_t size);

#endif
