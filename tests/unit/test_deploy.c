/* The plan of a deployment, by tables of hosts and wishes: the memory of the host and who shares
 * it. What lies below the limit is in test_deploy_model.c. */
#include "deploy_case.h"

static void built_in(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        fact total;
        bool refused;
        fact missing;
    } cases[] = {
        {"standard", GIB(32), false, 0},
        {"standard", GIB(12), false, 0},
        {"standard", GIB(12) - MIB(1), true, MIB(1)},
        {"33b", GIB(32), false, 0},
        {"33b", GIB(29), false, 0},
        {"33b", GIB(29) - MIB(512), true, MIB(512)},
        {"33b", GIB(16), true, GIB(13)},
        {"70b", GIB(32), false, 0},
        {"70b", GIB(31) + MIB(205), false, 0}, /* 31.2 GiB: what is sold as 32 GB */
        {"70b", GIB(31) - MIB(512), true, MIB(512)},
        {"localai", GIB(16), false, 0},
        {"localai", GIB(15), true, GIB(1)},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct deploy_case c = case_of(cases[i].profile, cases[i].total);
        c.facts.gpus.n = 1; /* LocalAI's image wants one */
        c.facts.gpu_runtime = true;
        case_plan(&c);
        assert_int_equal(c.plan.refused, cases[i].refused);
        const struct deploy_finding *f = case_find(&c, DEPLOY_REFUSAL, "memory");
        assert_int_equal(f != NULL, cases[i].refused);
        if (f)
            assert_int_equal(f->missing, cases[i].missing);
        assert_int_equal(c.plan.reserve,
                         c.plan.profile.exclusive ? RESERVE_EXCLUSIVE : RESERVE_STANDARD);
    }
}

static void total_remedy(void **state)
{
    (void)state;
    struct deploy_case c = case_of("70b", GIB(31) - MIB(512));
    case_plan(&c);
    assert_string_equal(
        case_find(&c, DEPLOY_REFUSAL, "memory")->text,
        "the limit of 30.0 GiB and 1.0 GiB for others are 512.0 MiB more than the host's 30.5 GiB: "
        "take --memory 29g, or leave less to others by --reserve 512m");
    c.wish.profile.reserve = MIB(512);
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_int_equal(c.plan.reserve, MIB(512));
    c.facts.memory_total = MIB(512);
    case_plan(&c);
    assert_string_equal(case_find(&c, DEPLOY_REFUSAL, "memory")->text,
                        "the limit of 30.0 GiB and 512.0 MiB for others are 30.0 GiB more than the "
                        "host's 512.0 MiB: it needs a larger host");
    c.facts.memory_total = FACT_UNKNOWN;
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_int_equal(case_find(&c, DEPLOY_REFUSAL, "memory")->missing, FACT_UNKNOWN);
}

/* What create-70b leaves of 31.2 GiB, and from where on the host's pressure acts. */
static void margin(void **state)
{
    (void)state;
    struct deploy_case c = case_of("70b", GIB(31) + MIB(205));
    c.facts.memory_available = GIB(30) + MIB(600);
    case_plan(&c);
    const struct deploy_margin *m = &c.plan.margin;
    assert_true(m->beside == GIB(1) + MIB(205) && m->full == MIB(600));
    assert_true(m->unload == MIB(512) && m->stop == MIB(256));
    assert_null(case_find(&c, DEPLOY_WARNING, "memory"));
    c.facts.memory_available = GIB(30) + MIB(400);
    case_plan(&c);
    assert_string_equal(case_find(&c, DEPLOY_WARNING, "memory")->text,
                        "by what others use now 400.0 MiB are available when it is full, and below "
                        "512.0 MiB the host's pressure acts: 112.0 MiB more must come from other "
                        "programs, or take a smaller --memory");
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "memory")->missing, MIB(112));
    c.facts.replaced_held = MIB(200); /* comes back */
    case_plan(&c);
    assert_int_equal(m->full, MIB(600));
    c.facts.replaced_held = 0;
    c.facts.memory_available = GIB(20);
    case_plan(&c);
    assert_int_equal(m->full, 0);
    c.settings.action_unload = -1; /* unset */
    c.settings.action_kill_switch = 99.5;
    case_plan(&c);
    assert_true(m->unload == FACT_NONE && m->stop > MIB(159) && m->stop < MIB(160));
    c.facts.memory_available = FACT_UNKNOWN;
    case_plan(&c);
    assert_int_equal(m->full, FACT_UNKNOWN);
    c = case_of("standard", GIB(32));
    case_plan(&c);
    assert_int_equal(m->beside, FACT_UNKNOWN);
}

