/* Each container by its own policy, many containers side by side, and verdicts as JSON. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/memory.h"
#include "judge/verdict_json.h"
#include "worlds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void label(struct scene *s, const char *key, const char *value)
{
    struct container *c = scene_container(s);
    assert_int_equal(pairs_add(&c->labels, &c->n_labels, key, value), 0);
}

static void labels_are_the_containers_own_policy(void **state)
{
    static const struct {
        const char *settings, *key, *value;
        double raised_s; /* a leak of 600 MiB from the first look on; -1: not within 100 s */
    } cases[] = {
        {"leak.threshold_percent=0", NULL, NULL, -1},
        {NULL, "supervisor.leak.threshold", "256m", -1}, /* 10 % of 8 GiB are more */
        {NULL, "supervisor.leak.threshold_percent", "0", -1},
        {"leak.threshold=256m", "supervisor.leak.threshold_percent", "0", 60},
        {"leak.threshold=256m leak.threshold_percent=0", "supervisor.leak.hold", "20s", 20},
        {"leak.threshold=256m leak.threshold_percent=0", "other.leak.hold", "20s", 60},
        {"leak.threshold=256m leak.threshold_percent=0", "supervisor.leak.hold", "28x", 60},
        {"leak.threshold=256m leak.threshold_percent=0", "supervisor.leak.hodl", "20s", 60},
        {"leak.threshold=256m leak.threshold_percent=0", "supervisor.enable", "perhaps", 60},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        if (cases[i].key)
            label(&s, cases[i].key, cases[i].value);
        scene_leak(&s, 600 * MIB);
        scene_look(&s);
        double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 100);
        if (raised_s < cases[i].raised_s || raised_s > cases[i].raised_s)
            fail_msg("case %zu: raised at %g", i, raised_s);
        scene_end(&s);
    }
}

static void command_line_beats_label(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "leak.hold=40s");
    label(&s, "supervisor.leak.hold", "20s");
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 100) == 40);
    scene_end(&s);
}

static void changed_settings_hold_from_the_next_look_on(void **state)
{
    struct scene s;
    struct error err = {0};
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 30);
    assert_int_equal(config_set(s.config, "leak.hold=90s", ORIGIN_COMMAND_LINE, &err), 0);
    judge_settings_changed(s.judge); /* the hold goes on, and is longer */
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 200) == 90);
    assert_int_equal(config_set(s.config, "leak.hold=300s", ORIGIN_COMMAND_LINE, &err), 0);
    judge_settings_changed(s.judge); /* what was raised has not held so long */
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_LEAK)->state, VERDICT_CLEARED);
    scene_end(&s);
}

/* Containers whose labels say the same have their settings together: as long as one of them is
 * there. */
static void same_labels_same_settings(void **state)
{
    struct history a = {0}, b = {0}, c = {0};
    struct history *const all[] = {&a, &b, &c};
    struct settings one = {.poll_s = 1}, other = {.poll_s = 2};
    (void)state;
    a.by_labels = settings_like(all, 3, &one);
    b.by_labels = settings_like(all, 3, &one);
    c.by_labels = settings_like(all, 3, &other);
    assert_ptr_equal(a.by_labels, b.by_labels);
    assert_ptr_not_equal(a.by_labels, c.by_labels);
    history_forget_settings(&a);
    assert_null(a.by_labels);
    assert_true(b.by_labels->are.poll_s == 1 && c.by_labels->are.poll_s == 2);
    history_forget_settings(&b);
    history_forget_settings(&c);
}

