#include "deploy_case.h"

struct deploy_case case_of(const char *profile, fact total)
{
    struct deploy_case c = {.facts = {.memory_total = total,
                                      .memory_available = total,
                                      .slice_limit = FACT_NONE,
                                      .memory_limits = true,
                                      .swap_limits = true,
                                      .disk_free = GIB(1024)}};
    for (size_t i = 0; i < PROFILES_BUILTIN_N; i++)
        if (strcmp(profiles_builtin_table[i].name, profile) == 0)
            c.wish.profile = profiles_builtin_table[i];
    assert_string_equal(c.wish.profile.name, profile);
    return c;
}

void case_plan(struct deploy_case *c)
{
    memset(&c->plan, 0xa5, sizeof(c->plan)); /* nothing of an earlier plan may be left */
    if (c->settings.action_unload == 0) {
        struct config *config;
        struct error err;
        assert_int_equal(config_new(&config, &err), 0);
        c->settings = *config_settings(config);
        config_free(config);
    }
    deploy_plan(&c->wish, &c->facts, &c->settings, &c->plan);
    for (size_t i = 0; i < c->plan.n_findings; i++) {
        const struct deploy_finding *f = &c->plan.findings[i];
        size_t length = strlen(f->text);
        if (length < 10 || length > DEPLOY_TEXT_SIZE - 2 || f->text[length - 1] == ' ')
            fail_msg("a finding about %s: \"%s\"", f->about, f->text);
    }
}

void case_other(struct deploy_case *c, const char *name, enum priority priority, fact limit,
                fact held)
{
    struct deploy_other *other = &c->facts.others[c->facts.n_others++];
    *other =
        (struct deploy_other){.running = true, .priority = priority, .limit = limit, .held = held};
    snprintf(other->name, sizeof(other->name), "%s", name);
}

void case_model(struct deploy_case *c, const char *model)
{
    snprintf(c->wish.profile.model, sizeof(c->wish.profile.model), "%s", model);
}

void case_gpu(struct deploy_case *c, const char *uuid, fact total, fact used)
{
    struct gpu *gpu = &c->facts.gpus.gpus[c->facts.gpus.n];
    *gpu = (struct gpu){.vendor = GPU_NVIDIA,
                        .index = (unsigned)c->facts.gpus.n++,
                        .vram_total = total,
                        .vram_used = used};
    snprintf(gpu->uuid, sizeof(gpu->uuid), "%s", uuid);
    snprintf(gpu->name, sizeof(gpu->name), "A GPU");
    c->facts.gpu_runtime = true;
}

const struct deploy_finding *case_find(const struct deploy_case *c, enum deploy_severity severity,
                                       const char *about)
{
    for (size_t i = 0; i < c->plan.n_findings; i++)
        if (c->plan.findings[i].severity == severity &&
            strcmp(c->plan.findings[i].about, about) == 0)
            return &c->plan.findings[i];
    return NULL;
}
