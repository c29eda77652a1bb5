/* Why a verdict of a kind does not stand: what in this look rules it out, for `explain`. */
#ifndef SUPERVISOR_JUDGE_RULED_OUT_H
#define SUPERVISOR_JUDGE_RULED_OUT_H

#include "base/config.h"
#include "judge/verdict.h"

struct ruled_case {
    const struct world *world;
    const struct container *container;
    const struct assessment *assessment;
    const struct settings *settings; /* with the container's labels */
    const char *activity;            /* "busy: cpu 43 % of a core", as far as it is known; "" */
};

/* One clause without a full stop, at most size - 1 bytes: "a model is loaded". The kind is one
 * that neither stands nor is suspected. Returns text. */
const char *ruled_out(enum verdict_kind kind, const struct ruled_case *seen, char *text,
                      size_t size);

#endif
