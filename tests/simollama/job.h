/* One generate, chat or embed in progress, whatever dialect its client speaks: waiting for its
 * model, then for the runner's prompt and tokens; it goes on for a while when its client leaves. */
#ifndef SIMOLLAMA_JOB_H
#define SIMOLLAMA_JOB_H

#include "request.h"
#include "runner.h"
#include "sched.h"

#define JOB_NAME_SIZE  256
#define JOB_TOKENS_MAX 1000000

struct job;

/* How a dialect says what happens. Only a job with a client is told. */
struct dialect {
    enum family family;
    /* The model is loaded and there is nothing to generate. */
    void (*loaded)(struct job *job);
    /* One token of a streamed answer. */
    void (*token)(struct job *job, const char *piece);
    /* The last word, or the whole answer where it is not streamed (job->answer). */
    void (*end)(struct job *job);
};

struct job {
    struct http_conn *conn; /* NULL: the client left */
    const struct dialect *dialect;
    struct ticket ticket;
    struct runner *runner;
    struct watch link; /* to the runner */
    struct timer abandon;
    struct runner_work work;
    bool has_prompt, sent_work;

    /* For the answer. */
    char model[JOB_NAME_SIZE]; /* as the client wrote it */
    bool stream, started, usage;
    bool limited; /* num_predict ended it, not the model */
    uint64_t id;
    unsigned inputs; /* of an embed */
    uint64_t prompt_tokens, tokens_done;
    uint64_t start_ns, loaded_ns, prompt_ns;
    struct text answer; /* what was generated, where it is not streamed */
};

/* What a client asked for. */
struct job_wish {
    const char *model;
    const char *prompt; /* NULL: load only */
    size_t prompt_len;
    bool stream, keep_set, usage;
    int64_t keep_ns, num_predict, num_ctx;
    unsigned inputs; /* > 0: an embed */
};

/* Answers the conn in the end, 404 where there is no such model. */
void job_start(struct http_conn *conn, const struct dialect *dialect, const struct job_wish *wish);
/* Writes JSON as a line, or as an event of a stream (event NULL: data only); takes it over. */
void job_line(struct job *job, json_t *json);
void job_event(struct job *job, const char *event, json_t *json);
/* Why it ended, in the native and OpenAI words. */
const char *job_done_reason(const struct job *job);
/* The time now as created_at has it. */
json_t *created_at(void);

#endif
