/* fix-ollama: one look at one container, and what is said where nothing can be done. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/fix.h"
#include "cli/say.h"

#include <errno.h>
#include <string.h>

/* Whether the server itself holds enough to be a leak. */
static bool leak_in_the_way(const struct assessment *a)
{
    return fact_known(a->serve_held) && fact_known(a->threshold) &&
           a->serve_held - a->baseline >= a->threshold;
}

/* What may become a verdict that this command heals; NULL: nothing. */
static const struct verdict *suspicion(const struct judgement *j, const char *id)
{
    const struct verdict *v = judgement_find(j, id, VERDICT_IDLE_LEAK);
    if (!v)
        v = judgement_find(j, id, VERDICT_ORPHAN_RUNNER);
    return v ? v : judgement_find(j, id, VERDICT_STUCK_STOPPING);
}

/* A model that stays although its time is over, and what ends it at once. Returns text. */
static const char *stuck_text(const struct fix_target *t, const struct verdict *v, char *text,
                              size_t size)
{
    snprintf(text, size,
             "%s%s%.100s; `supervisor unload --force --container %.100s %.100s` ends it now",
             SHOWN_VERDICT(v), v->missing[0] ? "; unknown is " : "", v->missing, t->name,
             v->model[0] ? v->model : "MODEL");
    return text;
}

/* The time is over, and it is not healed: why, and what a person can do. */
static void not_healable(struct fix *fix, struct fix_target *t, const struct container *c,
                         const struct assessment *a, const struct judgement *j)
{
    const struct verdict *v = suspicion(j, t->id);
    const struct verdict *elsewhere = judgement_find(j, t->id, VERDICT_HELD_ELSEWHERE),
                         *stalled = judgement_find(j, t->id, VERDICT_STALLED_LOAD);
    if (t->climbs)
        fix_end(fix, t, FIX_NOT, "not healed: %.600s", t->text);
    else if (elsewhere)
        fix_end(fix, t, FIX_NOT, "nothing to heal here: %s", SHOWN_VERDICT(elsewhere));
    else if (stalled)
        fix_end(fix, t, FIX_NOT, "not healed: %s", SHOWN_VERDICT(stalled));
    else if (!v && a->unlisted_runners > 0)
        fix_end(fix, t, FIX_NOT,
                "not healed: Ollama does not list %zu of its runners, which may be loading, in use "
                "or waited for; `supervisor explain %.200s` tells which",
                a->unlisted_runners, t->name);
    else if (v && v->missing[0])
        fix_end(fix, t, FIX_NOT,
                "not healed: the server holds %s, and nothing is done on a guess; unknown is %s",
                SHOWN(a->serve_held), v->missing);
    else if (v && verdict_evidence(v, "connections") > 0)
        fix_end(fix, t, FIX_NOT,
                "not healed: the server holds %s, but a client is connected; `supervisor "
                "fix-ollama --force %.200s` restarts it all the same",
                SHOWN(a->serve_held), t->name);
    else if (leak_in_the_way(a))
        fix_end(fix, t, FIX_NOT,
                "not healed: the server itself holds %s, but it is %s%s%s; `supervisor fix-ollama "
                "--force %.200s` restarts it all the same",
                SHOWN(a->serve_held), c->ollama.n_models ? "in use" : activity_name(a->activity),
                *a->why ? ": " : "", c->ollama.n_models ? "a model is loaded" : a->why, t->name);
    else
        fix_end(fix, t, FIX_NOT, "cannot tell: %s",
                *a->why ? a->why : "the picture did not settle");
}

/* Beyond the hold: two samples, a poll and the five seconds that tell busy from idle. */
static const double slack_s = 12;

static void forced_verdict(const struct fix *fix, const struct container *c,
                           const struct assessment *a, struct verdict *v)
{
    *v = (struct verdict){.kind = VERDICT_IDLE_LEAK,
                          .state = VERDICT_RAISED,
                          .mode = MODE_ENFORCE,
                          .remedy = REMEDY_RESTART,
                          .hold_s = fix->hold_s};
    v->pid = v->started_us = FACT_UNKNOWN;
    v->since_s = clock_boottime_s();
    memcpy(v->id, c->id, sizeof v->id);
    memcpy(v->name, c->name, sizeof v->name);
    memcpy(v->started_at, c->started_at, sizeof v->started_at);
    verdict_add_fact(v, "serve", UNIT_BYTES, a->serve_held);
    verdict_add_fact(v, "baseline", UNIT_BYTES, a->baseline);
    verdict_add_fact(v, "threshold", UNIT_BYTES, a->threshold);
    verdict_add_fact(v, "held", UNIT_BYTES, a->held);
    snprintf(v->why, sizeof v->why, "forced although it is %s%s%s", activity_name(a->activity),
             *a->why ? ": " : "", a->why);
}

