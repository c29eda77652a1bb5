#include "cli/say.h"
#include "base/size.h"

#include <stdarg.h>
#include <unistd.h>

const char *say_change(fact before, fact after, char *text, size_t size)
{
    if (!fact_known(before) || !fact_known(after)) {
        snprintf(text, size, "%s -> %s", SHOWN(before), SHOWN(after));
        return text;
    }
    double percent = before > 0 ? 100.0 * (double)(before - after) / (double)before : 0;
    snprintf(text, size, "%s -> %s (%lld -> %lld bytes, %.1f %% %s)", SHOWN(before), SHOWN(after),
             (long long)before, (long long)after, percent < 0 ? -percent : percent,
             percent < 0 ? "more" : "less");
    return text;
}

/* A piece of evidence as bytes, in a place of its own. */
#define EVIDENCE(v, name) SHOWN(evidence_bytes((v), (name)))

static fact evidence_bytes(const struct verdict *v, const char *name)
{
    double value = verdict_evidence(v, name);
    return value < 0 ? FACT_UNKNOWN : (fact)value;
}

const char *say_verdict(const struct verdict *v, char *text, size_t size)
{
    const char *bound = v->kind == VERDICT_LIMIT_DRIFT ? "limit" : "high";
    switch (v->kind) {
    case VERDICT_IDLE_LEAK:
        snprintf(text, size,
                 "the server itself holds %s (baseline %s, a leak from %s above it): %s",
                 EVIDENCE(v, "serve"), EVIDENCE(v, "baseline"), EVIDENCE(v, "threshold"), v->why);
        break;
    case VERDICT_ORPHAN_RUNNER:
    case VERDICT_STALLED_LOAD:
    case VERDICT_STUCK_STOPPING:
        snprintf(text, size, "%s; it holds %s", v->why, EVIDENCE(v, "runner"));
        break;
    case VERDICT_HELD_ELSEWHERE:
        snprintf(text, size, "%s (tmpfs and shared memory %s, foreign processes %s)", v->why,
                 EVIDENCE(v, "shmem"), EVIDENCE(v, "foreign"));
        break;
    case VERDICT_LIMIT_DRIFT:
    case VERDICT_HIGH_DRIFT:
        snprintf(text, size, "%s (wanted %s, now %s, floor %s)", v->why, EVIDENCE(v, "wanted"),
                 evidence_bytes(v, bound) < 0 ? "none" : EVIDENCE(v, bound), EVIDENCE(v, "floor"));
        break;
    case VERDICT_PAGE_CACHE:
        snprintf(text, size, "%s (%s of page cache, %s of it unused; %s available on the host)",
                 v->why, EVIDENCE(v, "file"), EVIDENCE(v, "inactive_file"),
                 EVIDENCE(v, "available"));
        break;
    case VERDICT_LOW_PRIORITY:
        snprintf(text, size, "%s (%.0f %% of the host's memory in use; it holds %s)", v->why,
                 verdict_evidence(v, "in_use"), EVIDENCE(v, "held"));
        break;
    case VERDICT_GROWTH_LEAK:
    case VERDICT_PROMPT_CACHE:
        snprintf(text, size, "%s (it has grown by %s; the container holds %s of %s)", v->why,
                 EVIDENCE(v, "grown"), EVIDENCE(v, "held"), EVIDENCE(v, "limit"));
        break;
    case VERDICT_OVER_BUDGET:
        snprintf(text, size, "%s (%s of %s)", v->why, EVIDENCE(v, "models_held"),
                 EVIDENCE(v, "budget"));
        break;
    case VERDICT_HOST_PRESSURE:
        snprintf(text, size, "%s%s%s (%s of %s available on the host)", v->model,
                 v->model[0] ? ": " : "", v->why, EVIDENCE(v, "available"), EVIDENCE(v, "total"));
        break;
    case VERDICT_GHOST_MODEL:
    case VERDICT_OVERSIZE_MODEL:
    case VERDICT_IDLE_MODEL:
    case VERDICT_TOO_MANY_MODELS:
        snprintf(text, size, "%.100s: %s", v->model, v->why);
        break;
    case VERDICT_OOM_KILL:
    case VERDICT_UNREACHABLE:
    case VERDICT_STOPPED_BY_US:
    case VERDICT_SWAP_IN_USE:
    case VERDICT_BROKEN_HEALTHCHECK:
    case VERDICT_THERMAL:
    case VERDICT_NO_LIMIT:
    case VERDICT_KINDS:
        snprintf(text, size, "%s", v->why);
        break;
    }
    return text;
}

void say_json(json_t *json)
{
    say_json_by(json, JSON_COMPACT);
}

void say_json_by(json_t *json, size_t flags)
{
    json_dumpf(json, stdout, flags);
    putchar('\n');
    json_decref(json);
}

void say_progress(const char *format, ...)
{
    if (!isatty(STDERR_FILENO))
        return;
    va_list arguments;
    fputs("\r\033[K", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fflush(stderr);
}
