#include "sched.h"
#include "load.h"
#include "runner.h"
#include "settings.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MS_NS             1000000
#define SECOND_NS         (1000 * (int64_t)MS_NS)
#define KEEP_DEFAULT_NS   (300 * SECOND_NS)
#define LOAD_TIMEOUT_NS   (300 * SECOND_NS)
#define KEEP_TIMER_MAX_MS (1000ull * 3600 * 24 * 365)

static struct runner *runners;
static struct runner *loading;
static struct ticket *queue;
static size_t queue_len;
static struct sched_counts counts;
static int64_t keep_default_ns, load_timeout_ns;
static size_t runners_max;

static void pump(void);
static void unload(struct runner *runner);

void sched_start(void)
{
    keep_default_ns = duration_from_environment("OLLAMA_KEEP_ALIVE", KEEP_DEFAULT_NS);
    load_timeout_ns = duration_from_environment("OLLAMA_LOAD_TIMEOUT", LOAD_TIMEOUT_NS);
    const char *max = getenv("OLLAMA_MAX_LOADED_MODELS");
    runners_max = max ? strtoul(max, NULL, 10) : 0;
    if (!runners_max)
        runners_max = SCHED_RUNNERS_MAX;
}

static struct runner *find(const struct model *model)
{
    for (struct runner *r = runners; r; r = r->next)
        if (!strcmp(r->model.blob, model->blob))
            return r;
    return NULL;
}

static void forget(struct runner *runner)
{
    struct runner **at = &runners;
    while (*at != runner)
        at = &(*at)->next;
    *at = runner->next;
    loop_disarm(&runner->keep);
    loop_disarm(&runner->replace);
    loop_close(&runner->log);
    if (loading == runner)
        loading = NULL;
    free(runner);
}

static void kill_runner(struct runner *runner)
{
    loop_disarm(&runner->keep);
    runner->state = RUNNER_KILLED;
    kill(runner->pid, SIGKILL);
}

static void unload(struct runner *runner)
{
    loop_disarm(&runner->keep);
    if (settings.stuck_unload && runner->state == RUNNER_LOADED) {
        runner->stuck = true;
        runner->idle_since_ns = loop_wall_ns();
        runner->expires_after_ns = 0;
        return;
    }
    counts.unloads++;
    if (runner->state == RUNNER_DEAD) {
        forget(runner);
        pump();
    } else if (runner->state == RUNNER_LOADED) {
        kill_runner(runner);
    }
}

static void keep_over(struct timer *timer)
{
    unload(owner_of(timer, struct runner, keep));
}

void sched_release(struct runner *runner)
{
    if (--runner->refs > 0)
        return;
    runner->idle_since_ns = loop_wall_ns();
    runner->expires_after_ns = runner->keep_ns > 0 ? runner->keep_ns : 0;
    if (runner->keep_ns <= 0) {
        unload(runner);
        return;
    }
    runner->keep.fire = keep_over;
    uint64_t keep_ms = (uint64_t)runner->keep_ns / MS_NS;
    if (keep_ms < KEEP_TIMER_MAX_MS)
        loop_arm(&runner->keep, keep_ms);
}

/* Hands a loaded runner to a request. */
static void grant(struct runner *runner, struct ticket *ticket)
{
    runner->refs++;
    loop_disarm(&runner->keep);
    if (ticket->keep_set)
        runner->keep_ns = ticket->keep_ns;
    ticket->ready(ticket, runner);
}

static bool usable(const struct runner *runner, const struct ticket *ticket)
{
    return runner && runner->state == RUNNER_LOADED && !runner->stuck && !runner->hung &&
           runner->context == ticket->context;
}

/* The load's end for whoever waits for it. */
static void load_failed(struct runner *runner, const char *message)
{
    struct ticket *ticket = runner->loader;
    counts.load_failures++;
    runner->loader = NULL;
    if (ticket)
        ticket->failed(ticket, 500, message);
}

static void load_stalled(struct timer *timer)
{
    struct runner *runner = owner_of(timer, struct runner, keep);
    kill_runner(runner);
    load_failed(runner, "timed out waiting for llama runner to start - progress 0.50 - ");
}

static void loaded(struct runner *runner)
{
    struct ticket *ticket = runner->loader;
    loading = NULL;
    runner->loader = NULL;
    runner->state = RUNNER_LOADED;
    loop_disarm(&runner->keep);
    counts.loads++;
    grant(runner, ticket);
    pump();
}

static void log_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct runner *runner = owner_of(watch, struct runner, log);
    char text[256];
    ssize_t n = read(watch->fd, text, sizeof text);
    if (n <= 0) {
        if (n == 0)
            loop_close(watch); /* its end is told by SIGCHLD */
        return;
    }
    bool is_ready = false;
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == RUNNER_READY)
            is_ready = true;
        else if (text[i] != RUNNER_PROGRESS)
            fputc(text[i], stderr);
    }
    if (runner->state != RUNNER_LOADING)
        return;
    if (is_ready)
        loaded(runner);
    else
        loop_arm(&runner->keep, (uint64_t)load_timeout_ns / MS_NS);
}

static void load(struct ticket *ticket)
{
    struct runner *runner = must_alloc(sizeof *runner);
    runner->model = ticket->model;
    runner->context = ticket->context;
    runner->anon_bytes = model_runner_anon(&ticket->model, ticket->context);
    runner->keep_ns = keep_default_ns;
    runner->loader = ticket;
    runner->log = (struct watch){.fd = -1, .ready = log_ready};
    int error = load_start(runner);
    if (error) {
        char message[128];
        free(runner);
        snprintf(message, sizeof message, "starting a runner: %s", strerror(-error));
        ticket->failed(ticket, 500, message);
        return;
    }
    runner->keep.fire = load_stalled;
    runner->next = runners;
    runners = loading = runner;
    loop_watch(&runner->log, EPOLLIN);
    loop_arm(&runner->keep, (uint64_t)load_timeout_ns / MS_NS);
}

