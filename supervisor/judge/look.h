/* One look at one container, and what its rules share. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_LOOK_H
#define SUPERVISOR_JUDGE_LOOK_H

#include "judge/memory.h"

/* One look at one container, with what several rules need. */
struct look {
    const struct config *config; /* for tiers; the settings are the history's */
    const struct world *world;
    const struct container *container;
    struct history *history;
    struct judgement *judgement;
    struct assessment *assessment;
    double now_s, interval_s, poll_s, allowance_s;
    double before_s; /* the look before */
    double asked_s;  /* when Ollama was asked what it answered */
    bool repeated;   /* an earlier look had this sample: its time is now_s, and nothing is counted
                        twice */
    struct window_use use;
    const struct process *serve;
    fact held, serve_held, baseline, threshold;
    fact connections; /* unknown when not read within two polls */
    double connections_age_s;
    enum tri
        answered;  /* /api/ps is fresh and says something about now; false: it does not answer */
    enum tri busy; /* by CPU or received bytes */
    size_t live_runners;
    const char *unanswered; /* why answered is not true */
};

/* Adds a verdict about the look's container; NULL when memory or the cap is spent. */
struct verdict *look_verdict(struct look *look, enum verdict_kind kind);

/* Brings a standing up to date and writes the verdict if there is one: raised when since_s >= 0,
 * all are true now and the hold is over; stays raised until contradicted, or until the hold begins
 * anew or is made longer than what has passed of it; else suspect if suspicious. Returns the
 * verdict (to add evidence) or NULL; where memory is spent, the standing is as before. */
struct verdict *look_settle(struct look *look, enum verdict_kind kind, struct standing *standing,
                            double since_s, bool all_now, bool contradicted, bool suspicious,
                            double hold_s);

/* The same for a verdict about the container that rests on one condition, with its value in this
 * look and since when that has held. */
struct verdict *look_judge(struct look *look, enum verdict_kind kind, enum tri value,
                           double true_from_s, bool suspicious, double hold_s);
/* Gives a verdict that look_settle returned its remedy. One that it has for the first time since it
 * was raised is a change, which is told. */
void look_remedy(struct verdict *verdict, struct standing *standing, enum remedy remedy);
/* Asks for a reading of the connections, if the last one will be older than that in the next look.
 */
void look_want_connections(struct look *look, double patience_s);

/* Whether a foreign client is connected, from a reading that is at most so old. */
enum tri look_connected(const struct look *look, double within_s);

/* A gap of more than three intervals, in either clock, restarts every hold; fast looks are not held
 * to less than three seconds. */
double look_gap_s(const struct settings *settings);
bool clocks_jumped(double step_s, double wall_step_s, double gap_s);

/* One look at a running container: takes the facts, then judges by every rule. */
void look_at(const struct config *config, const struct world *world,
             const struct container *container, struct judgement *judgement,
             struct assessment *assessment, struct history *history);

void judge_leak(struct look *look);
void judge_elsewhere(struct look *look);
void judge_runners(struct look *look);
void judge_limit(struct look *look);
void judge_high(struct look *look);
void judge_cache(struct look *look);
void judge_priority(struct look *look); /* after judge_high and judge_unreachable */
/* It is throttled, or about to be, by a verdict of the looks before this one. */
bool look_throttled(const struct look *look);
void judge_single(struct look *look);
void judge_models(struct look *look); /* ghost-, oversize- and idle-model; before judge_stuck */
/* idle-model of one known model. model: as it is listed, NULL if it is not. */
void judge_idle(struct look *look, struct known_model *known, const struct model *model,
                enum tri listed);
void judge_stuck(struct look *look);
void judge_growth(struct look *look);
void judge_oom(struct look *look);
void judge_unreachable(struct look *look);
void judge_budget(struct look *look);
void judge_swap(struct look *look);
void judge_health(struct look *look);

/* What is about one runner or one model, about the others' history: settled as over. */
void clear_stuck(struct look *look, struct runner *runner);
void clear_growth(struct look *look, struct growth *growth, const struct runner *runner);
void clear_models(struct look *look);
/* A runner was found gone: the kernel may have killed it. */
void oom_runner_gone(struct look *look, const struct runner *runner);

/* What the host's pressure had raised about the container: settled as over. The alert that it was
 * stopped stands on until its next life. */
void clear_relief(struct look *look);
/* What it asked for did not help: others come first for a while. No other rule's ladder climbs for
 * that, because the model may only have been busy. */
void relief_tell_failed(struct history *history, const struct verdict *verdict, double now_s);
void clear_stopped(struct look *look);

/* left.c: stopped-by-us. Its words are copied; since_s is monotonic. */
void left_tell(struct history *history, double since_s, size_t tries, const char *words);
void left_clear(struct look *look);
void judge_left(struct look *look);

/* The levels of pressure: of one container, into its assessment; then of all together. */
void judge_level(struct look *look);
void judge_levels(struct judgement *judgement, const struct host *host,
                  const struct settings *settings);

/* Writes what the runners, or the models too many, had raised as cleared: their life is over. */
void clear_runners(struct look *look);
void clear_surplus(struct look *look);

#endif
