#include "tell/serve/operations.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text_clean.h"
#include "chronicle/historian.h"
#include "sense/json_put.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- made and dropped */

static void operation_free(struct operation *op)
{
    json_decref(op->rows);
    free(op->jobs);
    free(op->targets);
    free(op->loads);
    free(op);
}

static void on_done(void *own, struct net_exchange *exchange, int result)
{
    struct operation *op = own;
    (void)exchange, (void)result;
    op->call = NULL; /* it goes on */
}

static void add_target(struct operation *op, const struct container *c)
{
    if (op->n_targets < OPERATION_TARGETS_MAX)
        memcpy(op->targets[op->n_targets++].id, c->id, CONTAINER_ID_SIZE);
}

static bool choose(struct operation *op, const struct world *world, const char *named)
{
    const struct container *only = NULL;
    size_t running = 0;
    if (named && !(only = serve_named(op->call, world, named)))
        return false;
    for (size_t i = 0; !named && i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (c->status != STATUS_RUNNING || !container_is_ollama(c))
            continue;
        running++;
        only = c;
        if (c->mode == MODE_ENFORCE)
            add_target(op, c);
    }
    if (only && (named || (op->n_targets == 0 && running == 1)))
        add_target(op, only);
    if (op->n_targets > 0 && (!named || only->status == STATUS_RUNNING))
        return true;
    api_problem(op->call, named || running == 0 ? 409 : 422,
                named          ? "it does not run"
                : running == 0 ? "no Ollama container runs here"
                               : "none of the Ollama containers is in mode enforce: say which one "
                                 "is meant by `container`");
    return false;
}

static void ask_later(struct api_call *call, const char *why)
{
    const struct net_field later = {"Retry-After", "5"};
    net_answer_problem(call->exchange, 429, &later, 1, why);
}

struct operation *operation_new(struct serve *serve, struct api_call *call, const char *what,
                                const char *container, operation_answer *answer)
{
    struct state state;
    struct access_caller caller;
    if (!serve_seen(serve, call, &state))
        return NULL;
    admit_caller(serve, call, &caller);
    if (serve->n_operations_open >=
        OPERATIONS_OPEN_MAX + (caller.admin ? OPERATIONS_KEPT_FOR_ADMINS : 0)) {
        ask_later(call, "too many operations are under way");
        return NULL;
    }
    struct operation *op = calloc(1, sizeof *op);
    if (!op || !(op->targets = calloc(OPERATION_TARGETS_MAX, sizeof *op->targets)) ||
        !(op->rows = json_array())) {
        api_problem(call, 500, "no memory is left");
        if (op)
            operation_free(op);
        return NULL;
    }
    op->serve = serve;
    op->call = call;
    op->what = what;
    op->answer = answer;
    op->wall_ms = clock_wall_ms();
    op->began_s = clock_boottime_s();
    op->admin = caller.admin;
    memcpy(op->who, caller.name, sizeof op->who);
    if (choose(op, state.world, container))
        return op;
    operation_free(op);
    return NULL;
}

void operation_drop(struct operation *op)
{
    operation_free(op);
}

static struct operation_job *add_job(struct operation *op, const struct container *c)
{
    if (op->n_jobs == OPERATION_JOBS_MAX ||
        (!op->jobs && !(op->jobs = calloc(OPERATION_JOBS_MAX, sizeof *op->jobs))))
        return NULL;
    struct operation_job *job = &op->jobs[op->n_jobs++];
    memcpy(job->id, c->id, sizeof job->id);
    return job;
}

int operation_add_unload(struct operation *op, const struct container *c, const char *model)
{
    struct operation_job *job = add_job(op, c);
    if (!job)
        return -E2BIG;
    text_copy(job->model, sizeof job->model, model);
    return 0;
}

void operation_add_unloads(struct operation *op, const char *model)
{
    op->unloads = true;
    text_copy(op->model, sizeof op->model, model);
}

int operation_add_restart(struct operation *op, const struct container *c)
{
    return add_job(op, c) ? 0 : -E2BIG;
}

int operation_add_load(struct operation *op, const struct load_wish *wish)
{
    if (op->n_loads == OPERATION_LOADS_MAX ||
        (!op->loads && !(op->loads = calloc(OPERATION_LOADS_MAX, sizeof *op->loads))))
        return -E2BIG;
    op->loads[op->n_loads++] = *wish;
    return 0;
}

const struct container *operation_target(const struct operation *op, size_t i)
{
    struct state state;
    return op->serve->o.look(op->serve->o.userdata, &state)
               ? world_container(state.world, op->targets[i].id)
               : NULL;
}

/* ---- what became of it */

json_t *operation_row(struct operation *op, const char *container, const char *model,
                      const char *result, const char *text)
{
    char whole[800]; /* text may end within a character */
    snprintf(whole, sizeof whole, "%s", text);
    text_clean(whole);
    json_t *one =
        json_pack("{s:s, s:s, s:s}", "container", container, "result", result, "text", whole);
    put_text(one, "model", model);
    json_array_append_new(op->rows, one);
    return one;
}

void operation_say(struct operation *op, const char *container, const char *model,
                   const char *result, const char *text)
{
    op->failed += strcmp(result, "failed") == 0;
    operation_row(op, container, model, result, text);
}

