/* One look at one container, and what its rules share. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_LOOK_H
#define SUPERVISOR_JUDGE_LOOK_H

#include "judge/memory.h"
#include "judge/pressure.h"

/* One look at one container, with what several rules need. */
struct look {
    const struct config *config; /* for tiers; the settings are the history's */
    const struct world *world;
    const struct container *container;
    struct history *history;
    struct host_history *host;        /* of a look at the host, which has no container */
    struct history *const *histories; /* the same: in the world's order */
    struct judgement *judgement;
    struct assessment *assessment;
    double now_s, interval_s, poll_s, allowance_s;
    double before_s; /* the look before */
    double asked_s;  /* when Ollama was asked what it answered */
    bool once;       /* as of judge_ask_once */
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

/* Brings a standing up to date and writes the verdict if there is one: raised when since_s >= 0,
 * all are true now and the hold is over; stays raised until contradicted, or until the hold begins
 * anew or is made longer than what has passed of it; else suspect if suspicious. Returns the
 * verdict (to add evidence) or NULL; where there is no room for it, the standing is as before. */
struct verdict *look_settle(struct look *look, enum verdict_kind kind, struct standing *standing,
                            double since_s, bool all_now, bool contradicted, bool suspicious,
                            double hold_s);

/* The same of what several conditions say. own: of whom the verdict is about. Where there is none,
 * why is left in the assessment (of all containers, where the look is at the host). */
struct verdict *look_found(struct look *look, enum verdict_kind kind, struct matter *own,
                           const struct finding *finding, bool suspicious, double hold_s);
/* The same of one condition, with its value in this look. */
struct verdict *look_judge(struct look *look, enum verdict_kind kind, struct matter *own,
                           struct ruling ruling, double hold_s);
void look_take(const struct look *look, struct condition *condition, struct ruling ruling);
/* Settles as over what was raised of a runner, a model or a container (pid and model: of whom). */
void look_clear(struct look *look, struct matter *own, fact pid, fact started_us,
                const char *model);
/* The numbers that the kind shows (its evidence), in that order: those that any look has, of the
 * runner too (NULL: of none), and the n of its own. What is unknown is left out. */
void look_show(const struct look *look, struct verdict *verdict, const struct runner *runner,
               const struct evidence *own, size_t n);
#define SHOW(look, verdict, runner, ...)                                                           \
    look_show(look, verdict, runner, (const struct evidence[]){__VA_ARGS__},                       \
              sizeof((const struct evidence[]){__VA_ARGS__}) / sizeof(struct evidence))

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

/* Shortly before the hold of what is found is over: then the connections are read, which is dear.
 */
bool look_near_end(const struct look *look, const struct finding *finding, double hold_s);
/* A standing verdict's connections are read this often. */
static const double connections_patience_s = 10;

/* One look at a running container: takes the facts, then judges by every rule. */
void look_at(const struct config *config, const struct world *world,
             const struct container *container, struct judgement *judgement,
             struct assessment *assessment, struct history *history, bool once);

/* The runners and models of this look; what those that are gone had raised is cleared. */
void runners_look(struct look *look);
void runners_clear(struct look *look);
void models_look(struct look *look);
void models_clear(struct look *look);
/* Whether their memory, and the server's, grows. After runners_look. */
void growth_look(struct look *look);

/* The least that a hold can be: what one look says may be a moment's. */
static inline double two_looks(const struct look *look)
{
    return look->interval_s / 2;
}
/* Memory in use swings by gigabytes while a model loads. */
static inline double three_looks(const struct look *look)
{
    return look->interval_s * 3 / 2;
}

/* It is throttled, or about to be, by a verdict of the looks before this one. */
bool look_throttled(const struct look *look);
/* Uptime in this life. */
double look_uptime_s(const struct look *look);
/* A runner was found gone: the kernel may have killed it. */
void oom_runner_gone(struct look *look, const struct runner *runner);

/* What the host's pressure had raised about the container: settled as over. The alert that it was
 * stopped stands on until its next life. */
void clear_relief(struct look *look);
/* What it asked for did not help: others come first for a while. No other rule's ladder climbs for
 * that, because the model may only have been busy. */
void relief_tell_failed(struct history *history, const struct verdict *verdict, double now_s);
void clear_stopped(struct look *look);

/* stopped-by-us: its words are copied; since_s is monotonic. */
void left_tell(struct history *history, double since_s, size_t tries, const char *words);

/* The levels of pressure: of one container, into its assessment; then of all together. */
void judge_level(struct look *look);
void judge_levels(struct judgement *judgement, const struct host *host,
                  const struct settings *settings);

#endif
