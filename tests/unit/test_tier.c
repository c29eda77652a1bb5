/* Names of models, and tiers: [tier "NAME"] of the configuration file. */
#include "base/config_layers.h"
#include "base/model_name.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void same(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"llama3.2", "llama3.2:latest", true},
        {"LLaMA3.2:Latest", "llama3.2", true},
        {"library/qwen3:8b", "qwen3:8b", true},
        {"registry.ollama.ai/library/qwen3:8b", "qwen3:8b", true},
        {"qwen3", "qwen3:8b", false},
        {"qwen3:8b", "qwen3:8b-q4_0", false},
        {"hf.co/a/b", "b", false},
        {"", "", false},
        {":latest", ":latest", true},
    };
    for (size_t i = 0; i < N(cases); i++) {
        if (model_same(cases[i].a, cases[i].b) != cases[i].same)
            fail_msg("%s, %s", cases[i].a, cases[i].b);
        assert_int_equal(model_same(cases[i].b, cases[i].a), cases[i].same);
    }
}

static void lists(void **state)
{
    (void)state;
    char name[MODEL_NAME_SIZE];
    const char *cursor = " a ,, b:1\t,";
    assert_true(model_list_next(&cursor, name, sizeof name));
    assert_string_equal(name, "a");
    assert_true(model_list_next(&cursor, name, sizeof name));
    assert_string_equal(name, "b:1");
    assert_false(model_list_next(&cursor, name, sizeof name));
    assert_false(model_list_next(&cursor, name, sizeof name));
    assert_true(model_in_list("x, qwen3:8b", "Qwen3:8B"));
    assert_true(model_in_list("llama3.2", "llama3.2:latest"));
    assert_false(model_in_list("", "x"));
    assert_false(model_in_list("xy", "x"));
}

static void ranks(void **state)
{
    (void)state;
    static const struct tier tiers[] = {
        {"slow", "big, both"}, {"fast", "qwen3:8b, both"}, {"ultra-fast", "llama3.2"}};
    assert_int_equal(tier_of(tiers, N(tiers), "llama3.2:latest"), TIER_ULTRA_FAST);
    assert_int_equal(tier_of(tiers, N(tiers), "both"), TIER_FAST); /* the better one */
    assert_int_equal(tier_of(tiers, N(tiers), "big"), TIER_OTHER);
    assert_int_equal(tier_of(tiers, N(tiers), "none"), TIER_NONE);
    assert_true(tier_protected(TIER_MEDIUM) && !tier_protected(TIER_OTHER) &&
                !tier_protected(TIER_NONE));
    for (int i = 0; i < TIER_OTHER; i++)
        assert_int_equal(tier_rank(tier_rank_name((enum tier_rank)i)), i);
    assert_int_equal(tier_rank("Fast"), TIER_OTHER);
}

static struct config *new_config(const char *text)
{
    struct config *config;
    struct error err;
    if (config_new(&config, &err) < 0 ||
        config_read_text(config, "t.conf", text, strlen(text), &err) < 0)
        fail_msg("%s", err.message);
    return config;
}