static void available(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    c.facts.memory_available = GIB(8);
    case_plan(&c);
    assert_null(case_find(&c, DEPLOY_WARNING, "memory"));
    c.facts.memory_available = GIB(5);
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_string_equal(case_find(&c, DEPLOY_WARNING, "memory")->text,
                        "5.0 GiB are available now, 3.0 GiB less than the limit; no container with "
                        "Ollama holds it: other programs must give it");
    case_other(&c, "a", PRIORITY_NORMAL, GIB(2), GIB(1));
    case_other(&c, "b", PRIORITY_NORMAL, GIB(2), MIB(1536));
    case_other(&c, "stopped", PRIORITY_NORMAL, GIB(2), GIB(3));
    c.facts.others[2].running = false;
    case_plan(&c);
    assert_string_equal(
        case_find(&c, DEPLOY_WARNING, "memory")->text,
        "5.0 GiB are available now, 3.0 GiB less than the limit; b holds 1.5 GiB, a "
        "holds 1.0 GiB: `supervisor unload` or docker stop frees 2.5 GiB of it, the rest is "
        "other programs'");
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "memory")->missing, GIB(3));
    case_other(&c, "c", PRIORITY_NORMAL, MIB(1), MIB(1));
    case_other(&c, "d", PRIORITY_NORMAL, MIB(1), MIB(1));
    case_plan(&c);
    assert_non_null(
        strstr(case_find(&c, DEPLOY_WARNING, "memory")->text, "c holds 1.0 MiB, others"));
    c.facts.replaced_held = GIB(2); /* comes back */
    case_plan(&c);
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "memory")->missing, GIB(1));
    c.facts.replaced_held = GIB(3);
    case_plan(&c);
    assert_null(case_find(&c, DEPLOY_WARNING, "memory"));
    c.facts.replaced_held = 0;
    c.facts.memory_available = FACT_UNKNOWN;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "memory")->missing, FACT_UNKNOWN);
}

static void exclusive(void **state)
{
    (void)state;
    struct deploy_case c = case_of("33b", GIB(32));
    case_other(&c, "ollama", PRIORITY_NORMAL, GIB(8), GIB(2));
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_int_equal(c.plan.n_evict, 0);
    assert_string_equal(case_find(&c, DEPLOY_REFUSAL, "others")->text,
                        "it is exclusive: its 28.0 GiB beside ollama 8.0 GiB are 5.0 GiB more than "
                        "the host's 32.0 GiB less 1.0 GiB for others; --evict stops ollama");
    assert_int_equal(case_find(&c, DEPLOY_REFUSAL, "others")->missing, GIB(5));
    c.facts.memory_total = GIB(38); /* both fit */
    case_plan(&c);
    assert_false(c.plan.refused);
    c.facts.memory_total = GIB(32);
    c.facts.others[0].running = false;
    case_plan(&c);
    assert_false(c.plan.refused);
    c.facts.others[0].running = true;
    c.facts.others[0].limit = FACT_NONE; /* counts what it holds */
    case_plan(&c);
    assert_false(c.plan.refused);
    c.facts.others[0].held = GIB(3) + MIB(512);
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text,
                           "beside ollama without a limit, holds 3.5 GiB are 512.0 MiB more"));
    c.facts.others[0].held = FACT_UNKNOWN;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_non_null(case_find(&c, DEPLOY_WARNING, "others"));
}

/* A standard one beside a running exclusive one; beside another standard one it is only told. */
static void beside_exclusive(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    case_other(&c, "ollama-33b", PRIORITY_HIGH, GIB(28), GIB(20));
    c.facts.others[0].exclusive = true;
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_string_equal(case_find(&c, DEPLOY_REFUSAL, "others")->text,
                        "an exclusive one runs: its 8.0 GiB beside ollama-33b 28.0 GiB, exclusive "
                        "are 8.0 GiB more than the host's 32.0 GiB less 4.0 GiB for others; stop "
                        "some of them by docker stop");
    c.wish.evict = true;
    case_plan(&c);
    assert_true(c.plan.refused && c.plan.n_evict == 0);
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text,
                           "--evict stops none that has the same or a higher priority"));
    c.facts.memory_total = GIB(64);
    case_plan(&c);
    assert_false(c.plan.refused);
    c.facts.memory_total = GIB(32);
    c.facts.others[0].exclusive = false;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "others")->missing, GIB(8));
}

