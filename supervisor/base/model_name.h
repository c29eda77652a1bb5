/* Names of models, as people write them and as Ollama lists them. */
#ifndef SUPERVISOR_BASE_MODEL_NAME_H
#define SUPERVISOR_BASE_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { MODEL_NAME_SIZE = 256 };

/* Whether both name one model: "llama3.2" is "LLaMA3.2:latest", and so is
 * "registry.ollama.ai/library/llama3.2:latest". */
bool model_same(const char *a, const char *b);

/* The next name of a list "a, b"; blanks around it do not count, empty ones are passed over. False
 * at the end. A name that is longer than size - 1 is cut. */
bool model_list_next(const char **cursor, char *name, size_t size);
/* Whether a list "a, b" has the model. */
bool model_in_list(const char *list, const char *model);

#endif
