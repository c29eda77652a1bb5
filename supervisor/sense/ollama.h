/* Asking an Ollama server. Asynchronous; every question opens a connection of
 * its own and closes it. */
#ifndef SUPERVISOR_SENSE_OLLAMA_H
#define SUPERVISOR_SENSE_OLLAMA_H

#include "base/http.h"
#include "sense/world.h"

struct ollama_client;

/* One client for one server at http://ADDRESS:PORT. It keeps the version (asked again after it was
 * unreachable) and the blob of each model digest it has met (POST /api/show, once per digest, and
 * GET /api/tags behind it: the name must still have that digest), so that `models[].blob` names the
 * runner's --model. */
int ollama_client_new(struct http *http, const char *address, uint16_t port,
                      struct ollama_client **ret_client);
/* How its server is met. netns: a descriptor of the network namespace to connect in, taken over;
 * 0: ours. is_its (may be NULL: it is): asked of a connection whether the server has it, else
 * nothing is sent; asked anew after a poll that got no answer, and after ollama_client_doubt. */
typedef http_connected ollama_is_its;
void ollama_client_meet(struct ollama_client *client, int netns, ollama_is_its *is_its,
                        void *userdata);
void ollama_client_doubt(struct ollama_client *client);
/* Whether the last poll was connected, and is_its said so of it, and not of an earlier one only. */
bool ollama_client_met(const struct ollama_client *client);
/* Whether another request than a poll's is under way (client may be NULL). */
bool ollama_client_works(const struct ollama_client *client);
void ollama_client_free(
    struct ollama_client *client); /* a poll under way is cancelled, its callback is not called */

typedef void ollama_polled(void *userdata, const struct ollama *answer, uint64_t sent_ns);
/* GET /api/ps (and version and show where needed). answer is valid during the callback: asked =
 * true, reachable or not with the reason. sent_ns: uv_hrtime() when the question was sent. A poll
 * while one is under way is refused with -EBUSY (a hung server has one question waiting, not a
 * pile). timeout_ms: 10,000 or so (ps took 4.9 s behind a hung runner). */
int ollama_poll(struct ollama_client *client, long timeout_ms, ollama_polled *done, void *userdata);
bool ollama_poll_pending(const struct ollama_client *client);
/* Of longer lists so many models are kept, and the answer is incomplete; at first WORLD_MODELS_MAX.
 * At most twice as many blobs are remembered, or OLLAMA_BLOBS_LEAST. */
void ollama_keep_models(struct ollama_client *client, size_t max);

typedef void ollama_done(void *userdata, int result, const struct error *err);
/* POST /api/generate {"model", "keep_alive": 0}: answers at once whatever happens
 * (tests/recordings). -ENOENT: no such model (404). */
void ollama_unload(struct ollama_client *client, const char *model, long timeout_ms,
                   ollama_done *done, void *userdata);

#endif
