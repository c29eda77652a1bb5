/* The GPUs of the host for whoever looks every second: looked for once, and where there are some
 * read every few seconds, by a worker, because a driver may take its time. */
#ifndef SUPERVISOR_SENSE_GPU_WATCH_H
#define SUPERVISOR_SENSE_GPU_WATCH_H

#include "sense/world.h"
#include <uv.h>

struct gpu_watch;

/* Begins to look for them. nvml "": by its usual name; changed is called on the loop after each
 * reading. 0 or -ENOMEM. */
int gpu_watch_new(uv_loop_t *loop, const char *nvml, const char *sysfs, void (*changed)(void *),
                  void *userdata, struct gpu_watch **ret_watch);
/* No call of changed comes after this; a worker that still reads frees the rest when it returns. */
void gpu_watch_free(struct gpu_watch *watch);

/* Puts the last reading into the world, which does not own it, and begins the next one when it is
 * due. false: there is none yet. watch may be NULL. */
bool gpu_watch_look(struct gpu_watch *watch, double now_s, struct world *world);

#endif
