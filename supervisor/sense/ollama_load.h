/* Loading a model: POST /api/generate without a prompt; POST /api/embed where the model can only
 * embed. The connection is held until the load is over: a client that leaves
 * aborts it. */
#ifndef SUPERVISOR_SENSE_OLLAMA_LOAD_H
#define SUPERVISOR_SENSE_OLLAMA_LOAD_H

#include "sense/ollama.h"

/* keep_alive: how long it stays after its last use, as Ollama takes it. */
enum { OLLAMA_KEEP_DEFAULT = 0, OLLAMA_KEEP_FOREVER = -1 }; /* else seconds */

struct ollama_load;

/* Starts it, without a time limit. done is called exactly once, never from within this call, and
 * *ret_load is valid until then: 0 when Ollama says that it is loaded; -ENOENT: not installed;
 * -ECANCELED after ollama_load_cancel or when the client was freed; -EIO with Ollama's words. 0 or
 * -errno; then done is not called. */
int ollama_load(struct ollama_client *client, const char *model, int64_t keep_alive_s,
                ollama_done *done, void *userdata, struct ollama_load **ret_load);
/* Closes its connection, by which Ollama aborts the load. */
void ollama_load_cancel(struct ollama_load *load);

#endif
