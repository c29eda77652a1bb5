/* What became of a restart or a stop: what was seen -> what is done next, as a table. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/follow.h"
#include "sense/signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LIFE .saw = FOLLOW_SAW_LIFE
#define SAME LIFE, .same_life = true
#define UP   .status = STATUS_RUNNING
#define DOWN .status = STATUS_EXITED
/* What was found out of the signals to this life. */
#define SENT(n)      .signals_asked = true, .signals = {.known = true, .stops = (n)}
#define UNKNOWN_SENT .signals_asked = true
#define LATE         .over = true
#define THEN         .ended_then = true /* within the intent's grace and margin */

static const struct {
    const char *what;
    struct follow seen;
    enum follow_next next;
} cases[] = {
    {"engine away", {.saw = FOLLOW_SAW_NOTHING, LATE}, FOLLOW_WAIT},
    {"engine answers nonsense", {.saw = FOLLOW_SAW_REFUSAL, .refused_s = 119, LATE}, FOLLOW_WAIT},
    {"and for ever", {.saw = FOLLOW_SAW_REFUSAL, .refused_s = 121}, FOLLOW_CANNOT_TELL},
    {"gone", {.saw = FOLLOW_SAW_GONE}, FOLLOW_GONE},

    {"a new life", {LIFE, UP}, FOLLOW_RESTARTED},
    {"a new life that is between two tries", {LIFE, .status = STATUS_RESTARTING}, FOLLOW_RESTARTED},
    {"a new life, stopped by somebody",
     {LIFE, DOWN, .recovering = true, LATE},
     FOLLOW_STARTED_SINCE},
    {"a new life, stopped, the start of which failed",
     {LIFE, DOWN, .start_failed = true, LATE},
     FOLLOW_STARTED_SINCE},

    {"stopping", {SAME, UP}, FOLLOW_WAIT},
    {"stopping, refused", {SAME, UP, .answered_no = true}, FOLLOW_WAIT},
    {"nothing has changed", {SAME, UP, LATE}, FOLLOW_ASK_SIGNALS},
    {"no signal was sent", {SAME, UP, LATE, SENT(0)}, FOLLOW_NOT_SENT},
    {"a signal was ignored", {SAME, UP, LATE, SENT(1)}, FOLLOW_IGNORED},
    {"unknown counts as sent", {SAME, UP, LATE, UNKNOWN_SENT}, FOLLOW_IGNORED},
    {"paused", {SAME, .status = STATUS_PAUSED, LATE, SENT(1)}, FOLLOW_IGNORED},

    {"stopped just now", {SAME, DOWN}, FOLLOW_ASK_SIGNALS},
    {"stopped, its start may come", {SAME, DOWN, SENT(1)}, FOLLOW_WAIT},
    {"left stopped", {SAME, DOWN, LATE, SENT(1)}, FOLLOW_START},
    {"the engine said no", {SAME, DOWN, .answered_no = true, SENT(1)}, FOLLOW_START},
    {"left stopped, nobody knows why", {SAME, DOWN, LATE, UNKNOWN_SENT}, FOLLOW_START},
    {"somebody stopped it too", {SAME, DOWN, SENT(2)}, FOLLOW_PERSON_STOPPED},
    {"somebody stopped it while it was tried",
     {SAME, DOWN, LATE, SENT(2), .tries = 1},
     FOLLOW_PERSON_STOPPED},
    {"the kill switch stopped it since",
     {SAME, DOWN, LATE, .kill_switch = true},
     FOLLOW_KILL_SWITCH},
    {"the back-off", {SAME, DOWN, LATE, SENT(1), .tries = 1}, FOLLOW_WAIT},
    {"the last try", {SAME, DOWN, LATE, SENT(1), .tries = 2}, FOLLOW_START},
    {"no more tries", {SAME, DOWN, LATE, SENT(1), .tries = 3}, FOLLOW_CANNOT_START},

    {"an earlier one's, the engine restarted since",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT, THEN},
     FOLLOW_START},
    {"an earlier one's, and it ended at another time",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT},
     FOLLOW_PERSON_STOPPED},
    {"an earlier one's, when it ended is unknown, but its start failed",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT, .start_failed = true},
     FOLLOW_START},
    {"an earlier one's, tried, and when it ended says nothing any more",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT, .tries = 1},
     FOLLOW_START},
    {"an earlier one's, stopped by us, only observed",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT, THEN},
     FOLLOW_MAY_NOT_START},
    {"an earlier one's, stopped by a person, only observed",
     {SAME, DOWN, .recovering = true, LATE, UNKNOWN_SENT},
     FOLLOW_PERSON_STOPPED},
    {"left stopped, only observed by now", {SAME, DOWN, LATE, SENT(1)}, FOLLOW_MAY_NOT_START},
    {"restarted, only observed by now", {LIFE, UP, LATE}, FOLLOW_RESTARTED},
    {"an earlier one's, and its start failed",
     {SAME, DOWN, .recovering = true, LATE, SENT(1), .start_failed = true},
     FOLLOW_START},
    {"an earlier one's tries go on",
     {SAME, DOWN, .recovering = true, LATE, SENT(1), .tries = 1},
     FOLLOW_START},
    {"an earlier one's tries are over",
     {SAME, DOWN, .recovering = true, LATE, SENT(1), .tries = 3},
     FOLLOW_CANNOT_START},
    {"not begun, and a person stopped it",
     {SAME, DOWN, .recovering = true, LATE, SENT(1)},
     FOLLOW_PERSON_STOPPED},
    {"not begun, and it ended by itself",
     {SAME, DOWN, .recovering = true, LATE, SENT(0)},
     FOLLOW_NOT_SENT},

    {"a stop: stopping", {SAME, UP, .stop = true}, FOLLOW_WAIT},
    {"a stop: stopped", {SAME, DOWN, .stop = true}, FOLLOW_STOPPED},
    {"a stop: started since", {LIFE, UP, .stop = true}, FOLLOW_STARTED_SINCE},
    {"a stop: that of a life which began after our last look",
     {LIFE, DOWN, .stop = true},
     FOLLOW_STOPPED},
    {"a stop: an earlier one's, of such a life",
     {LIFE, DOWN, .stop = true, .recovering = true, THEN},
     FOLLOW_STOPPED},
    {"a stop: an earlier one's, started and ended at another time",
     {LIFE, DOWN, .stop = true, .recovering = true},
     FOLLOW_STARTED_SINCE},
    {"a stop: not sent", {SAME, UP, .stop = true, LATE, SENT(0)}, FOLLOW_NOT_SENT},
    {"a stop: ignored", {SAME, UP, .stop = true, LATE, SENT(1)}, FOLLOW_IGNORED},
    {"a stop: removing", {SAME, .status = STATUS_REMOVING, .stop = true}, FOLLOW_STOPPED},
};

