/* The engine's client beside an engine that says what a test wants. */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include "http_server.h"
#include "sense/docker.h"
#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_ID "2f133e508efda7559f6fd48390b72294867dbb07567160bb20d7d7386d822caf"

enum { ENGINE_WAIT_MS = 5000 };

struct engine;
/* Answers what one test alone asks for; false: answered as always. */
typedef bool engine_also(struct engine *e, int fd, const char *path);

struct engine {
    engine_also *also; /* may be NULL; set it before anything is asked */
    uv_loop_t loop;
    struct http *http;
    struct docker *docker;
    struct server *server;
    char directory[32], path[64];

    /* What the engine is like. */
    atomic_int newest, oldest; /* minor versions of the API that it speaks; newest 0: says none */
    atomic_bool head_refused, all_forbidden;
    pthread_mutex_t lock;
    char log[8192]; /* "METHOD /path?query body" a line */

    /* What the client reported. */
    unsigned done, seen;
    int64_t oldest_ns; /* of the ring */
    int result;
    struct error err;
    size_t n_entries, skipped;
    char last_action[48];
    char name[256];
    struct docker_details details;
    bool free_when_done, free_when_seen, stop_when_seen;
};

int engine_set_up(void **state);
int engine_tear_down(void **state);
void engine_start_server(struct engine *e);
void engine_free_client(struct engine *e);
/* Waits until that many reports have come in all. */
void engine_wait(struct engine *e, unsigned reports);
/* How often the engine was asked for something that begins so. */
unsigned engine_asked(struct engine *e, const char *beginning);

/* Callbacks; userdata is the engine. */
void engine_done(void *userdata, int result, const struct error *err);
void engine_entry(void *userdata, const struct docker_entry *entry);
void engine_listed(void *userdata, int result, size_t skipped, const struct error *err);
void engine_inspected(void *userdata, int result, const struct container *container,
                      const struct docker_details *details, const struct error *err);
void engine_stats_read(void *userdata, int result, const struct cgroup_memory *memory,
                       const struct error *err);
void engine_seen(void *userdata, const struct docker_event *event);

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, engine_set_up, engine_tear_down)

#endif