json_t *operation_json(const struct operation *op)
{
    char when[32];
    clock_format(op->wall_ms, when, sizeof when);
    const char *state = !op->over                   ? "under-way"
                        : op->failed || op->refused ? "failed"
                        : op->pending               ? "pending"
                                                    : "done";
    json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:O, s:I}", "id", (json_int_t)op->number,
                             "what", op->what, "state", state, "who", op->who, "began", when,
                             "results", op->rows, "freed", (json_int_t)op->freed);
    if (op->over)
        json_object_set_new(json, "took_s", json_real(op->took_s));
    return json;
}

void operation_answer_it(struct api_call *call, const struct operation *op, int status)
{
    api_answer(call, status, operation_json(op));
}

static void write_down(const struct operation *op)
{
    char text[200];
    struct historian *historian = op->serve->o.historian;
    int n = snprintf(text, sizeof text, "by %s", op->who);
    if (op->over)
        snprintf(text + n, sizeof text - (size_t)n, "; %zu of %zu not done, freed %lld bytes",
                 op->failed + op->refused + op->pending, json_array_size(op->rows),
                 (long long)op->freed);
    if (historian)
        historian_asked(historian, op->what, op->over, text, op->admin ? NULL : op->who);
}

static void finish(struct operation *op)
{
    struct serve *serve = op->serve;
    struct operation *oldest;
    struct api_call *call = op->call;
    int status = op->failed ? 502 : op->refused || op->pending ? 409 : 200;
    op->over = true;
    op->took_s = clock_boottime_s() - op->began_s;
    op->call = NULL;
    serve->n_operations_open--;
    serve->n_operations_over++;
    /* Two of the patterns that the runbook has people look for; "Model loaded successfully" and
     * "CRITICAL ALERT" are the others. */
    const char *msg = strcmp(op->what, "optimize") == 0 ? "Memory optimization freed memory"
                      : strcmp(op->what, "emergency-restart") == 0 ? "Emergency restart ended"
                                                                   : "operation ended";
    log_kept(op->admin, LOG_LEVEL_INFO, msg, LS("what", op->what), LS("who", op->who),
             LN("operation", op->number), LN("failed", (int64_t)op->failed),
             LN("refused", (int64_t)(op->refused + op->pending)), LN("freed", op->freed),
             LR("took_s", op->took_s));
    write_down(op);
    if (call) {
        call->calls = NULL;
        op->answer(call, op, status);
    }
    TAILQ_FOREACH(oldest, &serve->operations, link)
    {
        if (oldest->over && oldest != op)
            break;
    }
    if (serve->n_operations_over > OPERATIONS_KEPT_MAX && oldest) {
        TAILQ_REMOVE(&serve->operations, oldest, link);
        serve->n_operations_over--;
        operation_free(oldest);
    }
}

/* Whether the same is under way: once more of it does nothing more. Of loads each waits for its
 * model. */
static bool is_twice(const struct operation *op)
{
    const struct operation *other;
    TAILQ_FOREACH(other, &op->serve->operations, link)
    {
        bool same = !other->over && strcmp(other->what, op->what) == 0 &&
                    strcmp(other->model, op->model) == 0 && other->n_targets == op->n_targets;
        for (size_t i = 0; same && i < op->n_targets; i++)
            same = strcmp(other->targets[i].id, op->targets[i].id) == 0;
        if (same && strcmp(op->what, "load") != 0)
            return true;
    }
    return false;
}

void operation_begin(struct operation *op)
{
    static const struct net_calls calls = {.done = on_done};
    struct serve *serve = op->serve;
    struct api_call *call = op->call;
    if (!op->admin && is_twice(op)) {
        operation_free(op);
        ask_later(call, "the same is under way already: GET /api/v1/operations shows it");
        return;
    }
    const char *prefer = net_head_get(net_exchange_head(call->exchange), "prefer");
    op->number = ++serve->n_operations;
    TAILQ_INSERT_TAIL(&serve->operations, op, link);
    serve->n_operations_open++;
    log_kept(op->admin, LOG_LEVEL_INFO, "operation asked for", LS("what", op->what),
             LS("who", op->who), LN("operation", op->number));
    write_down(op);
    call->calls = &calls;
    call->own = op;
    if (!prefer || !net_list_has(prefer, "respond-async"))
        return; /* the next look begins it */
    call->calls = NULL;
    op->call = NULL;
    operation_answer_it(call, op, 202);
}

/* ---- all of them */

static void step_all(struct serve *serve, const struct state *state, bool of_admins)
{
    for (struct operation *op = TAILQ_FIRST(&serve->operations), *next; op; op = next) {
        next = TAILQ_NEXT(op, link);
        if (op->over || op->admin != of_admins || operation_step(op, state))
            continue;
        finish(op); /* may free an older one */
        next = TAILQ_NEXT(op, link);
    }
}

void operations_look(struct serve *serve, const struct world *world,
                     const struct judgement *judgement)
{
    const struct state state = {.world = world, .judgement = judgement};
    runner_uses_look(serve->uses, world);
    loader_look(serve->loader);
    step_all(serve, &state, true);
    step_all(serve, &state, false);
}

int operations_new(struct serve *serve)
{
    struct loader_options options = {
        .healer = serve->o.healer, .done = operation_loaded, .userdata = serve};
    TAILQ_INIT(&serve->operations);
    int r = runner_uses_new(&serve->uses);
    return r < 0 ? r : loader_new(&options, &serve->loader);
}

void operations_free(struct serve *serve)
{
    struct operation *op;
    loader_free(serve->loader);
    runner_uses_free(serve->uses);
    while ((op = TAILQ_FIRST(&serve->operations)) != NULL) {
        TAILQ_REMOVE(&serve->operations, op, link);
        operation_free(op);
    }
}