static void every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct follow seen = cases[i].seen;
        seen.start_due = strcmp(cases[i].what, "the back-off") != 0;
        seen.may_start = !strstr(cases[i].what, "only observed");
        enum follow_next next = follow_next(&seen);
        if (next != cases[i].next)
            fail_msg("%s: %d, not %d", cases[i].what, (int)next, (int)cases[i].next);
    }
}

/* Whatever is seen: it ends, a start is never asked for beyond the last try, nor for what somebody
 * else stopped, and never of a stop. */
static void no_case_starts_what_it_must_not(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 11; bits++)
        for (int status = STATUS_UNKNOWN; status <= STATUS_DEAD; status++)
            for (size_t stops = 0; stops < 3; stops++)
                for (size_t tries = 0; tries < 5; tries++) {
                    struct follow f = {.saw = FOLLOW_SAW_LIFE,
                                       .stop = bits & 1,
                                       .recovering = bits & 2,
                                       .same_life = bits & 4,
                                       .status = (enum container_status)status,
                                       .start_failed = bits & 8,
                                       .over = bits & 16,
                                       .answered_no = bits & 32,
                                       .kill_switch = bits & 64,
                                       .signals_asked = bits & 128,
                                       .signals = {.known = bits & 256, .stops = stops},
                                       .ended_then = bits & 512,
                                       .may_start = bits & 1024,
                                       .tries = tries,
                                       .start_due = true};
                    enum follow_next next = follow_next(&f);
                    if (next == FOLLOW_START) {
                        assert_true(!f.stop && f.same_life && !f.kill_switch && f.signals_asked);
                        assert_true(tries < FOLLOW_STARTS_MAX && (f.over || f.answered_no));
                        assert_false(f.signals.known && stops > 1);
                        assert_true(f.may_start);
                        assert_true(!f.recovering || f.ended_then || f.start_failed || tries ||
                                    f.signals.known);
                        assert_true(f.status != STATUS_RUNNING && f.status != STATUS_PAUSED);
                    }
                    if (f.over && f.signals_asked)
                        assert_true(next != FOLLOW_WAIT && next != FOLLOW_ASK_SIGNALS);
                }
}

