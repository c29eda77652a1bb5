#include "judge/ledger.h"

#include "judge/footprint.h"
#include "judge/look.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below this, what a runner maps from files are its libraries: 18 to 27 MiB were seen. */
static const fact mapped_worth = (fact)64 << 20;
/* llama.cpp's buffers: 49 to 196 MiB were measured for a model of 1.15 GiB. */
static const fact compute_least = (fact)32 << 20;
enum { COMPUTE_PART = 8 };
/* Buffers beyond so many times what is reckoned for them are weights that nobody lists. */
enum { BUFFERS_MOST = 4 };
static const fact a_pebibyte = (fact)1 << 50; /* more has no machine */

bool ledger_is_held(enum ledger_kind kind)
{
    return kind <= LEDGER_RESIDUAL;
}

const char *ledger_kind_name(enum ledger_kind kind)
{
    static const char *const names[] = {
        [LEDGER_WEIGHTS] = "weights",
        [LEDGER_KV_CACHE] = "kv-cache",
        [LEDGER_COMPUTE] = "buffers",
        [LEDGER_UNTOUCHED] = "untouched",
        [LEDGER_PROMPT_CACHE] = "prompt-cache",
        [LEDGER_UNEXPLAINED] = "unexplained",
        [LEDGER_RUNNER] = "runner",
        [LEDGER_SERVER] = "server",
        [LEDGER_OTHER] = "other-processes",
        [LEDGER_PROCESSES] = "processes",
        [LEDGER_SHMEM] = "shmem",
        [LEDGER_RESIDUAL] = "residual",
        [LEDGER_SWAP] = "swap",
        [LEDGER_WEIGHTS_FILE] = "weights-file",
        [LEDGER_VRAM] = "vram",
        [LEDGER_PAGE_CACHE] = "page-cache",
        [LEDGER_KERNEL] = "kernel",
        [LEDGER_LEARNED] = "learned",
    };
    return names[kind];
}

const char *ledger_source_name(enum ledger_source source)
{
    static const char *const names[] = {
        [LEDGER_CGROUP] = "cgroup",   [LEDGER_PROC] = "/proc",
        [LEDGER_API] = "/api/ps",     [LEDGER_METADATA] = "/api/show",
        [LEDGER_TABLE] = "table",     [LEDGER_ESTIMATE] = "estimate",
        [LEDGER_HISTORY] = "learned", [LEDGER_REST] = "what is left",
    };
    return names[source];
}

const struct process *ledger_runner(const struct container *c, const struct model *m)
{
    return runner_of_blob(c, m->blob);
}

