/* Large ones do not share the host's memory: may it run beside those that run? */
#include "judge/deploy_private.h"

#include <string.h>

enum { NAMED_MAX = 4 }; /* containers that a sentence names */

/* What one may come to hold: its limit, or where it has none what it holds. */
static fact counted(const struct deploy_other *other)
{
    fact bytes = fact_known(other->limit) ? other->limit : other->held;
    return fact_known(bytes) ? bytes : 0;
}

static bool may_stop(const struct deploy *deploy, const struct deploy_other *other)
{
    return other->running && !other->auto_remove && !other->swarm_task && !other->observed &&
           other->priority < deploy->plan->profile.priority;
}

static fact held_together(const struct deploy_facts *facts)
{
    fact sum = 0;
    for (size_t i = 0; i < facts->n_others; i++)
        sum += facts->others[i].running ? counted(&facts->others[i]) : 0;
    return sum;
}

/* Is a stopped before b? The lowest priority first, then the largest. */
static bool goes_before(const struct deploy_other *a, const struct deploy_other *b)
{
    return a->priority != b->priority ? a->priority < b->priority : counted(a) > counted(b);
}

/* As many as are needed to free `missing`, into evict; 0 where all of them do not. */
static size_t choose(const struct deploy *deploy, fact missing, size_t *evict)
{
    const struct deploy_facts *facts = deploy->facts;
    size_t n = 0;
    fact freed = 0;
    for (size_t i = 0; i < facts->n_others; i++) {
        if (!may_stop(deploy, &facts->others[i]) || counted(&facts->others[i]) == 0)
            continue;
        size_t at = n++;
        for (; at > 0 && goes_before(&facts->others[i], &facts->others[evict[at - 1]]); at--)
            evict[at] = evict[at - 1];
        evict[at] = i;
    }
    size_t wanted = 0;
    while (wanted < n && freed < missing)
        freed += counted(&facts->others[evict[wanted++]]);
    if (freed < missing)
        return 0;
    n = wanted;
    for (size_t i = n; i-- > 0;) { /* a later one may have made an earlier one superfluous */
        fact without = freed - counted(&facts->others[evict[i]]);
        if (without < missing)
            continue;
        freed = without;
        memmove(&evict[i], &evict[i + 1], (--n - i) * sizeof(evict[0]));
    }
    return n;
}

static void name_running(const struct deploy *deploy, struct deploy_text *text)
{
    const struct deploy_facts *facts = deploy->facts;
    int n = 0;
    for (size_t i = 0; i < facts->n_others; i++) {
        const struct deploy_other *other = &facts->others[i];
        if (!other->running)
            continue;
        if (++n > NAMED_MAX)
            break;
        bool limited = fact_known(other->limit);
        deploy_append(text, "%s%.64s %s%s%s", n > 1 ? ", " : "", other->name,
                      limited ? "" : "without a limit, holds ", SHOWN(counted(other)),
                      other->exclusive ? ", exclusive" : "");
    }
    if (n > NAMED_MAX)
        deploy_append(text, " and others");
}

/* What a person can do about it. */
static void name_remedy(const struct deploy *deploy, fact missing, struct deploy_text *text)
{
    const struct deploy_facts *facts = deploy->facts;
    size_t evict[DEPLOY_OTHERS_MAX], n = choose(deploy, missing, evict);
    if (n > 0 && !deploy->wish->evict) {
        deploy_append(text, "--evict stops ");
        for (size_t i = 0; i < n && i < NAMED_MAX; i++)
            deploy_append(text, "%s%.64s", i > 0 ? ", " : "", facts->others[evict[i]].name);
        if (n > NAMED_MAX)
            deploy_append(text, " and %zu more", n - NAMED_MAX);
        return;
    }
    deploy_append(text, "stop some of them by docker stop%s",
                  deploy->wish->evict ? "; --evict stops none that" : "");
    if (!deploy->wish->evict)
        return;
    bool removed = false, task = false, priority = false, observed = false;
    for (size_t i = 0; i < facts->n_others; i++) {
        const struct deploy_other *other = &facts->others[i];
        removed = removed || (other->running && other->auto_remove);
        task = task || (other->running && other->swarm_task);
        observed = observed || (other->running && other->observed);
        priority =
            priority || (other->running && other->priority >= deploy->plan->profile.priority);
    }
    const char *separator = "";
    if (priority) {
        deploy_append(text, " has the same or a higher priority");
        separator = ",";
    }
    if (removed) {
        deploy_append(text, "%s would be deleted by it (--rm)", separator);
        separator = ",";
    }
    if (task) {
        deploy_append(text, "%s is Swarm's", separator);
        separator = ",";
    }
    if (observed)
        deploy_append(text, "%s is only observed (its mode)", separator);
    if (!priority && !removed && !task && !observed)
        deploy_append(text, " frees too little");
}

