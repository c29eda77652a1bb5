/* Labels mean what they say, in every word for it; what is no word for it means: only look. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/healer.h"
#include "configs.h"
#include "sense/policy.h"
#include <stdio.h>
#include <string.h>

static void words_of_the_labels(void **state)
{
    static const struct {
        const char *enable, *mode;
        bool chosen;
        enum container_mode is;
        const char *key;
    } cases[] = {
        {NULL, NULL, true, MODE_OBSERVE, "x"},
        {"true", NULL, true, MODE_ENFORCE, "x+true"},
        {"True", NULL, true, MODE_ENFORCE, "x+true"},
        {"on", NULL, true, MODE_ENFORCE, "x+true"},
        {"YES", NULL, true, MODE_ENFORCE, "x+true"},
        {"1", NULL, true, MODE_ENFORCE, "x+true"},
        {"false", NULL, false, MODE_OBSERVE, "x+false"},
        {"False", NULL, false, MODE_OBSERVE, "x+false"},
        {"off", NULL, false, MODE_OBSERVE, "x+false"},
        {"no", NULL, false, MODE_OBSERVE, "x+false"},
        {"0", NULL, false, MODE_OBSERVE, "x+false"},
        {"nope", NULL, true, MODE_OBSERVE, "x"},
        {"", NULL, true, MODE_OBSERVE, "x"},
        {"true ", NULL, true, MODE_OBSERVE, "x"},
        {"true", "Observe", true, MODE_OBSERVE, "x+true"},
        {"true", "enforce", true, MODE_ENFORCE, "x+true"},
    };
    struct config *config = new_config();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct container c;
        char key[CONTAINER_NAME_SIZE];
        container_init(&c);
        memcpy(c.name, "x", 2);
        if (cases[i].enable)
            pairs_add(&c.labels, &c.n_labels, "supervisor.enable", cases[i].enable);
        if (cases[i].mode)
            pairs_add(&c.labels, &c.n_labels, "supervisor.mode", cases[i].mode);
        struct settings settings;
        policy_for(config, &c, &settings, NULL);
        policy_mode(&settings, false, ADOPTION_NONE, &c);
        healer_key_of(config, &c, key);
        if (policy_chosen(&settings, "ollama/ollama:1", c.labels, c.n_labels, ADOPTION_NONE) !=
                cases[i].chosen ||
            c.mode != cases[i].is || strcmp(key, cases[i].key) != 0)
            fail_msg("case %zu: mode %d, key %s", i, (int)c.mode, key);
        container_clear(&c);
    }
    config_free(config);
}

/* Found by its process alone it is only watched, whatever the mode; a person's word counts. */
static void found_by_process(void **state)
{
    static const struct {
        const char *image, *label, *mode;
        bool named;
        enum adoption adoption;
        enum container_mode is;
        bool by_process;
    } cases[] = {
        {"alpine/ollama:1", NULL, NULL, false, ADOPTION_NONE, MODE_OBSERVE, true},
        {"alpine/ollama:1", NULL, NULL, false, ADOPTION_UNKNOWN, MODE_OBSERVE, true},
        {"ollama/ollama:1", NULL, NULL, false, ADOPTION_NONE, MODE_ENFORCE, false},
        {"alpine/ollama:1", NULL, NULL, false, ADOPTION_YES, MODE_ENFORCE, false},
        {"alpine/ollama:1", NULL, NULL, true, ADOPTION_NONE, MODE_ENFORCE, false},
        {"alpine/ollama:1", "on", NULL, false, ADOPTION_NONE, MODE_ENFORCE, false},
        {"alpine/ollama:1", NULL, "enforce", false, ADOPTION_NONE, MODE_ENFORCE, false},
    };
    struct config *config = new_config();
    (void)state;
    assert_int_equal(config_set(config, "supervisor.mode=enforce", ORIGIN_COMMAND_LINE, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct container c;
        struct settings settings;
        container_init(&c);
        snprintf(c.image, sizeof c.image, "%s", cases[i].image);
        if (cases[i].label)
            pairs_add(&c.labels, &c.n_labels, "supervisor.enable", cases[i].label);
        if (cases[i].mode)
            pairs_add(&c.labels, &c.n_labels, "supervisor.mode", cases[i].mode);
        policy_for(config, &c, &settings, NULL);
        policy_mode(&settings, cases[i].named, cases[i].adoption, &c);
        if (c.mode != cases[i].is || policy_by_process(&c) != cases[i].by_process)
            fail_msg("case %zu: mode %d, %s", i, (int)c.mode, c.mode_why);
        container_clear(&c);
    }
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_of_the_labels),
                                       cmocka_unit_test(found_by_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
