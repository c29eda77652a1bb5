/* The stream of what happens: an event is made once and sent to all who read. */
#include "base/clock.h"
#include "judge/verdict_json.h"
#include "net/events.h"
#include "sense/json_put.h"
#include "tell/serve/serve_private.h"

#include <stdlib.h>
#include <string.h>

enum { EVENT_MAX = 16 * 1024 * 1024 };
static const double worlds_s = 0.99; /* once a second, whatever the interval */

struct reader {
    struct serve *serve;
    struct net_exchange *exchange; /* NULL: it has ended */
    const char *only;              /* static; NULL: all */
    TAILQ_ENTRY(reader) link;
};

/* Sends an event to all who want it. data is taken over. */
static void send_all(struct serve *serve, const char *name, char *data)
{
    CLEANUP_BUFFER struct buffer event;
    struct reader *reader;
    buffer_init(&event, EVENT_MAX);
    if (data && net_event_format(&event, name, NULL, data) == 0) {
        TAILQ_FOREACH(reader, &serve->readers, link)
        {
            bool wants = !reader->only || strcmp(reader->only, name) == 0;
            if (wants && reader->exchange && net_events_send(reader->exchange, &event) != 1)
                reader->exchange = NULL; /* dropped, or gone: it is told done */
        }
    }
    free(data);
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(json);
    return text;
}

static char *world_text(struct serve *serve)
{
    struct state state;
    return serve->o.look(serve->o.userdata, &state) ? state_to_text(&state, NULL) : NULL;
}

void stream_look(struct serve *serve, const struct judgement *judgement)
{
    if (TAILQ_EMPTY(&serve->readers))
        return;
    for (size_t i = 0; i < judgement->n_verdicts; i++)
        if (judgement->verdicts[i].changed)
            send_all(serve, "verdict", dump(verdict_to_json(&judgement->verdicts[i], NULL)));
    if (serve->looked_s - serve->world_sent_s < worlds_s)
        return;
    serve->world_sent_s = serve->looked_s;
    send_all(serve, "world", world_text(serve));
}

void stream_heal(struct serve *serve, const struct heal_event *e)
{
    if (TAILQ_EMPTY(&serve->readers))
        return;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "event", heal_kinds[e->kind].event,
                             "container", e->name, "verdict", e->verdict, "step", e->step);
    put_text(json, "model", e->model);
    put_known(json, "before", e->before);
    put_known(json, "after", e->after);
    put_known(json, "expected", e->expected);
    if (e->kind == HEAL_DONE || e->kind == HEAL_NOT_DONE || e->kind == HEAL_RECOVERED)
        put_real(json, "took_s", e->took_s);
    put_text(json, "text", e->text);
    send_all(serve, "outcome", dump(json));
}

void stream_beat(struct serve *serve)
{
    struct reader *reader;
    TAILQ_FOREACH(reader, &serve->readers, link)
    {
        if (reader->exchange && net_events_beat(reader->exchange) != 1)
            reader->exchange = NULL;
    }
}

static void on_done(void *own, struct net_exchange *exchange, int result)
{
    struct reader *reader = own;
    (void)exchange, (void)result;
    TAILQ_REMOVE(&reader->serve->readers, reader, link);
    reader->serve->n_readers--;
    free(reader);
}

/* Who cannot send any more has left: nobody reads a stream to its end. */
static void on_half_closed(void *own, struct net_exchange *exchange)
{
    struct reader *reader = own;
    reader->exchange = NULL;
    net_answer_abort(exchange);
}

void stream_begin(void *userdata, struct api_call *call)
{
    static const struct net_calls calls = {.half_closed = on_half_closed, .done = on_done};
    static const char *const names[] = {"world", "verdict", "outcome"};
    struct serve *serve = userdata;
    const char *only = api_text(call, "only");
    struct access_caller caller;
    admit_caller(serve, call, &caller);
    unsigned most = READERS_MAX + (caller.admin ? READERS_KEPT_FOR_ADMINS : 0);
    struct reader *reader = serve->n_readers < most ? calloc(1, sizeof *reader) : NULL;
    if (!reader) {
        api_problem(call, 503, "too many read the stream already");
        return;
    }
    reader->serve = serve;
    for (size_t i = 0; only && i < sizeof names / sizeof *names; i++)
        if (strcmp(only, names[i]) == 0)
            reader->only = names[i];
    call->calls = &calls;
    call->own = reader;
    TAILQ_INSERT_TAIL(&serve->readers, reader, link);
    serve->n_readers++;
    if (net_events_begin(call->exchange) < 0)
        return;
    reader->exchange = call->exchange;
    char *text = !only || strcmp(only, "world") == 0 ? world_text(serve) : NULL;
    CLEANUP_BUFFER struct buffer event;
    buffer_init(&event, EVENT_MAX);
    if (text && net_event_format(&event, "world", NULL, text) == 0 &&
        net_events_send(call->exchange, &event) != 1)
        reader->exchange = NULL;
    free(text);
}