/* ---- signals */

static void take(struct signals *signals, const char *action, fact number, double at_s)
{
    struct docker_event event = {.signal = number};
    snprintf(event.action, sizeof event.action, "%s", action);
    signals_take(signals, &event, at_s);
}

static struct signals_sent since(const struct signals *s, double stream_s, double since_s,
                                 bool this_life)
{
    return signals_since(s, stream_s, since_s, this_life, 0);
}

static void signals_are_counted_in_their_life(void **state)
{
    struct signals s = {0};
    (void)state;
    take(&s, "kill", SIGTERM, 10);
    take(&s, "die", FACT_UNKNOWN, 11);
    take(&s, "start", FACT_UNKNOWN, 12);
    take(&s, "kill", SIGUSR1, 13); /* stops nobody */
    assert_int_equal(since(&s, 0, 5, true).stops, 0);
    assert_int_equal(since(&s, 0, 5, false).stops, 1);
    assert_int_equal(since(&s, 0, 10.5, false).stops, 0);
    take(&s, "kill", SIGTERM, 20);
    take(&s, "kill", SIGKILL, 30); /* the engine's own, after the grace */
    assert_int_equal(since(&s, 0, 5, true).stops, 1);
    assert_true(since(&s, 0, 5, true).known);
    assert_true(since(&s, 5, 5, true).known);
    assert_false(since(&s, 13, 5, true).known); /* the stream was not there all the time */
    assert_true(since(&s, 11, 5, true).known);  /* but since its start, and so in its life */
    assert_false(since(&s, -1, 5, true).known);
    for (int i = 0; i < SIGNALS_KEPT; i++)
        take(&s, "kill", SIGTERM, 40 + i);
    assert_int_equal(since(&s, 0, 40, true).stops, SIGNALS_KEPT);
    assert_false(since(&s, 0, 40, true).known && s.n > SIGNALS_KEPT &&
                 since(&s, 0, 40, true).stops < SIGNALS_KEPT);
    take(&s, "kill", SIGTERM, 60);
    assert_false(since(&s, 0, 40, true).known); /* the first of them is lost */
}

static void a_life_that_was_not_seen_to_start(void **state)
{
    struct signals s = {0};
    (void)state;
    take(&s, "kill", SIGTERM, 10); /* the engine ends, starts it again at 12, its stream at 13 */
    assert_int_equal(signals_since(&s, 13, 5, true, 0).stops, 1);
    assert_int_equal(signals_since(&s, 13, 5, true, 12).stops, 0);
    assert_false(signals_since(&s, 13, 5, true, 12).known);       /* one before 13 was missed */
    assert_int_equal(signals_since(&s, 13, 5, true, 4).stops, 1); /* it ran on: live-restore */
    assert_int_equal(signals_since(&s, 13, 5, false, 12).stops, 1);
    assert_true(signals_since(&s, 11, 5, true, 12).known);
}

static void a_stop_that_a_restart_ran_over(void **state)
{
    struct signals s = {0};
    (void)state;
    take(&s, "kill", SIGTERM, 1);
    take(&s, "kill", SIGTERM, 2); /* a person's */
    take(&s, "die", FACT_UNKNOWN, 3);
    take(&s, "start", FACT_UNKNOWN, 3);
    struct signals_sent sent = since(&s, 0, 1, false);
    assert_false(follow_person_stopped(&sent)); /* the restart's own end is not there yet */
    take(&s, "restart", FACT_UNKNOWN, 3);
    sent = since(&s, 0, 1, false);
    assert_true(follow_person_stopped(&sent));
    take(&s, "restart", FACT_UNKNOWN, 3); /* it was a person's restart */
    sent = since(&s, 0, 1, false);
    assert_false(follow_person_stopped(&sent));

    s = (struct signals){0}; /* a stop, or the beginning of a restart, of the new life */
    take(&s, "kill", SIGTERM, 1);
    take(&s, "start", FACT_UNKNOWN, 3);
    take(&s, "restart", FACT_UNKNOWN, 3);
    take(&s, "kill", SIGTERM, 4);
    sent = since(&s, 0, 1, false);
    assert_false(follow_person_stopped(&sent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(no_case_starts_what_it_must_not),
        cmocka_unit_test(signals_are_counted_in_their_life),
        cmocka_unit_test(a_life_that_was_not_seen_to_start),
        cmocka_unit_test(a_stop_that_a_restart_ran_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
