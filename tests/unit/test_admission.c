/* May a model be loaded, and what must go for it: tables of rooms. */
#include "judge/admission.h"
#include "room_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct admission_server server = {.context = 4096, .parallel = 1, .kv_scale = 1};

/* A model that was measured before: exactly `bytes`, without margin in these tests. */
static struct admission_model measured(const char *name, fact bytes)
{
    struct admission_model model = {.file = FACT_UNKNOWN,
                                    .kv_per_token = FACT_UNKNOWN,
                                    .graph = FACT_UNKNOWN,
                                    .parameters = FACT_UNKNOWN,
                                    .context = FACT_UNKNOWN,
                                    .trained = FACT_UNKNOWN,
                                    .learned = bytes};
    snprintf(model.name, sizeof model.name, "%s", name);
    return model;
}

static struct admission decide(const struct room *room, fact bytes, struct admission_wish wish)
{
    struct admission_model model = measured("wanted", bytes);
    struct admission a;
    wish.model = &model;
    wish.server = &server;
    admission_decide(&wish, room, &a);
    return a;
}

/* "a b" of those that go. */
static const char *going(const struct room *room, const struct admission *a)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < a->n_go; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 room->models[a->go[i]].name);
    return text;
}

/* Which bound refuses, and by how much: 20 % on top of 10 GiB are 12 GiB. */
static void bounds(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        fact limit, held, kernel, budget, budget_held, own, own_held, total, available, reserve;
        bool fits;
        int tightest;
        fact missing;
    } cases[] = {
#define HOST 64 * GIB, 40 * GIB, 4 * GIB
        {"no bound but the host", -2, GIB, -1, -2, 0, -2, 0, HOST, true, BOUND_HOST, -1},
        {"the limit, exactly", 13 * GIB, GIB, -1, -2, 0, -2, 0, HOST, true, BOUND_LIMIT, -1},
        {"the limit, one byte less", 13 * GIB - 1, GIB, -1, -2, 0, -2, 0, HOST, false, BOUND_LIMIT,
         1},
        {"the kernel's part counts", 13 * GIB, GIB, MIB, -2, 0, -2, 0, HOST, false, BOUND_LIMIT,
         MIB},
        {"the budget of all", -2, GIB, -1, 20 * GIB, 9 * GIB, -2, 0, HOST, false, BOUND_BUDGET,
         GIB},
        {"its own budget", -2, GIB, -1, 40 * GIB, 9 * GIB, 14 * GIB, 3 * GIB, HOST, false,
         BOUND_OWN_BUDGET, GIB},
        {"more is held than the limit", GIB, 2 * GIB, -1, -2, 0, -2, 0, HOST, false, BOUND_LIMIT,
         13 * GIB},
        {"the host's reserve", -2, GIB, -1, -2, 0, -2, 0, 64 * GIB, 20 * GIB, 8 * GIB, true,
         BOUND_HOST, -1},
        {"and one byte more", -2, GIB, -1, -2, 0, -2, 0, 64 * GIB, 20 * GIB, 8 * GIB + 1, false,
         BOUND_HOST, 1},
        /* 100 units of 1 GiB: 75 % in use cut 5 %, 85 % 10 %, 90 % 20 % */
        {"cut by nothing", -2, GIB, -1, -2, 0, -2, 0, 100 * GIB, 25 * GIB + 100, 13 * GIB, true,
         BOUND_HOST, -1},
        {"cut by 5 %", -2, GIB, -1, -2, 0, -2, 0, 100 * GIB, 25 * GIB, 12 * GIB, false, BOUND_HOST,
         GIB / 4},
        {"cut by 10 %", -2, GIB, -1, -2, 0, -2, 0, 100 * GIB, 15 * GIB, 2 * GIB, false, BOUND_HOST,
         GIB / 2},
        {"cut by 20 %", -2, GIB, -1, -2, 0, -2, 0, 100 * GIB, 10 * GIB, 0, false, BOUND_HOST,
         4 * GIB},
        {"the limit was not read", -1, GIB, -1, -2, 0, -2, 0, HOST, false, BOUND_LIMIT, -1},
        {"nor what is held", 16 * GIB, -1, -1, -2, 0, -2, 0, HOST, false, BOUND_LIMIT, -1},
        {"the host was not read", 16 * GIB, GIB, -1, -2, 0, -2, 0, -1, -1, 0, false, BOUND_HOST,
         -1},
#undef HOST
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct room room = room_case();
        room.limit = cases[i].limit;
        room.held = cases[i].held;
        room.kernel = cases[i].kernel;
        room.budget = cases[i].budget;
        room.budget_held = cases[i].budget_held;
        room.own_budget = cases[i].own;
        room.own_held = cases[i].own_held;
        room.host_total = cases[i].total;
        room.host_available = cases[i].available;
        room.settings.memory_reserve = cases[i].reserve;
        struct admission a = decide(&room, 10 * GIB, (struct admission_wish){0});
        fact off = a.missing > cases[i].missing ? a.missing - cases[i].missing
                                                : cases[i].missing - a.missing;
        if ((a.answer == ADMISSION_FITS) != cases[i].fits || a.tightest != cases[i].tightest ||
            off > 100)
            fail_msg("%s: %s (missing %lld)", cases[i].what, a.text, (long long)a.missing);
    }
}

