/* Pulling a model: POST /api/pull as a stream (facts/ollama.md 1). */
#ifndef SUPERVISOR_SENSE_OLLAMA_PULL_H
#define SUPERVISOR_SENSE_OLLAMA_PULL_H

#include "sense/ollama.h"

enum { OLLAMA_LAYERS_MAX = 64 }; /* of one model: 5 or so */

struct ollama_pull_progress {
    fact completed, total; /* bytes of all layers met so far; total grows as they are met */
    size_t layers;
    const char *status; /* Ollama's last word: "pulling manifest", "verifying sha256 digest" */
};
typedef void ollama_pulling(void *userdata, const struct ollama_pull_progress *progress);

struct ollama_pull;

/* Starts it at http://ADDRESS:PORT. done is called exactly once, never from within this call, and
 * *ret_pull is valid until then: 0 only after Ollama's "success"; -EIO with Ollama's words,
 * -ECANCELED after ollama_pull_stop, -ECONNRESET where the stream ended too early. */
int ollama_pull(struct http *http, const char *address, uint16_t port, const char *model,
                ollama_pulling *progress, ollama_done *done, void *userdata,
                struct ollama_pull **ret_pull);
/* Ollama gives up as well when its client leaves; what it has stays for the next time. */
void ollama_pull_stop(struct ollama_pull *pull);

#endif
