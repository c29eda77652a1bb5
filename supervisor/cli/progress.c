#include "cli/progress.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