static void sections(void **state)
{
    (void)state;
    size_t n;
    struct error err;
    struct config *config = new_config("");
    config_tiers(config, &n);
    assert_int_equal(n, 0);
    assert_int_equal(config_set(config, "supervisor.preset=runbook", ORIGIN_COMMAND_LINE, &err), 0);
    assert_ptr_equal(config_tiers(config, &n), tiers_runbook);
    assert_int_equal(n, TIERS_RUNBOOK_N);
    config_replace(config, new_config("[tier \"fast\"]\nmodels = a, b ; c\n[leak]\nhold=5s\n"
                                      "[tier \"slow\"]\n"));
    const struct tier *tiers = config_tiers(config, &n);
    assert_int_equal(n, 2);
    assert_string_equal(tiers[0].name, "fast");
    assert_string_equal(tiers[0].models, "a, b");
    assert_string_equal(tiers[1].models, "");
    /* a bad file changes nothing, another one takes its place */
    static const char bad[] = "[tier \"x\"]\nmodels = y\n[tier \"X\"]\n";
    assert_true(config_read_text(config, "t.conf", bad, strlen(bad), &err) < 0);
    config_tiers(config, &n);
    assert_int_equal(n, 2);
    assert_int_equal(config_read_text(config, "t.conf", bad, strcspn(bad, "X") - 8, &err), 0);
    tiers = config_tiers(config, &n);
    assert_int_equal(n, 1);
    assert_string_equal(tiers[0].models, "y");
    config_free(config);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[tier \"\"]\n", "t.conf:1: [tier \"\"]: \"\" is no name for a tier: small letters and "
                          "digits, then also . _ and -, at most 31"},
        {"[tier]\n", "t.conf:1: [tier] names no tier: write it as [tier \"fast\"]"},
        {"[tier fast]\n", "t.conf:1: [tier fast] names no tier: write it as [tier \"fast\"]"},
        {"[tier \"a\"]\nmodel = x\n",
         "t.conf:2: [tier \"a\"]: unknown key \"model\" of a tier: there is only models"},
        {"[tier \"a\"]\nmodels = x y\n",
         "t.conf:2: [tier \"a\"]: models: \"x y\" is no model's name: write them as in llama3.2, "
         "qwen3:8b"},
        {"[tier \"a\"]\nmodels = x\nmodels = y\n",
         "t.conf:3: [tier \"a\"]: models is set a second time, after line 2"},
        {"[tier \"a\"]\n[leak]\n[tier \"a\"]\n",
         "t.conf:3: [tier \"a\"] begins a second time, after line 1"},
        {"[tier \"a\"]\n[tier \"b\"]\n[tier \"c\"]\n[tier \"d\"]\n[tier \"e\"]\n[tier \"f\"]\n"
         "[tier \"g\"]\n[tier \"h\"]\n[tier \"i\"]\n",
         "t.conf:9: [tier \"i\"]: one tier too many: there are 8 at most"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct config *config = new_config("");
        struct error err = {.message = ""};
        assert_int_equal(
            config_read_text(config, "t.conf", cases[i].text, strlen(cases[i].text), &err),
            -EINVAL);
        assert_string_equal(err.message, cases[i].message);
        config_free(config);
    }
    char text[256];
    struct error err;
    struct tier tier;
    assert_int_equal(tier_init(&tier, "a", &err), 0);
    memset(text, 'a', sizeof text);
    text[171] = '\0';
    assert_int_equal(tier_set(&tier, "models", text, &err), -EINVAL);
    text[170] = '\0';
    assert_int_equal(tier_set(&tier, "models", text, &err), 0);
    assert_string_equal(tier.models, text);
}

/* What `config show` prints is a file that gives the same. */
static void shown(void **state)
{
    (void)state;
    struct config *config = new_config("[tier \"fast\"]\nmodels=a,b\n[models]\npin=c\n"
                                       "[memory]\nreserve=1g\nsafety_margin=25\n");
    char *text = NULL;
    size_t size = 0, n;
    FILE *to = open_memstream(&text, &size);
    config_print(config, to, false);
    fclose(to);
    struct config *again = new_config(text);
    assert_string_equal(config_tiers(again, &n)->models, "a,b");
    assert_int_equal(n, 1);
    assert_string_equal(config_settings(again)->models_pin, "c");
    assert_int_equal(config_settings(again)->memory_reserve, 1 << 30);
    assert_true(config_settings(again)->memory_safety_margin_percent > 24.9);
    free(text);
    config_free(again);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same),     cmocka_unit_test(lists),   cmocka_unit_test(ranks),
        cmocka_unit_test(sections), cmocka_unit_test(refused), cmocka_unit_test(shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