/* The healer is asked; its events tell the rest. */
static void fix_begin(struct fix *fix, struct fix_target *t, const struct verdict *v)
{
    if (!fix->task.json && t->locked_until_s <= 0 && !t->again) {
        say_clear();
        printf("%s: %s: %s\n", t->name, verdict_kind_name(v->kind), SHOWN_VERDICT(v));
        fflush(stdout);
    }
    t->healing = true;
    t->climbs = t->again = false;
    t->kind = v->kind;
    t->verdict = verdict_kind_name(v->kind);
    t->step = remedy_name(v->remedy);
    t->before = v->kind < VERDICT_KINDS ? (fact)verdict_evidence(v, "held") : FACT_UNKNOWN;
    int r = healer_heal(flow_healer(fix->task.flow), v, fix->force);
    if (r == -EPERM)
        fix_end(fix, t, FIX_NOT,
                "not healed: it is, or may be, a Swarm task, whose life is the manager's business");
    else if (r < 0 && r != -EBUSY && r != -EPERM)
        fix_end(fix, t, FIX_NOT, "not healed: what is done could not be remembered");
}

/* The remedies that this command takes, worst last: it climbs only as far as needed. */
static const struct verdict *worth_healing(const struct judgement *j, const char *id)
{
    static const enum verdict_kind ladder[] = {VERDICT_ORPHAN_RUNNER, VERDICT_STUCK_STOPPING,
                                               VERDICT_GROWTH_LEAK, VERDICT_IDLE_LEAK,
                                               VERDICT_UNREACHABLE};
    for (size_t k = 0; k < sizeof ladder / sizeof ladder[0]; k++)
        for (size_t i = 0; i < j->n_verdicts; i++)
            if (j->verdicts[i].kind == ladder[k] && j->verdicts[i].state == VERDICT_RAISED &&
                j->verdicts[i].remedy != REMEDY_NONE && !strcmp(j->verdicts[i].id, id))
                return &j->verdicts[i];
    return NULL;
}

/* A server that has just started is not judged: for so long yet. */
static double grace_left_s(const struct container *c, double grace_s, double now_s)
{
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        double left_s = grace_s - (now_s - (double)p->started_us / 1e6);
        if (p->pid == c->pid && fact_known(p->started_us) && left_s > 0)
            return left_s;
    }
    return 0;
}

/* Its hold is its own, six minutes where its time was over before this command came: watched as
 * long as that, with the way that needs no watching. */
static void watch_stuck(struct fix *fix, struct fix_target *t, const struct verdict *v,
                        double now_s)
{
    char text[700];
    stuck_text(t, v, text, sizeof text);
    if (t->watch_s <= 0) {
        t->watched_s = now_s;
        t->watch_s = v->hold_s + slack_s;
        if (!fix->task.json) {
            say_clear();
            printf("%s: watched for up to %.0f s: %s\n", t->name, t->watch_s, text);
            fflush(stdout);
        }
    }
    fact runner = (fact)verdict_evidence(v, "runner");
    if (now_s - t->watched_s >= t->watch_s)
        fix_end(fix, t, FIX_NOT, "not healed: %s", text);
    else
        say_progress("%s: watching, %.0f s of %.0f s: perhaps %s, %s in its runner", t->name,
                     now_s - t->watched_s, t->watch_s, verdict_kind_name(v->kind), SHOWN(runner));
}

