/* Following an engine that a test scripts: whose turn an inspect is, what is told of one that
 * fails, whose fresh look is cancelled, and labels that are too long. */
#include "base/clock.h"
#include "configs.h"
#include "engine_fixture.h"
#include "sense/private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CONTAINERS = 12, BUSY = 6, GONE = 3 };

static struct {
    atomic_int asked[CONTAINERS];
    atomic_bool over, gone; /* gone: nobody knows the container GONE any more */
    const char *labels;     /* of all */
    unsigned found, unread, labels_bad;
    char text[512]; /* of the last such note */
} seen;

static void answer_list(int fd)
{
    char body[8192] = "[";
    for (int i = 0; i < CONTAINERS; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body),
                 "%s{\"Id\":\"%064d\",\"Names\":[\"/c%d\"],\"Image\":\"ollama/ollama\","
                 "\"State\":\"exited\"}",
                 i ? "," : "", i, i);
    snprintf(body + strlen(body), sizeof body - strlen(body), "]");
    server_reply(fd, 200, "", body);
}

static void answer_inspect(int fd, int i)
{
    char body[32768];
    seen.asked[i]++;
    if (i == GONE && seen.gone) {
        server_reply(fd, 404, "", "{\"message\":\"No such container: 3\"}");
        return;
    }
    snprintf(body, sizeof body,
             "{\"Id\":\"%064d\",\"Name\":\"/c%d\",\"State\":{\"Status\":\"exited\"},"
             "\"Config\":{\"Image\":\"ollama/ollama\",\"Labels\":{%s}}}",
             i, i, seen.labels);
    server_reply(fd, 200, "", body);
}

static bool also(struct engine *e, int fd, const char *path)
{
    int i;
    (void)e;
    if (!strncmp(path, "/events", 7)) {
        server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int ms = 0; ms < ENGINE_WAIT_MS && !seen.over; ms += 10)
            server_wait_ms(10);
    } else if (!strncmp(path, "/containers/json", 16)) {
        answer_list(fd);
    } else if (sscanf(path, "/containers/%d/json", &i) == 1 && i >= 0 && i < CONTAINERS) {
        answer_inspect(fd, i);
    } else {
        return false;
    }
    return true;
}

static void on_look(void *userdata, struct world *world)
{
    (void)userdata, (void)world;
}

static void on_note(void *userdata, enum sense_note note, const struct container *c,
                    const char *text)
{
    (void)userdata, (void)c;
    seen.found += note == NOTE_FOUND;
    seen.unread += note == NOTE_UNREAD;
    seen.labels_bad += note == NOTE_LABEL_BAD;
    if (note == NOTE_UNREAD || note == NOTE_LABEL_BAD)
        snprintf(seen.text, sizeof seen.text, "%s", text);
}

/* All are followed but the one that is gone. */
static struct sense *follow(struct engine *e, const struct config *config)
{
    struct sense *sense;
    struct error err = {0};
    struct sense_options options = {.loop = &e->loop,
                                    .http = e->http,
                                    .docker = e->docker,
                                    .config = config,
                                    .callbacks = {.look = on_look, .note = on_note}};
    e->also = also;
    assert_int_equal(sense_new(&options, &sense), 0);
    assert_int_equal(sense_start(sense, &err), 0);
    unsigned wanted = CONTAINERS - seen.gone;
    assert_true(loop_until(&e->loop, &seen.found, wanted, ENGINE_WAIT_MS));
    while (sense_awaits_inspects(sense))
        loop_for(&e->loop, 10);
    return sense;
}

static void end(struct engine *e, struct sense *sense, struct config *config)
{
    seen.over = true;
    sense_stop(sense);
    engine_free_client(e);
    sense_free(sense);
    loop_for(&e->loop, 10);
    config_free(config);
}

static void begin(const char *labels)
{
    memset(&seen, 0, sizeof seen);
    seen.labels = labels;
}

static void hint(uv_timer_t *timer)
{
    struct sense *sense = timer->data;
    char id[CONTAINER_ID_SIZE];
    for (int i = 0; i < BUSY; i++) {
        snprintf(id, sizeof id, "%064d", i);
        sense_inspect(sense, sense_find(sense, id));
    }
}

