/* Is a loaded model ready? Shown by one generated token: POST /api/generate with num_predict 1; of
 * a model that can only embed, by embedding a word. Its keep_alive stays as it is. */
#ifndef SUPERVISOR_SENSE_OLLAMA_PROBE_H
#define SUPERVISOR_SENSE_OLLAMA_PROBE_H

#include "sense/ollama.h"

/* done is called exactly once, perhaps from within this call: 0 when the token came; -ETIMEDOUT
 * when none did in time; -ENODATA when the answer has none; -ENOENT: not installed; -ECANCELED when
 * the client was freed; -EIO with Ollama's words. A model that is not loaded would be loaded by it.
 */
void ollama_probe(struct ollama_client *client, const char *model, long timeout_ms,
                  ollama_done *done, void *userdata);

#endif