void fix_look(struct fix *fix, struct fix_target *t, const struct world *world,
              const struct judgement *j)
{
    const struct container *c = sense_container(flow_sense(fix->task.flow), t->id);
    const struct assessment *a = judgement_assessment(j, t->id);
    double now_s = world->monotonic_s;
    if (c && a && c->status != STATUS_RUNNING) { /* perhaps another supervisor restarts it */
        if (t->stopped_s <= 0)
            t->stopped_s = now_s;
        if (now_s - t->stopped_s < slack_s)
            return;
    }
    if (!c || !a || c->status != STATUS_RUNNING) {
        fix_end(fix, t, FIX_NOT, "not healed: it does not run any more");
        return;
    }
    t->stopped_s = 0;
    const struct verdict *v = worth_healing(j, t->id);
    if (t->locked_until_s > 0 && !v && !leak_in_the_way(a) && fact_known(a->serve_held)) {
        fix_end(fix, t, FIX_HEALED, "healed by another supervisor");
        return;
    }
    if (v && !fix->task.dry_run) {
        fix_begin(fix, t, v);
        return;
    }
    if (v) {
        t->before = a->held;
        t->verdict = verdict_kind_name(v->kind);
        t->step = remedy_name(v->remedy);
        fix_end(fix, t, FIX_TOLD, "%s: %s; it would be healed by: %s", t->verdict, SHOWN_VERDICT(v),
                t->step);
        return;
    }
    /* Also beside a model that is listed and has no runner. */
    bool loading = a->activity == ACTIVITY_LOADING || a->live_runners > c->ollama.n_models ||
                   a->unlisted_runners > 0;
    bool climbs = t->climbs && judgement_find(j, t->id, t->kind);
    bool suspect = suspicion(j, t->id) != NULL || loading || leak_in_the_way(a) || climbs;
    if (!t->looked) { /* twice, so that rates are known */
        t->looked = true;
        return;
    }
    if (fix->force && leak_in_the_way(a) && a->activity != ACTIVITY_UNKNOWN &&
        now_s - fix->started_s >= fix->hold_s) {
        struct verdict forced;
        forced_verdict(fix, c, a, &forced);
        fix_begin(fix, t, &forced);
        return;
    }
    bool known = a->answered && c->processes_known && fact_known(a->serve_held) &&
                 fact_known(a->held) && fact_known(a->threshold);
    const struct verdict *elsewhere = judgement_find(j, t->id, VERDICT_HELD_ELSEWHERE);
    fact owners = fact_known(c->cgroup.shmem) ? c->cgroup.shmem : 0;
    bool odd = fact_known(a->threshold) && owners >= a->threshold;
    for (size_t i = 0; i < c->n_processes; i++)
        odd |=
            c->processes[i].kind == PROCESS_OTHER && process_held(&c->processes[i]) >= a->threshold;
    if (known && !suspect && (elsewhere || !odd)) {
        if (t->healed) {
            t->after = a->held;
            fix_end(fix, t, FIX_HEALED, "healed");
        } else if (elsewhere) {
            not_healable(fix, t, c, a, j);
        } else {
            fix_end(fix, t, FIX_HEALTHY,
                    "nothing to heal: it holds %s (%zu model%s loaded), and %s of page cache, "
                    "which the kernel takes back by itself",
                    SHOWN(a->held), c->ollama.n_models, c->ollama.n_models == 1 ? "" : "s",
                    SHOWN(c->cgroup.file));
        }
        return;
    }
    v = suspicion(j, t->id);
    if (v && v->kind == VERDICT_STUCK_STOPPING) {
        watch_stuck(fix, t, v, now_s);
        return;
    }
    const struct settings *s = config_settings(fix->task.cli->config);
    bool orphan = loading || (v && v->kind == VERDICT_ORPHAN_RUNNER);
    double hold_s =
        orphan && s->leak_orphan_hold_s > fix->hold_s ? s->leak_orphan_hold_s : fix->hold_s;
    double deadline_s = fix->started_s + hold_s + slack_s;
    double young_s = leak_in_the_way(a) ? grace_left_s(c, s->leak_grace_s, now_s) : 0;
    if (young_s > 0 && t->deadline_s < now_s + young_s + hold_s + slack_s)
        t->deadline_s = now_s + young_s + hold_s + slack_s;
    if (t->deadline_s > deadline_s)
        deadline_s = t->deadline_s;
    if (now_s >= deadline_s) {
        not_healable(fix, t, c, a, j);
        return;
    }
    say_progress("%s: watching, %.0f s of %.0f s: holds %s%s%s", t->name, now_s - fix->started_s,
                 deadline_s - slack_s - fix->started_s, SHOWN(a->held), v ? ", perhaps " : "",
                 v ? verdict_kind_name(v->kind) : "");
}