/* Half of them have events all the time, so many that not all can be followed. */
static void everybody_is_inspected_in_turn(void **state)
{
    struct engine *e = *state;
    struct config *config = new_config();
    begin("");
    struct sense *sense = follow(e, config);
    for (int i = 0; i < CONTAINERS; i++)
        seen.asked[i] = 0;
    sense->hints = 0;
    sense->hints_s = clock_boottime_s();
    uv_timer_t timer;
    uv_timer_init(&e->loop, &timer);
    timer.data = sense;
    uv_timer_start(&timer, hint, 0, 1);
    for (size_t i = 0; i < sense->n; i++)
        sense_inspect(sense, sense->watches[i]); /* as a list does */
    loop_for(&e->loop, 1000);
    uv_close((uv_handle_t *)&timer, NULL);
    for (int i = 0; i < CONTAINERS; i++)
        if (!seen.asked[i])
            fail_msg("container %d was never asked about", i);
    end(e, sense, config);
}

/* It went between the list and the question: that is no answer which cannot be read. */
static void who_is_gone_is_not_told_as_unread(void **state)
{
    struct engine *e = *state;
    struct config *config = new_config();
    begin("");
    seen.gone = true;
    struct sense *sense = follow(e, config);
    assert_true(seen.asked[GONE] > 0);
    assert_int_equal(sense->n, CONTAINERS - 1);
    if (seen.unread)
        fail_msg("told: %s", seen.text);
    end(e, sense, config);
}

static void on_fresh(void *userdata, int result)
{
    *(int *)userdata = result;
}

static void only_ones_own_fresh_look_is_cancelled(void **state)
{
    struct engine *e = *state;
    struct config *config = new_config();
    int mine = 1, other = 1;
    begin("");
    struct sense *sense = follow(e, config);
    const char *id = sense->watches[0]->container.id;
    assert_int_equal(sense_fresh(sense, id, on_fresh, &mine), 0);
    sense_fresh_cancel(sense, id, &other);
    assert_int_equal(mine, 1);
    sense_fresh_cancel(sense, id, &mine);
    assert_int_equal(mine, -ECANCELED);
    end(e, sense, config);
}

/* What a label says that cannot be kept is unknown, such as which models are pinned. */
static void labels_that_are_too_long_are_told(void **state)
{
    static const struct {
        int length;
        bool cut;
    } cases[] = {{512, false}, {513, true}, {9000, true}, {20000, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine *e = *state;
        struct config *config = new_config();
        char *labels;
        assert_true(asprintf(&labels,
                             "\"supervisor.enable\":\"true\",\"supervisor.evicted\":\"%0*d\"",
                             cases[i].length, 0) > 0);
        begin(labels);
        struct sense *sense = follow(e, config);
        const struct container *c = &sense->watches[0]->container;
        if (c->mode != (cases[i].cut ? MODE_OBSERVE : MODE_ENFORCE))
            fail_msg("%d bytes: %s", cases[i].length, c->mode_why);
        assert_int_equal(seen.labels_bad, cases[i].cut ? CONTAINERS : 0);
        assert_true(!cases[i].cut || strstr(seen.text, "it is only observed"));
        end(e, sense, config);
        free(labels);
        assert_int_equal(docker_new(e->http, e->path, &e->docker), 0);
    }
}

/* docker.label may have any name: that of a container that opted out may be among what is cut. */
static void a_label_of_another_name_may_be_cut(void **state)
{
    static const struct {
        const char *name, *value;
        int length;
        bool observed;
    } cases[] = {{"my.heal", "true", 9000, false},
                 {"my.heal", "true", 20000, false},
                 {"other.name", "1", 9000, true},
                 {"other.name", "1", 100, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine *e = *state;
        struct error err;
        struct config *config = new_config();
        char *labels;
        assert_int_equal(config_set(config, "docker.label=my.heal", ORIGIN_COMMAND_LINE, &err), 0);
        assert_int_equal(config_set(config, "supervisor.mode=enforce", ORIGIN_COMMAND_LINE, &err),
                         0);
        assert_true(asprintf(&labels, "\"%s\":\"%s\",\"x\":\"%0*d\"", cases[i].name, cases[i].value,
                             cases[i].length, 0) > 0);
        begin(labels);
        struct sense *sense = follow(e, config);
        const struct container *c = &sense->watches[0]->container;
        if ((c->mode == MODE_OBSERVE) != cases[i].observed)
            fail_msg("%zu: %s", i, c->mode_why);
        assert_int_equal(seen.labels_bad, cases[i].observed ? CONTAINERS : 0);
        end(e, sense, config);
        free(labels);
        assert_int_equal(docker_new(e->http, e->path, &e->docker), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(everybody_is_inspected_in_turn),
        ENGINE_TEST(who_is_gone_is_not_told_as_unread),
        ENGINE_TEST(only_ones_own_fresh_look_is_cancelled),
        ENGINE_TEST(labels_that_are_too_long_are_told),
        ENGINE_TEST(a_label_of_another_name_may_be_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
