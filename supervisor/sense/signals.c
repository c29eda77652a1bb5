#include "sense/signals.h"
#include "sense/private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A signal that programs take for something else than their end. Unknown ones count as a stop. */
static bool stops_nobody(fact number)
{
    return number == SIGHUP || number == SIGUSR1 || number == SIGUSR2 || number == SIGWINCH ||
           number == SIGCONT || number == SIGSTOP || number == SIGKILL;
}

static enum signal_kind kind_of(const struct docker_event *event)
{
    if (!strcmp(event->action, "kill") && !stops_nobody(event->signal))
        return SIGNAL_STOP;
    if (!strcmp(event->action, "start"))
        return SIGNAL_START;
    return strcmp(event->action, "restart") ? (enum signal_kind)0 : SIGNAL_RESTART;
}

void signals_take(struct signals *signals, const struct docker_event *event, double now_s)
{
    enum signal_kind kind = kind_of(event);
    if (!kind)
        return;
    size_t at = signals->n++ % SIGNALS_KEPT;
    signals->seen[at].at_s = now_s;
    signals->seen[at].kind = kind;
}

struct signals_sent signals_since(const struct signals *signals, double stream_s, double since_s,
                                  bool this_life, double life_s)
{
    if (this_life && since_s < life_s)
        since_s = life_s; /* also where its start was not seen, because the stream was away */
    struct signals_sent sent = {.known = stream_s >= 0 && stream_s <= since_s};
    size_t first = signals->n > SIGNALS_KEPT ? signals->n - SIGNALS_KEPT : 0;
    if (first > 0 && signals->seen[first % SIGNALS_KEPT].at_s >= since_s)
        sent.known = false;              /* some are lost */
    bool started = false, whole = false; /* whole: since its start, so nothing is missing */
    for (size_t i = first; i < signals->n; i++) {
        enum signal_kind kind = signals->seen[i % SIGNALS_KEPT].kind;
        if (kind == SIGNAL_START && this_life)
            sent.stops = sent.restarts = sent.before = 0;
        whole |= kind == SIGNAL_START && this_life && stream_s >= 0 &&
                 signals->seen[i % SIGNALS_KEPT].at_s >= stream_s;
        if (signals->seen[i % SIGNALS_KEPT].at_s < since_s)
            continue;
        started |= kind == SIGNAL_START && !this_life;
        sent.stops += kind == SIGNAL_STOP;
        sent.restarts += kind == SIGNAL_RESTART;
        sent.before += kind == SIGNAL_STOP && !started;
    }
    sent.known |= whole;
    return sent;
}

struct signals_sent sense_signals(const struct sense *sense, const char *id, double since_s,
                                  bool this_life)
{
    const struct watch *w = sense_find(sense, id);
    if (!w)
        return (struct signals_sent){.known = false};
    bool late = sense->stream_s >= 0 && w->followed_s > sense->stream_s;
    return signals_since(&w->signals, late ? w->followed_s : sense->stream_s, since_s, this_life,
                         (double)w->main_started_us / 1e6);
}

/* ---- the ring */

struct asking {
    char id[CONTAINER_ID_SIZE];
    int64_t since_ns;
    struct signals signals; /* their times are those of the ring, in seconds */
    signals_asked *done;
    void *userdata;
};

static void on_event(void *userdata, const struct docker_event *event)
{
    struct asking *asking = userdata;
    if (!strcmp(event->id, asking->id))
        signals_take(&asking->signals, event, (double)event->time_ns / 1e9);
}

static void on_ring(void *userdata, int result, int64_t oldest_ns, const struct error *err)
{
    (void)err;
    struct asking *asking = userdata;
    double since_s = (double)asking->since_ns / 1e9;
    bool reaches = oldest_ns > 0 && oldest_ns <= asking->since_ns;
    struct signals_sent sent =
        signals_since(&asking->signals, reaches ? 0 : since_s + 0.001, since_s, true, 0);
    sent.known &= result == 0;
    sent.away = result < 0 && result != -EMSGSIZE; /* too much of others': the stream will tell */
    asking->done(asking->userdata, &sent);
    free(asking);
}

void signals_ask(struct docker *docker, const char *id, int64_t since_ms, signals_asked *done,
                 void *userdata)
{
    struct asking *asking = calloc(1, sizeof *asking);
    if (!asking) {
        done(userdata, &(struct signals_sent){.known = false});
        return;
    }
    memcpy(asking->id, id, sizeof asking->id);
    asking->since_ns = since_ms * 1000000;
    asking->done = done;
    asking->userdata = userdata;
    docker_events_ring(docker, on_event, on_ring, asking);
}
