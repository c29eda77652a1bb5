/* The JSON form of a world: foreign lines, wrong types, text that does not fit, memory that is
 * spent.
 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/world_json.h"
#include "world_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations are counted down; the one at 0 fails. Linked by --wrap (flags.mk). */
static long fail_at = -1;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

static enum world_line read_line(const char *line, struct world *world)
{
    return world_from_json(line, strlen(line), world, NULL, 0);
}

static void foreign_lines_are_foreign(void **state)
{
    static const char *const foreign[] = {
        "",
        " ",
        "null",
        "17",
        "[]",
        "\"world\"",
        "{}",
        "{\"world\":1}",
        "{\"world\":2,\"monotonic\":1}",
        "{\"world\":\"1\",\"monotonic\":1}",
        "{\"world\":1,\"monotonic\":\"1\"}",
        "{\"world\":1,\"monotonic\":-1}",
        "{\"world\":1,\"monotonic\":1",
        "{\"world\":1,\"monotonic\":1}}",
        "{\"event\":1}",
        "{\"monotonic\":1}",
        "{\"world\":1,\"monotonic\":1e999}",
        "\xff\xfe",
        "{\"world\":1,\"monotonic\":1,\"a\":\"\xff\"}",
        "{\"world\":1,\"monotonic\":1,\"a\":99999999999999999999}",
    };
    struct world world;

    (void)state;
    world_init(&world);
    assert_int_equal(read_line(whole, &world), WORLD_LINE_WORLD);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (read_line(foreign[i], &world) != WORLD_LINE_FOREIGN)
            fail_msg("not foreign: %s", foreign[i]);
    assert_int_equal(world.n_containers, 2); /* the earlier world is untouched */
    /* Every torn beginning of a world. */
    for (size_t n = 0; n < strlen(whole); n++)
        assert_int_equal(world_from_json(whole, n, &world, NULL, 0), WORLD_LINE_FOREIGN);
    size_t length = WORLD_LINE_MAX + 1;
    char *line = malloc(length);
    assert_non_null(line);
    memset(line, ' ', length);
    memcpy(line, whole, strlen(whole));
    assert_int_equal(world_from_json(line, length - 1, &world, NULL, 0), WORLD_LINE_WORLD);
    assert_int_equal(world_from_json(line, length, &world, NULL, 0), WORLD_LINE_FOREIGN);
    free(line);
    world_clear(&world);
}

/* One container with these members. */
static const struct container *read_container(const char *members, struct world *world)
{
    char line[8192];

    snprintf(line, sizeof line, "{\"world\":1,\"monotonic\":0,\"containers\":[{%s}]}", members);
    assert_int_equal(read_line(line, world), WORLD_LINE_WORLD);
    assert_int_equal(world->n_containers, 1);
    return &world->containers[0];
}

static void wrong_types_are_unknown(void **state)
{
    struct world world;
    const struct container *c;

    (void)state;
    world_init(&world);
    c = read_container("\"pid\":\"10\",\"restart_count\":1.5,\"exit_code\":-1,\"oom_killed\":1,"
                       "\"name\":7,\"mode\":true,\"status\":\"gone\",\"health\":null,"
                       "\"uptime_s\":-3,\"baseline\":null,\"labels\":[1],\"env\":\"x\","
                       "\"cgroup\":{\"version\":3,\"anon\":1},\"ollama\":5,\"processes\":{}",
                       &world);
    assert_int_equal(c->pid, FACT_UNKNOWN);
    assert_int_equal(c->restart_count, FACT_UNKNOWN);
    assert_int_equal(c->exit_code, FACT_UNKNOWN);
    assert_int_equal(c->oom_killed, FACT_UNKNOWN);
    assert_int_equal(c->baseline, FACT_UNKNOWN); /* null is for limits */
    assert_string_equal(c->name, "");
    assert_int_equal(c->mode, MODE_OBSERVE);
    assert_int_equal(c->status, STATUS_UNKNOWN);
    assert_true(c->uptime_s < 0);
    assert_int_equal(c->n_labels + c->n_env, 0);
    assert_int_equal(c->cgroup.version, 0);
    assert_int_equal(c->cgroup.anon, FACT_UNKNOWN);
    assert_false(c->ollama.asked || c->processes_known);

    assert_int_equal(read_line("{\"world\":1,\"monotonic\":0,\"time\":\"yesterday\",\"host\":[],"
                               "\"containers\":[1,null,{\"name\":\"a\"},[]]}",
                               &world),
                     WORLD_LINE_WORLD);
    assert_int_equal(world.n_containers, 1);
    assert_string_equal(world.containers[0].name, "a");
    assert_true(world.time_ms < 0);
    world_clear(&world);
}

static void a_list_that_lacks_some_is_unknown(void **state)
{
    struct world world;
    const struct container *c;

    (void)state;
    world_init(&world);
    assert_false(read_container("\"processes\":[{\"pid\":1},7]", &world)->processes_known);
    assert_int_equal(world.containers[0].n_processes, 0);
    assert_false(read_container("\"processes\":[{\"pid\":1},{}]", &world)->processes_known);
    assert_true(read_container("\"processes\":[]", &world)->processes_known);
    assert_false(read_container("\"ollama\":{\"reachable\":true}", &world)->ollama.asked);
    assert_false(read_container("\"ollama\":{\"models\":[]}", &world)->ollama.asked);
    c = read_container("\"ollama\":{\"reachable\":true,\"models\":[]}", &world);
    assert_true(c->ollama.asked && c->ollama.n_models == 0 && c->ollama.latency_ms < 0);
    assert_true(c->ollama.age_ms == 0); /* absent is fresh */
    c = read_container("\"ollama\":{\"reachable\":true,\"models\":[7]}", &world);
    assert_int_equal(c->ollama.n_models, 1); /* not none */
    world_clear(&world);
}