static void small(void **state)
{
    (void)state;
    struct room room = room_case();
    room.budget = GIB;
    room.host_available = GIB;
    struct admission a = decide(&room, 3 * GIB, (struct admission_wish){0});
    assert_true(a.small && a.answer == ADMISSION_FITS); /* only the limit counts */
    room.limit = 4 * GIB;
    a = decide(&room, 3 * GIB, (struct admission_wish){0});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_int_equal(a.tightest, BOUND_LIMIT);
    room.limit = 16 * GIB;
    a = decide(&room, 5 * GIB, (struct admission_wish){0}); /* 5 GiB are not small any more */
    assert_true(!a.small && a.answer == ADMISSION_REFUSED);
}

/* One scene, changed case by case: a limit of 32 GiB, in it
 *   large-old 6, large-new 6, small 2, medium 6, fast 4, ultra 2 GiB; 5 GiB are left. */
enum { LARGE_OLD, LARGE_NEW, SMALL, MEDIUM, FAST, ULTRA };
static struct room scene(void)
{
    struct room room = room_case();
    room.limit = 32 * GIB;
    room.host_total = room.host_available = 256 * GIB;
    room.settings.memory_safety_margin_percent = 0;
    room_add(&room, "large-old", 6 * GIB, 10);
    room_add(&room, "large-new", 6 * GIB, 50);
    room_add(&room, "small", 2 * GIB, 1);
    room_add(&room, "medium", 6 * GIB, 2)->tier = TIER_MEDIUM;
    room_add(&room, "fast", 4 * GIB, 3)->tier = TIER_FAST;
    room_add(&room, "ultra", 2 * GIB, 4)->tier = TIER_ULTRA_FAST;
    return room;
}

