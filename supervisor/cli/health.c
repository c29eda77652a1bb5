/* supervisor health: does a daemon of this state directory look, and can it remember? For a
 * HEALTHCHECK, which runs it twice a minute without a shell: it reads one file, and reaches neither
 * the engine nor Ollama. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "keep/heartbeat.h"
#include "sense/json_member.h"
#include "tell/local.h"

#include <errno.h>
#include <stdio.h>

/* Less than the usual time-out of a HEALTHCHECK. */
static const int ask_ms = 1000;

/* Where the disk did not take the beat (it was full before the file was made, or copies what is
 * written over), a daemon that lives answers for itself; one that hangs does not. */
static void ask_daemon(const char *state, struct heartbeat_seen *seen)
{
    json_t *world;
    if (local_ask(state, NULL, ask_ms, &world) < 0)
        return;
    const json_t *monotonic = json_object_get(world, "monotonic");
    const char *forgets = member_string_or(world, "forgets", "");
    if (forgets[0]) {
        snprintf(seen->why, sizeof seen->why,
                 "the supervisor looks, but does nothing that must be remembered: %.220s", forgets);
    } else if (json_is_number(monotonic)) {
        seen->fresh = true;
        seen->age_s = clock_boottime_s() - json_number_value(monotonic);
        seen->why[0] = '\0';
    }
    json_decref(world);
}

static void print_json(const struct heartbeat_seen *seen)
{
    json_t *object = json_pack("{s:b}", "healthy", seen->fresh);
    if (fact_known(seen->pid))
        json_object_set_new(object, "pid", json_integer(seen->pid));
    if (seen->age_s >= 0)
        json_object_set_new(object, "looked_ago_s", json_real(seen->age_s));
    if (seen->interval_s >= 0)
        json_object_set_new(object, "interval_s", json_real(seen->interval_s));
    if (seen->bound_s >= 0)
        json_object_set_new(object, "bound_s", json_real(seen->bound_s));
    if (!seen->fresh)
        json_object_set_new(object, "why", json_string(seen->why));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

int cmd_health(struct cli *cli, int argc, char **argv)
{
    (void)argc, (void)argv;
    const struct settings *s = config_settings(cli->config);
    struct heartbeat_seen seen;
    struct error err = {0};
    char age[32];

    heartbeat_see(s->state, s->procfs, clock_boottime_s(), &seen);
    if (!seen.fresh && !seen.forgets && (seen.alive || seen.missing))
        ask_daemon(s->state, &seen);
    if (options_has(&cli->options, "json")) {
        print_json(&seen);
        return seen.fresh ? 0 : FAILURE_JOB;
    }
    if (!seen.fresh) {
        error_set(&err, FAILURE_JOB, -ESRCH, "%s", seen.why);
        return cli_fail(&err);
    }
    duration_format(seen.age_s, age, sizeof age);
    if (fact_known(seen.pid))
        printf("healthy: the supervisor (pid %lld) looked %s ago\n", (long long)seen.pid, age);
    else
        printf("healthy: the supervisor looked %s ago\n", age);
    return 0;
}
