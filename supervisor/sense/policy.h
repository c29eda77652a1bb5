/* Which settings and which mode hold for one container: the configuration with the container's own
 * labels. */
#ifndef SUPERVISOR_SENSE_POLICY_H
#define SUPERVISOR_SENSE_POLICY_H

#include "base/config.h"
#include "sense/adopted.h"
#include "sense/world.h"

/* Malformed labels are left out and listed (at most CONFIG_LABEL_ERRORS_MAX; errors may be NULL).
 * Returns how many. */
size_t policy_for(const struct config *config, const struct container *container,
                  struct settings *ret_settings, struct label_error *errors);

/* The label docker.label says on, in any word for it. */
bool policy_labelled(const struct settings *settings, const struct pair *labels, size_t n_labels);
/* Whether a container is looked at: label docker.label on or off (in any word for it; one that is
 * none is looked at), else its image matches docker.image or it was adopted. */
bool policy_chosen(const struct settings *settings, const char *image, const struct pair *labels,
                   size_t n_labels, enum adoption adoption);

/* Sets container->mode and mode_why. `auto`: enforce with the label, or without one where it was
 * adopted; observe when found by image. A
 * label that says observe wins over one that says supervise (of two that name one container,
 * observe wins), and so does one that is not understood; observe too where not all of its labels
 * are known, because they are too long. named: the command line named it, which is the person's
 * word. */
void policy_mode(const struct settings *settings, bool named, enum adoption adoption,
                 struct container *container);
/* Its mode is enforce because it was adopted, and for nothing else. */
bool policy_by_adoption(const struct container *container);

#endif
