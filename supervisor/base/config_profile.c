/* The profiles of a configuration: built in, changed and added by its file; and its tiers. */
#include "base/config_layers.h"

_Static_assert(PROFILE_KEYS_N <= 32, "a bit of given for each key");

const struct profile *config_profiles(const struct config *config, size_t *ret_n)
{
    *ret_n = config->profiles ? config->profiles->n : PROFILES_BUILTIN_N;
    return config->profiles ? config->profiles->profiles : profiles_builtin_table;
}

static int find(const struct config *config, const char *name)
{
    size_t n;
    const struct profile *profiles = config_profiles(config, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return (int)i;
    return -1;
}

const struct profile *config_profile(const struct config *config, const char *name)
{
    size_t n;
    int at = find(config, name);
    return at < 0 ? NULL : &config_profiles(config, &n)[at];
}

int config_profile_add(struct config *config, const char *name, struct error *err)
{
    struct profile fresh;
    int code = profile_init(&fresh, name, err);
    if (code < 0)
        return code;
    if (!config->profiles) {
        config->profiles = calloc(1, sizeof(*config->profiles));
        if (!config->profiles)
            return error_set(err, FAILURE_JOB, -ENOMEM, "no memory for the profiles");
        config->profiles->n = PROFILES_BUILTIN_N;
        memcpy(config->profiles->profiles, profiles_builtin_table, sizeof profiles_builtin_table);
    }
    struct file_profiles *all = config->profiles;
    int at = find(config, name);
    if (at >= 0)
        return at;
    if (all->n == PROFILES_MAX)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "one profile too many: there are %d at most, %d of them built in",
                         PROFILES_MAX, PROFILES_BUILTIN_N);
    all->profiles[all->n] = fresh;
    return (int)all->n++;
}

bool config_profile_given(const struct config *config, size_t index, const char *key)
{
    int at = profile_key(key);
    return config->profiles && at >= 0 && (config->profiles->given[index] >> at & 1) != 0;
}

const struct tier *config_tiers(const struct config *config, size_t *ret_n)
{
    if (config->tiers) {
        *ret_n = config->tiers->n;
        return config->tiers->tiers;
    }
    *ret_n = strcmp(config->settings.preset, "runbook") == 0 ? TIERS_RUNBOOK_N : 0;
    return tiers_runbook;
}

int config_tier_add(struct config *config, const char *name, struct error *err)
{
    struct tier fresh;
    int code = tier_init(&fresh, name, err);
    if (code < 0)
        return code;
    if (!config->tiers)
        config->tiers = calloc(1, sizeof(*config->tiers));
    if (!config->tiers)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory for the tiers");
    for (size_t i = 0; i < config->tiers->n; i++)
        if (strcmp(config->tiers->tiers[i].name, name) == 0)
            return (int)i;
    if (config->tiers->n == TIERS_MAX)
        return error_set(err, FAILURE_USAGE, -EINVAL, "one tier too many: there are %d at most",
                         TIERS_MAX);
    config->tiers->tiers[config->tiers->n] = fresh;
    return (int)config->tiers->n++;
}
