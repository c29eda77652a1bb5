/* What was sent to a container, as the engine's events tell it: so that nobody is told to stop
 * twice, and a person's stop is known from our own. From the live stream as long as it was
 * followed, else from the engine's ring of 256 events (moby, daemon/events), as far as that reaches
 * back. */
#ifndef SUPERVISOR_SENSE_SIGNALS_H
#define SUPERVISOR_SENSE_SIGNALS_H

#include "sense/docker.h"

struct sense;

struct signals_sent {
    bool known;      /* false: there may have been more */
    bool away;       /* and the engine gave no answer */
    size_t stops;    /* signals that end a program by its stop: TERM, INT, QUIT and unusual ones */
    size_t restarts; /* by the engine's restart, each with a stop in it */
    size_t before;   /* of the stops those before the first start; all where there was none */
};

enum { SIGNALS_KEPT = 16 }; /* of a container; a stop and a start are five */

struct signals { /* in the order in which they came; all zero: none */
    struct {
        double at_s; /* boottime of its arrival */
        enum signal_kind { SIGNAL_STOP = 1, SIGNAL_START, SIGNAL_RESTART } kind;
    } seen[SIGNALS_KEPT];
    size_t n; /* ever; the newest SIGNALS_KEPT are there */
};

/* Takes an event in; others than signals, starts and restarts are passed over. Pure. */
void signals_take(struct signals *signals, const struct docker_event *event, double now_s);
/* Since that moment; this_life: only what came after the last start, and after life_s, when its
 * main process started (boottime; 0: unknown). stream_s: since when the stream was followed without
 * a gap, < 0: it is not. Pure. */
struct signals_sent signals_since(const struct signals *signals, double stream_s, double since_s,
                                  bool this_life, double life_s);

/* The same of a container that is followed (64-hex id), from the live stream. */
struct signals_sent sense_signals(const struct sense *sense, const char *id, double since_s,
                                  bool this_life);

/* Of the engine's ring, for who was not there: what was sent to the container in this life since
 * that wall time (ms). done gets known = false where the ring does not reach back so far or the
 * engine gave no answer. Called exactly once. */
typedef void signals_asked(void *userdata, const struct signals_sent *sent);
void signals_ask(struct docker *docker, const char *id, int64_t since_ms, signals_asked *done,
                 void *userdata);

#endif
