/* Arrays that grow. */
#ifndef SUPERVISOR_BASE_GROW_H
#define SUPERVISOR_BASE_GROW_H

#include <stddef.h>

/* One element more, of `size` bytes and zeroed, at the end of the array whose pointer lies at
 * `place` (NULL at first; the caller's, to be freed) and which has *n. Its room doubles with *n, so
 * that a removed one needs no word. NULL: memory or `max` is spent; then nothing was changed. */
void *array_more(void *place, size_t *n, size_t max, size_t size);

#endif
