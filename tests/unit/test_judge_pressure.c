/* Levels of pressure: their edges, whom they are of, and that nothing is done about them. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"
#include <stdio.h>
#include <string.h>

static const struct {
    fact used, total;
    enum pressure_level level;
} edges[] = {
    {0, 10000, LEVEL_LOW},
    {5999, 10000, LEVEL_LOW},
    {6000, 10000, LEVEL_MEDIUM},
    {7999, 10000, LEVEL_MEDIUM},
    {8000, 10000, LEVEL_HIGH},
    {9500, 10000, LEVEL_HIGH},
    {9501, 10000, LEVEL_CRITICAL},
    {10000, 10000, LEVEL_CRITICAL},
    {20000, 10000, LEVEL_CRITICAL},
    {FACT_UNKNOWN, 10000, LEVEL_UNKNOWN},
    {5, FACT_UNKNOWN, LEVEL_UNKNOWN},
    {5, FACT_NONE, LEVEL_UNKNOWN},
    {5, 0, LEVEL_UNKNOWN},
};
enum { EDGES = sizeof edges / sizeof edges[0] };

static void edges_of_the_levels(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    for (size_t i = 0; i < EDGES; i++)
        assert_int_equal(pressure_of(edges[i].used, edges[i].total, config_settings(s.config)),
                         edges[i].level);
    scene_end(&s);
    scene_begin(&s, "pressure.level_medium=10 pressure.level_high=20 pressure.level_critical=30");
    const struct settings *settings = config_settings(s.config);
    assert_int_equal(pressure_of(9, 100, settings), LEVEL_LOW);
    assert_int_equal(pressure_of(10, 100, settings), LEVEL_MEDIUM);
    assert_int_equal(pressure_of(20, 100, settings), LEVEL_HIGH);
    assert_int_equal(pressure_of(31, 100, settings), LEVEL_CRITICAL);
    scene_end(&s);
}

/* MemAvailable, never MemFree: what can be taken back is not in use. */
static void host_is_judged_by_what_is_available(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    for (size_t i = 0; i < EDGES; i++) {
        if (edges[i].used > edges[i].total || edges[i].total <= 0)
            continue;
        s.world.host.total = edges[i].total;
        s.world.host.available =
            fact_known(edges[i].used) ? edges[i].total - edges[i].used : FACT_UNKNOWN;
        scene_step(&s, 1);
        assert_int_equal(s.judgement.host_level, edges[i].level);
    }
    s.world.host.available = 5;
    s.world.host.total = FACT_UNKNOWN;
    scene_step(&s, 1);
    assert_int_equal(s.judgement.host_level, LEVEL_UNKNOWN);
    scene_end(&s);
}

static void container_is_judged_by_what_it_holds(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    struct cgroup_memory *m = &scene_container(&s)->cgroup;
    for (size_t i = 0; i < EDGES; i++) {
        m->anon = edges[i].used;
        m->limit = edges[i].total;
        m->file = 20000; /* page cache does not count */
        scene_step(&s, 1);
        assert_int_equal(scene_assessment(&s)->level, edges[i].level);
    }
    m->anon = 3000;
    m->shmem = 3000; /* tmpfs and swap do, the swap cache only once */
    m->swap = 2500;
    m->swapcached = 500;
    m->limit = 10000;
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->level, LEVEL_HIGH);
    scene_end(&s);
}

/* A model that fills the limit that was made for it is what somebody asked for. */
static void critical_level_alone_has_no_remedy(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "pressure.action_warn=99 pressure.action_optimize=99.5 pressure.action_unload= "
                    "pressure.action_kill_switch=");
    scene_container(&s)->cgroup.limit = 28 * GIB;
    scene_list(&s, "70b", "sha256-1");
    scene_add_runner(&s, 200, "sha256-1")->rss_anon = 27 * GIB + 300 * MIB;
    scene_container(&s)->cgroup.anon = 27 * GIB + 310 * MIB;
    s.world.host.available = 1 * GIB;
    scene_look(&s);
    for (int i = 0; i < 200; i++) {
        scene_step(&s, 1);
        assert_false(scene_acts(&s));
    }
    assert_int_equal(scene_assessment(&s)->level, LEVEL_CRITICAL);
    assert_int_equal(s.judgement.host_level, LEVEL_CRITICAL);
    assert_int_equal(s.judgement.n_verdicts, 0);
    scene_end(&s);
}

static void higher_one_counts(void **state)
{
    (void)state;
    for (int a = LEVEL_UNKNOWN; a <= LEVEL_CRITICAL; a++)
        for (int b = LEVEL_UNKNOWN; b <= LEVEL_CRITICAL; b++)
            assert_int_equal(pressure_combine((enum pressure_level)a, (enum pressure_level)b),
                             a > b ? a : b);
    assert_string_equal(pressure_name(LEVEL_UNKNOWN), "unknown");
    assert_string_equal(pressure_name(LEVEL_CRITICAL), "critical");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_of_the_levels),
        cmocka_unit_test(host_is_judged_by_what_is_available),
        cmocka_unit_test(container_is_judged_by_what_it_holds),
        cmocka_unit_test(critical_level_alone_has_no_remedy),
        cmocka_unit_test(higher_one_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
