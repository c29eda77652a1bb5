#include "flow.h"
#include "act/restore.h"
#include "act/startup.h"
#include "act/throttler.h"
#include "base/clock.h"
#include "chronicle/historian.h"
#include "keep/guard.h"
#include "remembered.h"
#include "tell/state_json.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flow {
    struct flow_options o;
    uv_loop_t loop;
    struct http *http;
    struct docker *docker;
    struct sense *sense;
    struct judge *judge;
    struct healer *healer;
    struct startup *startup;     /* NULL: not the daemon */
    struct restore *restore;     /* the same */
    struct puller *puller;       /* the same */
    struct historian *historian; /* NULL: nothing is done, so nothing is taken down */
    struct keep *keep;
    struct remembered *remembered; /* NULL: there is no keep */
    struct keep_guard *guard;      /* NULL: not the daemon */
    char state[256];               /* a copy: a reload does not move it */
    struct world *world;
    struct judgement judgement;
    bool ending;
    uv_timer_t room; /* the database is filled up when the first look is over */
    uv_work_t room_work;
    struct error room_error;
    int room_result;
    int status;
};

static const uint64_t room_after_ms = 300; /* a start takes 10 to 50 */

static void room_take(uv_work_t *work)
{
    struct flow *flow = work->data;
    flow->room_result = keep_take_room(flow->keep, &flow->room_error);
}

static void room_taken(uv_work_t *work, int status)
{
    struct flow *flow = work->data;
    if (status == 0 && flow->room_result < 0 && flow->o.no_room)
        flow->o.no_room(flow->o.userdata, &flow->room_error);
}

static void room_due(uv_timer_t *timer)
{
    struct flow *flow = timer->data;
    uv_queue_work(&flow->loop, &flow->room_work, room_take, room_taken);
}

/* The daemon sees its first world before it makes the database as long as it may have to be. */
static int open_keep(struct flow *flow, struct error *err)
{
    if (!flow->o.automatic)
        return keep_open(flow->state, flow->o.repair, true, &flow->keep, err);
    int r = keep_open(flow->state, flow->o.repair, false, &flow->keep, err);
    if (r == 0)
        keep_own(flow->keep, flow->o.lock);
    return r < 0 ? r : uv_timer_start(&flow->room, room_due, room_after_ms, 0);
}

static void on_look(void *userdata, struct world *world)
{
    struct flow *flow = userdata;
    flow->world = world;
    judge_tell_pulling(flow->judge, puller_pulling(flow->puller));
    if (judge_look(flow->judge, world, &flow->judgement) < 0)
        return; /* memory is spent: no judgement, no deed */
    bool told = !flow->remembered || remembered_look(flow->remembered, world, !flow->o.automatic);
    for (size_t i = 0; i < flow->judgement.n_assessments; i++) {
        const struct assessment *a = &flow->judgement.assessments[i];
        world->containers[i].baseline = a->baseline;
        if (a->wants_connections)
            sense_want_connections(flow->sense, a->id);
    }
    if (flow->healer) {
        healer_consider(flow->healer, world, &flow->judgement, flow->o.automatic && !flow->ending,
                        told);
        if (flow->o.automatic && !flow->ending)
            healer_recover(flow->healer);
        if (flow->startup)
            startup_look(flow->startup);
        if (flow->restore)
            restore_look(flow->restore);
        if (flow->puller)
            puller_look(flow->puller);
        if (flow->o.automatic)
            throttler_look(flow->healer);
    }
    keep_guard_look(flow->guard);
    if (flow->historian && flow->o.automatic)
        historian_look(flow->historian, world, &flow->judgement);
    if (flow->o.look)
        flow->o.look(flow->o.userdata, world, &flow->judgement);
}

static void on_note(void *userdata, enum sense_note note, const struct container *container,
                    const char *text)
{
    struct flow *flow = userdata;
    if (note == NOTE_FOUND) {
        remembered_found(flow->remembered);
        if (flow->healer)
            healer_found(flow->healer, container);
    }
    if (flow->historian && flow->o.automatic)
        historian_note(flow->historian, note, container, text);
    if (flow->o.note)
        flow->o.note(flow->o.userdata, note, container, text);
}

static void on_heal(void *userdata, const struct heal_event *event)
{
    struct flow *flow = userdata;
    if (flow->historian)
        historian_heal(flow->historian, event);
    if (flow->restore)
        restore_heal(flow->restore, event);
    if (flow->o.heal)
        flow->o.heal(flow->o.userdata, event);
}