static void eviction(void **state)
{
    (void)state;
    enum { AUTO_REMOVE = 1, SWARM = 2, OBSERVED = 4 };
    static const struct {
        struct {
            enum priority priority;
            fact limit;
            int flags;
        } others[4];
        const char *evicted; /* by their index, in order; "" refused */
    } cases[] = {
        {{{PRIORITY_NORMAL, GIB(8), 0}}, "0"},
        {{{PRIORITY_NORMAL, GIB(2), 0}, {PRIORITY_LOW, GIB(8), 0}}, "1"},  /* the other may stay */
        {{{PRIORITY_NORMAL, GIB(4), 0}, {PRIORITY_LOW, GIB(4), 0}}, "10"}, /* low first */
        {{{PRIORITY_LOW, GIB(2), 0}, {PRIORITY_LOW, GIB(6), 0}}, "1"},     /* the largest */
        {{{PRIORITY_LOW, GIB(1), 0}, {PRIORITY_NORMAL, GIB(8), 0}}, "1"},  /* low is superfluous */
        {{{PRIORITY_HIGH, GIB(8), 0}}, ""},
        {{{PRIORITY_NORMAL, GIB(8), AUTO_REMOVE}}, ""},
        {{{PRIORITY_NORMAL, GIB(8), SWARM}}, ""},
        {{{PRIORITY_NORMAL, GIB(8), OBSERVED}}, ""},
        {{{PRIORITY_LOW, GIB(8), OBSERVED}, {PRIORITY_NORMAL, GIB(8), 0}}, ""},
        {{{PRIORITY_LOW, GIB(1), OBSERVED}, {PRIORITY_NORMAL, GIB(8), 0}}, "1"},
        {{{PRIORITY_NORMAL, GIB(8), SWARM}, {PRIORITY_NORMAL, GIB(2), 0}}, ""},
        {{{PRIORITY_NORMAL, GIB(2), AUTO_REMOVE}, {PRIORITY_NORMAL, GIB(2), 0}}, "1"},
        {{{PRIORITY_HIGH, GIB(3), 0}, {PRIORITY_NORMAL, GIB(2), 0}, {PRIORITY_LOW, GIB(1), 0}},
         "21"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct deploy_case c = case_of("33b", GIB(32));
        c.wish.evict = true;
        for (size_t o = 0; o < 4 && cases[i].others[o].limit > 0; o++) {
            char name[8] = {'o', (char)('0' + o)};
            case_other(&c, name, cases[i].others[o].priority, cases[i].others[o].limit, MIB(1));
            c.facts.others[o].auto_remove = (cases[i].others[o].flags & AUTO_REMOVE) != 0;
            c.facts.others[o].swarm_task = (cases[i].others[o].flags & SWARM) != 0;
            c.facts.others[o].observed = (cases[i].others[o].flags & OBSERVED) != 0;
        }
        case_plan(&c);
        char evicted[8] = "";
        for (size_t e = 0; e < c.plan.n_evict; e++)
            evicted[e] = (char)('0' + c.plan.evict[e]);
        if (strcmp(evicted, cases[i].evicted) != 0)
            fail_msg("case %zu: evicts \"%s\"", i, evicted);
        assert_int_equal(c.plan.refused, cases[i].evicted[0] == '\0');
        assert_int_equal(case_find(&c, DEPLOY_NOTE, "others") != NULL, !c.plan.refused);
        assert_int_equal(case_find(&c, DEPLOY_REFUSAL, "others") != NULL, c.plan.refused);
    }
}

static void eviction_told(void **state)
{
    (void)state;
    struct deploy_case c = case_of("33b", GIB(32));
    case_other(&c, "x", PRIORITY_LOW, GIB(8), GIB(5));
    c.wish.evict = true;
    c.facts.memory_available = GIB(24);
    case_plan(&c);
    assert_string_equal(case_find(&c, DEPLOY_NOTE, "others")->text,
                        "for it are stopped: x (priority low, 8.0 GiB)");
    /* what they give back counts */
    assert_null(case_find(&c, DEPLOY_WARNING, "memory"));
    c.facts.memory_available = GIB(22);
    case_plan(&c);
    assert_string_equal(case_find(&c, DEPLOY_WARNING, "memory")->text,
                        "22.0 GiB are available now, with what is stopped for it 27.0 GiB, 1.0 GiB "
                        "less than the limit; no container with Ollama holds it: other programs "
                        "must give it");
    /* refused for another reason: nobody is stopped */
    c.facts.memory_limits = false;
    case_plan(&c);
    assert_true(c.plan.refused && c.plan.n_evict == 0);
    assert_null(case_find(&c, DEPLOY_NOTE, "others"));
    c.facts.memory_limits = true;
    c.facts.others[0].auto_remove = true;
    case_other(&c, "y", PRIORITY_LOW, GIB(8), GIB(5));
    c.facts.others[1].swarm_task = true;
    case_plan(&c);
    assert_non_null(
        strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text,
               "stop some of them by docker stop; --evict stops none that would be deleted by "
               "it (--rm), is Swarm's"));
    c.facts.n_others = 0;
    for (int i = 0; i < 9; i++)
        case_other(&c, "many", PRIORITY_LOW, GIB(3), GIB(1));
    c.wish.evict = false;
    case_plan(&c);
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text, " and others are "));
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text, " and 4 more"));
}

