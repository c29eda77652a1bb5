/* Budget and back-off of restarts, as a table; no clock can make them wait longer than they may. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/allow.h"

static const struct settings settings = {.remedy_backoff_s = 10,
                                         .remedy_backoff_cap_s = 300,
                                         .remedy_healthy_s = 600,
                                         .remedy_budget_per_hour = 3};

static const struct {
    const char *what;
    struct restart_history history;
    enum allowed answer;
    fact attempt;
    double least_s, most_s; /* of the wait */
} cases[] = {
    {"never", {.last_age_s = -1}, ALLOW_GO, 1, 0, 0},
    {"just now", {1, 0, 0, 8, 1}, ALLOW_WAIT, 2, 9, 11},
    {"five seconds ago", {1, 5, 5, 8, 1}, ALLOW_WAIT, 2, 4, 6},
    {"twelve seconds ago", {1, 12, 12, 8, 1}, ALLOW_GO, 2, 0, 0},
    {"the second one", {2, 100, 0, 9, 2}, ALLOW_WAIT, 3, 18, 22},
    {"at the cap", {2, 100, 0, 9, 60}, ALLOW_WAIT, 61, 270, 330},
    {"healthy since", {2, 1000, 601, 9, 60}, ALLOW_GO, 1, 0, 0},
    {"spent", {3, 3000, 5, 9, 3}, ALLOW_HOLD, 4, 600, 600},
    {"more than spent", {30, 3599, 0, 9, 3}, ALLOW_HOLD, 4, 1, 1},
    {"spent, and all of them from the future", {3, 0, 0, 9, 3}, ALLOW_HOLD, 4, 3600, 3600},
};

static void every_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct allow allow = allow_restart(&cases[i].history, &settings);
        if (allow.answer != cases[i].answer || allow.attempt != cases[i].attempt ||
            allow.wait_s < cases[i].least_s || allow.wait_s > cases[i].most_s)
            fail_msg("%s: %d, attempt %d, %.1f s", cases[i].what, (int)allow.answer,
                     (int)allow.attempt, allow.wait_s);
    }
}

static void same_restart_same_jitter(void **state)
{
    (void)state;
    struct restart_history history = {1, 0, 0, 1, 5};
    double first = allow_restart(&history, &settings).wait_s, least = first, most = first;
    assert_true(allow_restart(&history, &settings).wait_s == first);
    for (history.last_id = 1; history.last_id < 1000; history.last_id++) {
        double wait_s = allow_restart(&history, &settings).wait_s;
        least = wait_s < least ? wait_s : least;
        most = wait_s > most ? wait_s : most;
    }
    assert_true(least >= 144 && least < 148 && most <= 176 && most > 172);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case),
        cmocka_unit_test(same_restart_same_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
