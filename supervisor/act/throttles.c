#include "act/throttles.h"

#include <stdlib.h>
#include <string.h>

struct throttled *throttles_find(const struct throttles *throttles, const char *id)
{
    for (struct throttled *one = throttles->first; one; one = one->next)
        if (!strcmp(one->t.container, id))
            return one;
    return NULL;
}

struct throttled *throttles_add(struct throttles *throttles, const struct throttle *t)
{
    struct throttled *one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    one->t = *t;
    one->next = throttles->first;
    throttles->first = one;
    return one;
}

void throttles_remove(struct throttles *throttles, struct throttled *throttled)
{
    struct throttled **at = &throttles->first;
    while (*at && *at != throttled)
        at = &(*at)->next;
    if (*at)
        *at = throttled->next;
    free(throttled);
}
