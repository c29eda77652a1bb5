/* Questions one after another, for the jobs of the command line that go step by step: a loop of
 * its own, which each call turns until its answer is there. Not for callbacks of another loop.
 *
 * SIGINT, SIGTERM and SIGHUP are remembered (await_signal). They end what waits for the world
 * (pulls, await_sleep: -EINTR), never a call to the engine: what was begun is awaited, so that it
 * can be taken back. All functions return 0 or -errno and fill *err (may be NULL) then. */
#ifndef SUPERVISOR_DEPLOY_AWAIT_H
#define SUPERVISOR_DEPLOY_AWAIT_H

#include "base/config.h"
#include "sense/docker_make.h"
#include "sense/ollama_pull.h"

struct await;

/* Reaches for the engine of docker.host; nothing is asked yet. */
int await_new(const struct config *config, struct await **ret_await, struct error *err);
void await_free(struct await *await); /* NULL is fine */
static inline void await_cleanup(struct await **await)
{
    await_free(*await);
}
#define CLEANUP_AWAIT __attribute__((cleanup(await_cleanup)))

/* 16 hexadecimal digits, by chance. 0 or -EIO. */
enum { AWAIT_TOKEN_SIZE = 17 };
int await_token(char ret_token[AWAIT_TOKEN_SIZE]);

/* The signal that came; 0: none. */
int await_signal(const struct await *await);
/* Forgets it: what comes next (an undo) is waited for all the same. */
void await_forget_signal(struct await *await);
/* -EINTR as soon as a signal comes, or has come. */
int await_sleep(struct await *await, int64_t ms);

/* ---- the engine (sense/docker.h, sense/docker_make.h: results as there) */

/* true where no answer came: the call may have been carried out, or the engine is away. Look. */
bool await_lost(int result, const struct error *err);
/* Asks until the engine answers, at most so long. */
int await_engine(struct await *await, int64_t timeout_ms, struct error *err);

/* *ret_json is a new reference. */
int await_json(struct await *await, enum docker_thing thing, const char *name, json_t **ret_json,
               struct error *err);
/* With one thing: docker_start, docker_remove … */
typedef void await_deed(struct docker *docker, const char *name, docker_done *done, void *userdata);
int await_call(struct await *await, await_deed *call, const char *name, struct error *err);
/* Where Ollama answers, "" unknown: "http://ADDRESS:PORT". */
int await_address(struct await *await, const char *id, char *ret_address, size_t size,
                  uint16_t *ret_port, struct error *err);

/* warnings: at least 256 bytes. */
int await_create(struct await *await, const char *name, const json_t *request,
                 char ret_id[CONTAINER_ID_SIZE], char *ret_warnings, size_t size,
                 struct error *err);
/* By the engine's ring of events: in this life, within the last window_s. Unknown: false. */
bool await_told_to_stop(struct await *await, const char *id, double window_s);
int await_stop(struct await *await, const char *id, int64_t grace_s, struct error *err);
int await_rename(struct await *await, const char *id, const char *name, struct error *err);
/* Its restart policy alone, as the engine names it; retries: of on-failure, 0 none. */
int await_policy(struct await *await, const char *id, const char *policy, fact retries,
                 struct error *err);
int await_network_connect(struct await *await, const char *network, const char *id,
                          const json_t *endpoint, struct error *err);
/* told gets the paths of its own layer (docker_changes) and what it was given itself. */
int await_changes(struct await *await, const char *id, docker_change_seen *told, void *userdata,
                  struct error *err);
int await_volume_create(struct await *await, const char *name, const json_t *labels,
                        struct error *err);
/* The last lines it said, "" where that cannot be had. */
void await_logs(struct await *await, const char *id, int lines, char *text, size_t size);

/* ---- what takes long: -EINTR by a signal, -ETIMEDOUT when nothing moves for AWAIT_STALL_S */

enum { AWAIT_STALL_S = 900 }; /* checking 42 GB on a slow disk says nothing for minutes */

/* -ECANCELED where told ended it. */
int await_pull(struct await *await, const char *image, pull_told *told, void *userdata,
               struct error *err);
int await_model_pull(struct await *await, const char *address, uint16_t port, const char *model,
                     pull_told *told, void *userdata, struct error *err);

/* ---- HTTP: GET http://ADDRESS:PORT/PATH; the status of an answer, or -errno. */
int await_get(struct await *await, const char *address, uint16_t port, const char *path,
              long timeout_ms);

#endif
