/* A restart or a stop that was asked for, followed to its end: looks at what the engine shows, lets
 * follow.h decide, and does what that says. For run->of.life. Private to act. */
#ifndef SUPERVISOR_ACT_LIFE_H
#define SUPERVISOR_ACT_LIFE_H

#include "act/follow.h"
#include "act/run.h"

/* What the engine may need beyond the stop grace. */
static const double life_margin_s = 10;

/* Whether somebody has told it to stop within its grace and that margin: it is being stopped then,
 * though inspect shows it running. */
bool life_told_to_stop(const struct run *run);
/* The engine's client waits for so long, ms. */
long life_timeout_ms(const struct run *run);
/* Asks the engine to stop it. */
void life_stop(struct run *run, run_next *next);
/* The request was answered: looks, whatever it said, but where it was certainly not sent or the
 * container is gone. */
void life_answered(struct run *run);
/* An intent of an earlier supervisor: for the whole grace inspect shows the old life, and a second
 * request would send a second signal, so it is waited for (of another boot: from now). */
void life_recover(struct run *run);
/* STAGE_CHECK: a look at it, until it has ended. */
void life_follow(struct run *run);

#endif
