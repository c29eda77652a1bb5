/* fix-ollama: what is suspected, and what is said where nothing can be done. */
#include "base/size.h"
#include "cli/fix.h"
#include "cli/say.h"

bool fix_leak_in_the_way(const struct assessment *a)
{
    return fact_known(a->serve_held) && fact_known(a->threshold) &&
           a->serve_held - a->baseline >= a->threshold;
}

const struct verdict *fix_suspicion(const struct judgement *j, const char *id)
{
    const struct verdict *v = judgement_find(j, id, VERDICT_IDLE_LEAK);
    if (!v)
        v = judgement_find(j, id, VERDICT_ORPHAN_RUNNER);
    return v ? v : judgement_find(j, id, VERDICT_STUCK_STOPPING);
}

const char *fix_stuck_text(const struct fix_target *t, const struct verdict *v, char *text,
                           size_t size)
{
    snprintf(text, size,
             "%s%s%.100s; `supervisor unload --force --container %.100s %.100s` ends it now",
             SHOWN_VERDICT(v), v->missing[0] ? "; unknown is " : "", v->missing, t->name,
             v->model[0] ? v->model : "MODEL");
    return text;
}

void fix_not_healable(struct fix *fix, struct fix_target *t, const struct container *c,
                      const struct assessment *a, const struct judgement *j)
{
    const struct verdict *v = fix_suspicion(j, t->id);
    const struct verdict *elsewhere = judgement_find(j, t->id, VERDICT_HELD_ELSEWHERE),
                         *stalled = judgement_find(j, t->id, VERDICT_STALLED_LOAD);
    if (t->climbs)
        fix_end(fix, t, FIX_NOT, "not healed: %.600s", t->text);
    else if (elsewhere)
        fix_end(fix, t, FIX_NOT, "nothing to heal here: %s", SHOWN_VERDICT(elsewhere));
    else if (stalled)
        fix_end(fix, t, FIX_NOT, "not healed: %s", SHOWN_VERDICT(stalled));
    else if (v && v->missing[0])
        fix_end(fix, t, FIX_NOT,
                "not healed: the server holds %s, and nothing is done on a guess; unknown is %s",
                SHOWN(a->serve_held), v->missing);
    else if (v && verdict_evidence(v, "connections") > 0)
        fix_end(fix, t, FIX_NOT,
                "not healed: the server holds %s, but a client is connected; `supervisor "
                "fix-ollama --force %.200s` restarts it all the same",
                SHOWN(a->serve_held), t->name);
    else if (fix_leak_in_the_way(a))
        fix_end(fix, t, FIX_NOT,
                "not healed: the server itself holds %s, but it is %s%s%s; `supervisor fix-ollama "
                "--force %.200s` restarts it all the same",
                SHOWN(a->serve_held), c->ollama.n_models ? "in use" : activity_name(a->activity),
                *a->why ? ": " : "", c->ollama.n_models ? "a model is loaded" : a->why, t->name);
    else
        fix_end(fix, t, FIX_NOT, "cannot tell: %s",
                *a->why ? a->why : "the picture did not settle");
}
