/* stopped-by-us: a container that was stopped to be restarted, and that the engine does not start
 * again. It stands, also for the next supervisor, until it runs or somebody acted. */
#include "judge/rules.h"

#include <stdio.h>

void left_tell(struct history *history, double since_s, size_t tries, const char *words)
{
    struct left *left = &history->left;
    left->is = true;
    left->since_s = since_s;
    left->tries = tries;
    snprintf(left->words, sizeof left->words, "%s", words);
}

static void judge(struct look *look)
{
    static const struct reason runs = {.text = "it runs"};
    struct left *left = &look->history->left;
    enum container_status status = look->container->status;
    left->is &= status != STATUS_RUNNING && status != STATUS_PAUSED &&
                !container_is_kept(look->container); /* another one serves in its place */
    struct finding f = {left->is ? left->since_s : -1, left->is, !left->is, left->is ? NULL : &runs,
                        0};
    struct verdict *v = look_found(look, VERDICT_STOPPED_BY_US, look->history->own, &f, false, 0);
    if (!v || !left->is)
        return;
    SHOW(look, v, NULL, {"tries", UNIT_COUNT, (double)left->tries},
         {"stopped", UNIT_SECONDS, look->now_s - left->since_s});
    snprintf(v->why, sizeof v->why,
             "it was stopped for a restart and does not start: %.135s; mend that, then `docker "
             "start %.30s`",
             left->words, look->container->name);
}

const struct rule rule_stopped_by_us = {
    {"stopped-by-us", SEVERITY_CRITICAL, REMEDY_NONE, REMEDY_NONE, DEEDS | BIT(REMEDY_STOP),
     "it was stopped to be restarted, and the engine has refused three times to start it, or "
     "it is only observed since; it stands, for the next supervisor too, until it runs, or is "
     "removed",
     "none", "tries stopped",
     "any deed: what the engine's words name must be mended by a person first"},
    .of_container = judge,
    .of_stopped = judge,
};
