/* supervisor probe-memory BYTES RESERVE: the inner half of `supervisor test`, in its container. */
#include "base/size.h"
#include "cli/cli.h"
#include "deploy/probe_inside.h"

int cmd_probe_memory(struct cli *cli, int argc, char **argv)
{
    fact wanted, reserve;
    struct error err;
    (void)cli;
    (void)argc;
    if (size_parse(argv[1], &wanted, &err) < 0 || size_parse(argv[2], &reserve, &err) < 0)
        return cli_fail(&err);
    return probe_inside(wanted, reserve, "/proc", "/sys/fs/cgroup");
}