static bool goes_before(const struct runner *a, const struct runner *b)
{
    if (a->keep_ns != b->keep_ns)
        return a->keep_ns < b->keep_ns;
    return strcmp(a->model.blob, b->model.blob) < 0;
}

/* Ollama's victim: the shortest keep-alive, then the first path; of those an idle one first. */
static struct runner *victim(void)
{
    struct runner *idle = NULL, *any = NULL;
    for (struct runner *r = runners; r; r = r->next) {
        if (!any || goes_before(r, any))
            any = r;
        if (!r->refs && (!idle || goes_before(r, idle)))
            idle = r;
    }
    return idle ? idle : any;
}

/* Lets a runner go: now where it is idle, else after its requests. */
static void expire(struct runner *runner)
{
    runner->keep_ns = 0;
    if (!runner->refs && !runner->stuck)
        unload(runner);
}

static void replace(struct timer *timer)
{
    struct runner *runner = owner_of(timer, struct runner, replace);
    kill(runner->pid, SIGKILL); /* its end is one by itself for whoever waits */
}

/* Goes on with the first of the queue as far as it can. */
static void pump(void)
{
    while (queue && !loading) {
        struct ticket *ticket = queue;
        struct runner *same = find(&ticket->model);
        if (same && !usable(same, ticket)) {
            bool dead = same->state == RUNNER_DEAD && !same->refs;
            if (same->hung && same->state == RUNNER_LOADED && !same->replace.armed) {
                same->replace.fire = replace;
                loop_arm(&same->replace, settings.replace_ms);
            }
            if (same->state != RUNNER_KILLED)
                expire(same);
            if (!dead)
                return; /* until it is gone */
            continue;
        }
        size_t n = 0;
        for (struct runner *r = runners; r; r = r->next)
            n++;
        if (!same && n >= runners_max) {
            struct runner *out = victim();
            bool dead = out->state == RUNNER_DEAD && !out->refs;
            if (out->state != RUNNER_KILLED)
                expire(out);
            if (!dead)
                return;
            continue;
        }
        queue = ticket->next;
        queue_len--;
        ticket->queued = false;
        if (same)
            grant(same, ticket);
        else
            load(ticket);
    }
}

void sched_get(struct ticket *ticket)
{
    struct runner *runner = find(&ticket->model);
    if (usable(runner, ticket)) {
        grant(runner, ticket);
        return;
    }
    if (queue_len >= SCHED_QUEUE_MAX) {
        ticket->failed(ticket, 503,
                       "server busy, please try again.  maximum pending requests exceeded");
        return;
    }
    struct ticket **at = &queue;
    while (*at)
        at = &(*at)->next;
    ticket->next = NULL;
    ticket->queued = true;
    *at = ticket;
    queue_len++;
    pump();
}

void sched_cancel(struct ticket *ticket)
{
    if (ticket->queued) {
        struct ticket **at = &queue;
        while (*at != ticket)
            at = &(*at)->next;
        *at = ticket->next;
        queue_len--;
        ticket->queued = false;
    } else if (loading && loading->loader == ticket) {
        loading->loader = NULL;
        kill_runner(loading);
    }
}

void sched_unload(const struct model *model)
{
    struct runner *runner = find(model);
    if (!runner || settings.keep_answering || runner->state == RUNNER_LOADING ||
        runner->state == RUNNER_KILLED)
        return;
    expire(runner);
}

void sched_recheck(void)
{
    struct runner *next;
    for (struct runner *r = runners; r; r = next) {
        next = r->next;
        if (r->stuck && !settings.stuck_unload) {
            r->stuck = false;
            unload(r);
        }
    }
}

bool sched_settling(void)
{
    for (struct runner *r = runners; r; r = r->next)
        if (r->state == RUNNER_KILLED)
            return true;
    return false;
}

const struct runner *sched_runners(void)
{
    return runners;
}

const struct sched_counts *sched_counts(void)
{
    return &counts;
}

bool sched_ghost(const struct model *model)
{
    struct runner *runner = find(model);
    return runner && runner->state == RUNNER_LOADED && kill(runner->pid, SIGKILL) == 0;
}

bool sched_hang(const struct model *model)
{
    struct runner *runner = find(model);
    if (!runner || runner->state != RUNNER_LOADED || kill(runner->pid, RUNNER_HANGS) < 0)
        return false;
    runner->hung = true;
    return true;
}

void sched_end(void)
{
    for (struct runner *r = runners; r; r = r->next)
        if (r->state != RUNNER_DEAD)
            kill(r->pid, SIGKILL);
}

bool sched_child_exited(pid_t pid, int wait_status)
{
    struct runner *runner = runners;
    while (runner && (runner->pid != pid || runner->state == RUNNER_DEAD))
        runner = runner->next;
    if (!runner)
        return false;
    char message[128];
    if (runner->state == RUNNER_LOADED) {
        counts.deaths++;
        runner->state = RUNNER_DEAD;
        runner->stuck = false; /* nothing holds it any more */
        loop_close(&runner->log);
        return true;
    }
    if (runner->state == RUNNER_LOADING) {
        load_failure_text(wait_status, message, sizeof message);
        load_failed(runner, message);
    }
    forget(runner);
    pump();
    return true;
}
