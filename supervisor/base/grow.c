#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

void *array_more(void *place, size_t *n, size_t max, size_t size)
{
    char *array;
    memcpy(&array, place, sizeof array);
    if (*n >= max)
        return NULL;
    if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4, 8 …: the room that so many have is used up */
        char *more = realloc(array, (*n ? 2 * *n : 1) * size);
        if (!more)
            return NULL;
        array = more;
        memcpy(place, &array, sizeof array);
    }
    return memset(array + (*n)++ * size, 0, size);
}
