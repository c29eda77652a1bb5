/* The settings in their layers: presets, labels, and how they are printed. */
#include "base/config_layers.h"
#include "configs.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void set(struct config *config, const char *assignment)
{
    struct error err;
    if (config_set(config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
        fail_msg("%s", err.message);
}

static void presets(void **state)
{
    (void)state;
    struct config *config = new_config();
    assert_int_equal(read_text(config, "[supervisor]\npreset = strict15g\n", NULL), 0);
    assert_true(config_settings(config)->models_single);
    assert_string_equal(config_origin(config, "models.single"), "preset");
    assert_true(fabs(config_settings(config)->pressure_optimize_every_s - 30) < 1e-9);
    assert_int_equal(
        read_text(config, "[supervisor]\npreset = strict15g\n[models]\nsingle = off\n", NULL), 0);
    assert_false(config_settings(config)->models_single); /* the file is over its own preset */
    assert_int_equal(read_text(config, "", NULL), 0);
    set(config, "supervisor.preset=router");
    assert_true(config_settings(config)->models_startup_unload);
    assert_true(fabs(config_settings(config)->action_flush - 99) < 1e-9);
    set(config, "supervisor.preset=homelab"); /* the other preset's values go with it */
    assert_false(config_settings(config)->models_startup_unload);
    set(config, "supervisor.preset=");
    assert_false(config_settings(config)->models_single);
    config_free(config);
}

static void labels(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct settings s;
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    assert_int_equal(read_text(config, "[leak]\nhold=5s\n[memory]\nlimit=4g\n", NULL), 0);
    static const struct config_label good[] = {
        {"com.docker.compose.service", "ollama"},
        {"supervisor.enable", "TRUE"},
        {"supervisor.mode", "observe"},
        {"supervisor.memory", "28g"},
        {"supervisor.memory.high", "27g"},
        {"supervisor.single", "on"},
        {"supervisor.startup_unload", "true"},
        {"supervisor.priority", "low"},
        {"supervisor.leak.hold", "90s"},
        {"supervisor.remedy.budget_per_hour", "5"},
        {"supervisorx", "y"},
    };
    assert_int_equal(config_for_labels(config, good, N(good), &s, errors), 0);
    assert_string_equal(s.mode, "observe");
    assert_true(s.memory_limit == INT64_C(28) << 30 && s.memory_high == INT64_C(27) << 30);
    assert_true(s.models_single && s.models_startup_unload && s.remedy_budget_per_hour == 5);
    assert_true(fabs(s.leak_hold_s - 90) < 1e-9);
    assert_true(fabs(config_settings(config)->leak_hold_s - 5) < 1e-9); /* only for that one */

    set(config, "leak.hold=1s"); /* over the label */
    static const struct config_label unset[] = {{"supervisor.memory", ""}};
    assert_int_equal(config_for_labels(config, good, N(good), &s, errors), 0);
    assert_true(fabs(s.leak_hold_s - 1) < 1e-9);
    assert_int_equal(config_for_labels(config, unset, N(unset), &s, errors), 0);
    assert_true(s.memory_limit == FACT_NONE);
    assert_int_equal(config_for_labels(config, NULL, 0, &s, errors), 0);
    assert_memory_equal(&s, config_settings(config), sizeof(s));
    config_free(config);
}

static void bad_labels(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct settings s;
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    static const struct {
        struct config_label label;
        const char *message;
    } cases[] = {
        {{"supervisor.memory", "28x"}, "\"28x\" has no unit I know: use k, m, g or t"},
        {{"supervisor.enable", "jein"}, "\"jein\" is no switch: write on or off"},
        {{"supervisor.mode", "Enforce"},
         "\"Enforce\" is none of: auto enforce observe; did you mean enforce?"},
        {{"supervisor.memry", "28g"}, "unknown label: did you mean supervisor.memory?"},
        {{"supervisor.foo", "28g"}, "unknown label: remove it"},
        {{"supervisor.priority", "urgent\n"}, "\"urgent?\" is none of: low normal high"},
        {{"supervisor.interval", "5s"}, "unknown label: remove it"}, /* not for one container */
        {{"supervisor.leak.hold", ""}, "an empty value; the built-in one is 60s"},
        {{"supervisor.memory.high", "2g"},
         "memory.high = 2g does not fit memory.limit = 1g: it must not be above it"},
    };
    assert_int_equal(read_text(config, "[memory]\nlimit=1g\n", NULL), 0);
    for (size_t i = 0; i < N(cases); i++) {
        const struct config_label both[] = {cases[i].label, {"supervisor.single", "on"}};
        assert_int_equal(config_for_labels(config, both, 2, &s, errors), 1);
        assert_string_equal(errors[0].label, cases[i].label.key);
        assert_string_equal(errors[0].message, cases[i].message);
        assert_true(s.models_single); /* the rest holds */
        assert_true(s.memory_limit == 1 << 30 && s.memory_high == FACT_NONE);
    }
    struct config_label many[20];
    for (size_t i = 0; i < N(many); i++)
        many[i] = (struct config_label){"supervisor.memory", "?"};
    assert_int_equal(config_for_labels(config, many, N(many), &s, errors), CONFIG_LABEL_ERRORS_MAX);
    char long_key[300];
    memset(long_key, 'x', sizeof(long_key));
    memcpy(long_key, "supervisor.", 11);
    long_key[sizeof(long_key) - 1] = '\0';
    many[0] = (struct config_label){long_key, long_key};
    assert_int_equal(config_for_labels(config, many, 1, &s, errors), 1);
    assert_int_equal(strlen(errors[0].label), sizeof(errors[0].label) - 1);

    set(config, "docker.label=supervisor.watched"); /* its own word is known */
    many[0] = (struct config_label){"supervisor.watched", "yes"};
    assert_int_equal(config_for_labels(config, many, 1, &s, errors), 0);
    config_free(config);
}

/* What is printed is a file that gives the same. */
static void printed(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "memory.limit=1610612737",      "leak.hold=1h30m",          "supervisor.interval=250ms",
        "leak.threshold=0.75g",         "leak.busy_cpu=0.125",      "models.single=yes",
        "remedy.stop_grace=0",          "supervisor.preset=router", "docker.image=",
        "docker.host=unix:///a b;c#d=e"};
    struct config *config = new_config(), *again = new_config();
    struct error err;
    for (size_t i = 0; i < N(changes); i++)
        set(config, changes[i]);
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    config_print(config, to, false);
    fclose(to);
    assert_non_null(strstr(text, "\nmode = auto  ; built-in\n"));
    assert_non_null(strstr(text, "\nlimit = 1610612737  ; command line\n"));
    assert_non_null(strstr(text, "\nstartup_unload = on  ; preset\n"));
    if (config_read_text(again, "printed", text, length, &err) < 0)
        fail_msg("%s", err.message);
    for (int i = 0; i < SETTINGS_N; i++) {
        char name[SETTING_NAME_MAX], a[512], b[512];
        setting_format(&settings_table[i], config_settings(config), a, sizeof(a));
        setting_format(&settings_table[i], config_settings(again), b, sizeof(b));
        assert_string_equal(a, b);
        assert_string_equal(config_origin(again, setting_name(&settings_table[i], name)), "file");
    }
    free(text);

    to = open_memstream(&text, &length);
    config_print(config, to, true);
    fclose(to);
    json_t *json = json_loads(text, 0, NULL);
    json_t *limit = json_object_get(json_object_get(json, "memory"), "limit");
    json_t *high = json_object_get(json_object_get(json, "memory"), "high");
    json_t *hold = json_object_get(json_object_get(json, "leak"), "hold");
    assert_int_equal(json_integer_value(json_object_get(limit, "value")), 1610612737);
    assert_string_equal(json_string_value(json_object_get(limit, "origin")), "command line");
    assert_true(json_is_null(json_object_get(high, "value")));
    assert_true(fabs(json_real_value(json_object_get(hold, "value")) - 5400) < 1e-9);
    json_decref(json);
    free(text);
    config_free(config);
    config_free(again);
}

static int clean_environment(void **state)
{
    (void)state;
    char variable[SETTING_NAME_MAX];
    unsetenv("DOCKER_HOST");
    for (int i = 0; i < SETTINGS_N; i++)
        unsetenv(setting_environment(&settings_table[i], variable));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),
        cmocka_unit_test(labels),
        cmocka_unit_test(bad_labels),
        cmocka_unit_test(printed),
    };
    return cmocka_run_group_tests(tests, clean_environment, NULL);
}
