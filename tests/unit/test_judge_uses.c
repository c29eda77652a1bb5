/* When a model was used last: our own loads are no use, and what an earlier supervisor saw counts.
 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "single_case.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void expire(struct scene *s, size_t model, double seconds)
{
    time_t at = (time_t)((double)s->world.time_ms / 1000 + seconds);
    strftime(s->models[model].expires_at, sizeof s->models[model].expires_at, "%Y-%m-%dT%H:%M:%SZ",
             gmtime(&at));
}

static void work(struct scene *s, fact pid, size_t seconds)
{
    for (size_t i = 0; i < seconds; i++) {
        scene_process(s, pid)->cpu_us += 300000;
        scene_step(s, 1);
    }
}

static double now_s(const struct scene *s)
{
    return s->world.monotonic_s;
}

static const struct model_use *use_of(const struct scene *s, const char *model)
{
    return uses_find(scene_assessment(s)->uses, model);
}

static void told_loads(struct scene *s, const char *model, double begun_s, double ended_s)
{
    struct own_load load = {.begun_s = begun_s, .ended_s = ended_s};
    snprintf(load.model, sizeof load.model, "%s", model);
    judge_tell_loads(s->judge, scene_container(s)->id, &load, 1);
}

/* b is used, then a; b goes, and is loaded again: by somebody it is the one used last, by us it is
 * not. */
static void our_load_is_no_use(void **state)
{
    (void)state;
    for (int ours = 0; ours < 4; ours++) { /* 2: it is under way still; 3: for long */
        struct scene s;
        single_begin(&s, "models.single=on");
        scene_step(&s, 6);
        work(&s, 201, 2);
        scene_step(&s, 8);
        work(&s, 200, 2);
        scene_step(&s, 1); /* b has not been told to go yet */
        scene_remove_process(&s, 201);
        scene_unlist(&s, "b");
        scene_step(&s, 10);
        double begun_s = now_s(&s);
        scene_step(&s, ours == 3 ? 700 : 1);
        scene_add_runner(&s, 202, SINGLE_B);
        work(&s, 202, 3);
        scene_list(&s, "b", SINGLE_B);
        scene_step(&s, 1);
        if (ours)
            told_loads(&s, "b:latest", begun_s, ours == 1 ? now_s(&s) : -1);
        scene_step(&s, 14);
        assert_string_equal(single_surplus(&s), ours ? "b" : "a");
        if (ours == 1) { /* and a use of it is one */
            work(&s, 202, 2);
            scene_step(&s, 14);
            assert_string_equal(single_surplus(&s), "a");
        }
        scene_end(&s);
    }
}

/* Of one that we loaded nobody knows whether it was used before: it may have been until then. */
static void what_was_before_our_load_is_unknown(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "models.single=on");
    scene_list(&s, "a", SINGLE_A);
    scene_add_runner(&s, 200, SINGLE_A);
    scene_look(&s);
    work(&s, 200, 2);
    scene_step(&s, 10);
    double begun_s = now_s(&s);
    scene_add_runner(&s, 201, SINGLE_B);
    scene_list(&s, "b", SINGLE_B);
    told_loads(&s, "b", begun_s, begun_s + 2);
    scene_step(&s, 30);
    assert_string_equal(single_surplus(&s), "");
    work(&s, 200, 2);
    scene_step(&s, 14);
    assert_string_equal(single_surplus(&s), "b");
    assert_non_null(
        strstr(scene_verdict(&s, VERDICT_TOO_MANY_MODELS)->why, "(before our own load)"));
    scene_end(&s);
}

/* The time that a loaded model has is set anew, by us. */
static void a_longer_keep_alive_is_no_use(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct scene s;
        single_begin(&s, NULL);
        expire(&s, 0, 300);
        expire(&s, 1, 300);
        scene_step(&s, 6);
        work(&s, 201, 2);
        scene_step(&s, 10);
        double used_s = use_of(&s, "b")->to_s, begun_s = now_s(&s);
        assert_true(now_s(&s) - used_s < 14 && use_of(&s, "b")->use == USE_WORK);
        if (ours)
            told_loads(&s, "b", begun_s, begun_s + 1);
        expire(&s, 1, 3600);
        scene_step(&s, 60);
        assert_int_equal(use_of(&s, "b")->use, ours ? USE_WORK : USE_LEASE);
        assert_true(ours ? use_of(&s, "b")->to_s == used_s : use_of(&s, "b")->to_s > used_s);
        scene_end(&s);
    }
}

