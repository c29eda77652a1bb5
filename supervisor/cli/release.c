#include "act/healer.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "keep/keep.h"

#include <errno.h>

int cmd_release(struct cli *cli)
{
    struct error err = {0};
    struct keep *keep;
    const char *name = cli->operands[0];
    if (keep_open(config_settings(cli->config)->state, false, true, &keep, &err) < 0)
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
    cli_remember(cli, name, "released");
    if (held)
        printf("%s: the hold is over, its restarts are forgotten\n", name);
    else
        printf("%s was not held; its restarts are forgotten\n", name);
    return 0;
}
