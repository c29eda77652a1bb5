/* What is read of our own loads: one that has not ended is under way only while its lock is held.
 */
#include "history_case.h"

#include "act/healer.h"
#include "base/clock.h"
#include "remembered.h"
#include "worlds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct scene scene;
    struct keep *keep;
    struct keep_now begun; /* of the load of "m" */
    struct keep_lock *lock;
    struct remembered *remembered;
};

static void begin(struct reading *r, struct place *place, double ago_s)
{
    char settings[160], key[CONTAINER_NAME_SIZE];
    struct error err;
    snprintf(settings, sizeof settings, "supervisor.state=%s", place->state);
    scene_begin(&r->scene, settings);
    scene_look(&r->scene);
    r->keep = place_open(place);
    r->begun = keep_now_is("");
    clock_boot_id("/proc", r->begun.boot_id, sizeof r->begun.boot_id);
    r->begun.boottime_s -= ago_s;
    healer_key_of(r->scene.config, scene_container(&r->scene), key);
    assert_ok(
        keep_lock_container(place->state, scene_container(&r->scene)->id, &r->lock, NULL, &err),
        err);
    assert_ok(keep_load_begin(r->keep, key, "m", &r->begun, &err), err);
    assert_int_equal(remembered_new(NULL, r->scene.config, r->keep, r->scene.judge, &r->remembered),
                     0);
    remembered_found(r->remembered);
}

static void end(struct reading *r)
{
    remembered_free(r->remembered);
    keep_unlock(r->lock);
    keep_close(r->keep);
    scene_end(&r->scene);
}

static double read_end(struct reading *r)
{
    struct keep_load *loads;
    size_t n;
    struct error err;
    assert_true(remembered_look(r->remembered, &r->scene.world, true));
    assert_ok(keep_loads(r->keep, &r->begun, &loads, &n, &err), err);
    assert_int_equal(n, 1);
    double ended_s = loads[0].load.ended_s;
    free(loads);
    return ended_s;
}

/* However long it takes; killed, it lived until it was last seen to. */
static void a_load_that_is_killed(void **state)
{
    struct reading r;
    begin(&r, *state, 700);
    assert_true(read_end(&r) < 0);
    double seen_s = clock_boottime_s();
    keep_unlock(r.lock);
    r.lock = NULL;
    double ended_s = read_end(&r);
    assert_true(ended_s > r.begun.boottime_s + 699 && ended_s <= seen_s);
    assert_true(read_end(&r) == ended_s);
    end(&r);
}

/* Nobody saw it live. */
static void a_load_that_was_killed_before(void **state)
{
    struct reading r;
    begin(&r, *state, 100);
    keep_unlock(r.lock);
    r.lock = NULL;
    assert_true(read_end(&r) == r.begun.boottime_s);
    end(&r);
}

/* What an earlier supervisor saw of a container that is found after others. */
static void one_that_is_found_later(void **state)
{
    struct reading r;
    struct world none;
    struct history_last_use row = {.use = {.model = "m", .from_s = 1, .to_s = 2, .use = USE_WORK}};
    struct history_batch batch = history_batch_at(1);
    begin(&r, *state, 0);
    memcpy(row.container, scene_container(&r.scene)->id, sizeof row.container);
    batch.boot_id = r.begun.boot_id;
    batch.last_uses = &row;
    batch.n_last_uses = 1;
    struct keep_history *history = history_open(*state);
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
    keep_history_close(history);
    world_init(&none);
    assert_true(remembered_look(r.remembered, &none, true));
    world_clear(&none);
    remembered_found(r.remembered);
    assert_true(remembered_look(r.remembered, &r.scene.world, true));
    const struct model_use *use = uses_find(scene_assessment(&r.scene)->uses, "m");
    assert_non_null(use);
    assert_true(use->to_s == 2 && use->earlier);
    end(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {TEST(a_load_that_is_killed),
                                       TEST(a_load_that_was_killed_before),
                                       TEST(one_that_is_found_later)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
