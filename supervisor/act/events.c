#include "act/run.h"
#include "base/clock.h"

const struct heal_kind heal_kinds[HEAL_KINDS] = {
    [HEAL_WOULD_ACT] = {"would act", "would-act", LOG_LEVEL_WARNING, "would act"},
    [HEAL_ACTING] = {"acting", "acting", LOG_LEVEL_WARNING, "acting"},
    [HEAL_DONE] = {"healed", "healed", LOG_LEVEL_INFO, "healed"},
    [HEAL_NOT_DONE] = {"not healed", "not-healed", LOG_LEVEL_ERROR, "not healed"},
    [HEAL_DROPPED] = {"dropped", "dropped", LOG_LEVEL_INFO, "remedy dropped"},
    [HEAL_PENDING] = {"pending", "pending", LOG_LEVEL_INFO, "remedy pending"},
    [HEAL_HOLD] = {"HOLD", "hold", LOG_LEVEL_CRITICAL, "CRITICAL ALERT"},
    [HEAL_HOLD_OVER] = {"hold over", "hold-over", LOG_LEVEL_INFO, "hold over"},
    [HEAL_WAITING] = {"waiting", "back-off", LOG_LEVEL_WARNING, "back-off"},
    [HEAL_LOCKED] = {"locked", "locked", LOG_LEVEL_INFO, "locked by another supervisor"},
    [HEAL_NO_MEMORY_OF_IT] = {"cannot remember", "not-remembered", LOG_LEVEL_CRITICAL,
                              "CRITICAL ALERT"},
    [HEAL_RECOVERED] = {"taken up", "taken-up", LOG_LEVEL_INFO, "remedy taken up"},
    [HEAL_START_FAILED] = {"not started", "not-started", LOG_LEVEL_ERROR, "not started"},
    [HEAL_LOCKED_LONG] = {"locked", "locked", LOG_LEVEL_WARNING, "locked by another supervisor"},
};

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
    event.model = run->verdict.model;
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
