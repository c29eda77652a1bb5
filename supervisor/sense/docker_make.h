/* The calls of the Docker Engine API that make and take away: containers, images, volumes. As in
 * docker.h: asynchronous, callbacks come exactly once, a lost answer is an error of its own. */
#ifndef SUPERVISOR_SENSE_DOCKER_MAKE_H
#define SUPERVISOR_SENSE_DOCKER_MAKE_H

#include "sense/docker.h"
#include "sense/pull.h"
#include <jansson.h>

/* POST /containers/create?name=. body: the request as JSON, borrowed for the call. -EEXIST: the
 * name is taken (409); -ENOENT: no such image; -EINVAL: refused, with the engine's words. warnings:
 * the engine's, joined by "; ", "" none. */
typedef void docker_created(void *userdata, int result, const char *id, const char *warnings,
                            const struct error *err);
void docker_create(struct docker *docker, const char *name, const json_t *body,
                   docker_created *done, void *userdata);
/* DELETE /containers/{id}?force=1: all volumes stay, its anonymous ones too. -ENOENT: gone already;
 * -EALREADY: another removal of it is under way. */
void docker_remove(struct docker *docker, const char *id, docker_done *done, void *userdata);
/* POST stop?t=; stopped already is success. timeout_ms must exceed the grace. */
void docker_stop(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                 docker_done *done, void *userdata);
/* -EEXIST: that name is taken. */
void docker_rename(struct docker *docker, const char *id, const char *name, docker_done *done,
                   void *userdata);

/* Inspect as the engine gives it, borrowed during the callback; of the last two, which have no name
 * (""): /info, and the list of all containers with ports, mounts and labels. -ENOENT: no such
 * container (image, volume). */
enum docker_thing { DOCKER_CONTAINER, DOCKER_IMAGE, DOCKER_VOLUME, DOCKER_INFO, DOCKER_LIST };
typedef void docker_json_read(void *userdata, int result, const json_t *json,
                              const struct error *err);
void docker_json(struct docker *docker, enum docker_thing thing, const char *name,
                 docker_json_read *done, void *userdata);
void docker_volume_create(struct docker *docker, const char *name, const json_t *labels,
                          docker_done *done, void *userdata);
/* POST /networks/{name}/connect; endpoint: as the engine takes it (aliases, addresses), borrowed.
 */
void docker_network_connect(struct docker *docker, const char *network, const char *id,
                            const json_t *endpoint, docker_done *done, void *userdata);
/* GET /containers/{id}/changes: each path of the container's own layer that is not as in its image,
 * without what is mounted there; kind: 0 changed, 1 added, 2 removed. */
typedef void docker_change_seen(void *userdata, const char *path, fact kind);
void docker_changes(struct docker *docker, const char *id, docker_change_seen *seen,
                    docker_done *done, void *userdata);
void docker_image_remove(struct docker *docker, const char *image, docker_done *done,
                         void *userdata);

/* POST /images/create?fromImage=&tag=, a stream; an image without tag or digest means :latest.
 * Errors that arrive inside the 200 are errors here. Ends early by docker_stream_stop. */
struct docker_call;
struct docker_call *docker_pull(struct docker *docker, const char *image, pull_told *told,
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
