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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_of_the_labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
