/* Which settings and which mode hold for one container: the configuration with the container's own
 * labels. */
#ifndef SUPERVISOR_SENSE_POLICY_H
#define SUPERVISOR_SENSE_POLICY_H

#include "base/config.h"
#include "sense/world.h"

/* Malformed labels are left out and listed (at most CONFIG_LABEL_ERRORS_MAX; errors may be NULL).
 * Returns how many. */
size_t policy_for(const struct config *config, const struct container *container,
                  struct settings *ret_settings, struct label_error *errors);

/* The label docker.label says true. */
bool policy_labelled(const struct settings *settings, const struct pair *labels, size_t n_labels);
/* Whether a container is looked at: label docker.label true (yes) or false (no), else its image
 * matches docker.image. */
bool policy_chosen(const struct settings *settings, const char *image, const struct pair *labels,
                   size_t n_labels);

/* Sets container->mode and mode_why. `auto`: enforce with the label, observe when found by image. A
 * label that says observe wins over one that says supervise (of two that name one container,
 * observe wins). named: the command line named it, which is the person's word. */
void policy_mode(const struct settings *settings, bool named, struct container *container);

#endif
