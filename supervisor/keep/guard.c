#include "keep/guard.h"
#include <errno.h>
#include <stdlib.h>

/* As often as the heartbeat beats, which says it; while it is bad as often as it may be mended. */
static const uint64_t check_every_ms = 5000, bad_every_ms = 1000;

struct keep_guard {
    struct keep_guard_options o;
    uv_timer_t timer;
    uv_work_t work;
    bool stopped, bad; /* bad: told */
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

static void due(uv_timer_t *timer);

static void checked(uv_work_t *work, int status)
{
    static const struct keep_report nothing;
    struct keep_guard *g = work->data;
    bool bad = status == 0 && g->result < 0;
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
    uv_timer_start(&g->timer, due, bad ? bad_every_ms : check_every_ms, 0);
}

static void due(uv_timer_t *timer)
{
    struct keep_guard *g = timer->data;
    if (uv_queue_work(g->o.loop, &g->work, check, checked) < 0)
        uv_timer_start(&g->timer, due, check_every_ms, 0);
}

int keep_guard_new(const struct keep_guard_options *options, struct keep_guard **ret_guard)
{
    struct keep_guard *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    g->o = *options;
    uv_timer_init(g->o.loop, &g->timer);
    g->timer.data = g->work.data = g;
    due(&g->timer);
    *ret_guard = g;
    return 0;
}

void keep_guard_stop(struct keep_guard *g)
{
    if (!g)
        return;
    g->stopped = true;
    uv_close((uv_handle_t *)&g->timer, NULL);
}

void keep_guard_free(struct keep_guard *g)
{
    free(g);
}