/* Three with labels, the first two with the same: the first goes, and all labels are read anew. */
static void labels_hold_when_another_container_goes(void **state)
{
    enum { N = 3 };
    static const char *const holds[N] = {"20s", "20s", "40s"};
    struct scene s;
    char ids[N][CONTAINER_ID_SIZE];
    (void)state;
    scene_begin(&s, NULL);
    for (size_t i = 0; i < N; i++) {
        struct container copy, *added = world_add_container(&s.world);
        assert_non_null(added);
        assert_int_equal(container_copy(&copy, scene_container(&s)), 0);
        snprintf(copy.id, sizeof copy.id, "%064zu", i + 1);
        memcpy(ids[i], copy.id, sizeof copy.id);
        assert_int_equal(pairs_add(&copy.labels, &copy.n_labels, "supervisor.leak.hold", holds[i]),
                         0);
        copy.processes[0].rss_anon += 2 * GIB;
        copy.connections = 0;
        *added = copy;
    }
    scene_look(&s);
    for (int t = 1; t <= 50; t++) {
        if (t == 5) {
            container_clear(&s.world.containers[1]);
            memmove(&s.world.containers[1], &s.world.containers[2],
                    (N - 1) * sizeof s.world.containers[0]);
            s.world.n_containers--;
        }
        if (t == 10)
            judge_settings_changed(s.judge);
        for (size_t i = 1; i < s.world.n_containers; i++)
            s.world.containers[i].connections = 0;
        scene_step(&s, 1);
        for (size_t i = 1; i < N; i++) {
            const struct verdict *v = judgement_find(&s.judgement, ids[i], VERDICT_IDLE_LEAK);
            bool raised = v && v->state == VERDICT_RAISED;
            assert_int_equal(raised, t >= (i == 1 ? 20 : 40));
        }
    }
    scene_end(&s);
}

static void mode_is_carried_by_the_verdict(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->mode = MODE_OBSERVE;
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 60); /* found all the same; whether to act is not the judge's */
    assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_LEAK)->mode, MODE_OBSERVE);
    scene_end(&s);
}

/* Of many, each has a history of its own, in whatever order the worlds have them. */
static void containers_do_not_mix(void **state)
{
    enum { N = 50 };
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    for (int i = 1; i < N; i++) {
        struct container copy, *added = world_add_container(&s.world);
        assert_non_null(added);
        assert_int_equal(container_copy(&copy, scene_container(&s)), 0);
        snprintf(copy.id, sizeof copy.id, "%064d", i);
        snprintf(copy.name, sizeof copy.name, "c%d", i);
        *added = copy;
        added->connections = 0;
    }
    /* Container i leaks at second i. */
    for (int t = 0; t < N + 70; t++) {
        for (size_t i = 1; i < N; i++) {
            struct container *c = &s.world.containers[i];
            if (strtol(c->name + 1, NULL, 10) == t)
                c->processes[0].rss_anon += 2 * GIB;
            c->connections = 0;
        }
        if (t % 7 == 3) { /* the engine lists them in another order */
            struct container first = s.world.containers[1];
            memmove(&s.world.containers[1], &s.world.containers[2], (N - 2) * sizeof first);
            s.world.containers[N - 1] = first;
        }
        scene_step(&s, 1);
        for (int number = 1; number < N; number++) {
            char id[CONTAINER_ID_SIZE];
            snprintf(id, sizeof id, "%064d", number);
            const struct verdict *v = judgement_find(&s.judgement, id, VERDICT_IDLE_LEAK);
            bool raised = v && v->state == VERDICT_RAISED;
            assert_int_equal(raised, t >= number + 60);
        }
    }
    assert_int_equal(s.judgement.n_assessments, N);
    assert_null(judgement_find(&s.judgement, scene_container(&s)->id, VERDICT_KINDS));
    assert_non_null(judgement_assessment(&s.judgement, scene_container(&s)->id));
    assert_null(judgement_assessment(&s.judgement, "nobody's"));
    scene_end(&s);
}

