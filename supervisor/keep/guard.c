#include "keep/guard.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>

/* With the look that comes next, which is some 0.5 s later: as often as the heartbeat beats, which
 * says it; while it is bad as often as it may be mended. */
static const double check_every_s = 4.5, bad_every_s = 0.5;

struct keep_guard {
    struct keep_guard_options o;
    uv_work_t work;
    bool busy, stopped, bad; /* bad: told */
    double due_s;            /* boottime */
    int result;
    struct error error;
    struct keep_report report;
    bool unshared; /* told */
    int place;     /* keep_life_place */
    struct error place_error;
};

static void check(uv_work_t *work)
{
    struct keep_guard *g = work->data;
    g->result = keep_check(g->o.keep, &g->report, &g->error);
    g->place = keep_life_place(&g->place_error);
}

static void checked(uv_work_t *work, int status)
{
    static const struct keep_report nothing;
    struct keep_guard *g = work->data;
    bool bad = status == 0 && g->result < 0;
    g->busy = false;
    if (bad)
        g->due_s = clock_boottime_s() + bad_every_s;
    if (g->stopped)
        return;
    if (bad && !g->bad)
        g->o.tell(g->o.userdata, &g->error, &nothing);
    if (status == 0 && (g->report.set_aside[0] || g->report.replaced))
        g->o.tell(g->o.userdata, NULL, &g->report);
    if (!bad && g->bad)
        g->o.tell(g->o.userdata, NULL, &nothing);
    g->bad = bad;
    if (status == 0 && (g->place < 0) != g->unshared) {
        g->unshared = g->place < 0;
        g->o.tell_place(g->o.userdata, g->unshared ? &g->place_error : NULL);
    }
}

void keep_guard_look(struct keep_guard *g)
{
    double now_s = clock_boottime_s();
    if (!g || g->busy || g->stopped || now_s < g->due_s)
        return;
    g->due_s = now_s + check_every_s;
    g->busy = uv_queue_work(g->o.loop, &g->work, check, checked) == 0;
}

int keep_guard_new(const struct keep_guard_options *options, struct keep_guard **ret_guard)
{
    struct keep_guard *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    g->o = *options;
    g->work.data = g;
    keep_guard_look(g);
    *ret_guard = g;
    return 0;
}

void keep_guard_stop(struct keep_guard *g)
{
    if (g)
        g->stopped = true;
}

void keep_guard_free(struct keep_guard *g)
{
    free(g);
}
