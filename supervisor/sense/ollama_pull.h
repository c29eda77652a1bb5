/* Pulling a model: POST /api/pull as a stream. */
#ifndef SUPERVISOR_SENSE_OLLAMA_PULL_H
#define SUPERVISOR_SENSE_OLLAMA_PULL_H

#include "sense/ollama.h"
#include "sense/pull.h"

struct ollama_pull;

/* Starts it, without a time limit. done is called exactly once, never from within this call, and
 * *ret_pull is valid until then: 0 only after Ollama's "success"; -EIO with Ollama's words,
 * -ECANCELED after ollama_pull_stop, by told, or when the client was freed, -ECONNRESET where the
 * stream ended too early. 0 or -errno; then done is not called. */
int ollama_pull(struct ollama_client *client, const char *model, pull_told *told, ollama_done *done,
                void *userdata, struct ollama_pull **ret_pull);
/* Ollama gives up as well when its client leaves; what it has stays for the next time. */
void ollama_pull_stop(struct ollama_pull *pull);

#endif