static void text_fits_or_is_cut_at_a_character(void **state)
{
    char members[4096], name[600];
    struct world world;
    const struct container *c;

    (void)state;
    world_init(&world);
    for (size_t i = 0; i < 300; i++)
        memcpy(&name[2 * i], "\xc3\xa4", 2); /* ä */
    name[599] = '\0', name[598] = '\0';
    snprintf(
        members, sizeof members,
        "\"name\":\"%s\",\"id\":\"%s\",\"processes\":[{\"pid\":1,\"comm\":\"%s\",\"blob\":\"%s\","
        "\"state\":\"\xc3\xa4\"}]",
        name, name, name, name);
    c = read_container(members, &world);
    assert_int_equal(strlen(c->name), 254);
    assert_int_equal(strlen(c->processes[0].comm), 14);
    assert_string_equal(c->id, ""); /* half an identity is none */
    assert_string_equal(c->processes[0].blob, "");
    assert_int_equal(c->processes[0].state, 0);
    c = read_container("\"env\":{\"PATH\":\"/bin\",\"OLLAMA_X\":\"1\",\"SECRET\":\"2\"}", &world);
    assert_int_equal(c->n_env, 1);
    assert_string_equal(container_env(c, "OLLAMA_X"), "1");
    world_clear(&world);
}

static void foreign_bytes_are_replaced(void **state)
{
    static const char *const names[][2] = {
        {"a\xff"
         "b",
         "a?b"},
        {"\xc3", "?"},
        {"\xc3\xa4\xe2\x82", "\xc3\xa4??"},
        {"\xc0\xaf", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf0\x9f\x90\xb3!", "\xf0\x9f\x90\xb3!"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xe0\x80\x80", "???"},
        {"\xf0\x80\x80\x80", "????"},
        {"\xf5", "?"},
        {"\x80", "?"},
        {"\x1b[31m", "?[31m"}, /* a recording is read by people too */
        {"\xe2\x80\xae", "???"},
        {"\xc2\x9b", "??"},
    };
    struct world world;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        world_init(&world);
        world.monotonic_s = 1;
        struct container *c = world_add_container(&world);
        snprintf(c->name, sizeof c->name, "%s", names[i][0]);
        assert_int_equal(pairs_add(&c->labels, &c->n_labels, names[i][0], names[i][0]), 0);
        json_t *json = world_to_json(&world);
        assert_non_null(json);
        char *text = json_dumps(json, WORLD_JSON_FLAGS);
        world_clear(&world);
        assert_int_equal(read_line(text, &world), WORLD_LINE_WORLD);
        assert_string_equal(world.containers[0].name, names[i][1]);
        assert_string_equal(container_label(&world.containers[0], names[i][1]), names[i][1]);
        world_clear(&world);
        free(text);
        json_decref(json);
    }
}

/* Ours; jansson's own are not made to fail while it reads: 2.14 crashes where its buffer for a long
 * word does not grow. */
static void every_allocation_of_the_reader_may_fail(void **state)
{
    struct world world;
    enum world_line kind;
    long n = 0;

    (void)state;
    world_init(&world);
    do {
        fail_at = n++;
        kind = read_line(whole, &world);
        fail_at = -1;
        if (kind == WORLD_LINE_FOREIGN)
            assert_int_equal(world.n_containers, 0);
    } while (kind == WORLD_LINE_FOREIGN);
    assert_true(n > 8); /* containers, two lists of pairs, models, processes */
    world_clear(&world);
}

static void every_allocation_of_the_writer_may_fail(void **state)
{
    struct world world;
    long n = 0, failed = 0;
    bool hit;

    (void)state;
    world_init(&world);
    assert_int_equal(read_line(whole, &world), WORLD_LINE_WORLD);
    world.containers[0].name[0] = '\xff'; /* one that is replaced, too */
    json_set_alloc_funcs(__wrap_malloc, free);
    json_t *complete = world_to_json(&world);
    do {
        fail_at = n++;
        json_t *json = world_to_json(&world);
        hit = fail_at < 0;
        fail_at = -1;
        assert_true(json == NULL ? hit : json_equal(json, complete));
        failed += json == NULL;
        json_decref(json);
    } while (hit);
    assert_true(failed > 150 && n > 200);
    json_decref(complete);
    json_set_alloc_funcs(malloc, free);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_lines_are_foreign),
        cmocka_unit_test(wrong_types_are_unknown),
        cmocka_unit_test(a_list_that_lacks_some_is_unknown),
        cmocka_unit_test(text_fits_or_is_cut_at_a_character),
        cmocka_unit_test(foreign_bytes_are_replaced),
        cmocka_unit_test(every_allocation_of_the_reader_may_fail),
        cmocka_unit_test(every_allocation_of_the_writer_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
