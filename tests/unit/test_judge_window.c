/* The judge's memory: a condition over time, and the window that tells busy from idle. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/look.h"
#include <stdlib.h>

static void condition_by_table(void **state)
{
    /* Looks a second apart, allowance 4 s: T true, F false, ? unknown; since when it holds, '-' for
     * not. */
    static const struct {
        const char *looks;
        double since_s;
    } cases[] = {
        {"", -1},       {"?", -1},           {"F", -1},
        {"T", 0},       {"TTTT", 0},         {"FFTT", 2},
        {"TTF", -1},    {"TTFT", 3},         {"T?", 0},
        {"T????", 0},   {"T?????", 0},       {"T??????", -1},
        {"T?????T", 0}, {"T??????T", 7},     {"T?F?T", 4},
        {"?T", 1},      {"??????????T", 10}, {"T???T???T???T", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct condition condition;
        condition_reset(&condition);
        for (size_t k = 0; cases[i].looks[k]; k++) {
            enum tri value = cases[i].looks[k] == 'T'   ? TRI_TRUE
                             : cases[i].looks[k] == 'F' ? TRI_FALSE
                                                        : TRI_UNKNOWN;
            condition_take(&condition, value, (double)k, (double)k, 4);
        }
        bool same = condition.since_s < 0 ? cases[i].since_s < 0
                                          : condition.since_s >= cases[i].since_s &&
                                                condition.since_s <= cases[i].since_s;
        if (!same)
            fail_msg("%s: since %g, not %g", cases[i].looks, condition.since_s, cases[i].since_s);
    }
}

static void true_counts_from_what_the_look_proves(void **state)
{
    struct condition condition;
    (void)state;
    condition_reset(&condition);
    condition_take(&condition, TRI_TRUE, 15, 20, 4);
    assert_true(condition.since_s == 15);
    condition_take(&condition, TRI_TRUE, 16, 21, 4); /* it was true before already */
    assert_true(condition.since_s == 15);
}

static void together_since_the_last_one(void **state)
{
    struct condition c[3];
    bool all_now, contradicted;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        condition_reset(&c[i]);
        condition_take(&c[i], TRI_TRUE, (double)i, (double)i, 4);
    }
    assert_true(conditions_since(c, 3, &all_now, &contradicted) == 2);
    assert_true(all_now && !contradicted);
    condition_take(&c[0], TRI_UNKNOWN, 3, 3, 4);
    assert_true(conditions_since(c, 3, &all_now, &contradicted) == 2);
    assert_true(!all_now && !contradicted);
    condition_take(&c[1], TRI_FALSE, 4, 4, 4);
    assert_true(conditions_since(c, 3, &all_now, &contradicted) < 0);
    assert_true(!all_now && contradicted);
}

static void window_spans_five_seconds(void **state)
{
    static const double steps_s[] = {0.001, 0.05, 0.1, 0.25, 1, 2.5};
    (void)state;
    for (size_t i = 0; i < sizeof steps_s / sizeof steps_s[0]; i++) {
        struct window window = {0};
        double now_s = 100;
        assert_true(window_use(&window, now_s).cpu_percent < 0);
        for (size_t k = 0; now_s < 130; now_s += steps_s[i], k++)
            window_take(&window, now_s, (fact)(now_s * 1e6 / 4), (fact)(now_s * 1000));
        struct window_use use = window_use(&window, now_s);
        assert_true(use.span_s >= 5 - 0.2 && use.span_s < 5 + steps_s[i] + 0.2);
        assert_true(use.cpu_percent > 24.9 && use.cpu_percent < 25.1);
        assert_true(use.received_per_s > 990 && use.received_per_s < 1010);
        assert_true(window.n <= WINDOW_SAMPLES);
    }
}

