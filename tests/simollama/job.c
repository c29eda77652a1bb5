#include "job.h"
#include "memory.h"
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* The recordings' models count one token a byte, and four for what is put around a prompt. */
#define PROMPT_EXTRA_TOKENS 4

static const char *const words[] = {" the", " sky", " is", " blue", " because", " of", " light"};

json_t *created_at(void)
{
    char text[TIME_TEXT_SIZE];
    time_text(loop_wall_ns(), 0, text);
    return json_string(text);
}

const char *job_done_reason(const struct job *job)
{
    return job->limited ? "length" : "stop";
}

void job_line(struct job *job, json_t *json)
{
    if (!job->started)
        http_begin(job->conn, 200, "application/x-ndjson");
    job->started = true;
    write_json(job->conn, "", json, "\n");
}

void job_event(struct job *job, const char *event, json_t *json)
{
    char before[96] = "data: ";
    if (event)
        snprintf(before, sizeof before, "event: %s\ndata: ", event);
    if (!job->started)
        http_begin(job->conn, 200, "text/event-stream");
    job->started = true;
    write_json(job->conn, before, json, "\n\n");
}

static void job_free(struct job *job)
{
    loop_disarm(&job->abandon);
    loop_close(&job->link);
    if (job->runner)
        sched_release(job->runner);
    text_free(&job->answer);
    free(job);
}

/* Lets go of the connection before it is answered for the last time: that may free it. */
static void detach(struct job *job)
{
    if (job->conn) {
        job->conn->user = NULL;
        job->conn->gone = NULL;
    }
}

static void fail(struct job *job, int status, const char *message)
{
    struct http_conn *conn = job->conn;
    detach(job);
    if (conn && job->started) {
        if (job->dialect->family == FAMILY_NATIVE) /* the others just end, without [DONE] */
            job_line(job, error_json(status, FAMILY_NATIVE, message));
        http_end(conn);
    } else if (conn) {
        reply_error(conn, status, job->dialect->family, message);
    }
    job_free(job);
}

static void abandoned(struct timer *timer)
{
    job_free(owner_of(timer, struct job, abandon));
}

static void client_gone(void *user)
{
    struct job *job = user;
    job->conn = NULL;
    if (!job->runner) {
        sched_cancel(&job->ticket);
        job_free(job);
        return;
    }
    /* The runner does not notice at once. */
    job->abandon.fire = abandoned;
    loop_arm(&job->abandon, settings.abandon_ms);
}

static void finish(struct job *job)
{
    detach(job);
    if (job->conn)
        job->dialect->end(job);
    job->conn = NULL;
    job_free(job);
}

static void take(struct job *job, char what)
{
    if (what == RUNNER_PROMPT_DONE) {
        job->prompt_ns = loop_now_ns();
    } else if (what == RUNNER_TOKEN) {
        const char *piece = words[job->tokens_done % (sizeof words / sizeof words[0])];
        job->tokens_done++;
        if (!job->stream)
            text_append(&job->answer, piece, strlen(piece), HTTP_OUT_MAX);
        else if (job->conn)
            job->dialect->token(job, piece);
    }
}

static void link_ready(struct watch *watch, uint32_t events)
{
    struct job *job = owner_of(watch, struct job, link);
    if (!job->sent_work && (events & EPOLLOUT)) {
        char line[RUNNER_REQUEST_SIZE];
        int n = runner_work_line(&job->work, line);
        if (send(watch->fd, line, (size_t)n, MSG_NOSIGNAL) == n)
            job->sent_work = true;
        loop_watch(watch, EPOLLIN);
        return;
    }
    char got[4096];
    ssize_t n = recv(watch->fd, got, sizeof got, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        fail(job, 500, "an error was encountered while running the model: unexpected EOF");
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (got[i] == RUNNER_END) {
            finish(job);
            return;
        }
        take(job, got[i]);
    }
}

static void ticket_ready(struct ticket *ticket, struct runner *runner)
{
    struct job *job = owner_of(ticket, struct job, ticket);
    job->runner = runner;
    job->loaded_ns = loop_now_ns();
    if (!job->has_prompt) {
        detach(job);
        job->dialect->loaded(job);
        job_free(job);
        return;
    }
    int fd = runner_connect(runner->port);
    if (fd < 0) {
        fail(job, 500, "the runner cannot be reached");
        return;
    }
    job->link = (struct watch){.fd = fd, .ready = link_ready};
    loop_watch(&job->link, EPOLLOUT);
}

static void ticket_failed(struct ticket *ticket, int status, const char *message)
{
    fail(owner_of(ticket, struct job, ticket), status, message);
}

/* What a distinct prompt leaves in the runner's cache. */
static uint64_t cache_bytes(const struct job *job)
{
    if (settings.cache_per_prompt != UNSET)
        return settings.cache_per_prompt;
    if (sim_generation() == RUNNER_OLLAMA)
        return 0;
    return job->ticket.model.kv_bytes * job->prompt_tokens;
}

static void plan_work(struct job *job, const struct job_wish *wish)
{
    uint64_t tokens = settings.default_tokens;
    job->prompt_tokens = PROMPT_EXTRA_TOKENS + wish->prompt_len;
    if (job->prompt_tokens > job->ticket.context)
        job->prompt_tokens = job->ticket.context; /* the real one cuts it too */
    job->limited = wish->num_predict > 0;
    if (job->limited)
        tokens = (uint64_t)wish->num_predict;
    if (wish->inputs)
        tokens = 0;
    uint64_t prompt_rate = settings.prompt_tokens_per_s ? settings.prompt_tokens_per_s : 1;
    job->work = (struct runner_work){
        .prompt_ms = job->prompt_tokens * 1000 / prompt_rate,
        .tokens = tokens < JOB_TOKENS_MAX ? tokens : JOB_TOKENS_MAX,
        .token_us = 1000000 / (settings.tokens_per_s ? settings.tokens_per_s : 1),
        .cpu_percent = settings.cpu_percent,
        .cache_bytes = cache_bytes(job),
        .prompt_hash = text_hash(wish->prompt, wish->prompt_len)};
}

void job_start(struct http_conn *conn, const struct dialect *dialect, const struct job_wish *wish)
{
    char message[JOB_NAME_SIZE + 64];
    const struct model *model = models_find(wish->model);
    if (!model) {
        snprintf(message, sizeof message,
                 wish->inputs ? "model \"%.*s\" not found, try pulling it first"
                              : "model '%.*s' not found",
                 JOB_NAME_SIZE, wish->model);
        reply_error(conn, 404, dialect->family, message);
        return;
    }
    static uint64_t ids;
    struct job *job = must_alloc(sizeof *job);
    job->conn = conn;
    job->dialect = dialect;
    job->id = ++ids;
    job->link.fd = -1;
    job->has_prompt = wish->prompt != NULL;
    job->stream = wish->stream;
    job->usage = wish->usage;
    job->inputs = wish->inputs;
    job->start_ns = loop_now_ns();
    snprintf(job->model, sizeof job->model, "%s", wish->model);
    job->ticket = (struct ticket){
        .model = *model,
        .context = model_context(model, wish->num_ctx > 0 ? (uint64_t)wish->num_ctx : 0),
        .keep_set = wish->keep_set,
        .keep_ns = wish->keep_ns,
        .ready = ticket_ready,
        .failed = ticket_failed};
    if (job->has_prompt)
        plan_work(job, wish);
    if (wish->prompt && !wish->inputs)
        memory_leak(settings.leak_per_request);
    conn->user = job;
    conn->gone = client_gone;
    sched_get(&job->ticket);
}
