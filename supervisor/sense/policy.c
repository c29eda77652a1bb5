#include "sense/policy.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

size_t policy_for(const struct config *config, const struct container *container,
                  struct settings *ret_settings, struct label_error *errors)
{
    struct config_label labels[WORLD_PAIRS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < container->n_labels && n < WORLD_PAIRS_MAX; i++)
        if (!strncmp(container->labels[i].key, "supervisor.", strlen("supervisor.")))
            labels[n++] =
                (struct config_label){container->labels[i].key, container->labels[i].value};
    return config_for_labels(config, labels, n, ret_settings, errors);
}

static bool image_matches(const char *globs, const char *image)
{
    char list[sizeof((struct settings *)0)->docker_image];
    snprintf(list, sizeof list, "%s", globs);
    for (char *at = list, *glob; (glob = strsep(&at, ",")) != NULL;) {
        glob += strspn(glob, " ");
        if (*glob && !fnmatch(glob, image, 0))
            return true;
    }
    return false;
}

/* The label as a switch: 1, 0; -1: there is none; -2: it says what nobody understands. */
static int enabled(const char *value)
{
    bool on;
    return !value ? -1 : switch_parse(value, &on, NULL) < 0 ? -2 : on;
}

bool policy_labelled(const struct settings *settings, const struct pair *labels, size_t n_labels)
{
    return enabled(pairs_get(labels, n_labels, settings->docker_label)) == 1;
}

bool policy_chosen(const struct settings *settings, const char *image, const struct pair *labels,
                   size_t n_labels, enum adoption adoption)
{
    int enable = enabled(pairs_get(labels, n_labels, settings->docker_label));
    return enable == -1 ? adoption == ADOPTION_YES || image_matches(settings->docker_image, image)
                        : enable != 0;
}

static const char by_adoption[] = "adopted";

bool policy_by_adoption(const struct container *container)
{
    return !strcmp(container->mode_why, by_adoption);
}

void policy_mode(const struct settings *settings, bool named, enum adoption adoption,
                 struct container *container)
{
    int enable = enabled(container_label(container, settings->docker_label));
    const char *mode = container_label(container, "supervisor.mode");
    bool doubt = enable == -2 || (mode && strcmp(mode, "auto") && strcmp(mode, "observe") &&
                                  strcmp(mode, "enforce"));
    const char *why;
    if (named) {
        container->mode = MODE_ENFORCE;
        why = "named";
    } else if (doubt) { /* its owner said something, and not that we may act */
        container->mode = MODE_OBSERVE;
        why = "a label that is not understood";
    } else if (container->labels_cut) {
        container->mode = MODE_OBSERVE;
        why = "its labels are too long";
    } else if (!strcmp(settings->mode, "auto")) {
        bool adopted = enable == -1 && adoption == ADOPTION_YES;
        container->mode = enable == 1 || adopted ? MODE_ENFORCE : MODE_OBSERVE;
        why = enable == 1                    ? "label"
              : adopted                      ? by_adoption
              : adoption == ADOPTION_UNKNOWN ? "found by image; who is adopted cannot be read"
                                             : "found by image";
    } else {
        container->mode = strcmp(settings->mode, "enforce") ? MODE_OBSERVE : MODE_ENFORCE;
        why = mode && !strcmp(mode, settings->mode) ? "label" : "configuration";
    }
    snprintf(container->mode_why, sizeof container->mode_why, "%s", why);
}
