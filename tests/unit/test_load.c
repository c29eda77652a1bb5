/* A load that waits for a lock: for how long, and what is told of it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/load_private.h"
#include "base/clock.h"
#include "configs.h"
#include "http_server.h"
#include <stdio.h>
#include <string.h>

#define ID "2f133e508efda7559f6fd48390b72294867dbb07567160bb20d7d7386d822caf"

struct bench {
    uv_loop_t loop;
    struct config *config;
    struct sense *sense;
    struct healer *healer;
    unsigned ended;
};

static void on_told(void *userdata, const struct heal_event *event)
{
    (void)userdata, (void)event;
}

static int set_up(void **state)
{
    static struct bench b;
    b = (struct bench){.config = new_config()};
    uv_loop_init(&b.loop);
    struct sense_options sense = {.loop = &b.loop, .config = b.config};
    if (sense_new(&sense, &b.sense) < 0)
        return -1;
    struct healer_options healer = {.loop = &b.loop,
                                    .config = b.config,
                                    .sense = b.sense,
                                    .state = "/nowhere",
                                    .tell = on_told};
    *state = &b;
    return healer_new(&healer, &b.healer);
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    healer_free(b->healer);
    sense_free(b->sense);
    bool closed = loop_end(&b->loop);
    healer_delete(b->healer);
    config_free(b->config);
    return closed ? 0 : -1;
}

static void on_done(void *userdata, const struct load_report *report)
{
    (void)report;
    ((struct bench *)userdata)->ended++;
}

static char progress_text[ADMISSION_TEXT_SIZE];

static void on_progress(void *userdata, const struct load_progress *progress)
{
    (void)userdata;
    snprintf(progress_text, sizeof progress_text, "%s", progress->text);
}

static struct loader *loader_of(struct bench *b)
{
    struct loader *loader;
    struct loader_options options = {
        .healer = b->healer, .progress = on_progress, .done = on_done, .userdata = b};
    assert_int_equal(loader_new(&options, &loader), 0);
    memcpy(loader->wish.id, ID, sizeof loader->wish.id);
    return loader;
}

/* The unload got the lock; who holds it when the load wants it is somebody else, or comes later. */
static void patience_for_a_lock_begins_anew_after_an_unload(void **state)
{
    struct bench *b = *state;
    struct loader *loader = loader_of(b);
    struct heal_event event = {.kind = HEAL_LOCKED, .id = ID, .model = "", .text = "locked"};
    loader->phase = LOAD_UNLOADING;
    loader_heal(loader, &event);
    assert_true(loader->phase == LOAD_WAITING && loader->locked_until_s > clock_boottime_s());
    loader->phase = LOAD_UNLOADING;
    event.kind = HEAL_DONE;
    loader_heal(loader, &event);
    assert_true(loader->locked_until_s <= 0);
    assert_int_equal(b->ended, 1); /* there is no such container */
    loader_free(loader);
}

/* With each look it is tried again: meanwhile, too, it is told who has it. */
static void who_has_the_lock_is_told_while_it_is_tried(void **state)
{
    struct bench *b = *state;
    struct loader *loader = loader_of(b);
    struct heal_event event = {.kind = HEAL_LOCKED, .id = ID, .model = "", .text = "locked"};
    struct world world;
    struct judgement judgement = {0};
    world_init(&world);
    loader->phase = LOAD_UNLOADING;
    loader_heal(loader, &event);
    loader->phase = LOAD_LOCKING;
    healer_consider(b->healer, &world, &judgement, false, true);
    loader_look(loader);
    assert_string_equal(progress_text, "locked");
    loader_free(loader);
}

#define HERE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(patience_for_a_lock_begins_anew_after_an_unload),
        HERE(who_has_the_lock_is_told_while_it_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
