/* A scene with several containers and loaded models on a host that runs short. */
#ifndef TESTS_UNIT_PRESSURE_CASE_H
#define TESTS_UNIT_PRESSURE_CASE_H

#include "worlds.h"

/* Container 0, "a", is there and idle; the others are added: "b", "c" … The host is calm. */
void pressure_begin(struct scene *scene, const char *settings);
struct container *pressure_add(struct scene *scene);
struct container *pressure_container(struct scene *scene, size_t at);
void pressure_label(struct scene *scene, size_t at, const char *key, const char *value);
/* A loaded model that has not been used for long, with a runner that holds as much; pids count up
 * from 200. */
void pressure_load(struct scene *scene, size_t at, const char *model, fact size);
/* It left the list; its runner ended. */
void pressure_unload(struct scene *scene, size_t at, const char *model);
/* Its runner works from the next step on; or rests, its request has ended. */
void pressure_work(struct scene *scene, const char *model, bool works);
/* So much of the host's memory is in use; below 0: unknown. */
void pressure_use(struct scene *scene, double percent);
/* So many looks, one a second. */
void pressure_step(struct scene *scene, size_t n);
/* Looks until every runner's window is full. */
void pressure_settle(struct scene *scene);

/* What is raised with a remedy, by container: "a:m1 c:stop b:flush", "" nothing. Valid until the
 * next call. */
const char *pressure_asked(const struct scene *scene);
/* The verdict about the host; NULL: none. */
const struct verdict *pressure_told(const struct scene *scene);
/* The first one about the container that is not cleared; NULL: none. */
const struct verdict *pressure_of_container(const struct scene *scene, size_t at);

#endif