static int open_parts(struct flow *flow, struct error *err)
{
    const struct settings *s = config_settings(flow->o.config);
    char socket_path[108];
    snprintf(flow->state, sizeof flow->state, "%s", s->state);
    int r = http_unix_path(s->docker_host, socket_path, sizeof socket_path, err);
    if (r < 0)
        return r;
    if (flow->o.act && (r = open_keep(flow, err)) < 0)
        return r;
    if ((r = http_new(&flow->loop, &flow->http, err)) < 0)
        return r;
    if ((r = docker_new(flow->http, socket_path, &flow->docker)) < 0 ||
        (r = judge_new(flow->o.config, &flow->judge)) < 0)
        return error_set(err, FAILURE_JOB, r, "not enough memory");
    if (!flow->o.automatic)
        judge_ask_once(flow->judge);
    struct keep_guard_options guard = {&flow->loop, flow->keep, flow->o.keep, flow->o.place,
                                       flow->o.userdata};
    if ((flow->keep && (r = remembered_new(&flow->loop, flow->o.config, flow->keep, flow->judge,
                                           &flow->remembered)) < 0) ||
        (flow->o.automatic && (r = keep_guard_new(&guard, &flow->guard)) < 0))
        return error_set(err, FAILURE_JOB, r, "not enough memory");
    struct historian_options history = {.loop = &flow->loop,
                                        .config = flow->o.config,
                                        .state = flow->state,
                                        .daemon = flow->o.automatic,
                                        .keep = flow->keep,
                                        .tell = flow->o.history,
                                        .userdata = flow->o.userdata};
    struct sense_options sense = {.loop = &flow->loop,
                                  .http = flow->http,
                                  .docker = flow->docker,
                                  .config = flow->o.config,
                                  .named = flow->o.named,
                                  .callbacks = {on_look, on_note, flow}};
    if ((flow->o.act && (r = historian_new(&history, &flow->historian)) < 0) ||
        (r = sense_new(&sense, &flow->sense)) < 0)
        return error_set(err, FAILURE_JOB, r, "not enough memory");
    struct healer_options healer = {.loop = &flow->loop,
                                    .config = flow->o.config,
                                    .docker = flow->docker,
                                    .sense = flow->sense,
                                    .judge = flow->judge,
                                    .keep = flow->keep,
                                    .state = flow->state,
                                    .dry_run = flow->o.dry_run,
                                    .tell = on_heal,
                                    .userdata = flow};
    if ((flow->o.act || flow->o.dry_run) && (r = healer_new(&healer, &flow->healer)) < 0)
        return error_set(err, FAILURE_JOB, r, "not enough memory");
    if (flow->o.automatic &&
        (!(flow->startup = startup_new(flow->healer)) ||
         !(flow->restore = restore_new(flow->healer)) ||
         !(flow->puller = puller_new(flow->healer, flow->o.pulling, flow->o.userdata))))
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory");
    if (flow->o.automatic)
        throttler_read(flow->healer); /* known by the first look */
    return sense_start(flow->sense, err);
}

int flow_new(const struct flow_options *options, struct flow **ret_flow, struct error *err)
{
    struct flow *flow = calloc(1, sizeof *flow);
    if (!flow)
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory");
    signal(SIGPIPE, SIG_IGN);
    flow->o = *options;
    uv_loop_init(&flow->loop);
    uv_timer_init(&flow->loop, &flow->room);
    flow->room.data = flow->room_work.data = flow;
    int r = open_parts(flow, err);
    if (r < 0) {
        flow_free(flow);
        return r;
    }
    *ret_flow = flow;
    return 0;
}

int flow_run(struct flow *flow)
{
    uv_run(&flow->loop, UV_RUN_DEFAULT);
    return flow->status;
}

void flow_stop(struct flow *flow, int status)
{
    flow->status = status;
    uv_stop(&flow->loop);
}

bool flow_wind_up(struct flow *flow)
{
    flow->ending = true;
    bool busy = throttler_end(flow->healer);
    busy |= puller_end(flow->puller);
    return busy || healer_busy(flow->healer) > 0;
}

void flow_free(struct flow *flow)
{
    if (!flow)
        return;
    if (flow->sense)
        sense_stop(flow->sense);
    healer_free(flow->healer);
    historian_stop(flow->historian);
    keep_guard_stop(flow->guard);
    docker_free(flow->docker);
    sense_free(flow->sense);
    http_free(flow->http);
    uv_close((uv_handle_t *)&flow->room, NULL);
    /* What still turns are closing handles and workers that commit; a commit waits 2 s at most. */
    while (uv_run(&flow->loop, UV_RUN_ONCE))
        ;
    uv_loop_close(&flow->loop);
    if (flow->o.automatic && flow->healer)
        throttler_rest(flow->healer);
    healer_delete(flow->healer);
    startup_free(flow->startup);
    restore_free(flow->restore);
    puller_free(flow->puller);
    historian_free(flow->historian);
    keep_guard_free(flow->guard);
    remembered_free(flow->remembered);
    judge_free(flow->judge);
    keep_close(flow->keep);
    judgement_clear(&flow->judgement);
    free(flow);
}

uv_loop_t *flow_loop(struct flow *flow)
{
    return &flow->loop;
}

struct sense *flow_sense(struct flow *flow)
{
    return flow->sense;
}

struct historian *flow_historian(struct flow *flow)
{
    return flow->historian;
}

struct healer *flow_healer(struct flow *flow)
{
    return flow->healer;
}

void flow_settings_changed(struct flow *flow)
{
    judge_settings_changed(flow->judge);
    sense_settings_changed(flow->sense);
    puller_settings_changed(flow->puller);
}

static struct state state_of(const struct flow *flow)
{
    double poll_s = config_settings(flow->o.config)->poll_s;
    return (struct state){flow->world, &flow->judgement, flow->healer, flow->puller,
                          flow->o.automatic ? 2 * poll_s : 0};
}

bool flow_state(struct flow *flow, struct state *ret_state)
{
    sense_look_now(flow->sense, NULL); /* the last look's containers may have changed since */
    *ret_state = state_of(flow);
    return flow->world;
}

json_t *flow_to_json(struct flow *flow)
{
    struct state state = state_of(flow);
    return flow->world ? state_to_json(&state) : NULL;
}

char *flow_to_text(struct flow *flow, json_t *more)
{
    struct state state = state_of(flow);
    return flow->world ? state_to_text(&state, more) : NULL;
}
