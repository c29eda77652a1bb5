/* The judge: world + settings + its own small history -> verdicts. Pure: no clock, no file, no
 * socket; same input, same output. The rules are those of docs/judgement.md. */
#ifndef SUPERVISOR_JUDGE_JUDGE_H
#define SUPERVISOR_JUDGE_JUDGE_H

#include "base/config.h"
#include "judge/deeds.h"
#include "judge/uses.h"

struct judge;

/* config must live as long as the judge. 0 or -ENOMEM. */
int judge_new(const struct config *config, struct judge **ret_judge);
void judge_free(struct judge *judge);
/* Before the first look: a person asks, and nobody looks for long. Of models that are found loaded
 * the last use is taken from expires_at, as if each request had the server's own keep_alive. */
void judge_ask_once(struct judge *judge);

/* Judges one world, looks coming in order of time. *judgement belongs to the caller and is reused
 * from look to look (start it with {0}); it is valid until the next call. 0 or -ENOMEM (then the
 * judgement is empty and the history as before the look). */
int judge_look(struct judge *judge, const struct world *world, struct judgement *judgement);

/* The settings changed (SIGHUP): labels are applied anew at the next look; holds go on. */
void judge_settings_changed(struct judge *judge);
/* What is known of a container from before this history began: the most it ever held with a model
 * (from keep). */
void judge_tell_footprint(struct judge *judge, const char *id, fact held_with_model);
/* What its server was seen to hold when it was idle in that life, by an earlier supervisor. */
void judge_tell_baseline(struct judge *judge, const char *id, const char *started_at, fact held);
/* All that was done about its models of late (from keep): instead of what was told before. */
void judge_tell_deeds(struct judge *judge, const char *id, const struct deeds *deeds);
/* When its models were used last, as an earlier supervisor saw it in this boot: the first word of
 * each container counts. A model of which this one knows is left as it is. */
void judge_tell_uses(struct judge *judge, const char *id, const struct model_use *uses, size_t n);
/* Where a pull of ours is under way: it is busy. "": nowhere. */
void judge_tell_pulling(struct judge *judge, const char *id);
/* Our own loads there, the newest first (from keep): instead of what was told before. */
void judge_tell_loads(struct judge *judge, const char *id, const struct own_load *loads, size_t n);
/* The kill switch stopped it in that life (now, or as keep knows): told until somebody starts it.
 */
void judge_tell_stopped(struct judge *judge, const char *id, const char *started_at);
/* Whether it is being stopped, or restarted, by anybody: the kill switch waits for that. Stands
 * until it is told otherwise, or its next life. */
void judge_tell_stopping(struct judge *judge, const char *id, bool stopping);
/* What happens in the runner of that blob is our own doing, and no use, until another one is told;
 * "": of none. */
void judge_tell_probed(struct judge *judge, const char *id, const char *blob);
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

/* Whether the engine calls it unhealthy because its check itself cannot run: of what is seen now,
 * without the verdict's hold (rules/broken_healthcheck.c). */
bool healthcheck_broken(const struct container *container);

#endif