static bool number(const struct container *c, const char *name, long long *ret_value)
{
    const char *text = container_env(c, name);
    char *end = NULL;
    errno = 0;
    long long value = text ? strtoll(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return false;
    *ret_value = value;
    return true;
}

bool ledger_runs_llama_server(const struct container *c, const struct process *p)
{
    char *end;
    errno = 0;
    long major = strtol(c->ollama.version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (errno || (major == 0 && minor == 0))
        return p && strncmp(p->comm, "llama-server", 12) == 0;
    return major > 0 || minor >= 30;
}

fact ledger_parallel(const struct container *c)
{
    enum { PARALLEL_MAX = 1 << 16 };
    long long value;
    return number(c, "OLLAMA_NUM_PARALLEL", &value) && value > 0 && value <= PARALLEL_MAX
               ? (fact)value
               : FACT_UNKNOWN;
}

const char *ledger_kv_type(const struct container *c)
{
    const char *type = container_env(c, "OLLAMA_KV_CACHE_TYPE");
    return type && *type ? type : "f16";
}

static struct ledger_part *add(struct ledger *l, enum ledger_kind kind, enum ledger_source source,
                               fact bytes)
{
    if (l->n_parts == LEDGER_PARTS_MAX)
        return NULL;
    struct ledger_part *part = &l->parts[l->n_parts++];
    *part = (struct ledger_part){.kind = kind,
                                 .source = source,
                                 .bytes = bytes < 0 ? -bytes : bytes,
                                 .negative = bytes < 0,
                                 .model = "",
                                 .pid = FACT_UNKNOWN,
                                 .bound = FACT_UNKNOWN,
                                 .seen = FACT_UNKNOWN};
    return part;
}

static struct ledger_part *add_of_model(struct ledger *l, enum ledger_kind kind,
                                        enum ledger_source source, fact bytes,
                                        const struct model *m, const struct process *p)
{
    struct ledger_part *part = add(l, kind, source, bytes);
    if (part) {
        part->model = m->name;
        part->pid = p ? p->pid : FACT_UNKNOWN;
    }
    return part;
}

static bool has_shape(const struct model *m)
{
    return m->shape.weights > 0 && fact_known(m->shape.kv_per_token) &&
           fact_known(m->shape.graph) && fact_known(m->context_length);
}

/* By its metadata, else the table's, else an estimate by the parameters that the server names. */
static struct footprint known_of(const struct model *m)
{
    struct footprint f = footprint_of(m->name);
    char size[32];
    if (has_shape(m))
        return (struct footprint){.source = FOOTPRINT_KNOWN,
                                  .weights = m->shape.weights,
                                  .kv_per_token = m->shape.kv_per_token,
                                  .compute = footprint_buffers(m->shape.graph, m->context_length)};
    if (f.source != FOOTPRINT_UNKNOWN || !fact_known(m->parameters) || m->parameters == 0)
        return f;
    snprintf(size, sizeof size, "x:%.2fb", (double)m->parameters / 1e9);
    return footprint_of(size);
}

static fact at_most(fact bytes, fact bound)
{
    return bytes < bound ? bytes : bound;
}

/* A llama-server keeps finished prompts; 0: it is none. A bound that no machine has is unknown. */
static fact cache_bound(const struct container *c, const struct process *p)
{
    long long mib;
    if (!ledger_runs_llama_server(c, p))
        return 0;
    if (!container_env(c, "LLAMA_ARG_CACHE_RAM"))
        return ledger_cache_default;
    if (!number(c, "LLAMA_ARG_CACHE_RAM", &mib))
        return FACT_UNKNOWN;
    return mib < 0 ? FACT_NONE : fact_times(mib, 1 << 20);
}

/* What of a model is where. */
struct split {
    fact weights, kv, compute;
    fact untouched, above; /* of all these; what the runner holds beyond them */
    fact vram, slots;
    bool known; /* the model's shape: else its weights are all of it */
    enum ledger_source source;
};

/* With a llama-server the size is all that it has: what it has beyond weights and KV cache are
 * buffers, which it counts twice where they were made anew, and a KV cache that does not fit in is
 * one of windows. That of an older server leaves the KV cache out. */
static void fit_size(struct split *s, fact size, bool exact)
{
    fact room = size - s->weights - s->kv;
    if (!exact) { /* then the weights are the rest */
        fact compute = size / COMPUTE_PART;
        compute = at_most(compute < compute_least ? compute_least : compute, s->compute);
        s->kv = at_most(s->kv, size);
        s->compute = at_most(compute, size - s->kv);
        s->weights = size - s->kv - s->compute;
    } else if (room > BUFFERS_MOST * s->compute) { /* a projector's, which it does not list */
        s->weights += room - s->compute;
    } else if (room > 0) {
        s->compute = room > s->compute + s->compute / 2 ? room / 2 : room;
    } else {
        room = size - s->weights;
        s->compute = at_most(s->compute, room > 0 ? room : 0);
        s->kv = room > 0 ? room - s->compute : 0;
    }
}

/* What of it the runner does not hold. Buffers are written when they are needed. */
static void fit_held(struct split *s, fact own, bool exact)
{
    fact lacks = s->weights + s->kv + s->compute - own;
    s->untouched = exact ? at_most(lacks > 0 ? lacks : 0, s->compute) : 0;
    lacks -= s->untouched;
    fact *const parts[] = {&s->weights, &s->compute, &s->kv};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && lacks > 0; i++) {
        fact less = at_most(lacks, *parts[i]);
        *parts[i] -= less;
        lacks -= less;
    }
    s->above = own - (s->weights + s->kv + s->compute - s->untouched);
}

/* mapped: of the weights, from their file. gpu: one was seen. */
static struct split split_model(const struct container *c, const struct model *m,
                                const struct process *p, fact own, fact mapped, bool gpu)
{
    struct footprint f = known_of(m);
    fact parallel = ledger_parallel(c);
    fact size = m->size > 0 && m->size < a_pebibyte ? m->size : 0;
    struct split s = {.known = f.source != FOOTPRINT_UNKNOWN,
                      .vram = gpu && m->size_vram > 0 ? at_most(m->size_vram, size) : 0,
                      .slots = fact_known(parallel) ? parallel : 1,
                      .source = has_shape(m)                  ? LEDGER_METADATA
                                : f.source == FOOTPRINT_KNOWN ? LEDGER_TABLE
                                                              : LEDGER_ESTIMATE};
    bool exact = s.source == LEDGER_METADATA, newer = ledger_runs_llama_server(c, p);
    double host = size > 0 ? (double)(size - s.vram) / (double)size : 1;
    double scale = footprint_kv_scale(ledger_kv_type(c)) * host;
    s.kv = footprint_kv(f.kv_per_token, m->context_length, s.slots, scale);
    s.kv = fact_known(m->context_length) ? s.kv : 0;
    s.compute = fact_scale(f.compute, host);
    s.weights = fact_scale(f.weights, host);
    s.known &= s.kv >= 0 && s.kv < a_pebibyte && s.compute >= 0 && s.compute < a_pebibyte &&
               s.weights < a_pebibyte;
    if (!s.known)
        s.weights = size - s.vram, s.kv = s.compute = 0;
    else if (size > 0 && (newer || !exact))
        fit_size(&s, size - s.vram + (newer ? 0 : s.kv), exact);
    s.weights = s.weights > mapped ? s.weights - mapped : 0;
    fit_held(&s, own, exact);
    return s;
}

static void add_split(struct ledger *l, const struct container *c, const struct model *m,
                      const struct process *p, const struct split *s, fact mapped)
{
    bool rest = s->source != LEDGER_METADATA && m->size > 0;
    struct ledger_part *part =
        add_of_model(l, LEDGER_WEIGHTS, rest ? LEDGER_API : s->source, s->weights, m, p);
    if (part)
        snprintf(part->note, sizeof part->note, "%s%s%s",
                 !s->known ? "with its KV cache and buffers"
                 : rest    ? "its size, less KV cache and buffers"
                           : "its tensors",
                 s->vram > 0 ? ", less VRAM" : "", mapped > 0 ? ", less what is mapped" : "");
    if (!s->known)
        return;
    part = add_of_model(l, LEDGER_KV_CACHE, s->source, s->kv, m, p);
    if (part && fact_known(m->context_length))
        snprintf(part->note, sizeof part->note, "context %lld, %lld in parallel%s, %s",
                 (long long)m->context_length, (long long)s->slots,
                 fact_known(ledger_parallel(c)) ? "" : " (not set)", ledger_kv_type(c));
    add_of_model(l, LEDGER_COMPUTE, LEDGER_ESTIMATE, s->compute, m, p);
    if (s->untouched > 0)
        add_of_model(l, LEDGER_UNTOUCHED, LEDGER_REST, -s->untouched, m, p);
}

static void add_learned(struct ledger *l, const struct container *c, const struct model *m,
                        const struct process *p, ledger_ask *ask, void *userdata)
{
    struct ledger_learned learned = {FACT_UNKNOWN, FACT_UNKNOWN};
    if (!ask || ask(userdata, c, m, &learned) != 0)
        return;
    struct ledger_part *part = add_of_model(l, LEDGER_LEARNED, LEDGER_HISTORY, learned.held, m, p);
    if (part)
        part->seen = learned.seen;
}

/* The model of a runner; NULL: nobody knows. Where the server has not told which file its only
 * model is made of, it is the only runner's. */
static const struct model *model_of(const struct container *c, const struct process *p)
{
    size_t runners = 0;
    for (size_t i = 0; i < c->ollama.n_models; i++)
        if (ledger_runner(c, &c->ollama.models[i]) == p)
            return &c->ollama.models[i];
    for (size_t i = 0; i < c->n_processes; i++)
        runners += process_is_live_runner(&c->processes[i]);
    return runners == 1 && c->ollama.n_models == 1 && !c->ollama.models[0].blob[0]
               ? &c->ollama.models[0]
               : NULL;
}

/* All that one runner holds itself, in parts. */
static void take_runner(struct ledger *l, const struct container *c, const struct process *p,
                        fact own, bool gpu)
{
    const struct model *m = model_of(c, p);
    if (!m) {
        struct ledger_part *part = add(l, LEDGER_RUNNER, LEDGER_PROC, own);
        if (part)
            part->pid = p->pid;
        return;
    }
    fact mapped = p->rss_file >= mapped_worth ? p->rss_file : 0;
    struct split split = split_model(c, m, p, own, mapped, gpu);
    add_split(l, c, m, p, &split, mapped);
    fact bound = cache_bound(c, p);
    fact cache = fact_known(bound) ? at_most(split.above, bound) : split.above;
    if (bound != 0) {
        struct ledger_part *part =
            add_of_model(l, LEDGER_PROMPT_CACHE, LEDGER_ESTIMATE, cache, m, p);
        if (part) {
            part->bound = bound;
            snprintf(part->note, sizeof part->note, "what is above the rest%s",
                     container_env(c, "LLAMA_ARG_CACHE_RAM") ? "" : "; its default bound");
        }
    }
    add_of_model(l, LEDGER_UNEXPLAINED, LEDGER_REST, split.above - cache, m, p);
}

static void take_processes(struct ledger *l, const struct container *c, bool gpu)
{
    fact server = 0, other = 0;
    bool server_seen = false;
    size_t runners = 0;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        fact own = process_held(p);
        if (!fact_known(own)) /* then it is part of the residual */
            continue;
        if (process_is_live_runner(p) && runners++ < LEDGER_RUNNERS_MAX)
            take_runner(l, c, p, own, gpu);
        else if (p->kind == PROCESS_SERVE)
            server += own, server_seen = true;
        else
            other += own;
    }
    if (server_seen)
        add(l, LEDGER_SERVER, LEDGER_PROC, server);
    if (other > 0)
        add(l, LEDGER_OTHER, LEDGER_PROC, other);
}

