/* Does the limit fit the host's memory, and the download its disk? */
#include "judge/deploy_private.h"
#include "judge/pressure.h"

#include <string.h>

enum { NAMED_MAX = 3 }; /* containers that a sentence names */

/* As an option: whole GiB where there are some, else MiB; always below `bytes`. */
static const char *option(fact bytes, char *text, size_t size)
{
    fact unit = bytes >= (fact)4 << 30 ? (fact)1 << 30 : (fact)1 << 20;
    return size_exact(bytes / unit * unit, text, size);
}

static void find_total(struct deploy *deploy)
{
    const struct deploy_plan *plan = deploy->plan;
    fact limit = plan->profile.memory, total = deploy->facts->memory_total;
    fact most = total - plan->reserve;
    if (limit <= most)
        return;
    struct deploy_text remedy = {.length = 0};
    char size[24];
    if (most >= (fact)6 << 20)
        deploy_append(&remedy, "take --memory %s", option(most, size, sizeof(size)));
    if (limit < total)
        deploy_append(&remedy, "%sleave less to others by --reserve %s",
                      remedy.length > 0 ? ", or " : "", option(total - limit, size, sizeof(size)));
    deploy_find(deploy->plan, DEPLOY_REFUSAL, "memory", limit - most,
                "the limit of %s and %s for others are %s more than the host's %s: %s",
                SHOWN(limit), SHOWN(plan->reserve), SHOWN(limit - most), SHOWN(total),
                remedy.length > 0 ? remedy.text : "it needs a larger host");
}

static void find_slice(struct deploy *deploy)
{
    const struct deploy_facts *facts = deploy->facts;
    fact limit = deploy->plan->profile.memory;
    char size[24];
    if (!fact_known(facts->slice_limit) || limit <= facts->slice_limit)
        return;
    deploy_find(
        deploy->plan, DEPLOY_REFUSAL, "memory", limit - facts->slice_limit,
        "the limit of %s is %s more than the cgroup above it, %s, may have (%s): raise that "
        "(systemctl set-property SLICE MemoryMax=), or take --memory %s",
        SHOWN(limit), SHOWN(limit - facts->slice_limit), facts->slice, SHOWN(facts->slice_limit),
        option(facts->slice_limit, size, sizeof(size)));
}

static bool is_evicted(const struct deploy_plan *plan, size_t other)
{
    for (size_t i = 0; i < plan->n_evict; i++)
        if (plan->evict[i] == other)
            return true;
    return false;
}

/* The one that holds most, less than or as much as the one before (SIZE_MAX: none); its index. */
static size_t next_holder(const struct deploy *deploy, size_t before)
{
    const struct deploy_facts *facts = deploy->facts;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < facts->n_others; i++) {
        fact held = facts->others[i].held;
        if (!facts->others[i].running || held <= 0 || is_evicted(deploy->plan, i))
            continue;
        bool after = before == SIZE_MAX || held < facts->others[before].held ||
                     (held == facts->others[before].held && i > before);
        if (after && (best == SIZE_MAX || held > facts->others[best].held))
            best = i;
    }
    return best;
}

/* What goes for it gives back. */
static fact given_back(const struct deploy *deploy)
{
    fact replaced = deploy->facts->replaced_held;
    return deploy->freed + (fact_known(replaced) ? replaced : 0);
}

static void find_available(struct deploy *deploy)
{
    const struct deploy_facts *facts = deploy->facts;
    fact limit = deploy->plan->profile.memory, back = given_back(deploy);
    if (!fact_known(facts->memory_available)) {
        deploy_find(deploy->plan, DEPLOY_WARNING, "memory", FACT_UNKNOWN,
                    "how much of the host's memory is available now could not be read: whether %s "
                    "can be had at once is not known",
                    SHOWN(limit));
        return;
    }
    fact missing = limit - facts->memory_available - back;
    if (missing <= 0)
        return;
    struct deploy_text who = {.length = 0};
    fact held = 0;
    size_t i = next_holder(deploy, SIZE_MAX);
    for (int n = 0; i != SIZE_MAX && n < NAMED_MAX; i = next_holder(deploy, i), n++) {
        deploy_append(&who, "%s%s holds %s", n > 0 ? ", " : "", facts->others[i].name,
                      SHOWN(facts->others[i].held));
        held += facts->others[i].held;
    }
    if (who.length > 0)
        deploy_append(&who, "%s: `supervisor unload` or docker stop frees %s of it%s",
                      i != SIZE_MAX ? ", others less" : "", SHOWN(held < missing ? held : missing),
                      held < missing ? ", the rest is other programs'" : "");
    else
        deploy_append(&who, "no container with Ollama holds it: other programs must give it");
    deploy_find(deploy->plan, DEPLOY_WARNING, "memory", missing,
                "%s are available now%s%s, %s less than the limit; %s",
                SHOWN(facts->memory_available), back > 0 ? ", with what is stopped for it " : "",
                back > 0 ? SHOWN(facts->memory_available + back) : "", SHOWN(missing), who.text);
}

