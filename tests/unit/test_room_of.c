/* How long nobody has used a loaded model: by what was seen, what is remembered, and expires_at. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/clock.h"
#include "judge/room.h"
#include "worlds.h"
#include <stdio.h>
#include <string.h>

#define A "sha256-aaaa"

static int64_t remembered_ms;

static int64_t remember(void *userdata, const char *model)
{
    assert_string_equal(model, "a");
    assert_string_equal(userdata, "history");
    return remembered_ms;
}

static double idle_s(struct scene *s, const struct runner_uses *uses, bool remembers)
{
    static struct room room;
    struct room_options o = {.world = &s->world,
                             .container = scene_container(s),
                             .judgement = &s->judgement,
                             .config = s->config,
                             .uses = uses,
                             .last_used_ms = remembers ? remember : NULL,
                             .userdata = "history"};
    room_of(&o, &room);
    assert_int_equal(room.n_models, 1);
    return room.models[0].idle_s;
}

/* The model goes in so many seconds. */
static void expires_in(struct scene *s, double seconds)
{
    char *text = s->models[0].expires_at;
    clock_format(s->world.time_ms + (int64_t)(seconds * 1000), text,
                 sizeof s->models[0].expires_at);
}

/* Its runner is as old as an hour. */
static void loaded(struct scene *s, const char *keep_alive)
{
    scene_begin(s, NULL);
    struct container *c = scene_container(s);
    if (keep_alive)
        assert_int_equal(pairs_add(&c->env, &c->n_env, "OLLAMA_KEEP_ALIVE", keep_alive), 0);
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A);
    scene_look(s);
    scene_process(s, 200)->started_us = (fact)((s->world.monotonic_s - 3600) * 1e6);
}

static void by_expiry_and_memory(void **state)
{
    static const struct {
        const char *name, *keep_alive;
        double expires_s, remembered_s; /* remembered: so long ago; < 0: not */
        double idle_s;
    } cases[] = {
        {"the default", NULL, 200, -1, 100},
        {"the server's", "30m", 600, -1, 1200},
        {"kept for longer", NULL, 1000, -1, -1},
        {"older than its runner", "24h", 0, -1, 3600},
        {"kept for less: looks idle", "24h", 1800, -1, 3600},
        {"kept for less, and remembered", "24h", 1800, 20, 20},
        {"remembered, and before that", NULL, 200, 7000, 100},
        {"kept for longer, and remembered", NULL, 1000, 20, -1}, /* not seen is not unused */
        {"remembered of a time to come", NULL, 200, -50, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, cases[i].keep_alive);
        expires_in(&s, cases[i].expires_s);
        scene_look(&s);
        bool remembers = cases[i].remembered_s >= 0 || cases[i].remembered_s < -1;
        remembered_ms = s.world.time_ms - (int64_t)(cases[i].remembered_s * 1000);
        double is_s = idle_s(&s, NULL, remembers);
        if (is_s < cases[i].idle_s - 0.1 || is_s > cases[i].idle_s + 0.1)
            fail_msg("%s: %g", cases[i].name, is_s);
        remembered_ms = 0; /* it was never seen to be used: nothing is learned by that */
        double without_s = idle_s(&s, NULL, false), never_s = idle_s(&s, NULL, true);
        assert_true(without_s >= never_s && without_s <= never_s);
        scene_end(&s);
    }
}

static void step(struct scene *s, struct runner_uses *uses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        scene_step(s, 1);
        runner_uses_look(uses, &s->world);
    }
}

/* Whoever has watched it knows better, in both directions. */
static void what_was_seen_counts(void **state)
{
    struct scene s;
    struct runner_uses *uses;
    (void)state;
    loaded(&s, "24h");
    assert_int_equal(runner_uses_new(&uses), 0);
    expires_in(&s, 48 * 3600.0); /* kept for longer: nobody can tell from that */
    scene_look(&s);
    assert_true(idle_s(&s, uses, false) < 0);
    step(&s, uses, 1);
    assert_true(runner_uses_watched_s(uses, scene_process(&s, 200)) >= 0);
    step(&s, uses, 40);
    assert_true(idle_s(&s, uses, false) == 40); /* so long at least */
    scene_process(&s, 200)->cpu_us += 500000;
    step(&s, uses, 1);
    assert_true(idle_s(&s, uses, false) == 0);
    step(&s, uses, 60);
    assert_true(idle_s(&s, uses, false) == 60);
    expires_in(&s,
               60); /* a request that took no time to be seen: 24 h less a minute ago, it says */
    step(&s, uses, 1);
    assert_true(idle_s(&s, uses, false) == 0);
    remembered_ms = s.world.time_ms - 3000 * 1000;
    step(&s, uses, 5);
    assert_true(idle_s(&s, uses, true) == 5);
    runner_uses_free(uses);
    scene_end(&s);
}

/* What is remembered of a use counts, until it was used again. */
static void a_remembered_use_counts(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, "24h");
    expires_in(&s, 48 * 3600.0); /* kept for longer: that tells nothing */
    scene_process(&s, 200)->cpu_us = 70000000;
    scene_step(&s, 1);
    double now_s = s.world.monotonic_s;
    struct model_use use = {.model = "a",
                            .from_s = now_s - 3001,
                            .to_s = now_s - 3000,
                            .use = USE_WORK,
                            .pid = 200,
                            .started_us = scene_process(&s, 200)->started_us,
                            .cpu_us = 70000000,
                            .seen_s = now_s - 20};
    int64_t expires_ms;
    assert_int_equal(clock_parse(s.models[0].expires_at, &expires_ms), 0);
    for (int used = 0; used < 2; used++) {
        use.expires_ms = expires_ms;
        use.seen_s += used;
        judge_tell_uses(s.judge, scene_container(&s)->id, &use, 1);
        scene_step(&s, 1);
        double is_s = idle_s(&s, NULL, false);
        if (is_s < 3000 || is_s > 3010)
            fail_msg("idle for %g s", is_s);
    }
    scene_process(&s, 200)->cpu_us += 500000;
    scene_step(&s, 1);
    assert_true(idle_s(&s, NULL, false) < 0);
    scene_step(&s, 20);
    double is_s = idle_s(&s, NULL, false);
    assert_true(is_s >= 20 && is_s < 23);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_expiry_and_memory),
        cmocka_unit_test(what_was_seen_counts),
        cmocka_unit_test(a_remembered_use_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