static void disk(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        bool pull, present;
        fact wanted, free;
        int severity; /* -1: nothing is told */
        fact missing;
    } cases[] = {
        {"deepseek-coder:33b", true, false, FACT_UNKNOWN, 19000000000, -1, 0},
        {"deepseek-coder:33b", true, false, FACT_UNKNOWN, 18999999999, DEPLOY_REFUSAL, 1},
        {"deepseek-coder:33b", false, false, FACT_UNKNOWN, 1, -1, 0},
        {"deepseek-coder:33b", true, true, FACT_UNKNOWN, 1, -1, 0},
        {"deepseek-coder:33b", true, false, GIB(30), GIB(20), DEPLOY_REFUSAL, GIB(10)},
        {"deepseek-coder:33b", true, false, GIB(10), GIB(12), -1, 0},
        {"deepseek-coder:33b", false, false, GIB(30), GIB(20), DEPLOY_WARNING, GIB(10)},
        {"deepseek-coder:33b", true, false, FACT_UNKNOWN, FACT_UNKNOWN, DEPLOY_WARNING,
         FACT_UNKNOWN},
        {"nobody-knows", true, false, FACT_UNKNOWN, GIB(20), DEPLOY_WARNING, FACT_UNKNOWN},
        {"", true, false, FACT_UNKNOWN, 1, -1, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct deploy_case c = case_of("33b", GIB(64));
        case_model(&c, cases[i].model);
        c.wish.pull = cases[i].pull;
        c.wish.profile.disk = cases[i].wanted;
        c.facts.model_present = cases[i].present;
        c.facts.disk_free = cases[i].free;
        case_plan(&c);
        assert_int_equal(c.plan.refused, cases[i].severity == DEPLOY_REFUSAL);
        const struct deploy_finding *f = NULL;
        for (size_t n = 0; n < c.plan.n_findings; n++)
            f = strcmp(c.plan.findings[n].about, "disk") == 0 ? &c.plan.findings[n] : f;
        assert_int_equal(f ? (int)f->severity : -1, cases[i].severity);
        if (f)
            assert_int_equal(f->missing, cases[i].missing);
    }
    struct deploy_case c = case_of("33b", GIB(64));
    c.wish.pull = true;
    c.facts.disk_free = GIB(10);
    snprintf(c.facts.disk_path, sizeof(c.facts.disk_path), "/srv/docker/volumes/ollama");
    case_plan(&c);
    assert_string_equal(
        case_find(&c, DEPLOY_REFUSAL, "disk")->text,
        "/srv/docker/volumes/ollama has 10.0 GiB free and deepseek-coder:33b is a "
        "download of 17.7 GiB, 7.7 GiB more: remove models or images there, or take "
        "a --volume on another disk");
}

static void limits(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    c.facts.swap_limits = false;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_non_null(case_find(&c, DEPLOY_WARNING, "limits"));
    c.wish.profile.swap = FACT_NONE;
    case_plan(&c);
    assert_null(case_find(&c, DEPLOY_WARNING, "limits"));
    c.facts.memory_limits = false;
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_non_null(case_find(&c, DEPLOY_REFUSAL, "limits"));
}

/* Those that run and are not counted could take what it gets. */
static void more_than_are_counted(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    for (int i = 0; i < DEPLOY_OTHERS_MAX; i++)
        case_other(&c, "small", PRIORITY_LOW, MIB(1), MIB(1));
    c.facts.others_left_out = 2;
    case_plan(&c);
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "others")->text, "66 containers with"));
}

/* More to tell than there is room: a refusal still refuses. */
static void many_findings(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    for (int i = 0; i < DEPLOY_OTHERS_MAX; i++)
        case_other(&c, "dark", PRIORITY_LOW, FACT_NONE, FACT_UNKNOWN);
    snprintf(c.wish.profile.gpu, sizeof(c.wish.profile.gpu), "all");
    case_plan(&c);
    assert_int_equal(c.plan.n_findings, DEPLOY_FINDINGS_MAX);
    assert_true(c.plan.refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in),      cmocka_unit_test(total_remedy),
        cmocka_unit_test(margin),        cmocka_unit_test(available),
        cmocka_unit_test(exclusive),     cmocka_unit_test(beside_exclusive),
        cmocka_unit_test(eviction),      cmocka_unit_test(eviction_told),
        cmocka_unit_test(disk),          cmocka_unit_test(limits),
        cmocka_unit_test(many_findings), cmocka_unit_test(more_than_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
