/* Processes, from a procfs whose root is a parameter ("/proc", "/host/proc", a fixture tree). */
#ifndef SUPERVISOR_SENSE_PROCESS_H
#define SUPERVISOR_SENSE_PROCESS_H

#include "base/error.h"
#include "base/http.h"
#include "sense/world.h"

/* Remembers, per (pid, started_us), the kind, blob and port that were decided: a dying `ollama
 * runner` loses its argv and would look like the server (docs/judgement.md, fact 5). An empty argv
 * decides nothing, neither at first sight nor later. Between fork and exec a child still has its
 * parent's argv, so a decision stands once the same argv was read in two looks; after that it is
 * read again only if comm changes (a shell that became `ollama serve` by exec). */
struct process_memory;
int process_memory_new(struct process_memory **ret_memory);
void process_memory_free(struct process_memory *memory);

/* Fills container->processes (replacing what is there) from the pids and sets processes_known. A
 * pid that ended meanwhile is left out. Forgets kept kinds of processes of this container that are
 * gone. 0; or the list is unknown, empty, processes_known false: -EACCES; -ENOENT (no procfs there,
 * or a pid of 0: of a namespace that this one does not show, no pid: host); -ESRCH (none of them is
 * there); -E2BIG (more than WORLD_PROCESSES_MAX); -EIO (one could not be understood); another
 * -errno. */
int processes_read(const char *procfs, struct process_memory *memory, const int64_t *pids,
                   size_t n_pids, struct container *container);

/* Forgets all that was kept of this container: it is gone, and nobody looks at it any more. */
void processes_forget(struct process_memory *memory, const char *container);

/* One process, without memory of kinds; -ESRCH if it is gone, -EIO where it is not understood. swap
 * is 0 where RssAnon is there and VmSwap is not: a kernel without swap. */
int process_read(const char *procfs, int64_t pid, struct process *ret_process);

/* Decides from comm and argv (NUL-separated, length bytes; may be empty): serve = `ollama serve` in
 * any path; runner = a child with --model in its argv (llama-server, `ollama runner`,
 * ollama_llama_server, and `ollama runner --mlx-engine --model NAME`); helper = llama-server or
 * ollama runner without --model; everything else other (`ollama list` too). Fills blob (the last
 * path component if it is sha256-…) and port. */
enum process_kind process_classify(const char *comm, const char *argv, size_t length,
                                   struct process *process);

struct own_port { /* the observer's own connection, by its local address as the server sees it */
    uint16_t port;
};

/* Established connections to local port `port` in the network namespace of `pid`, from
 * PROCFS/PID/net/tcp and tcp6, without those whose remote port is one of own[]; and the bytes that
 * wait to be sent over them. Dear: 2 to 4 ms (docs/judgement.md, fact 7). -ENOENT where no row
 * listens on the port: then Ollama is not where it was thought; -ESRCH: there is no such process.
 */
int connections_count(const char *procfs, int64_t pid, uint16_t port, const struct own_port *own,
                      size_t n_own, fact *ret_count, fact *ret_unread);

/* Established connections to the port of each runner among a container's processes, in the network
 * namespace of `pid`, into its clients; of one that does not listen 0, of one without a known port
 * and of more than 64 unknown. As dear, where there is a runner. 0, or -errno: then all stay
 * unknown. */
int connections_of_runners(const char *procfs, int64_t pid, struct process *processes, size_t n);

/* Whether the network namespace of `pid` has the other end of this connection of ours, among its
 * first 262,144 rows. */
bool connections_have(const char *procfs, int64_t pid, const struct http_ends *ends);

/* Bytes received by all interfaces but lo in the namespace of `pid` (PROCFS/PID/net/dev). 0,
 * -ESRCH or another -errno. */
int received_read(const char *procfs, int64_t pid, fact *ret_bytes);

#endif
