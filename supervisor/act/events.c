#include "act/run.h"
#include "base/clock.h"

struct heal_event heal_event_of(enum heal_event_kind kind, const char *id, const char *name,
                                const char *verdict, const char *step, const char *text)
{
    return (struct heal_event){.kind = kind,
                               .id = id,
                               .name = name,
                               .verdict = verdict,
                               .step = step,
                               .model = "",
                               .before = FACT_UNKNOWN,
                               .after = FACT_UNKNOWN,
                               .expected = FACT_UNKNOWN,
                               .page_cache_before = FACT_UNKNOWN,
                               .page_cache_after = FACT_UNKNOWN,
                               .attempt = FACT_UNKNOWN,
                               .text = text};
}

struct heal_event heal_event_of_run(const struct run *run, enum heal_event_kind kind,
                                    const char *text)
{
    const char *verdict = run->recovering ? run->intent.verdict
                          : run->reason   ? run->reason
                                          : verdict_kind_name(run->verdict.kind);
    struct heal_event event =
        heal_event_of(kind, run->id, run->name, verdict, run->step->name, text);
    event.evidence = run->recovering ? NULL : &run->verdict;
    event.model = run->model;
    event.before = run->before;
    event.after = run->ending ? run->end.after : FACT_UNKNOWN;
    event.expected = run->expected;
    event.page_cache_before = run->page_cache_before;
    event.page_cache_after = run->page_cache_after;
    event.next = run->end.next;
    event.carried_out = run->end.carried_out;
    event.attempt = run->intent.attempt;
    event.took_s = clock_boottime_s() - run->began_s;
    return event;
}
