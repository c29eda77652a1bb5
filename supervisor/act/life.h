/* A restart or a stop that was asked for, followed to its end: looks at what the engine shows, lets
 * follow.h decide, and does what that says. For run->of.life. Private to act. */
#ifndef SUPERVISOR_ACT_LIFE_H
#define SUPERVISOR_ACT_LIFE_H

#include "act/follow.h"
#include "act/run.h"

/* What the engine may need beyond the stop grace, and how long its client waits beyond that: an
 * engine under load takes its time, and an answer that is not awaited is a lost one. */
static const double life_margin_s = 10;
static const long life_client_margin_ms = 60000;

/* The answer to the request (docker_done, userdata is the run): looks, whatever it said, but where
 * it was certainly not sent or the container is gone. */
void life_answered(void *userdata, int result, const struct error *err);
/* An intent of an earlier supervisor: for the whole grace inspect shows the old life, and a second
 * request would send a second signal, so it is waited for (of another boot: from now). */
void life_recover(struct run *run);
/* STAGE_CHECK: a look at it, until it has ended. */
void life_follow(struct run *run);

#endif
