#include "netserver/serve.h"
#include "net/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 64 * 1024, EVENT_MAX = 8 * 1024 * 1024 };

struct job { /* one exchange's */
    struct net_exchange *exchange;
    char name[128];
    uv_timer_t timer;
    bool timed, over, echoes, counts;
    unsigned n, size, sent; /* pieces to send, bytes of each */
    uint64_t bytes;
};

static uv_loop_t *loop;
static struct net_server *counted;
static bool quiet, draining;
static char filler[EVENT_MAX];

void serve_quietly(void)
{
    quiet = true;
}

void serve_drains(void)
{
    draining = true;
}

void serve_counts_of(struct net_server *server)
{
    counted = server;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void done(void *own, struct net_exchange *exchange, int result)
{
    struct job *job = own;
    (void)exchange;
    if (!quiet)
        printf("done %s %d\n", job->name, result);
    job->over = true;
    if (job->timed)
        uv_close((uv_handle_t *)&job->timer, timer_closed);
    else
        free(job);
}

static void at(struct job *job, uint64_t ms, uint64_t repeat_ms, uv_timer_cb due)
{
    uv_timer_init(loop, &job->timer);
    job->timer.data = job;
    job->timed = true;
    uv_timer_start(&job->timer, due, ms, repeat_ms);
}

static void text(struct net_exchange *exchange, const char *words)
{
    static const struct net_field plain = {"Content-Type", "text/plain"};
    net_answer(exchange, 200, &plain, 1, words, strlen(words));
}

/* ---- answers that take their time */

static void later(uv_timer_t *timer)
{
    struct job *job = timer->data;
    text(job->exchange, "later\n");
}

static void drip(uv_timer_t *timer)
{
    struct job *job = timer->data;
    char line[32];
    int length = snprintf(line, sizeof line, "line %u\n", ++job->sent);
    if (net_answer_write(job->exchange, line, (size_t)length) < 0 || job->sent < job->n)
        return;
    uv_timer_stop(timer);
    net_answer_end(job->exchange);
}

static void pieces(void *own, struct net_exchange *exchange)
{
    struct job *job = own;
    while (job->sent < job->n) {
        job->sent++;
        int result = net_answer_write(exchange, filler, job->size);
        if (result < 0)
            return;
        if (result == 0 && job->sent < job->n)
            return;
    }
    net_answer_end(exchange);
}

static void event(uv_timer_t *timer)
{
    struct job *job = timer->data;
    struct buffer one;
    char id[16];
    if (draining || job->sent == job->n) {
        net_answer_end(job->exchange);
        uv_timer_stop(timer);
        return;
    }
    buffer_init(&one, EVENT_MAX + 100);
    snprintf(id, sizeof id, "%u", ++job->sent);
    filler[job->size] = '\0';
    net_event_format(&one, "piece", id, filler);
    filler[job->size] = 'x';
    if (net_events_send(job->exchange, &one) != 1)
        uv_timer_stop(timer);
    buffer_clear(&one);
}

/* ---- bodies */

static void body(void *own, struct net_exchange *exchange, const char *data, size_t length)
{
    struct job *job = own;
    job->bytes += length;
    if (job->echoes && net_answer_write(exchange, data, length) == 0)
        net_body_flow(exchange, false);
}

static void room(void *own, struct net_exchange *exchange)
{
    struct job *job = own;
    if (job->echoes)
        net_body_flow(exchange, true);
    else
        pieces(own, exchange);
}

static void body_end(void *own, struct net_exchange *exchange)
{
    struct job *job = own;
    char words[32];
    if (job->echoes) {
        net_answer_end(exchange);
    } else if (job->counts) {
        snprintf(words, sizeof words, "%llu\n", (unsigned long long)job->bytes);
        text(exchange, words);
    }
}

static void admit(uv_timer_t *timer)
{
    struct job *job = timer->data;
    net_body_flow(job->exchange, true);
}

static void half_closed(void *own, struct net_exchange *exchange)
{
    struct job *job = own;
    if (strstr(job->name, "/leaving"))
        net_answer_abort(exchange);
}

/* ---- by path */

static bool numbers(const char *target, const char *path, unsigned *ret_a, unsigned *ret_b)
{
    size_t length = strlen(path);
    if (strncmp(target, path, length) != 0)
        return false;
    char *end;
    *ret_a = (unsigned)strtoul(target + length, &end, 10);
    *ret_b = *end == '/' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
    return true;
}

static void answer_now(struct net_exchange *exchange, const char *target)
{
    char words[256];
    struct net_counts counts;
    if (strcmp(target, "/peer") == 0) {
        const struct net_peer *peer = net_exchange_peer(exchange);
        snprintf(words, sizeof words, "%s loopback %d local %d uid %d\n", peer->text,
                 peer->loopback, peer->local, (int)peer->uid);
        text(exchange, words);
    } else if (strcmp(target, "/counts") == 0 && counted) {
        counts = net_server_counts(counted);
        snprintf(words, sizeof words,
                 "connections %llu\nrequests %llu\nrefused %llu\nturned_away %llu\ntimeouts %llu\n"
                 "open %u\nwaiting %zu\n",
                 (unsigned long long)counts.connections, (unsigned long long)counts.requests,
                 (unsigned long long)counts.refused, (unsigned long long)counts.turned_away,
                 (unsigned long long)counts.timeouts, counts.open, counts.waiting_bytes);
        text(exchange, words);
    } else if (strcmp(target, "/deny") == 0) {
        net_answer_problem(exchange, 403, NULL, 0, "that is not for you");
    } else if (strcmp(target, "/hello") == 0) {
        text(exchange, "hello\n");
    } else {
        net_answer_problem(exchange, 404, NULL, 0, "there is no such path");
    }
}

static bool take(struct job *job, const char *target)
{
    struct net_exchange *exchange = job->exchange;
    unsigned a, b;
    if (numbers(target, "/size/", &a, &b)) {
        job->size = PIECE_MAX;
        char *all = malloc(a + 1);
        memset(all, 'x', a);
        net_answer(exchange, 200, NULL, 0, all, a);
        free(all);
    } else if (numbers(target, "/stream/", &job->n, &job->size)) {
        job->size = job->size < PIECE_MAX ? job->size : PIECE_MAX;
        net_answer_begin(exchange, 200, NULL, 0, NET_LENGTH_UNKNOWN);
        pieces(job, exchange);
    } else if (numbers(target, "/drip/", &job->n, &b)) {
        net_answer_begin(exchange, 200, NULL, 0, NET_LENGTH_UNKNOWN);
        at(job, b, b, drip);
    } else if (numbers(target, "/later/", &a, &b)) {
        at(job, a, 0, later);
    } else if (numbers(target, "/admit/", &a, &b)) {
        job->counts = true;
        at(job, a, 0, admit);
    } else if (numbers(target, "/events/", &job->n, &job->size)) {
        job->size = job->size < EVENT_MAX ? job->size : EVENT_MAX - 1;
        net_events_begin(exchange);
        at(job, 1, 1, event);
    } else if (strcmp(target, "/echo") == 0) {
        job->echoes = true;
        uint64_t length = net_body_left(exchange);
        net_body_flow(exchange, true);
        net_answer_begin(exchange, 200, NULL, 0, length);
    } else if (strcmp(target, "/count") == 0 || strcmp(target, "/large") == 0) {
        job->counts = true;
        net_body_flow(exchange, true);
    } else if (strcmp(target, "/broken") == 0) {
        net_answer_begin(exchange, 200, NULL, 0, NET_LENGTH_UNKNOWN);
        net_answer_write(exchange, "half", 4);
        net_answer_abort(exchange);
    } else {
        return strcmp(target, "/leaving") == 0;
    }
    return true;
}

static void request(void *userdata, struct net_exchange *exchange)
{
    static const struct net_calls calls = {
        .body = body, .body_end = body_end, .room = room, .half_closed = half_closed, .done = done};
    const struct net_head *head = net_exchange_head(exchange);
    const char *target = net_head_target(head);
    struct job *job = calloc(1, sizeof *job);
    (void)userdata;
    job->exchange = exchange;
    snprintf(job->name, sizeof job->name, "%s %s", net_head_method(head), target);
    if (!quiet)
        printf("request %s\n", job->name);
    net_follow(exchange, &calls, job);
    if (!take(job, target))
        answer_now(exchange, target);
}

static uint64_t body_max(void *userdata, const struct net_head *head)
{
    (void)userdata;
    const char *target = net_head_target(head);
    bool large = strcmp(target, "/large") == 0 || strcmp(target, "/echo") == 0 ||
                 strncmp(target, "/admit/", 7) == 0 || strcmp(target, "/deny") == 0;
    return large ? UINT64_MAX : net_limits.body_bytes;
}

const struct net_service *serve_service(uv_loop_t *on)
{
    static const struct net_service service = {.body_max = body_max, .request = request};
    loop = on;
    memset(filler, 'x', sizeof filler);
    return &service;
}