void deploy_memory(struct deploy *deploy)
{
    if (!fact_known(deploy->facts->memory_total)) {
        deploy_find(deploy->plan, DEPLOY_REFUSAL, "memory", FACT_UNKNOWN,
                    "the host's memory could not be read: is paths.procfs the host's /proc?");
        return;
    }
    find_total(deploy);
    find_slice(deploy);
    find_available(deploy);
}

/* The lesser of so many bytes and what is left above a per cent in use. */
static fact available_at(double percent, fact total, fact bytes)
{
    if (percent < 0)
        return FACT_NONE;
    fact left = (fact)((double)total * (100 - percent) / 100);
    return left < bytes ? left : bytes;
}

void deploy_margin(struct deploy *deploy, const struct settings *settings)
{
    const struct deploy_facts *facts = deploy->facts;
    const struct profile *profile = &deploy->plan->profile;
    struct deploy_margin *margin = &deploy->plan->margin;
    *margin = (struct deploy_margin){FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN};
    if (!profile->exclusive || facts->memory_total < profile->memory)
        return; /* or the host is too small, which is refused */
    margin->beside = facts->memory_total - profile->memory;
    margin->unload =
        available_at(settings->action_unload, facts->memory_total, PRESSURE_EXCLUSIVE_UNLOAD);
    margin->stop =
        available_at(settings->action_kill_switch, facts->memory_total, PRESSURE_EXCLUSIVE_STOP);
    if (!fact_known(facts->memory_available))
        return;
    margin->full = fact_less(facts->memory_available + given_back(deploy), profile->memory);
    fact acts = margin->unload > margin->stop ? margin->unload : margin->stop;
    if (margin->full > 0 && margin->full < acts) /* none at all is a warning already */
        deploy_find(deploy->plan, DEPLOY_WARNING, "memory", acts - margin->full,
                    "by what others use now %s are available when it is full, and below %s the "
                    "host's pressure acts: %s more must come from other programs, or take a "
                    "smaller --memory",
                    SHOWN(margin->full), SHOWN(acts), SHOWN(acts - margin->full));
}

void deploy_disk(struct deploy *deploy)
{
    const struct deploy_facts *facts = deploy->facts;
    const struct deploy_plan *plan = deploy->plan;
    const struct profile *profile = &plan->profile;
    bool download = deploy->wish->pull && !facts->model_present && profile->model[0] != '\0';
    bool told = fact_known(profile->disk);
    fact wanted = told ? profile->disk : plan->footprint.download;
    const char *path = facts->disk_path[0] != '\0' ? facts->disk_path : "the volume's disk";
    if (!download && !told)
        return;
    if (!fact_known(wanted)) {
        deploy_find(deploy->plan, DEPLOY_WARNING, "disk", FACT_UNKNOWN,
                    "the size of %s is not known, nor so whether its download fits %s (%s free)",
                    profile->model, path, SHOWN(facts->disk_free));
    } else if (!fact_known(facts->disk_free)) {
        deploy_find(deploy->plan, DEPLOY_WARNING, "disk", FACT_UNKNOWN,
                    "the free space of volume %s cannot be seen from here: %s are wanted",
                    profile->volume, SHOWN(wanted));
    } else if (facts->disk_free < wanted) {
        deploy_find(deploy->plan, download ? DEPLOY_REFUSAL : DEPLOY_WARNING, "disk",
                    wanted - facts->disk_free,
                    "%s has %s free and %s%s %s, %s more: remove models or images there, or take "
                    "a --volume on another disk",
                    path, SHOWN(facts->disk_free), told ? "the profile" : profile->model,
                    told ? " wants" : " is a download of", SHOWN(wanted),
                    SHOWN(wanted - facts->disk_free));
    }
}