static void refuse(struct deploy *deploy, fact missing)
{
    const struct profile *profile = &deploy->plan->profile;
    struct deploy_text running = {.length = 0}, remedy = {.length = 0};
    name_running(deploy, &running);
    name_remedy(deploy, missing, &remedy);
    deploy_find(deploy->plan, DEPLOY_REFUSAL, "others", missing,
                "%s: its %s beside %s are %s more than the host's %s less %s for others; %s",
                profile->exclusive ? "it is exclusive" : "an exclusive one runs",
                SHOWN(profile->memory), running.text, SHOWN(missing),
                SHOWN(deploy->facts->memory_total), SHOWN(deploy->plan->reserve), remedy.text);
}

void deploy_name_evicted(struct deploy *deploy)
{
    const struct deploy_plan *plan = deploy->plan;
    struct deploy_text names = {.length = 0};
    for (size_t i = 0; i < plan->n_evict; i++) {
        const struct deploy_other *other = &deploy->facts->others[plan->evict[i]];
        if (i < NAMED_MAX)
            deploy_append(&names, "%s%.64s (priority %s, %s)", i > 0 ? ", " : "", other->name,
                          priority_name(other->priority), SHOWN(counted(other)));
    }
    if (plan->n_evict > 0)
        deploy_find(deploy->plan, DEPLOY_NOTE, "others", FACT_UNKNOWN, "for it are stopped: %s%s",
                    names.text, plan->n_evict > NAMED_MAX ? " and others" : "");
    for (size_t i = 0; i < plan->n_evict; i++) {
        const struct deploy_other *other = &deploy->facts->others[plan->evict[i]];
        if (other->always)
            deploy_find(deploy->plan, DEPLOY_WARNING, "others", FACT_UNKNOWN,
                        "%.64s has the restart policy always: when the engine restarts it runs "
                        "again beside this one (docker update --restart unless-stopped %.64s)",
                        other->name, other->name);
    }
}

void deploy_others(struct deploy *deploy)
{
    const struct deploy_facts *facts = deploy->facts;
    struct deploy_plan *plan = deploy->plan;
    bool alone = plan->profile.exclusive;
    if (facts->others_left_out > 0)
        deploy_find(plan, DEPLOY_REFUSAL, "others", FACT_UNKNOWN,
                    "%zu containers with Ollama run, and no more than %d are counted: stop some "
                    "of them by docker stop",
                    facts->n_others + facts->others_left_out, DEPLOY_OTHERS_MAX);
    for (size_t i = 0; i < facts->n_others; i++) {
        const struct deploy_other *other = &facts->others[i];
        alone = alone || (other->running && other->exclusive);
        if (other->running && !fact_known(other->limit) && !fact_known(other->held))
            deploy_find(deploy->plan, DEPLOY_WARNING, "others", FACT_UNKNOWN,
                        "%.64s runs without a limit and what it holds could not be read: it is "
                        "not counted",
                        other->name);
    }
    fact most = facts->memory_total - plan->reserve, beside = held_together(facts);
    fact missing = plan->profile.memory + beside - most;
    /* Too large by itself is another sentence; nobody needs to be stopped for it. */
    if (!fact_known(facts->memory_total) || missing <= 0 || beside == 0 ||
        plan->profile.memory > most)
        return;
    if (!alone) {
        struct deploy_text running = {.length = 0};
        name_running(deploy, &running);
        deploy_find(deploy->plan, DEPLOY_WARNING, "others", missing,
                    "its %s and what runs beside it (%s) are %s more than the host's %s less %s "
                    "for others: they must not all be full at once",
                    SHOWN(plan->profile.memory), running.text, SHOWN(missing),
                    SHOWN(facts->memory_total), SHOWN(plan->reserve));
        return;
    }
    if (deploy->wish->evict)
        plan->n_evict = choose(deploy, missing, plan->evict);
    if (plan->n_evict == 0)
        refuse(deploy, missing);
    for (size_t i = 0; i < plan->n_evict; i++) {
        fact held = facts->others[plan->evict[i]].held;
        deploy->freed += fact_known(held) ? held : 0;
    }
}