/* Two that were found running, of which an earlier supervisor knows. */
static void an_earlier_supervisor_knows(void **state)
{
    static const struct {
        const char *name;
        fact pid_more, cpu_less;
        int64_t expires_less_ms;
        const char *goes;
    } cases[] = {
        {"as it was seen", 0, 0, 0, "b"},
        {"not told", -1, 0, 0, ""},
        {"another runner", 1, 0, 0, "a"},
        /* b was just loaded */ {"b's time is another one", 0, 0, 1000, "a"},
        {"b has worked", 0, 5000000, 0, "a"},
        {"b had some ticks", 0, 30000, 0, "b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_begin(&s, "models.single=on");
        scene_list(&s, "a", SINGLE_A);
        scene_list(&s, "b", SINGLE_B);
        scene_add_runner(&s, 200, SINGLE_A)->cpu_us = 70000000;
        scene_add_runner(&s, 201, SINGLE_B)->cpu_us = 70000000;
        scene_look(&s);
        expire(&s, 0, 100);
        expire(&s, 1, 100);
        scene_step(&s, 1);
        struct model_use uses[2];
        for (int k = 0; k < 2; k++) {
            double ago_s = k == 0 ? 40 : 90;
            const struct process *p = scene_process(&s, 200 + k);
            uses[k] = (struct model_use){.from_s = now_s(&s) - ago_s,
                                         .to_s = now_s(&s) - ago_s + 1,
                                         .use = USE_WORK,
                                         .pid = p->pid,
                                         .started_us = p->started_us,
                                         .cpu_us = p->cpu_us,
                                         .expires_ms = s.world.time_ms / 1000 * 1000 + 99000,
                                         .seen_s = now_s(&s) - 20};
            snprintf(uses[k].model, sizeof uses[k].model, "%c", 'a' + k);
        }
        uses[1].pid += cases[i].pid_more;
        uses[1].cpu_us -= cases[i].cpu_less;
        uses[1].expires_ms -= cases[i].expires_less_ms;
        if (cases[i].pid_more >= 0)
            judge_tell_uses(s.judge, scene_container(&s)->id, uses, 2);
        scene_step(&s, 14);
        if (strcmp(single_surplus(&s), cases[i].goes) != 0)
            fail_msg("%s: \"%s\" goes", cases[i].name, single_surplus(&s));
        scene_end(&s);
    }
}

/* Of our own load an earlier supervisor knows no use. The kernel tells the runner's start in whole
 * ticks, so that it may seem to lie before the load that started it. */
static void a_start_is_told_in_ticks(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_list(&s, "b", SINGLE_B);
        scene_add_runner(&s, 201, SINGLE_B);
        scene_look(&s);
        expire(&s, 0, 100);
        scene_step(&s, 1);
        const struct process *p = scene_process(&s, 201);
        double begun_s = (double)p->started_us / 1e6 + 0.009;
        struct model_use use = {.model = "b",
                                .from_s = -HUGE_VAL,
                                .to_s = -HUGE_VAL,
                                .use = USE_NONE,
                                .pid = p->pid,
                                .started_us = p->started_us,
                                .cpu_us = p->cpu_us,
                                .expires_ms = s.world.time_ms / 1000 * 1000 + 99000,
                                .seen_s = now_s(&s)};
        judge_tell_uses(s.judge, scene_container(&s)->id, &use, 1);
        if (ours)
            told_loads(&s, "b", begun_s, begun_s + 1);
        scene_step(&s, 14);
        assert_int_equal(isfinite(use_of(&s, "b")->to_s) != 0, !ours);
        scene_end(&s);
    }
}

/* A container that is found later is told as well, and each one once: what this one saw since is
 * not told anew. */
static void each_container_is_told_once(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    struct model_use use = {.model = "a", .from_s = 1, .to_s = 2, .use = USE_WORK};
    judge_tell_uses(s.judge, scene_container(&s)->id, &use, 1); /* of which nothing is known yet */
    scene_look(&s);
    assert_null(use_of(&s, "a"));
    judge_tell_uses(s.judge, scene_container(&s)->id, &use, 1);
    assert_true(use_of(&s, "a")->to_s == 2 && use_of(&s, "a")->earlier);
    use.to_s = 3;
    judge_tell_uses(s.judge, scene_container(&s)->id, &use, 1);
    assert_true(use_of(&s, "a")->to_s == 2);
    scene_end(&s);
}

static void no_more_are_remembered_than_fit(void **state)
{
    struct uses uses = {0};
    (void)state;
    for (int i = 0; i < USES_KEPT + 8; i++) {
        struct model_use use = {.to_s = i};
        snprintf(use.model, sizeof use.model, "m%d", i);
        uses_tell(&uses, &use);
    }
    assert_int_equal(uses.n, USES_KEPT);
    assert_null(uses_find(&uses, "m0"));
    assert_null(uses_find(&uses, "m7"));
    assert_non_null(uses_find(&uses, "m8"));
    uses_clear(&uses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_load_is_no_use),
        cmocka_unit_test(what_was_before_our_load_is_unknown),
        cmocka_unit_test(a_longer_keep_alive_is_no_use),
        cmocka_unit_test(an_earlier_supervisor_knows),
        cmocka_unit_test(a_start_is_told_in_ticks),
        cmocka_unit_test(each_container_is_told_once),
        cmocka_unit_test(no_more_are_remembered_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
