/* Sockets of another network namespace: a socket belongs to the namespace in which it was made, and
 * stays usable from anywhere. */
#ifndef SUPERVISOR_BASE_NETNS_H
#define SUPERVISOR_BASE_NETNS_H

/* socket() within the namespace that the descriptor of a /proc/PID/ns/net names; close-on-exec. The
 * descriptor, or -errno: -EPERM where that needs CAP_SYS_ADMIN. Only a thread of its own, which
 * ends with it, ever enters the namespace. */
int netns_socket(int netns, int family, int type, int protocol);

#endif
