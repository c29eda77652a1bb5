/* `supervisor run`: the flow for as long as it is wanted, told in log lines. */
#ifndef SUPERVISOR_DAEMON_H
#define SUPERVISOR_DAEMON_H

#include "base/config.h"

/* Gives a new configuration as the command line, the environment and the file want it now (SIGHUP);
 * 0 or -errno with err. */
typedef int daemon_configure(void *userdata, struct config **ret_config, struct error *err);

/* Returns the exit status; an error before the start is in err. config is freed by this call. */
int daemon_run(struct config *config, daemon_configure *configure, void *userdata,
               struct error *err);

#endif
