/* supervisor probe-memory BYTES RESERVE: the inner half of `supervisor test`, in its container. */
#include "base/size.h"
#include "cli/cli.h"
#include "deploy/probe_inside.h"

int cmd_probe_memory(struct cli *cli)
{
    fact wanted, reserve;
    struct error err;
    if (size_parse(cli->operands[0], &wanted, &err) < 0 ||
        size_parse(cli->operands[1], &reserve, &err) < 0)
        return cli_fail(&err);
    return probe_inside(wanted, reserve, "/proc", "/sys/fs/cgroup");
}
