#include "judge/deeds.h"

#include <string.h>

size_t deeds_count(const struct deeds *deeds, enum verdict_kind kind, enum remedy remedy,
                   const char *blob, double now_s, double within_s)
{
    size_t n = 0, late = 0;
    for (size_t i = 0; deeds && i < deeds->n; i++) {
        const struct deed *d = &deeds->all[i];
        bool is_late = d->age_s + now_s - deeds->told_s < within_s;
        late += is_late;
        n += is_late && d->kind == kind && d->remedy == remedy && (!blob || !strcmp(d->blob, blob));
    }
    return late == DEEDS_MAX ? DEEDS_MAX : n;
}