static void order(void **state)
{
    (void)state;
    static const struct {
        fact bytes;
        double critical_percent; /* 0: the level is not critical */
        const char *busy, *pinned, *unknown;
        double fast_idle_s;
        enum admission_answer answer;
        const char *go;
    } cases[] = {
        {5 * GIB, 0, "", "", "", 3600, ADMISSION_FITS, ""},
        {6 * GIB, 0, "", "", "", 3600, ADMISSION_FITS, "large-old"},
        {12 * GIB, 0, "", "", "", 3600, ADMISSION_FITS, "large-old large-new"},
        {18 * GIB, 0, "", "", "", 3600, ADMISSION_FITS, "large-old large-new small"},
        /* protected but at critical pressure, however long idle */
        {20 * GIB, 0, "", "", "", 3600, ADMISSION_REFUSED, ""},
        {20 * GIB, 50, "", "", "", 3600, ADMISSION_FITS, "large-old large-new medium"},
        {26 * GIB, 50, "", "", "", 3600, ADMISSION_FITS, "large-old large-new medium fast"},
        {31 * GIB, 50, "", "", "", 3600, ADMISSION_FITS,
         "large-old large-new small medium fast ultra"},
        {31 * GIB + 1, 50, "", "", "", 3600, ADMISSION_REFUSED, ""},
        /* less than 30 idle minutes, or unknown: stays; who comes later may go all the same */
        {28 * GIB, 50, "", "", "", 1799, ADMISSION_REFUSED, ""},
        {27 * GIB, 50, "", "", "", -1, ADMISSION_FITS, "large-old large-new small medium ultra"},
        /* busy and pinned ones never */
        {6 * GIB, 0, "large-old", "", "", 3600, ADMISSION_FITS, "large-new"},
        {6 * GIB, 0, "large-old", "large-new", "", 3600, ADMISSION_FITS, "small"},
        {8 * GIB, 50, "large-old", "large-new", "", 3600, ADMISSION_FITS, "medium"},
        {6 * GIB, 0, "large-old small", "large-new", "", 3600, ADMISSION_REFUSED, ""},
        /* it is waited for those that may be busy, but only where something hangs on it */
        {6 * GIB, 0, "", "", "large-old", 3600, ADMISSION_FITS, "large-new"},
        {18 * GIB, 0, "", "", "small", 3600, ADMISSION_WAIT, ""},
        {20 * GIB, 0, "", "", "small", 3600, ADMISSION_REFUSED, ""},
        /* what need not go after all stays: large-old and small are enough for a model that only
         * fits when large-new stays busy */
        {13 * GIB, 0, "large-new", "", "", 3600, ADMISSION_FITS, "large-old small"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct room room = scene();
        room.models[FAST].idle_s = cases[i].fast_idle_s;
        if (cases[i].critical_percent > 0)
            room.settings.level_critical = cases[i].critical_percent;
        for (size_t k = 0; k < room.n_models; k++) {
            struct loaded_model *m = &room.models[k];
            m->rest = strstr(cases[i].busy, m->name)      ? REST_BUSY
                      : strstr(cases[i].unknown, m->name) ? REST_UNKNOWN
                                                          : REST_IDLE;
            m->pinned = strstr(cases[i].pinned, m->name) != NULL;
        }
        struct admission a = decide(&room, cases[i].bytes, (struct admission_wish){0});
        if (a.answer != cases[i].answer || strcmp(going(&room, &a), cases[i].go) != 0)
            fail_msg("case %zu: %d, goes: %s; %s", i, a.answer, going(&room, &a), a.text);
        assert_true(a.text[0] != '\0');
    }
}

/* Those before that are not needed any more stay. */
static void spared(void **state)
{
    (void)state;
    struct room room = room_case();
    room.settings.memory_safety_margin_percent = 0;
    room_add(&room, "little", 6 * GIB, 1);
    room_add(&room, "much", 8 * GIB, 2);
    struct admission a = decide(&room, 9 * GIB, (struct admission_wish){0});
    assert_string_equal(going(&room, &a), "much");
    assert_int_equal(a.freed, 8 * GIB);
    assert_int_equal(a.bounds[BOUND_LIMIT].free, 9 * GIB);
    /* of one class and one time the larger one goes first */
    room.models[0].used_s = room.models[1].used_s = 5;
    a = decide(&room, 5 * GIB, (struct admission_wish){0});
    assert_string_equal(going(&room, &a), "much");
}

static void wishes(void **state)
{
    (void)state;
    struct room room = scene();
    /* --force lifts the tiers' protection, and loads what does not fit; pinned and busy ones stay
     */
    struct admission a = decide(&room, 20 * GIB, (struct admission_wish){.force = true});
    assert_true(a.answer == ADMISSION_FITS && !a.forced);
    assert_string_equal(going(&room, &a), "large-old large-new medium");
    room.models[LARGE_OLD].pinned = true;
    room.models[LARGE_NEW].rest = REST_BUSY;
    a = decide(&room, 64 * GIB, (struct admission_wish){.force = true});
    assert_true(a.answer == ADMISSION_FITS && a.forced);
    assert_string_equal(going(&room, &a), "small medium fast ultra");
    assert_non_null(strstr(a.text, "loaded all the same (--force)"));
    /* preload: nothing goes */
    room = scene();
    a = decide(&room, 6 * GIB, (struct admission_wish){.keep_others = true});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_int_equal(a.missing, GIB);
    assert_non_null(strstr(a.text, "nothing is unloaded for it"));
    a = decide(&room, 5 * GIB, (struct admission_wish){.keep_others = true});
    assert_int_equal(a.answer, ADMISSION_FITS);
    /* what is not known by now counts as busy */
    room.models[SMALL].rest = REST_UNKNOWN;
    a = decide(&room, 18 * GIB, (struct admission_wish){.no_waiting = true});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    /* what is not known does not become known by an unload */
    a = decide(&room, FACT_UNKNOWN, (struct admission_wish){0});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_string_equal(going(&room, &a), "");
    assert_non_null(strstr(a.text, "how much wanted needs is not known"));
    a = decide(&room, FACT_UNKNOWN, (struct admission_wish){.force = true});
    assert_true(a.answer == ADMISSION_FITS && a.forced && a.n_go == 0);
}

static void single(void **state)
{
    (void)state;
    struct room room = scene();
    room.settings.models_single = true;
    struct admission a = decide(&room, GIB, (struct admission_wish){0});
    assert_int_equal(a.answer, ADMISSION_FITS);
    assert_int_equal(a.n_go, room.n_models);
    room.models[FAST].pinned = true;
    a = decide(&room, GIB, (struct admission_wish){0});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_non_null(strstr(a.text, "one model at a time is wanted (models.single); fast stays"));
    room.models[FAST].pinned = false;
    room.models[ULTRA].rest = REST_BUSY;
    a = decide(&room, GIB, (struct admission_wish){0});
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_int_equal(a.n_go, 0);
}

static void others(void **state)
{
    (void)state;
    struct room room = scene();
    struct admission_model m = measured("SMALL", GIB);
    struct admission a;
    struct admission_wish wish = {.model = &m, .server = &server};
    admission_decide(&wish, &room, &a);
    assert_int_equal(a.answer, ADMISSION_THERE);
    for (size_t i = 0; i < room.n_models; i++)
        room.models[i].ghost = true; /* it is listed, and nobody serves it */
    admission_decide(&wish, &room, &a);
    assert_int_not_equal(a.answer, ADMISSION_THERE);
    for (size_t i = 0; i < room.n_models; i++)
        room.models[i].ghost = false;
    m = measured("alias", GIB); /* another name of what is loaded */
    snprintf(m.digest, sizeof m.digest, "d1");
    admission_decide(&wish, &room, &a);
    assert_int_not_equal(a.answer, ADMISSION_THERE);
    snprintf(room.models[0].digest, sizeof room.models[0].digest, "d1");
    admission_decide(&wish, &room, &a);
    assert_int_equal(a.answer, ADMISSION_THERE);
    room.models[0].digest[0] = 0;
    m = measured("llama3.1:70b", GIB);
    room.settings.models_max_parameters = 3000000000;
    admission_decide(&wish, &room, &a);
    assert_int_equal(a.answer, ADMISSION_REFUSED);
    assert_string_equal(a.text, "llama3.1:70b has 70600M parameters, and models.max_parameters is "
                                "3B: 67600M too many");
    m.cloud = true;
    room.settings.models_max_parameters = FACT_NONE;
    room.limit = MIB;
    admission_decide(&wish, &room, &a);
    assert_int_equal(a.answer, ADMISSION_FITS);
}

/* The sentences, with their numbers. */
static void sentences(void **state)
{
    (void)state;
    struct room room = room_case();
    room_add(&room, "qwen3:8b", 6 * GIB, 1);
    struct admission a = decide(&room, 6 * GIB, (struct admission_wish){0});
    assert_string_equal(a.text,
                        "wanted needs 7.2 GiB (6.0 GiB by what was measured before, and 20 %), and "
                        "the container's limit leaves 9.0 GiB of 16.0 GiB");
    a = decide(&room, 10 * GIB, (struct admission_wish){0});
    assert_string_equal(
        a.text, "wanted needs 12.0 GiB (10.0 GiB by what was measured before, and 20 %), and the "
                "container's limit leaves 15.0 GiB of 16.0 GiB when qwen3:8b has gone");
    room.models[0].tier = TIER_FAST;
    room.models[0].idle_s = 720;
    a = decide(&room, 10 * GIB, (struct admission_wish){0});
    assert_string_equal(
        a.text, "wanted needs 12.0 GiB (10.0 GiB by what was measured before, and 20 %), and the "
                "container's limit leaves 9.0 GiB of 16.0 GiB: 3.0 GiB short; qwen3:8b stays: "
                "tier fast is protected until 30 idle minutes (it has 12m 00s) and critical "
                "pressure");
    room = room_case();
    room.host_available = 9 * GIB;
    a = decide(&room, 6 * GIB, (struct admission_wish){0});
    assert_string_equal(
        a.text,
        "wanted needs 7.2 GiB (6.0 GiB by what was measured before, and 20 %), and the host "
        "leaves 4.1 GiB (9.0 GiB available, cut by 10 %, 4.0 GiB reserved): 3.1 "
        "GiB short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds), cmocka_unit_test(small),     cmocka_unit_test(order),
        cmocka_unit_test(spared), cmocka_unit_test(wishes),    cmocka_unit_test(single),
        cmocka_unit_test(others), cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
