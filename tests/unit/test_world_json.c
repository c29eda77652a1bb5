/* The JSON form of a world, both ways; every line of the recordings. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/world_json.h"
#include "world_text.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum world_line read_line(const char *line, struct world *world)
{
    return world_from_json(line, strlen(line), world, NULL, 0);
}

/* What is written of the world equals what was read, and again. */
static void assert_round_trip(const char *line, size_t length, struct world *world)
{
    json_t *original = json_loadb(line, length, 0, NULL), *written = world_to_json(world);
    if (!json_equal(original, written)) {
        char *text = json_dumps(written, WORLD_JSON_FLAGS);
        print_error("read:    %.*s\nwritten: %s\n", (int)length, line, text);
        free(text);
        fail();
    }
    char *text = json_dumps(written, WORLD_JSON_FLAGS);
    struct world again;
    world_init(&again);
    assert_int_equal(read_line(text, &again), WORLD_LINE_WORLD);
    json_t *twice = world_to_json(&again);
    assert_true(json_equal(written, twice));
    world_clear(&again);
    json_decref(twice);
    json_decref(written);
    json_decref(original);
    free(text);
}

static void recordings_go_both_ways(void **state)
{
    glob_t files;
    struct world world; /* one for all: its memory is used again */
    size_t worlds = 0, events = 0, capacity = 0;
    char *line = NULL, event[256];

    (void)state;
    assert_int_equal(glob("tests/recordings/memory/*.jsonl", 0, NULL, &files), 0);
    world_init(&world);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *file = fopen(files.gl_pathv[i], "r");
        ssize_t n;
        assert_non_null(file);
        while ((n = getline(&line, &capacity, file)) > 0) {
            size_t length = (size_t)n - (line[n - 1] == '\n');
            switch (world_from_json(line, length, &world, event, sizeof event)) {
            case WORLD_LINE_WORLD:
                worlds++;
                assert_round_trip(line, length, &world);
                assert_int_equal(world.n_containers, 1);
                assert_true(container_held(&world.containers[0], &world.host) >= 0 ||
                            world.containers[0].cgroup.version == 0);
                break;
            case WORLD_LINE_EVENT:
                events++;
                assert_true(strlen(event) > 0);
                break;
            case WORLD_LINE_FOREIGN:
                fail_msg("%s: %.80s", files.gl_pathv[i], line);
            }
        }
        fclose(file);
    }
    world_clear(&world);
    free(line);
    globfree(&files);
    assert_int_equal(worlds, 1150);
    assert_int_equal(events, 140);
}

static void every_member_goes_both_ways(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    for (int turn = 0; turn < 2; turn++) { /* the second time in used memory */
        assert_int_equal(read_line(whole, &world), WORLD_LINE_WORLD);
        assert_round_trip(whole, strlen(whole), &world);
    }
    const struct container *c = &world.containers[0];
    assert_int_equal(world.time_ms, 1795232908972);
    assert_int_equal(world.host.psi.full_total_us, 8);
    assert_int_equal(c->health, HEALTH_STARTING);
    assert_int_equal(c->oom_killed, 0);
    assert_int_equal(c->auto_remove, 1);
    assert_int_equal(c->mode, MODE_ENFORCE);
    assert_int_equal(c->cgroup.limit, FACT_NONE);
    assert_int_equal(c->cgroup.psi.some_total_us, FACT_UNKNOWN);
    assert_true(c->cgroup.psi.full_avg10 < 0);
    assert_string_equal(container_env(c, "LLAMA_ARG_CACHE_RAM"), "128");
    assert_string_equal(container_label(c, "supervisor.enable"), "true");
    assert_int_equal(c->processes[0].kind, PROCESS_RUNNER);
    assert_int_equal(c->processes[0].state, 'S');
    assert_int_equal(c->processes[1].rss_anon, FACT_UNKNOWN);
    assert_int_equal(world.containers[1].pid, FACT_UNKNOWN);
    assert_false(world.containers[1].processes_known);
    assert_true(world.containers[1].ollama.asked);
    assert_false(world.containers[1].ollama.reachable);
    assert_true(world.containers[1].ollama.foreign && world.containers[1].ollama.doubted);
    assert_int_equal(world.containers[1].ollama.server, FACT_NONE);
    assert_int_equal(world.containers[1].received, FACT_NONE);
    assert_int_equal(c->ollama.server, 39);
    assert_string_equal(world.containers[1].ollama.error, "refused");

    assert_true(world.gpus_known);
    assert_int_equal(world.n_gpus, 2);
    assert_int_equal(world.gpus[0].utilisation_percent, 42);
    assert_int_equal(world.gpus[0].power_mw, 31250);
    assert_int_equal(world.gpus[0].processes[1].vram, FACT_UNKNOWN);
    assert_int_equal(world.gpus[1].vendor, GPU_AMD);
    assert_int_equal(world.gpus[1].vram_total, FACT_UNKNOWN);
    assert_int_equal(world.gpus[1].temperature_c, FACT_UNKNOWN);

    /* Fewer containers in the same memory: nothing of the earlier ones is left. */
    assert_int_equal(read_line("{\"world\":1,\"monotonic\":1,\"containers\":[{}]}", &world),
                     WORLD_LINE_WORLD);
    assert_int_equal(world.n_containers, 1);
    c = &world.containers[0];
    assert_int_equal(c->n_labels + c->n_env + c->n_processes + c->ollama.n_models, 0);
    assert_string_equal(c->name, "");
    assert_int_equal(c->cgroup.version, 0);
    assert_int_equal(world.host.total, FACT_UNKNOWN);
    assert_true(world.time_ms < 0);
    assert_false(world.gpus_known);
    assert_int_equal(world.n_gpus, 0);
    assert_string_equal(world.gpus_missing, "");
    world_clear(&world);
}

