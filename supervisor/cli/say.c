#include "cli/say.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *cli_container(const struct cli *cli)
{
    return cli->operands[0] ? cli->operands[0] : cli_value(cli, "container");
}

const char *say_change(fact before, fact after, char *text, size_t size)
{
    if (!fact_known(before) || !fact_known(after)) {
        snprintf(text, size, "%s -> %s", SHOWN(before), SHOWN(after));
        return text;
    }
    double percent = before > 0 ? 100.0 * (double)(before - after) / (double)before : 0;
    char change[40];
    if (percent < -100) /* a model's load beside a server's ten megabytes */
        snprintf(change, sizeof change, "%.0f times as much", 1 - percent / 100);
    else
        snprintf(change, sizeof change, "%.1f %% %s", percent < 0 ? -percent : percent,
                 percent < 0 ? "more" : "less");
    snprintf(text, size, "%s -> %s (%lld -> %lld bytes, %s)", SHOWN(before), SHOWN(after),
             (long long)before, (long long)after, change);
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
    case VERDICT_HUNG_RUNNER:
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

static const double redraw_s = 0.1; /* no eye sees more */
static const double line_s = 5;     /* in a log: at most twelve lines a minute */

enum { BAR_MIN = 10, BAR_MAX = 40, TEXT_SIZE = 160 };

static void rate(const struct progress *progress, fact current, fact total, double now_s,
                 char *text, size_t size)
{
    double took_s = now_s - progress->started_s;
    double per_s = took_s > 0 ? (double)(current - progress->first) / took_s : 0;
    text[0] = '\0';
    if (took_s < 1 || per_s < 1)
        return;
    snprintf(text, size, ", %s/s", SHOWN((fact)per_s));
    if (total > current)
        snprintf(text + strlen(text), size - strlen(text), ", %s left",
                 SHOWN_S((double)(total - current) / per_s));
}

static void draw(const struct progress *progress, const char *amounts, fact current, fact total)
{
    char bar[BAR_MAX + 1] = "";
    int width = cli_width() - (int)strlen(progress->what) - (int)strlen(amounts) - 6;
    if (width > BAR_MAX)
        width = BAR_MAX;
    if (total > 0 && width >= BAR_MIN) {
        int filled = (int)((double)width * (double)current / (double)total);
        for (int i = 0; i < width; i++)
            bar[i] = i < filled ? '#' : '.';
        fprintf(stderr, "\r\033[K%s [%s] %s", progress->what, bar, amounts);
    } else {
        fprintf(stderr, "\r\033[K%s %s", progress->what, amounts);
    }
    fflush(stderr);
}

void progress_show(struct progress *progress, const char *what, fact current, fact total)
{
    char have[16], amounts[TEXT_SIZE], speed[64];
    double now_s = clock_boottime_s();
    bool terminal = isatty(STDERR_FILENO);
    if (!fact_known(current))
        current = 0;
    if (!progress->begun || strcmp(progress->what, what) != 0) {
        progress_end(progress);
        *progress = (struct progress){
            .begun = true, .started_s = now_s, .told_s = terminal ? 0 : now_s, .first = current};
        snprintf(progress->what, sizeof progress->what, "%s", what);
    }
    if (now_s - progress->told_s < (terminal ? redraw_s : line_s))
        return;
    progress->told_s = now_s;
    if (total > 0 && current > total)
        current = total;
    rate(progress, current, total, now_s, speed, sizeof speed);
    size_format(current, have, sizeof have);
    if (total > 0)
        snprintf(amounts, sizeof amounts, "%3.0f %%  %s of %s%s",
                 100.0 * (double)current / (double)total, have, SHOWN(total), speed);
    else
        snprintf(amounts, sizeof amounts, "%s%s", have, speed);
    if (terminal) {
        progress->shown = true;
        draw(progress, amounts, current, total);
    } else {
        fprintf(stderr, "%s: %s\n", progress->what, amounts);
    }
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    *progress = (struct progress){.begun = false};
}
