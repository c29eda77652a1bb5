/* How far a pull is, of an image or of a model: the sum of its layers as they are met. */
#ifndef SUPERVISOR_SENSE_PULL_H
#define SUPERVISOR_SENSE_PULL_H

#include "base/fact.h"
#include <stdbool.h>
#include <stddef.h>

struct pull_progress {
    fact current, total; /* bytes of all layers met so far; total grows as they are met */
    const char *status;  /* the server's last word: "Downloading", "verifying sha256 digest" */
};
/* Return false to end the pull. */
typedef bool pull_told(void *userdata, const struct pull_progress *progress);

struct pull_layer {
    char id[80];         /* 12 hexadecimal digits, or a digest */
    fact current, total; /* bytes */
};

struct pull_layers { /* zeroed at first */
    struct pull_layer *list;
    size_t n;
};

/* The one of that id, added where it is new. NULL: there are too many, or memory is spent. */
struct pull_layer *pull_layer(struct pull_layers *layers, const char *id);
/* Unknown until the size of a layer is known, and where no fact can hold the sum. status is
 * borrowed. */
struct pull_progress pull_sum(const struct pull_layers *layers, const char *status);
void pull_clear(struct pull_layers *layers);

#endif
