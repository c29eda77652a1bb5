#include "base/tier.h"

#include "base/model_name.h"
#include "base/profile.h"
#include "base/size.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 64 /* of a refused value */, LINE_MAX_TEXT = 170 /* as a setting's text */ };

const struct tier tiers_runbook[TIERS_RUNBOOK_N] = {
    {"ultra-fast", "llama3.2:latest"}, {"fast", "qwen3:8b"}, {"medium", "gpt-oss:20b"}};

static const char *const names[] = {"ultra-fast", "fast", "medium", "other", "none"};

enum tier_rank tier_rank(const char *name)
{
    int at = word_find(names, TIER_OTHER, name);
    return at < 0 ? TIER_OTHER : (enum tier_rank)at;
}

const char *tier_rank_name(enum tier_rank rank)
{
    return names[rank];
}

enum tier_rank tier_of(const struct tier *tiers, size_t n, const char *model)
{
    enum tier_rank best = TIER_NONE;
    for (size_t i = 0; i < n; i++) {
        enum tier_rank rank = tier_rank(tiers[i].name);
        if (rank < best && model_in_list(tiers[i].models, model))
            best = rank;
    }
    return best;
}

int tier_init(struct tier *tier, const char *name, struct error *err)
{
    if (!profile_name_good(name) || strlen(name) >= TIER_NAME_SIZE)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\" is no name for a tier: small letters and digits, then also . _ "
                         "and -, at most %d",
                         SHOWN_MAX, name, TIER_NAME_SIZE - 1);
    *tier = (struct tier){.models = ""};
    snprintf(tier->name, sizeof tier->name, "%s", name);
    return 0;
}

static bool is_model(const char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("._:/-@", *name))
            return false;
    return true;
}

int tier_set(struct tier *tier, const char *key, const char *value, struct error *err)
{
    if (strcmp(key, "models") != 0)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "unknown key \"%.*s\" of a tier: there is only models", SHOWN_MAX, key);
    if (strlen(value) > LINE_MAX_TEXT)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "models: \"%.*s...\" is longer than %d characters", SHOWN_MAX, value,
                         LINE_MAX_TEXT);
    char name[MODEL_NAME_SIZE];
    for (const char *cursor = value; model_list_next(&cursor, name, sizeof name);)
        if (!is_model(name))
            return error_set(err, FAILURE_USAGE, -EINVAL,
                             "models: \"%.*s\" is no model's name: write them as in llama3.2, "
                             "qwen3:8b",
                             SHOWN_MAX, name);
    snprintf(tier->models, sizeof tier->models, "%s", value);
    return 0;
}
