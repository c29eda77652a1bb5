/* Open intents of containers that are gone, on an engine that a test scripts. */
#include "act/private.h"
#include "configs.h"
#include "engine_fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bench {
    char state[64];
    struct engine *engine;
    struct config *config;
    struct keep *keep;
    struct sense *sense;
    struct healer *healer;
};

static void on_look(void *userdata, struct world *world)
{
    (void)userdata, (void)world;
}

static void on_note(void *userdata, enum sense_note note, const struct container *c,
                    const char *text)
{
    (void)userdata, (void)note, (void)c, (void)text;
}

static void on_told(void *userdata, const struct heal_event *event)
{
    (void)userdata, (void)event;
}

static int drop(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static int set_up(void **state)
{
    static struct bench b;
    b = (struct bench){.config = new_config()};
    struct error err;
    snprintf(b.state, sizeof b.state, "/tmp/sweep-XXXXXX");
    if (engine_set_up((void **)&b.engine) < 0 || !mkdtemp(b.state) ||
        keep_open(b.state, false, false, &b.keep, &err) < 0)
        return -1;
    struct sense_options sense = {.loop = &b.engine->loop,
                                  .http = b.engine->http,
                                  .docker = b.engine->docker,
                                  .config = b.config,
                                  .callbacks = {.look = on_look, .note = on_note}};
    struct healer_options healer = {.loop = &b.engine->loop,
                                    .config = b.config,
                                    .docker = b.engine->docker,
                                    .keep = b.keep,
                                    .state = b.state,
                                    .tell = on_told};
    if (sense_new(&sense, &b.sense) < 0)
        return -1;
    healer.sense = b.sense;
    *state = &b;
    return healer_new(&healer, &b.healer);
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    healer_free(b->healer);
    engine_free_client(b->engine);
    sense_free(b->sense);
    loop_for(&b->engine->loop, 10);
    healer_delete(b->healer);
    keep_close(b->keep);
    config_free(b->config);
    return engine_tear_down((void **)&b->engine) | nftw(b->state, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void sweep_to_its_end(struct bench *b)
{
    sweep(b->healer);
    while (b->healer->sweep.under_way)
        loop_for(&b->engine->loop, 10);
}

static size_t open_intents(struct bench *b)
{
    struct intent *open;
    size_t n;
    assert_int_equal(keep_intents_open(b->keep, &open, &n, NULL), 0);
    free(open);
    return n;
}

static bool nobody(struct engine *e, int fd, const char *path)
{
    (void)e;
    if (strncmp(path, "/containers/", 12) != 0)
        return false;
    server_reply(fd, 404, "", "{\"message\":\"No such container\"}");
    return true;
}

/* Whoever works on it has its lock: it is swept later, and not lost. */
static void what_is_locked_is_swept_later(void **state)
{
    struct bench *b = *state;
    struct keep_lock *lock;
    struct error err = {0};
    struct intent intent = {.container = ENGINE_ID, .key = "gone", .step = "restart"};
    b->engine->also = nobody;
    assert_int_equal(keep_intent_begin(b->keep, &intent, &err), 0);
    assert_int_equal(keep_lock_container(b->state, ENGINE_ID, &lock, NULL, &err), 0);
    sweep_to_its_end(b);
    assert_int_equal(open_intents(b), 1);
    assert_true(b->healer->unswept);
    keep_unlock(lock);
    sweep_to_its_end(b);
    assert_int_equal(open_intents(b), 0);
    assert_false(b->healer->unswept);
}

#define HERE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(what_is_locked_is_swept_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
