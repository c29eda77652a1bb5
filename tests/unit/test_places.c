/* Where a container's Ollama is looked for again, and when it is asked on where it was. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "ways.h"
#include <unistd.h>

/* Two servers on one port: whose list it is is looked for again, and the way stays. */
static void it_is_told_later_whose_list_it_is(void **state)
{
    struct ways f = {.tree = *state};
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_true(f.w.place.server == MAIN && f.w.place_retry_s > 1e9);
    const struct ollama_client *client = f.w.client;
    ways_put_rows(&f, LISTENS(P11434, "0") OTHERS(P11434));
    f.w.place_due = true;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_true(f.w.place.server == FACT_NONE && f.w.place_retry_s < 1e9);
    ways_put_rows(&f, LISTENS(P11434, "0"));
    f.w.place_retry_s = 0;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_true(f.w.place.server == MAIN && f.w.place_retry_s > 1e9);
    f.w.proves = false; /* whom it has met nobody knows: another is met */
    f.w.place.server = FACT_NONE;
    f.w.place_due = true;
    f.w.container.ollama.asked = true;
    watch_client(&f.w, &f.sense.sampler);
    assert_false(f.w.container.ollama.asked);
    ways_end(&f);
}

/* What cannot be seen now says nothing against where it was seen: the same server is asked on
 * there, a load under way is not cut, and whose list it is is not told. */
static void it_is_asked_on_while_nothing_can_be_seen(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_true(ways_settle(&f, &answer, true, true));
    const struct ollama_client *client = f.w.client;
    ways_put_rows(&f, BROKEN(P11434)); /* -EIO */
    f.w.place_due = true;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_true(f.w.place.server == FACT_NONE && f.w.place_retry_s < 1e9 && !f.w.absent);
    assert_false(ways_settle(&f, &answer, false, true));
    assert_true(ways_settle(&f, &answer, false, false) && !answer.doubted); /* its own silence */
    f.w.details.port = 8080; /* another word of the engine: it is another place */
    assert_null(watch_client(&f.w, &f.sense.sampler));
    assert_string_not_equal(f.w.not_asked, "");
    ways_end(&f);
}

/* One sample that fails is none either. */
static void one_sample_fails(void **state)
{
    struct ways f = {.tree = *state};
    ways_begin(&f, LISTENS(P11434, "0"));
    struct container *c = &f.w.container;
    const struct ollama_client *client = f.w.client;
    size_t n = c->n_processes;
    f.w.cgroup_retry_s = 1e18;
    c->processes_known = false;
    c->n_processes = 0;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_int_equal(f.w.place.server, MAIN);
    f.w.place_due = true;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_int_equal(f.w.place.server, FACT_NONE);
    c->processes_known = true;
    c->n_processes = n;
    f.w.place_retry_s = 0;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_int_equal(f.w.place.server, MAIN);
    c->processes[0].started_us++; /* another server is another place */
    uint64_t of = f.w.place_of;
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    assert_int_not_equal(f.w.place_of, of);
    ways_end(&f);
}

/* While its open files are hidden, a child that was forked a moment ago may have the port: a load
 * is not cut for that, and it is looked for again as soon as that is gone, or is a zombie. */
static void a_child_looks_like_it_for_a_moment(void **state)
{
    struct ways f = {.tree = *state};
    ways_begin(&f, LISTENS(P11434, "0"));
    const struct ollama_client *client = f.w.client;
    assert_int_equal(unlink(tree_path(f.tree, "100/fd/3")), 0);
    assert_int_equal(rmdir(tree_path(f.tree, "100/fd")), 0);
    tree_put(f.tree, "100/fd", "");
    struct process *p = container_add_process(&f.w.container);
    p->kind = PROCESS_SERVE;
    p->pid = MAIN + 1;
    p->ppid = MAIN;
    p->state = 'R';
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_int_equal(f.w.place.server, FACT_NONE);
    p->state = 'Z';
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_int_equal(f.w.place.server, MAIN);
    ways_end(&f);
}

/* Each word of the engine that a way follows from: a restart may publish its port elsewhere. */
static void it_is_published_elsewhere(void **state)
{
    struct ways f = {.tree = *state};
    ways_begin(&f, LISTENS(P11434, "0"));
    struct docker_details *d = &f.w.details;
    d->n_published = 1;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t of = f.w.place_of;
        d->published[0].inside = i > 0;
        d->published[0].outside = i > 1;
        d->published[0].address[0] = i == 3 ? '1' : '\0';
        assert_non_null(watch_client(&f.w, &f.sense.sampler));
        assert_int_not_equal(f.w.place_of, of);
    }
    ways_end(&f);
}

/* Others may come into its network later: the kind of network is of what a place follows from. */
static void another_server_in_its_network(void **state)
{
    struct ways f = {.tree = *state};
    struct watch other = {.container = {.status = STATUS_RUNNING}}, *both[2] = {&f.w, &other};
    ways_begin(&f, LISTENS(P11434, "0"));
    f.w.details.joined = true;
    uint64_t alone = f.w.place_of;
    f.sense.watches = both;
    f.sense.n = 2;
    other.network = f.w.network;
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    assert_int_not_equal(f.w.place_of, alone); /* it is joined now */
    uint64_t joined = f.w.place_of;
    struct process *p = container_add_process(&other.container);
    p->kind = PROCESS_SERVE;
    p->state = 'S';
    p->pid = 7;
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    assert_int_not_equal(f.w.place_of, joined);
    container_clear(&other.container);
    ways_end(&f);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tree_make, tree_drop)
    const struct CMUnitTest tests[] = {
        TEST(it_is_told_later_whose_list_it_is),
        TEST(it_is_asked_on_while_nothing_can_be_seen),
        TEST(one_sample_fails),
        TEST(a_child_looks_like_it_for_a_moment),
        TEST(it_is_published_elsewhere),
        TEST(another_server_in_its_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
