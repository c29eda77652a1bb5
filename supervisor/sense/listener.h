/* Whose port it is: a name in a container's environment is no proof. */
#ifndef SUPERVISOR_SENSE_LISTENER_H
#define SUPERVISOR_SENSE_LISTENER_H

#include <stddef.h>
#include <stdint.h>

/* Whether all who listen on the TCP port in the network namespace of pids[0] are of these
 * processes: the sockets of PROCFS/PID/net/tcp and tcp6 must be among PROCFS/PID/fd. 0: they are;
 * -ENOENT: nobody listens there; -EPERM: somebody else does; -EACCES: that cannot be seen (it needs
 * the capability SYS_PTRACE where a process has more capabilities than we); another -errno. */
int listener_own(const char *procfs, const int64_t *pids, size_t n_pids, uint16_t port);

#endif
