/* What a probe said, and what that means. */
#include "base/size.h"
#include "deploy/probe_private.h"
#include "sense/json_member.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *probe_end_name(enum probe_end end)
{
    static const char *const names[] = {
        [PROBE_HAD] = "had",         [PROBE_TOO_LARGE] = "too large",     [PROBE_SHORT] = "short",
        [PROBE_REFUSED] = "refused", [PROBE_NOT_LIMITED] = "not limited", [PROBE_KILLED] = "killed",
        [PROBE_FAILED] = "failed",   [PROBE_INTERRUPTED] = "interrupted",
    };
    return names[end];
}

bool probe_answer_read(const char *text, struct probe_answer *answer)
{
    *answer = (struct probe_answer){.limit = FACT_UNKNOWN,
                                    .touched = FACT_UNKNOWN,
                                    .available = FACT_UNKNOWN,
                                    .peak = FACT_UNKNOWN,
                                    .wrong_pages = FACT_UNKNOWN,
                                    .seconds = -1};
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        CLEANUP_JSON json_t *said = line[0] == '{' ? answer_parse(line, length) : NULL;
        if (member_string(said, "probe")) {
            answer->spoke = true;
            answer->limit = member_limit(said, "limit");
            answer->touched = member_fact(said, "touched");
            answer->available = member_fact(said, "available");
            answer->peak = member_fact(said, "peak");
            answer->wrong_pages = member_fact(said, "wrong_pages");
            const json_t *seconds = json_object_get(said, "seconds");
            answer->seconds = seconds ? json_number_value(seconds) : -1;
            member_text(said, "stopped", answer->stopped, sizeof answer->stopped);
        }
        line += length + (line[length] == '\n');
    }
    return answer->spoke;
}

static bool is_limit(fact limit, fact size)
{
    return fact_known(limit) && limit <= size && size - limit < sysconf(_SC_PAGESIZE);
}

static void judge_short(const struct probe *probe, struct probe_result *r)
{
    r->end = PROBE_SHORT;
    if (fact_known(r->answer.available))
        r->missing = r->wanted - r->answer.touched + probe->reserve - r->answer.available;
    snprintf(r->reason, sizeof r->reason,
             "stopped at the reserve with %s of %s touched: the host had %s available then, %s are "
             "reserved, %s more must be free",
             SHOWN(r->answer.touched), SHOWN(r->wanted), SHOWN(r->answer.available),
             SHOWN(probe->reserve), SHOWN(r->missing));
}

static void judge_limit(struct probe_result *r)
{
    r->end = PROBE_NOT_LIMITED;
    snprintf(r->reason, sizeof r->reason,
             "the limit of %s did not come about: the engine says %s, the cgroup %s",
             SHOWN(r->size), r->limit_engine == FACT_NONE ? "none" : SHOWN(r->limit_engine),
             r->answer.limit == FACT_NONE ? "none" : SHOWN(r->answer.limit));
}

static void judge_failed(fact exit_code, const char *text, struct probe_result *r)
{
    const struct probe_answer *answer = &r->answer;
    r->end = PROBE_FAILED;
    if (fact_known(answer->wrong_pages) && answer->wrong_pages > 0)
        snprintf(r->reason, sizeof r->reason,
                 "%" PRId64 " pages did not hold what was written to them: is the memory faulty?",
                 answer->wrong_pages);
    else if (strcmp(answer->stopped, "overcommit") == 0)
        snprintf(r->reason, sizeof r->reason,
                 "the kernel promises no %s: vm.overcommit_memory or a ulimit is in the way",
                 SHOWN(r->wanted));
    else if (answer->stopped[0])
        snprintf(r->reason, sizeof r->reason,
                 "/proc/meminfo cannot be read in the container: without it nobody knows when to "
                 "stop");
    else
        snprintf(r->reason, sizeof r->reason, "the probe ended with %" PRId64 ": %.300s", exit_code,
                 text[0] ? text : "it said nothing");
}

void probe_judge(const struct probe *probe, const json_t *state, const char *text,
                 struct probe_result *r)
{
    const struct probe_answer *answer = &r->answer;
    fact exit_code = member_fact(state, "ExitCode");
    r->oom_killed = member_truth(state, "OOMKilled") == 1;
    bool ended = answer->seconds >= 0 && exit_code == 0;
    if (r->oom_killed || (!ended && exit_code == 137)) {
        r->end = PROBE_KILLED;
        snprintf(r->reason, sizeof r->reason, "%s with %s of %s touched",
                 r->oom_killed ? "the kernel killed it, out of memory," : "it was killed",
                 SHOWN(r->answer.touched), SHOWN(r->wanted));
    } else if (!ended || answer->wrong_pages > 0) {
        judge_failed(exit_code, text, r);
    } else if (!is_limit(r->limit_engine, r->size) || !is_limit(r->answer.limit, r->size)) {
        judge_limit(r);
    } else if (strcmp(answer->stopped, "reserve") == 0) {
        judge_short(probe, r);
    } else if (answer->stopped[0]) {
        judge_failed(exit_code, text, r);
    } else {
        r->end = PROBE_HAD;
    }
}
