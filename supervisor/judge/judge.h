/* The judge: world + settings + its own small history -> verdicts. Pure: no clock, no file, no
 * socket; same input, same output. The rules are those of docs/judgement.md. */
#ifndef SUPERVISOR_JUDGE_JUDGE_H
#define SUPERVISOR_JUDGE_JUDGE_H

#include "base/config.h"
#include "judge/verdict.h"

struct judge;

/* config must live as long as the judge. 0 or -ENOMEM. */
int judge_new(const struct config *config, struct judge **ret_judge);
void judge_free(struct judge *judge);

/* Judges one world, looks coming in order of time. *judgement belongs to the caller and is reused
 * from look to look (start it with {0}); it is valid until the next call. 0 or -ENOMEM (then the
 * judgement is empty and the history as before the look). */
int judge_look(struct judge *judge, const struct world *world, struct judgement *judgement);

/* The settings changed (SIGHUP): labels are applied anew at the next look; holds go on. */
void judge_settings_changed(struct judge *judge);
/* What is known of a container from before this history began: the most it ever held with a model
 * (from keep). */
void judge_tell_footprint(struct judge *judge, const char *id, fact held_with_model);
/* The kill switch stopped it in that life (now, or as keep knows): told until somebody starts it.
 */
void judge_tell_stopped(struct judge *judge, const char *id, const char *started_at);
/* It was stopped to be restarted in that life, for so long now (seconds), and the engine does not
 * start it again: tries so far, and the engine's words, which are copied. Told until it runs. */
void judge_tell_left_stopped(struct judge *judge, const char *id, const char *started_at,
                             double stopped_s, size_t tries, const char *words);
/* Forgets the holds of a container: a remedy was carried out, so the next verdict must be earned
 * anew. model: that it was about, or "". */
void judge_restart_holds(struct judge *judge, const char *id, const char *model);
/* The verdict's remedy was carried out and was not enough. Remembered for its runner (pid and start
 * time) and its model (by name), or for the container where it names neither: with the runner,
 * while the model is listed, in this life, for ten minutes (failure_kept_s). Rules give the next
 * remedy of their ladder then. now_s: of the worlds' monotonic clock. A subject that the last look
 * did not have, or of another life, is ignored. */
void judge_tell_failed(struct judge *judge, const struct verdict *verdict, double now_s);

#endif
