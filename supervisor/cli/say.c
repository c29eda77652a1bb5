#include "cli/say.h"
#include "base/size.h"

#include <string.h>
#include <unistd.h>

const char *say_change(fact before, fact after, char *text, size_t size)
{
    char b[16], a[16];
    if (!fact_known(before) || !fact_known(after)) {
        snprintf(text, size, "%s -> %s", size_format(before, b, sizeof b),
                 size_format(after, a, sizeof a));
        return text;
    }
    double percent = before > 0 ? 100.0 * (double)(before - after) / (double)before : 0;
    snprintf(text, size, "%s -> %s (%lld -> %lld bytes, %.1f %% %s)",
             size_format(before, b, sizeof b), size_format(after, a, sizeof a), (long long)before,
             (long long)after, percent < 0 ? -percent : percent, percent < 0 ? "more" : "less");
    return text;
}

static fact bytes(const struct verdict *v, const char *name)
{
    double value = verdict_evidence(v, name);
    return value < 0 ? FACT_UNKNOWN : (fact)value;
}

const char *say_verdict(const struct verdict *v, char *text, size_t size)
{
    char a[16], b[16], c[16];
    switch (v->kind) {
    case VERDICT_IDLE_LEAK:
        snprintf(text, size,
                 "the server itself holds %s (baseline %s, a leak from %s above it): %s",
                 size_format(bytes(v, "serve"), a, sizeof a),
                 size_format(bytes(v, "baseline"), b, sizeof b),
                 size_format(bytes(v, "threshold"), c, sizeof c), v->why);
        break;
    case VERDICT_ORPHAN_RUNNER:
    case VERDICT_STALLED_LOAD:
        snprintf(text, size, "%s; it holds %s", v->why,
                 size_format(bytes(v, "runner"), a, sizeof a));
        break;
    case VERDICT_HELD_ELSEWHERE:
        snprintf(text, size, "%s (tmpfs and shared memory %s, foreign processes %s)", v->why,
                 size_format(bytes(v, "shmem"), a, sizeof a),
                 size_format(bytes(v, "foreign"), b, sizeof b));
        break;
    case VERDICT_LIMIT_DRIFT:
        snprintf(text, size, "%s (wanted %s, now %s, floor %s)", v->why,
                 size_format(bytes(v, "wanted"), a, sizeof a),
                 bytes(v, "limit") < 0 ? "none" : size_format(bytes(v, "limit"), b, sizeof b),
                 size_format(bytes(v, "floor"), c, sizeof c));
        break;
    case VERDICT_HIGH_DRIFT:
        snprintf(text, size, "%s (wanted %s, now %s, floor %s)", v->why,
                 size_format(bytes(v, "wanted"), a, sizeof a),
                 bytes(v, "high") < 0 ? "none" : size_format(bytes(v, "high"), b, sizeof b),
                 size_format(bytes(v, "floor"), c, sizeof c));
        break;
    case VERDICT_PAGE_CACHE:
        snprintf(text, size, "%s (%s of page cache, %s of it unused; %s available on the host)",
                 v->why, size_format(bytes(v, "file"), a, sizeof a),
                 size_format(bytes(v, "inactive_file"), b, sizeof b),
                 size_format(bytes(v, "available"), c, sizeof c));
        break;
    case VERDICT_LOW_PRIORITY:
        snprintf(text, size, "%s (%.0f %% of the host's memory in use; it holds %s)", v->why,
                 verdict_evidence(v, "in_use"), size_format(bytes(v, "held"), a, sizeof a));
        break;
    case VERDICT_STUCK_STOPPING:
        snprintf(text, size, "%s; it holds %s", v->why,
                 size_format(bytes(v, "runner"), a, sizeof a));
        break;
    case VERDICT_GROWTH_LEAK:
    case VERDICT_PROMPT_CACHE:
        snprintf(text, size, "%s (it has grown by %s; the container holds %s of %s)", v->why,
                 size_format(bytes(v, "grown"), a, sizeof a),
                 size_format(bytes(v, "held"), b, sizeof b),
                 size_format(bytes(v, "limit"), c, sizeof c));
        break;
    case VERDICT_OVER_BUDGET:
        snprintf(text, size, "%s (%s of %s)", v->why,
                 size_format(bytes(v, "models_held"), a, sizeof a),
                 size_format(bytes(v, "budget"), b, sizeof b));
        break;
    case VERDICT_HOST_PRESSURE:
        snprintf(text, size, "%s%s%s (%s of %s available on the host)", v->model,
                 v->model[0] ? ": " : "", v->why, size_format(bytes(v, "available"), a, sizeof a),
                 size_format(bytes(v, "total"), b, sizeof b));
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

void say_progress(const char *text)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s", text ? text : "");
    fflush(stderr);
}
