/* stopped-by-us: a container that was stopped to be restarted, and that the engine does not start
 * again. It stands, also for the next supervisor, until it runs or somebody acted. */
#include "judge/look.h"

#include <stdio.h>
#include <string.h>

void left_tell(struct history *history, double since_s, size_t tries, const char *words)
{
    struct left *left = &history->left;
    left->is = true;
    left->since_s = since_s;
    left->tries = tries;
    snprintf(left->words, sizeof left->words, "%s", words);
}

void left_clear(struct look *look)
{
    look_settle(look, VERDICT_STOPPED_BY_US, &look->history->left.standing, -1, false, true, false,
                0);
    look->history->left.is = false;
}

void judge_left(struct look *look)
{
    struct left *left = &look->history->left;
    if (!left->is)
        return;
    if (look->container->status == STATUS_RUNNING || look->container->status == STATUS_PAUSED) {
        left_clear(look);
        return;
    }
    struct verdict *v = look_settle(look, VERDICT_STOPPED_BY_US, &left->standing, left->since_s,
                                    true, false, false, 0);
    if (!v)
        return;
    verdict_add(v, "tries", UNIT_COUNT, (double)left->tries);
    verdict_add(v, "stopped", UNIT_SECONDS, look->now_s - left->since_s);
    snprintf(v->why, sizeof v->why,
             "it was stopped for a restart and does not start: %.135s; mend that, then `docker "
             "start %.30s`",
             left->words, look->container->name);
}
