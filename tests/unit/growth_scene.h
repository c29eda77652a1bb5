/* A scene with one loaded model whose runner grows. */
#ifndef TESTS_UNIT_GROWTH_SCENE_H
#define TESTS_UNIT_GROWTH_SCENE_H

#include "worlds.h"

#define GROWTH_BLOB "sha256-aaaa"

/* A loaded model "a", five seconds ago, in Ollama of that version; cache_ram: of the container's
 * environment, NULL: not there. Its runner is 200. */
void growth_begin(struct scene *scene, const char *settings, const char *version,
                  const char *cache_ram);
/* A process grows at once. */
void growth_step(struct scene *scene, struct process *process, fact bytes);
/* So many seconds in which the runner grows by so much an hour, with some noise. */
void growth_run(struct scene *scene, double seconds, fact per_hour);
/* The same until the verdict is raised: the scene's time then, or -1. */
double growth_until(struct scene *scene, enum verdict_kind kind, double max_s, fact per_hour);

#endif
