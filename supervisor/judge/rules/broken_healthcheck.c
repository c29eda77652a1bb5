/* broken-healthcheck: the check itself cannot run. A restart would not help. */
#include "judge/judge.h"
#include "judge/rules.h"

#include <stdio.h>
#include <string.h>

/* What the engines and the shells say; a run that took too long has exit -1 too, and another text.
 * `curl ... || exit 1` ends with 1: then only a shell's own words count. */
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

bool healthcheck_broken(const struct container *c)
{
    return c->health == HEALTH_UNHEALTHY && c->health_probed && cannot_run(c);
}

static struct ruling broken(const struct look *look)
{
    const struct container *c = look->container;
    return c->health == HEALTH_NONE      ? NO("it has no health check")
           : c->health == HEALTH_UNKNOWN ? UNKNOWN("its health")
           : c->health != HEALTH_UNHEALTHY
               ? NO(c->health == HEALTH_HEALTHY ? "the engine calls it healthy"
                                                : "the engine calls it starting")
           : !c->health_probed ? UNKNOWN("what its health check said")
           : cannot_run(c)     ? YES(look->now_s)
                               : NO("it is unhealthy, and its check can run");
}

static void judge(struct look *look)
{
    struct verdict *v = look_judge(look, VERDICT_BROKEN_HEALTHCHECK, look->history->own,
                                   broken(look), two_looks(look));
    if (!v)
        return;
    verdict_add(v, "exit", UNIT_COUNT, look->container->health_exit); /* may be -1 */
    snprintf(v->why, sizeof v->why,
             "its health check cannot run, so \"unhealthy\" says nothing of Ollama: %.120s",
             look->container->health_output);
}

const struct rule rule_broken_healthcheck = {
    {"broken-healthcheck", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "the engine calls the container unhealthy, and the last run of its check could not even "
     "start: exit -1, 126 or 127, and a program that is not found or may not be run (exit 1: in a "
     "shell's words)",
     "two looks", "exit", "restart: what is broken is the check"},
    .of_container = judge,
};
