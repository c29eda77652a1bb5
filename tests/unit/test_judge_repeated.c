/* Looks between two samples, made because of another container: nothing is counted twice, no rate
 * is computed over no time, and no hold ends without a sample that says so. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"

/* The hold ends between two samples. */
static const char settings[] = "leak.hold=19500ms leak.grace=1s leak.threshold=64M "
                               "leak.threshold_percent=0 leak.baseline=32M";

/* n looks at the last sample, evenly within that time after it. */
static void repeat(struct scene *s, int n, double within_s)
{
    struct container *c = scene_container(s);
    double sampled_s = s->now_s;
    for (int i = 1; i <= n; i++) {
        s->now_s = sampled_s + within_s * i / n;
        c->age_s = s->now_s - sampled_s;
        scene_look(s);
    }
    s->now_s = sampled_s;
    c->age_s = -1;
}

static void a_hold_ends_with_a_sample(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, settings);
    scene_step(&s, 10);
    scene_leak(&s, 500 * MIB);
    double raised_s = -1;
    for (int i = 0; i < 40 && raised_s < 0; i++) {
        scene_step(&s, 1);
        if (scene_raised(&s, VERDICT_IDLE_LEAK))
            raised_s = s.now_s;
        bool before = scene_raised(&s, VERDICT_IDLE_LEAK);
        repeat(&s, 10, 0.9);
        assert_int_equal(scene_raised(&s, VERDICT_IDLE_LEAK), before);
    }
    assert_true(raised_s > 0);
    scene_end(&s);
}

static void the_window_of_use_stays_as_long_and_as_busy(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, settings);
    s.cpu_percent = 4; /* below what is busy */
    scene_step(&s, 10);
    assert_true(scene_assessment(&s)->not_busy);
    for (int i = 0; i < 5; i++) {
        repeat(&s, 200, 0.9); /* more than the window has room for */
        assert_true(scene_assessment(&s)->not_busy);
        scene_step(&s, 1);
        assert_true(scene_assessment(&s)->not_busy);
    }
    s.cpu_percent = 300;
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->activity, ACTIVITY_BUSY);
    repeat(&s, 200, 0.9);
    assert_int_equal(scene_assessment(&s)->activity, ACTIVITY_BUSY);
    scene_end(&s);
}

/* Sampled rarely and looked at often: the clocks go on with each look, so that is no gap. */
static void a_sleep_of_the_machine_is_still_seen(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, settings);
    scene_step(&s, 10);
    scene_leak(&s, 500 * MIB);
    scene_step(&s, 12);
    assert_false(scene_raised(&s, VERDICT_IDLE_LEAK));
    scene_container(&s)->age_s = 600; /* ten minutes later, still with the sample from before */
    s.now_s += 600;
    scene_look(&s);
    scene_container(&s)->age_s = -1;
    scene_step(&s, 15);
    assert_false(scene_raised(&s, VERDICT_IDLE_LEAK));
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 15) > 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_ends_with_a_sample),
        cmocka_unit_test(the_window_of_use_stays_as_long_and_as_busy),
        cmocka_unit_test(a_sleep_of_the_machine_is_still_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
