/* The daemon's state for commands on the same machine: a unix socket in the state directory. A
 * caller connects, gets one line of JSON (a world with verdicts) and the end of the stream. Read
 * only; mode 0600. 16 callers at a time, and their answers have 4 MiB at most or are one; one that
 * does not read is closed after 2 s, or when others wait. */
#ifndef SUPERVISOR_TELL_LOCAL_H
#define SUPERVISOR_TELL_LOCAL_H

#include "base/error.h"
#include <jansson.h>
#include <uv.h>

struct local;

/* Serves DIRECTORY/supervisor.sock: 16 callers at a time, each for two seconds; beyond that the
 * answer is the end of the stream; state() gives a text, which is freed here, or NULL.
 * -ENAMETOOLONG (a socket's path has 107 bytes), -EADDRINUSE … */
int local_serve(uv_loop_t *loop, const char *directory, char *(*state)(void *userdata),
                void *userdata, struct local **ret_local, struct error *err);
/* Removes the socket and closes whoever still reads; the loop must turn once more. */
void local_free(struct local *local);

/* Which engine that is, for comparing: its socket's device and inode, as it may have another path
 * in a container; the address itself where there is no such socket. */
enum { LOCAL_ENGINE_SIZE = 300 };
void local_engine(const char *docker_host, char text[static LOCAL_ENGINE_SIZE]);

/* Asks the daemon of DIRECTORY; waits at most timeout_ms. -ENOENT or -ECONNREFUSED: none runs.
 * -EXDEV: it follows another engine than docker_host (NULL: whichever). */
int local_ask(const char *directory, const char *docker_host, int timeout_ms, json_t **ret_state);

#endif
