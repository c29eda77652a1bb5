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

bool policy_labelled(const struct settings *settings, const struct pair *labels, size_t n_labels)
{
    const char *enable = pairs_get(labels, n_labels, settings->docker_label);
    return enable && !strcmp(enable, "true");
}

bool policy_chosen(const struct settings *settings, const char *image, const struct pair *labels,
                   size_t n_labels)
{
    const char *enable = pairs_get(labels, n_labels, settings->docker_label);
    if (policy_labelled(settings, labels, n_labels))
        return true;
    if (enable && !strcmp(enable, "false"))
        return false;
    return image_matches(settings->docker_image, image);
}

void policy_mode(const struct settings *settings, bool named, struct container *container)
{
    const char *enable = container_label(container, settings->docker_label);
    const char *mode = container_label(container, "supervisor.mode");
    const char *why;
    if (named) {
        container->mode = MODE_ENFORCE;
        why = "named";
    } else if (!strcmp(settings->mode, "auto")) {
        bool labelled = enable && !strcmp(enable, "true");
        container->mode = labelled ? MODE_ENFORCE : MODE_OBSERVE;
        why = labelled ? "label" : "found by image";
    } else {
        container->mode = strcmp(settings->mode, "enforce") ? MODE_OBSERVE : MODE_ENFORCE;
        why = mode && !strcmp(mode, settings->mode) ? "label" : "configuration";
    }
    snprintf(container->mode_why, sizeof container->mode_why, "%s", why);
}
