/* The slope and its test: known figures, wild points, steps, noise, thinning out. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/trend.h"
#include <math.h>

/* Deterministic noise between -1 and 1. */
static double noise(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (double)(1u << 23) - 1;
}

static struct trend_slope slope_of(const struct trend *trend)
{
    struct trend_slope slope;
    assert_true(trend_slope(trend, &slope));
    return slope;
}

static void too_few_say_nothing(void **state)
{
    struct trend trend;
    struct trend_slope slope = {.n = 77};
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < TREND_POINTS_MIN - 1; i++)
        trend_add(&trend, i, i);
    assert_false(trend_slope(&trend, &slope));
    assert_int_equal(slope.n, 77);
    trend_add(&trend, TREND_POINTS_MIN, 1);
    assert_true(trend_slope(&trend, &slope));
}

static void line_is_found_exactly(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 20; i++)
        trend_add(&trend, 10 * i, 1000 + 3.0 * 10 * i);
    struct trend_slope slope = slope_of(&trend);
    assert_true(fabs(slope.per_s - 3) < 1e-9 && fabs(slope.low_per_s - 3) < 1e-9);
    assert_true(fabs(slope.span_s - 190) < 1e-9 && slope.chance < 1e-6);
    assert_true(fabs(slope.rise - 3 * 140) < 1e-9); /* thirds of six, 14 points apart */
}

/* Kendall's S of 1..10 without ties is 45, its variance 125: z = 44 / sqrt(125) = 3.935. */
static void chance_is_that_of_the_tables(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 10; i++)
        trend_add(&trend, i, i);
    assert_true(fabs(slope_of(&trend).chance - 4.15e-5) < 1e-6);
}

static void level_values_have_no_trend(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 30; i++)
        trend_add(&trend, i, 5);
    struct trend_slope slope = slope_of(&trend);
    assert_true(slope.per_s == 0 && slope.rise == 0 && slope.chance >= 0.5);
}

static void noise_is_seldom_a_trend(void **state)
{
    unsigned seed = 1;
    int wrong = 0;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct trend trend;
        trend_begin(&trend, 1);
        for (int i = 0; i < 40; i++)
            trend_add(&trend, i, noise(&seed));
        wrong += slope_of(&trend).chance < 0.01;
    }
    assert_in_range(wrong, 2, 20); /* 1 % of 1,000, give or take three deviations */
}

static void wild_points_do_not_move_it(void **state)
{
    struct trend trend;
    unsigned seed = 7;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 60; i++)
        trend_add(&trend, i, i % 4 == 3 ? 5000 * noise(&seed) : 100 + 2.0 * i + noise(&seed));
    struct trend_slope slope = slope_of(&trend);
    assert_true(slope.per_s > 1.5 && slope.per_s < 2.5);
    assert_true(slope.low_per_s < slope.per_s && slope.chance < 0.01);
}

static void shrinking_is_no_growth(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 20; i++)
        trend_add(&trend, i, -i);
    assert_true(slope_of(&trend).per_s < 0 && slope_of(&trend).chance > 0.999);
}

/* However long it lasts, the first and the latest points are there. */
static void long_ones_are_thinned_out(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 1);
    for (int i = 0; i < 100000; i++)
        trend_add(&trend, i, 2.0 * i);
    struct trend_slope slope = slope_of(&trend);
    assert_true(trend.n <= TREND_POINTS_MAX && trend.n >= TREND_POINTS_MAX / 2);
    assert_true(trend.at_s[0] == 0 && slope.span_s > 95000);
    assert_true(fabs(slope.per_s - 2) < 1e-9);
    trend_add(&trend, 5, 1); /* the clock went back */
    assert_int_equal(trend.n, 1);
}

static void near_points_are_one(void **state)
{
    struct trend trend;
    (void)state;
    trend_begin(&trend, 10);
    for (int i = 0; i < 100; i++)
        trend_add(&trend, i, i);
    assert_int_equal(trend.n, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_few_say_nothing),
        cmocka_unit_test(line_is_found_exactly),
        cmocka_unit_test(chance_is_that_of_the_tables),
        cmocka_unit_test(level_values_have_no_trend),
        cmocka_unit_test(noise_is_seldom_a_trend),
        cmocka_unit_test(wild_points_do_not_move_it),
        cmocka_unit_test(shrinking_is_no_growth),
        cmocka_unit_test(long_ones_are_thinned_out),
        cmocka_unit_test(near_points_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