static void remarks_are_events(void **state)
{
    char event[8];
    static const char line[] = "{\"event\": \"load sm\xc3\xa4ll\", \"monotonic\": 1.5}";

    (void)state;
    assert_int_equal(world_from_json(line, strlen(line), NULL, event, sizeof event),
                     WORLD_LINE_EVENT);
    assert_string_equal(event, "load sm");
    assert_int_equal(world_from_json(line, strlen(line), NULL, NULL, 0), WORLD_LINE_EVENT);
    char longer[9]; /* the ä does not fit: it is not cut in half */
    assert_int_equal(world_from_json(line, strlen(line), NULL, longer, sizeof longer),
                     WORLD_LINE_EVENT);
    assert_string_equal(longer, "load sm");
}

/* The names of all members, each once; of labels and environment only their own. */
static void collect(const json_t *value, json_t *names)
{
    const char *name;
    json_t *member;
    size_t i;
    json_object_foreach((json_t *)value, name, member)
    {
        json_object_set_new(names, name, json_true());
        if (strcmp(name, "labels") != 0 && strcmp(name, "env") != 0)
            collect(member, names);
    }
    json_array_foreach(value, i, member) collect(member, names);
}

/* A row's first cell names members: `a` `b`. */
static void the_docs_name_every_member_and_no_other(void **state)
{
    (void)state;
    json_t *world = json_loads(whole, 0, NULL), *members = json_object(), *told = json_object();
    FILE *docs = fopen("docs/world.md", "re"); /* tests run in the repository's root */
    char line[1024], *cell, *end;

    assert_non_null(docs);
    collect(world, members);
    json_object_set_new(members, "incomplete", json_true()); /* of a server that answers */
    while (fgets(line, sizeof line, docs)) {
        cell = line[0] == '|' && (end = strchr(line + 1, '|')) ? (*end = '\0', line + 1) : NULL;
        while (cell && (cell = strchr(cell, '`')) && (end = strchr(cell + 1, '`'))) {
            *end = '\0';
            json_object_set_new(told, cell + 1, json_true());
            cell = end + 1;
        }
    }
    fclose(docs);
    const char *name;
    json_t *flag;
    json_object_foreach(members, name, flag) if (!json_object_get(told, name))
        fail_msg("docs/world.md has no row for `%s`", name);
    json_object_foreach(told, name, flag) if (!json_object_get(members, name))
        fail_msg("docs/world.md has a row for `%s`, which no world has", name);
    json_decref(told);
    json_decref(members);
    json_decref(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_go_both_ways),
        cmocka_unit_test(every_member_goes_both_ways),
        cmocka_unit_test(remarks_are_events),
        cmocka_unit_test(the_docs_name_every_member_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
