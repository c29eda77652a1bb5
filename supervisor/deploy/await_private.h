/* What the two files of await share. */
#ifndef SUPERVISOR_DEPLOY_AWAIT_PRIVATE_H
#define SUPERVISOR_DEPLOY_AWAIT_PRIVATE_H

#include "deploy/await.h"

enum { AWAIT_SIGNALS = 3 };

struct await {
    uv_loop_t loop;
    struct http *http;
    struct docker *docker;
    uv_signal_t signals[AWAIT_SIGNALS];
    uv_timer_t timer; /* of await_sleep, and of the watch over a pull */
    uv_prepare_t prepare;
    const bool *awaited; /* what the turn of the loop is for */
    bool woken;          /* by the timer, in this turn */
    int signal;          /* that came, 0: none */
};

/* Where an answer goes; on the stack of the one who waits. */
struct answer {
    bool done;
    int result;
    struct error *err; /* may be NULL */
    /* What of the answer is wanted. */
    json_t **ret_json;
    char *id, *text; /* text: size bytes */
    size_t size;
    long number;
    uv_loop_t *loop; /* await_answer's, while it turns */
};

/* Turns the loop until it is there; its result. */
int await_answer(struct await *await, struct answer *answer);
/* Fills result and error of the struct answer; a docker_done, an ollama_done. */
void answer_take(void *userdata, int result, const struct error *err);

#endif
