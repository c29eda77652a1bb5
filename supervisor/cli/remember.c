#include "base/clock.h"
#include "cli/cli.h"
#include "keep/history.h"

void cli_remember(const struct cli *cli, const char *name, const char *kind)
{
    const struct settings *s = config_settings(cli->config);
    struct keep_history *history;
    char boot_id[40];
    clock_boot_id(s->procfs, boot_id, sizeof boot_id);
    struct history_event event = {.wall_ms = clock_wall_ms(),
                                  .boot_id = boot_id,
                                  .boottime_s = clock_boottime_s(),
                                  .container = "",
                                  .name = name,
                                  .kind = kind,
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
