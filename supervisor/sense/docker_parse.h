/* The engine's answers, read: functions of the bytes alone (facts/docker.md 1.3 to 1.9). All of
 * them take anything and never fail otherwise than said. */
#ifndef SUPERVISOR_SENSE_DOCKER_PARSE_H
#define SUPERVISOR_SENSE_DOCKER_PARSE_H

#include "sense/docker.h"

enum { DOCKER_LIST_MAX = 16384 }; /* containers of one list that are kept */

/* GET /containers/json. 0; -EBADMSG if it is not a list; -ENOMEM. An entry without a proper id is
 * left out. The caller frees with docker_entries_free. */
int docker_parse_list(const char *body, size_t length, struct docker_entry **ret_entries,
                      size_t *ret_n);
void docker_entries_free(struct docker_entry *entries, size_t n);

/* GET /containers/{id}/json. 0; -EBADMSG if it is no object with a proper Id; -ENOMEM. The caller
 * clears *ret_container. */
int docker_parse_inspect(const char *body, size_t length, struct container *ret_container,
                         struct docker_details *ret_details);

/* One line of GET /events; false for what is not a container's event, and for those of health
 * checks and execs. */
bool docker_parse_event(const char *line, size_t length, struct docker_event *ret_event);

/* GET /containers/{id}/stats. 0 or -EBADMSG. version 0: the container does not run. `limit` stays
 * unknown: the engine reports the host's memory where no limit is set (docker_details.memory
 * knows). `oom_kills` too: failcnt counts limits hit, not kills. */
int docker_parse_stats(const char *body, size_t length, struct cgroup_memory *ret_memory);

/* GET /info. 0 or -EBADMSG. */
int docker_parse_info(const char *body, size_t length, struct docker_info *ret_info);

/* The words of a refusal: `message` of the JSON, else the beginning of the text without its HTML
 * tags (socket proxies answer 403 so). Printable, one line, "" without any. */
void docker_parse_message(const char *body, size_t length, char *text, size_t size);

/* "1.41" -> 41; -1 for anything else. */
int docker_parse_version(const char *text);

/* OLLAMA_HOST as Ollama reads it: "0.0.0.0:11434", ":8080", "http://x:123" (port 80 without one),
 * "0.0.0.0", "[::]:11434". host: "" where it listens on every address or says none that fits;
 * brackets are removed. NULL or "": 127.0.0.1:11434. */
void docker_parse_ollama_host(const char *value, char *host, size_t size, uint16_t *ret_port);

#endif
