/* The engine's answers, read: functions of the bytes alone. All of
 * them take anything and never fail otherwise than said. */
#ifndef SUPERVISOR_SENSE_DOCKER_PARSE_H
#define SUPERVISOR_SENSE_DOCKER_PARSE_H

#include "sense/docker.h"

enum {
    DOCKER_ENTRY_MAX = 256 * 1024 /* bytes of one container in the list: a real one has some KiB */
};

/* One container of GET /containers/json. 0; -EBADMSG: it is none. The caller frees with
 * docker_entry_clear. */
int docker_parse_entry(const char *text, size_t length, struct docker_entry *ret_entry);
void docker_entry_clear(struct docker_entry *entry);
/* Of one that is longer than that: its beginning, as the engine writes it. unread, id and name are
 * set; nothing is to be cleared. false: it does not say who it is. */
bool docker_parse_beginning(const char *text, size_t length, struct docker_entry *ret_entry);

/* GET /containers/{id}/json. 0; -EBADMSG if it is no object with a proper Id; -ENOMEM. The caller
 * clears *ret_container. */
int docker_parse_inspect(const char *body, size_t length, struct container *ret_container,
                         struct docker_details *ret_details);

/* One line of GET /events; false for what is not a container's event, and for those of health
 * checks and execs. */
bool docker_parse_event(const char *line, size_t length, struct docker_event *ret_event);
/* The time of an event of whatever kind, nanoseconds since the Unix epoch; 0: it has none. */
int64_t docker_parse_event_time(const char *line, size_t length);

/* GET /containers/{id}/stats. 0 or -EBADMSG. version 0: the container does not run. `limit` stays
 * unknown: the engine reports the host's memory where no limit is set (docker_details.memory
 * knows). `oom_kills` too: failcnt counts limits hit, not kills. */
int docker_parse_stats(const char *body, size_t length, struct cgroup_memory *ret_memory);

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
