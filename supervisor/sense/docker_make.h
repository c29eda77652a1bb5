/* The calls of the Docker Engine API that make and take away: containers, images, volumes. As in
 * docker.h: asynchronous, callbacks come exactly once, a lost answer is an error of its own. */
#ifndef SUPERVISOR_SENSE_DOCKER_MAKE_H
#define SUPERVISOR_SENSE_DOCKER_MAKE_H

#include "sense/docker.h"
#include <jansson.h>

/* POST /containers/create?name=. body: the request as JSON, borrowed for the call. -EEXIST: the
 * name is taken (409); -ENOENT: no such image; -EINVAL: refused, with the engine's words. warnings:
 * the engine's, joined by "; ", "" none. */
typedef void docker_created(void *userdata, int result, const char *id, const char *warnings,
                            const struct error *err);
void docker_create(struct docker *docker, const char *name, const json_t *body,
                   docker_created *done, void *userdata);
/* DELETE /containers/{id}?force=1&v=1 (v: its anonymous volumes; named ones stay). -ENOENT: gone
 * already; -EALREADY: another removal of it is under way. */
void docker_remove(struct docker *docker, const char *id, docker_done *done, void *userdata);
/* POST stop?t=; stopped already is success. timeout_ms must exceed the grace. */
void docker_stop(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                 docker_done *done, void *userdata);
/* -EEXIST: that name is taken. */
void docker_rename(struct docker *docker, const char *id, const char *name, docker_done *done,
                   void *userdata);

/* Inspect as the engine gives it, borrowed during the callback. -ENOENT: no such container (image,
 * volume). */
typedef void docker_json_read(void *userdata, int result, const json_t *json,
                              const struct error *err);
void docker_inspect_json(struct docker *docker, const char *id, docker_json_read *done,
                         void *userdata);
void docker_image_json(struct docker *docker, const char *image, docker_json_read *done,
                       void *userdata);
void docker_volume_json(struct docker *docker, const char *name, docker_json_read *done,
                        void *userdata);
void docker_info_json(struct docker *docker, docker_json_read *done, void *userdata);
/* GET /containers/json?all=1&size=0 as it is: ports, mounts, labels of all containers. */
void docker_list_json(struct docker *docker, docker_json_read *done, void *userdata);
void docker_volume_create(struct docker *docker, const char *name, const json_t *labels,
                          docker_done *done, void *userdata);
/* -EBUSY: in use. */
void docker_volume_remove(struct docker *docker, const char *name, docker_done *done,
                          void *userdata);
void docker_image_remove(struct docker *docker, const char *image, docker_done *done,
                         void *userdata);

struct docker_pull_progress {
    fact current, total; /* bytes over all layers known so far; total grows as they are found */
    size_t layers, layers_done;
    const char *status; /* the engine's last word: "Downloading", "Extracting" */
};
typedef void docker_pulling(void *userdata, const struct docker_pull_progress *progress);
/* POST /images/create?fromImage=&tag=, a stream; an image without tag or digest means :latest.
 * Errors that arrive inside the 200 are errors here. Ends early by docker_stream_stop. */
struct docker_call;
struct docker_call *docker_pull(struct docker *docker, const char *image, docker_pulling *progress,
                                docker_done *done, void *userdata);
/* POST /images/create?fromSrc=-&repo=: makes an image without a file, of the name "repository:tag".
 */
void docker_import_empty(struct docker *docker, const char *image, docker_done *done,
                         void *userdata);
/* Ends a pull; its callback comes with -ECANCELED. The engine goes on by itself or not: as it
 * likes. */
void docker_stream_stop(struct docker_call *call);

/* The last `lines` lines that the container said, both streams, as text without the frames (tty or
 * not), at most 64 KiB; borrowed during the callback. */
typedef void docker_said(void *userdata, int result, const char *text, const struct error *err);
void docker_logs(struct docker *docker, const char *id, int lines, docker_said *done,
                 void *userdata);

#endif
