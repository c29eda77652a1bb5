/* broken-healthcheck: the check itself cannot run (docs/judgement.md). A restart would not help. */
#include "judge/look.h"

#include <stdio.h>
#include <string.h>

/* What the engines and the shells say; a run that took too long has exit -1 too, and another text
 * (facts on Ollama, 5). `curl ... || exit 1` ends with 1: then only a shell's own words count. */
static bool cannot_run(const struct container *c)
{
    static const char *const words[] = {"executable file not found", "no such file or directory",
                                        "No such file or directory", "not found",
                                        "ermission denied"};
    const char *output = c->health_output;
    if (c->health_exit == 1)
        return strstr(output, "sh: ") && strstr(output, "not found");
    if (c->health_exit != -1 && c->health_exit != 126 && c->health_exit != 127)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(output, words[i]))
            return true;
    return false;
}

void judge_health(struct look *look)
{
    const struct container *c = look->container;
    enum tri broken = c->health == HEALTH_UNKNOWN     ? TRI_UNKNOWN
                      : c->health != HEALTH_UNHEALTHY ? TRI_FALSE
                      : !c->health_probed             ? TRI_UNKNOWN
                      : cannot_run(c)                 ? TRI_TRUE
                                                      : TRI_FALSE;
    struct verdict *v = look_judge(look, VERDICT_BROKEN_HEALTHCHECK, broken, look->now_s, false,
                                   look->interval_s / 2);
    if (!v)
        return;
    verdict_add(v, "exit", UNIT_COUNT, c->health_exit);
    snprintf(v->why, sizeof v->why,
             "its health check cannot run, so \"unhealthy\" says nothing of Ollama: %.120s",
             c->health_output);
}
