#include "act/private.h"
#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct place *places_find(const struct places *places, const char *id)
{
    for (size_t i = 0; i < places->n; i++)
        if (!strcmp(places->all[i].id, id))
            return &places->all[i];
    return NULL;
}

struct place *places_of(struct places *places, const char *id)
{
    static struct place nowhere; /* memory is spent: forgetting is safe, keep has what matters */
    struct place *place = (struct place *)places_find(places, id);
    if (place)
        return place;
    place = array_more(&places->all, &places->n, SIZE_MAX, sizeof *place);
    if (!place)
        return &nowhere;
    place->footprint = place->baseline = FACT_UNKNOWN;
    snprintf(place->id, sizeof place->id, "%s", id);
    return place;
}

void places_look(struct places *places, const struct world *world)
{
    /* Only where there are more: looking all up in each look would cost more than the looks. */
    for (size_t i = 0; places->n > world->n_containers && i < places->n;) {
        if (world_container(world, places->all[i].id))
            i++;
        else
            places->all[i] = places->all[--places->n];
    }
}

void places_clear(struct places *places)
{
    free(places->all);
    *places = (struct places){0};
}
