/* supervisor health: does a daemon of this state directory look, and can it remember? For a
 * HEALTHCHECK, which runs it twice a minute without a shell: it reads one file, and reaches neither
 * the engine nor Ollama. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/say.h"
#include "keep/heartbeat.h"
#include "sense/json_member.h"
#include "sense/json_put.h"
#include "tell/local.h"

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
    put_known(object, "pid", seen->pid);
    put_real(object, "looked_ago_s", seen->age_s);
    put_real(object, "interval_s", seen->interval_s);
    put_real(object, "bound_s", seen->bound_s);
    if (!seen->fresh)
        json_object_set_new(object, "why", json_string(seen->why));
    say_json_by(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
}

int cmd_health(struct cli *cli)
{
    const struct settings *s = config_settings(cli->config);
    struct heartbeat_seen seen;
    heartbeat_see(s->state, s->procfs, clock_boottime_s(), &seen);
    if (!seen.fresh && !seen.forgets && (seen.alive || seen.missing))
        ask_daemon(s->state, &seen);
    if (cli_has(cli, "json")) {
        print_json(&seen);
        return seen.fresh ? 0 : FAILURE_JOB;
    }
    if (!seen.fresh)
        return cli_refuse(FAILURE_JOB, "%s", seen.why);
    if (fact_known(seen.pid))
        printf("healthy: the supervisor (pid %lld) looked %s ago\n", (long long)seen.pid,
               SHOWN_S(seen.age_s));
    else
        printf("healthy: the supervisor looked %s ago\n", SHOWN_S(seen.age_s));
    return 0;
}
