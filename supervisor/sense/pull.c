#include "sense/pull.h"
#include "base/grow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 256 }; /* an image has at most 127, a model 5 or so */

struct pull_layer *pull_layer(struct pull_layers *layers, const char *id)
{
    for (size_t i = 0; i < layers->n; i++)
        if (strcmp(layers->list[i].id, id) == 0)
            return &layers->list[i];
    if (strlen(id) >= sizeof layers->list->id)
        return NULL;
    struct pull_layer *layer = array_more(&layers->list, &layers->n, LAYERS_MAX, sizeof *layer);
    if (!layer)
        return NULL;
    *layer = (struct pull_layer){.current = FACT_UNKNOWN, .total = FACT_UNKNOWN};
    snprintf(layer->id, sizeof layer->id, "%s", id);
    return layer;
}

struct pull_progress pull_sum(const struct pull_layers *layers, const char *status)
{
    struct pull_progress sum = {FACT_UNKNOWN, FACT_UNKNOWN, status};
    for (size_t i = 0; i < layers->n; i++) {
        const struct pull_layer *layer = &layers->list[i];
        if (!fact_known(layer->total))
            continue;
        sum.total = fact_add(fact_known(sum.total) ? sum.total : 0, layer->total);
        sum.current = fact_add(fact_known(sum.current) ? sum.current : 0,
                               fact_known(layer->current) ? layer->current : 0);
        if (!fact_known(sum.total) || !fact_known(sum.current))
            return (struct pull_progress){FACT_UNKNOWN, FACT_UNKNOWN, status};
    }
    return sum;
}

void pull_clear(struct pull_layers *layers)
{
    free(layers->list);
    *layers = (struct pull_layers){.n = 0};
}