static void same_input_same_output(void **state)
{
    struct scene a, b;
    (void)state;
    scene_begin(&a, "models.single=on memory.limit=6g");
    scene_begin(&b, "models.single=on memory.limit=6g");
    struct scene *const both[] = {&a, &b};
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 2; k++) {
            struct scene *s = both[k];
            if (i == 20)
                scene_leak(s, 3 * GIB);
            if (i == 90)
                scene_add_runner(s, 200, "sha256-1");
            if (i == 170)
                scene_remove_process(s, 200);
            scene_step(s, 1);
        }
        assert_int_equal(a.judgement.n_verdicts, b.judgement.n_verdicts);
        for (size_t v = 0; v < a.judgement.n_verdicts; v++) {
            json_t *x = verdict_to_json(&a.judgement.verdicts[v], NULL);
            json_t *y = verdict_to_json(&b.judgement.verdicts[v], NULL);
            assert_true(json_equal(x, y));
            json_decref(x);
            json_decref(y);
        }
    }
    scene_end(&a);
    scene_end(&b);
}

static void verdict_as_json(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 60);
    json_t *json = verdict_to_json(scene_verdict(&s, VERDICT_IDLE_LEAK), "restart: healed");
    json_t *wanted =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f}", "container", "ollama", "verdict",
                  "idle-leak", "state", "raised", "remedy", "restart", "acted", "restart: healed",
                  "since", 5000.0, "hold_s", 60.0, "raised", 5060.0);
    const char *key;
    json_t *value;
    assert_non_null(json);
    json_object_foreach(wanted, key, value)
        assert_true(json_equal(json_object_get(json, key), value));
    json_t *evidence = json_object_get(json, "evidence");
    assert_int_equal(json_integer_value(json_object_get(evidence, "serve")), 2 * GIB + 10 * MIB);
    assert_true(json_is_integer(json_object_get(evidence, "models")));
    assert_true(json_is_real(json_object_get(evidence, "cpu")));
    assert_null(json_object_get(json, "missing"));
    assert_null(json_object_get(json, "pid"));
    assert_null(json_object_get(json, "model"));
    json_decref(json);
    json_decref(wanted);
    scene_end(&s);
}

static void evidence_is_capped_and_unknown_is_left_out(void **state)
{
    struct verdict v = {0};
    (void)state;
    verdict_add_fact(&v, "unknown", UNIT_BYTES, FACT_UNKNOWN);
    verdict_add_fact(&v, "none", UNIT_BYTES, FACT_NONE);
    assert_int_equal(v.n_evidence, 0);
    for (int i = 0; i < EVIDENCE_MAX + 5; i++)
        verdict_add(&v, "n", UNIT_COUNT, i);
    assert_int_equal(v.n_evidence, EVIDENCE_MAX);
    assert_true(verdict_evidence(&v, "n") == 0);
    assert_true(verdict_evidence(&v, "m") == -1);
}

static void every_word_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < VERDICT_KINDS; i++)
        assert_true(strlen(verdict_kind_name((enum verdict_kind)i)) > 1);
    assert_string_equal(verdict_kind_name(VERDICT_KINDS), "?");
    assert_string_equal(verdict_state_name(VERDICT_CLEARED), "cleared");
    assert_string_equal(remedy_name(REMEDY_NONE), "none");
    assert_string_equal(remedy_name(REMEDY_KILL_RUNNER), "kill-runner");
    assert_string_equal(activity_name(ACTIVITY_LOADING), "loading");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_the_containers_own_policy),
        cmocka_unit_test(same_labels_same_settings),
        cmocka_unit_test(labels_hold_when_another_container_goes),
        cmocka_unit_test(command_line_beats_label),
        cmocka_unit_test(changed_settings_hold_from_the_next_look_on),
        cmocka_unit_test(mode_is_carried_by_the_verdict),
        cmocka_unit_test(containers_do_not_mix),
        cmocka_unit_test(same_input_same_output),
        cmocka_unit_test(verdict_as_json),
        cmocka_unit_test(evidence_is_capped_and_unknown_is_left_out),
        cmocka_unit_test(every_word_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