static fact sum_of_parts(const struct ledger *l)
{
    fact sum = 0;
    for (size_t i = 0; i < l->n_parts; i++)
        sum += l->parts[i].negative ? -l->parts[i].bytes : l->parts[i].bytes;
    return sum;
}

static void add_beside(struct ledger *l, const struct container *c, bool gpu, ledger_ask *ask,
                       void *userdata)
{
    const struct cgroup_memory *m = &c->cgroup;
    if (fact_known(m->swap))
        add(l, LEDGER_SWAP, LEDGER_CGROUP, m->swap);
    for (size_t i = 0; i < c->ollama.n_models && i < LEDGER_RUNNERS_MAX; i++) {
        const struct model *model = &c->ollama.models[i];
        const struct process *p = ledger_runner(c, model);
        if (p && p->rss_file >= mapped_worth)
            add_of_model(l, LEDGER_WEIGHTS_FILE, LEDGER_PROC, p->rss_file, model, p);
        if (gpu && model->size_vram > 0)
            add_of_model(l, LEDGER_VRAM, LEDGER_API, model->size_vram, model, p);
        add_learned(l, c, model, p, ask, userdata);
    }
    if (fact_known(m->file))
        add(l, LEDGER_PAGE_CACHE, LEDGER_CGROUP, m->file);
    if (fact_known(m->kernel))
        add(l, LEDGER_KERNEL, LEDGER_CGROUP, m->kernel);
}

void ledger_of(const struct world *world, const struct container *c, ledger_ask *ask,
               void *userdata, struct ledger *ret_ledger)
{
    bool gpu = world->n_gpus > 0;
    struct ledger *l = ret_ledger;
    l->n_parts = 0;
    l->held = container_held(c, &world->host);
    fact shmem = c->cgroup.shmem;
    if (c->processes_known)
        take_processes(l, c, gpu);
    else if (fact_known(l->held))
        add(l, LEDGER_PROCESSES, LEDGER_CGROUP,
            fact_known(shmem) && shmem < l->held ? l->held - shmem : l->held);
    if (shmem > 0)
        add(l, LEDGER_SHMEM, LEDGER_CGROUP, shmem);
    if (fact_known(l->held))
        add(l, LEDGER_RESIDUAL, LEDGER_REST, l->held - sum_of_parts(l));
    add_beside(l, c, gpu, ask, userdata);
}