static void window_of_unknown_or_reset_counters_is_unknown(void **state)
{
    static const struct {
        fact from, to;
    } cases[] = {{FACT_UNKNOWN, 5}, {5, FACT_UNKNOWN}, {5, 4}, {FACT_UNKNOWN, FACT_UNKNOWN}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct window window = {0};
        window_take(&window, 1, cases[i].from, cases[i].from);
        window_take(&window, 6, cases[i].to, cases[i].to);
        struct window_use use = window_use(&window, 6);
        assert_true(use.cpu_percent < 0 && use.received_per_s < 0);
        assert_true(use.cpu_used_us < 0 && use.received_bytes < 0);
        assert_true(use.span_s == 5);
    }
    struct window window = {0};
    window_take(&window, 1, 7, 7);
    window_take(&window, 1, 7, 7); /* no time passed */
    assert_true(window_use(&window, 1).cpu_percent < 0);
}

static void standing_is_told_once_and_cleared_once(void **state)
{
    struct container container;
    struct judgement judgement = {0};
    struct standing standing = {0};
    struct history history = {0};
    (void)state;
    container_init(&container);
    struct look look = {.container = &container, .history = &history, .judgement = &judgement};
    static const struct {
        double now_s, since_s;
        bool all_now, contradicted, suspicious;
        double hold_s;
        int state; /* -1: no verdict */
        bool changed, confirmed;
    } steps[] = {
        {10, -1, false, false, false, 60, -1, false, false},
        {11, 11, true, false, true, 60, VERDICT_SUSPECT, false, false},
        {70, 11, true, false, true, 60, VERDICT_SUSPECT, false, false},
        {71, 11, true, false, true, 60, VERDICT_RAISED, true, true},
        {72, 11, false, false, true, 60, VERDICT_RAISED, false, false}, /* unknown for a look */
        {80, -1, false, false, true, 60, VERDICT_RAISED, false, false}, /* unknown for long */
        {81, 81, true, false, true, 60, VERDICT_CLEARED, true, false},  /* the hold began anew */
        {82, 81, true, false, true, 60, VERDICT_SUSPECT, false, false},
        {141, 81, true, false, true, 60, VERDICT_RAISED, true, true},
        {142, 81, true, false, true, 600, VERDICT_CLEARED, true, false}, /* a longer hold */
        {143, 81, true, false, true, 60, VERDICT_RAISED, true, true},
        {144, 81, false, true, true, 60, VERDICT_CLEARED, true, false},
        {145, -1, false, true, true, 60, -1, false, false},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        look.now_s = steps[i].now_s;
        const struct verdict *v =
            look_settle(&look, VERDICT_IDLE_LEAK, &standing, steps[i].since_s, steps[i].all_now,
                        steps[i].contradicted, steps[i].suspicious, steps[i].hold_s);
        int got = v ? (int)v->state : -1;
        if (got != steps[i].state ||
            (v && (v->changed != steps[i].changed || v->confirmed != steps[i].confirmed)))
            fail_msg("step %zu: state %d", i, got);
    }
    judgement_clear(&judgement);
}

static void runners_are_capped(void **state)
{
    struct history history = {0};
    struct process p;
    (void)state;
    process_init(&p);
    p.kind = PROCESS_RUNNER;
    for (fact i = 0; i < RUNNERS_MAX; i++) {
        p.pid = i;
        p.started_us = 1;
        assert_non_null(history_runner(&history, &p));
        assert_non_null(history_runner(&history, &p)); /* found again, not added */
    }
    assert_int_equal(history.n_runners, RUNNERS_MAX);
    p.started_us = 2; /* the same pid, another process */
    assert_null(history_runner(&history, &p));
    free(history.runners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(condition_by_table),
        cmocka_unit_test(true_counts_from_what_the_look_proves),
        cmocka_unit_test(together_since_the_last_one),
        cmocka_unit_test(window_spans_five_seconds),
        cmocka_unit_test(window_of_unknown_or_reset_counters_is_unknown),
        cmocka_unit_test(standing_is_told_once_and_cleared_once),
        cmocka_unit_test(runners_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
