#include "act/healer.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "keep/history.h"
#include "keep/keep.h"

#include <errno.h>

/* Beside the point where it cannot be: the hold is over all the same. */
static void remember(const struct settings *s, const char *name)
{
    struct keep_history *history;
    char boot_id[40];
    clock_boot_id(s->procfs, boot_id, sizeof boot_id);
    struct history_event event = {.wall_ms = clock_wall_ms(),
                                  .boot_id = boot_id,
                                  .boottime_s = clock_boottime_s(),
                                  .container = "",
                                  .name = name,
                                  .kind = "released",
                                  .verdict = "",
                                  .step = "",
                                  .outcome = "",
                                  .numbers = "{}"};
    struct history_batch batch = {.now_wall_ms = event.wall_ms,
                                  .now_boottime_s = event.boottime_s,
                                  .boot_id = boot_id,
                                  .events = &event,
                                  .n_events = 1};
    if (keep_history_open(s->state, false, s->history_max_size, &history, NULL) < 0)
        return;
    keep_history_write(history, &batch, NULL);
    keep_history_close(history);
}

int cmd_release(struct cli *cli)
{
    struct error err = {0};
    struct keep *keep;
    const char *name = cli->operands[0];
    if (keep_open(config_settings(cli->config)->state, false, &keep, &err) < 0)
        return cli_fail(&err);
    char key[CONTAINER_NAME_SIZE];
    bool held = false;
    int r = 0;
    /* A container has one budget for each way it was labelled (docs/judgement.md, acting 10). */
    static const char *const enables[] = {NULL, "true", "false"};
    for (size_t i = 0; r == 0 && i < sizeof enables / sizeof enables[0]; i++) {
        healer_key(name, enables[i], key, sizeof key);
        r = keep_release(keep, key, clock_wall_ms(), &err);
        held |= r == 0;
        r = r == -ENOENT ? 0 : r;
    }
    keep_close(keep);
    if (r < 0)
        return cli_fail(&err);
    remember(config_settings(cli->config), name);
    if (held)
        printf("%s: the hold is over, its restarts are forgotten\n", name);
    else
        printf("%s was not held; its restarts are forgotten\n", name);
    return 0;
}
