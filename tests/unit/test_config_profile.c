/* [profile "NAME"] of the configuration file, and the labels that come from profiles. */
#include "base/config_layers.h"
#include "configs.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define GIB(n) ((fact)(n) << 30)

static void sections(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct error err;
    size_t n;
    assert_ptr_equal(config_profiles(config, &n), profiles_builtin_table);
    assert_int_equal(n, PROFILES_BUILTIN_N);
    assert_int_equal(config_profile(config, "33b")->memory, GIB(28));
    assert_null(config_profile(config, "small"));
    assert_null(config_profile(config, ""));

    static const char text[] = "[profile \"33b\"]\n"
                               "memory = 20g ; less\n"
                               "  model =\n"
                               "[leak]\nhold=5s\n"
                               "[profile \"small\"]\r\n"
                               "memory=4g\r\n"
                               "[profile \"empty\"]\n"
                               "[profile \"ai\"]\n"
                               "port = 11434\n"
                               "server = localai\n";
    if (read_text(config, text, &err) < 0)
        fail_msg("%s", err.message);
    config_profiles(config, &n);
    assert_int_equal(n, PROFILES_BUILTIN_N + 3);
    const struct profile *p = config_profile(config, "33b");
    assert_true(p->memory == GIB(20) && p->exclusive && p->model[0] == '\0');
    assert_true(config_profile_given(config, 1, "memory"));
    assert_true(config_profile_given(config, 1, "model"));
    assert_false(config_profile_given(config, 1, "gpu"));
    assert_false(config_profile_given(config, 1, "nothing"));
    assert_false(config_profile_given(config, 0, "memory"));
    p = config_profile(config, "small");
    assert_true(p->memory == GIB(4) && !p->exclusive);
    assert_string_equal(p->container, "ollama-small");
    assert_int_equal(config_profile(config, "empty")->memory, GIB(8));
    p = config_profile(config, "ai");
    assert_string_equal(p->image, "localai/localai:latest-gpu-nvidia-cuda-12");
    assert_int_equal(p->port, 11434); /* the file's word, wherever it stands */
    assert_true(config_settings(config)->leak_hold_s > 4.9);

    /* another configuration takes its place: SIGHUP */
    struct config *fresh = new_config();
    assert_int_equal(read_text(fresh, "[profile \"small\"]\nmemory=5g\n", &err), 0);
    config_replace(config, fresh);
    assert_int_equal(config_profile(config, "small")->memory, GIB(5));
    assert_int_equal(config_profile(config, "33b")->memory, GIB(28));
    assert_null(config_profile(config, "empty"));
    config_replace(config, new_config());
    assert_null(config_profile(config, "small"));

    /* another file too, and a bad one changes nothing */
    assert_int_equal(read_text(config, "[profile \"small\"]\nmemory=6g\n", &err), 0);
    assert_true(
        read_text(config, "[profile \"small\"]\nmemory=7g\n[profile \"x\"]\ngpu=?\n", &err) < 0);
    assert_int_equal(config_profile(config, "small")->memory, GIB(6));
    assert_null(config_profile(config, "x"));
    assert_int_equal(read_text(config, "", &err), 0);
    assert_null(config_profile(config, "small"));
    config_free(config);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[profile \"33b\"]\nmemry = 20g\n",
         "test.conf:2: [profile \"33b\"]: unknown key \"memry\" "
         "of a profile: did you mean memory?"},
        {"[profile \"33b\"]\nmemory = 20x\n", "test.conf:2: [profile \"33b\"]: memory: \"20x\" has "
                                              "no unit I know: use k, m, g or t"},
        {"[profile \"33b\"]\nmemory =\n", "test.conf:2: [profile \"33b\"]: memory: an empty value"},
        {"[profile \"33b\"]\nmemory\n",
         "test.conf:2: no setting and no comment: write key = value"},
        {"[profile \"33b\"]\ngpu=all\n\ngpu=none\n",
         "test.conf:4: [profile \"33b\"]: gpu is set a second time, after line 2"},
        {"[profile \"33b\"]\n[leak]\nhold=1s\n[profile \"33b\"]\n",
         "test.conf:4: [profile \"33b\"] begins a second time, after line 1"},
        {"[profile \"a b\"]\n", "test.conf:1: [profile \"a b\"]: \"a b\" is no name for a profile: "
                                "small letters and digits, then also . _ and -"},
        {"[profile \"\"]\n", "test.conf:1: [profile \"\"]: \"\" is no name for a profile: small "
                             "letters and digits, then also . _ and -"},
        {"[profile 33b]\n",
         "test.conf:1: [profile 33b] names no profile: write it as [profile \"33b\"]"},
        {"[profile]\n", "test.conf:1: [profile] names no profile: write it as [profile \"33b\"]"},
        {"[profile \"33b]\n",
         "test.conf:1: [profile \"33b] names no profile: write it as [profile \"33b\"]"},
        {"[profil \"33b\"]\n",
         "test.conf:1: unknown section [profil \"33b\"]: did you mean [profile]?"},
        {"[profile \"abcdefghijklmnopqrstuvwxyz0123456789\"]\n",
         "test.conf:1: [profile \"abcdefghijklmnopqrstuvwxyz0123456789\"]: "
         "\"abcdefghijklmnopqrstuvwxyz012345...\" is no name for a profile: longer than 31 "
         "characters"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct config *config = new_config();
        struct error err = {.message = ""};
        assert_int_equal(read_text(config, "[profile \"small\"]\nmemory=5g\n", &err), 0);
        struct config before = *config;
        int code = read_text(config, cases[i].text, &err);
        assert_true(code < 0 && code == err.code);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_string_equal(err.message, cases[i].message);
        assert_memory_equal(&before, config, sizeof(before));
        assert_int_equal(config_profile(config, "small")->memory, GIB(5));
        assert_int_equal(read_text(config, cases[i].text, NULL), code);
        config_free(config);
    }
}

static void too_many(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct error err;
    char text[PROFILES_MAX * 32] = "";
    size_t length = 0, n;
    for (int i = 0; i < PROFILES_MAX - PROFILES_BUILTIN_N; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "[profile \"p%d\"]\n", i);
    assert_int_equal(read_text(config, text, &err), 0);
    config_profiles(config, &n);
    assert_int_equal(n, PROFILES_MAX);
    snprintf(text + length, sizeof(text) - length, "[profile \"last\"]\n");
    assert_true(read_text(config, text, &err) < 0);
    assert_string_equal(err.message,
                        "test.conf:13: [profile \"last\"]: one profile too many: there "
                        "are 16 at most, 4 of them built in");
    snprintf(text + length, sizeof(text) - length, "[profile \"70b\"]\n"); /* is one of them */
    assert_int_equal(read_text(config, text, &err), 0);
    config_free(config);
}

/* What is printed is a file that gives the same. */
static void printed(void **state)
{
    (void)state;
    struct config *config = new_config(), *again = new_config();
    struct error err;
    assert_int_equal(read_text(config,
                               "[profile \"33b\"]\nmemory=20g\nswap=unlimited\ncpus=1.25\n"
                               "[profile \"x\"]\nserver=localai\ncache_ram=0\nreserve=3g\n"
                               "model=a:b\nkeep_alive=-1\n",
                               &err),
                     0);
    char *text = NULL;
    size_t length, n;
    FILE *to = open_memstream(&text, &length);
    config_print(config, to, false);
    fclose(to);
    assert_non_null(strstr(text, "\n\n[profile \"33b\"]\nserver = ollama  ; built-in\n"
                                 "memory = 20g  ; file\nswap = unlimited  ; file\n"));
    assert_non_null(strstr(text, "\nreserve =  ; built-in\n"));
    if (config_read_text(again, "printed", text, length, &err) < 0)
        fail_msg("%s", err.message);
    const struct profile *one = config_profiles(config, &n);
    const struct profile *two = config_profiles(again, &length);
    assert_int_equal(n, length);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < PROFILE_KEYS_N; k++) {
            char a[PROFILE_TEXT_SIZE], b[PROFILE_TEXT_SIZE];
            profile_format(&one[i], profile_keys[k], a, sizeof(a));
            profile_format(&two[i], profile_keys[k], b, sizeof(b));
            assert_string_equal(a, b);
        }
    free(text);

    to = open_memstream(&text, &length);
    config_print(config, to, true);
    fclose(to);
    json_t *json = json_loads(text, 0, NULL), *section = json_object_get(json, "profile \"33b\"");
    json_t *memory = json_object_get(section, "memory"), *swap = json_object_get(section, "swap");
    assert_int_equal(json_integer_value(json_object_get(memory, "value")), GIB(20));
    assert_string_equal(json_string_value(json_object_get(memory, "origin")), "file");
    assert_true(json_is_null(json_object_get(swap, "value")));
    memory = json_object_get(json_object_get(json, "profile \"70b\""), "memory");
    assert_string_equal(json_string_value(json_object_get(memory, "origin")), "built-in");
    json_decref(json);
    free(text);
    config_free(config);
    config_free(again);
}

static void labels(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct settings s;
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    static const struct config_label good[] = {
        {"supervisor.profile", "33b"},  {"supervisor.priority", "high"},
        {"supervisor.exclusive", "on"}, {"supervisor.exclusive", "true"},
        {"supervisor.kind", "localai"}, {"supervisor.kind", "ollama"},
        {"supervisor.priority", "low"}, {"supervisor.profile", "of somebody else"},
    };
    assert_int_equal(config_for_labels(config, good, N(good), &s, errors), 0);
    static const struct {
        struct config_label label;
        const char *message;
    } bad[] = {
        {{"supervisor.priority", "urgent"}, "\"urgent\" is none of: low normal high"},
        {{"supervisor.priority", ""}, "\"\" is none of: low normal high"},
        {{"supervisor.exclusive", "jein"}, "\"jein\" is no switch: write on or off"},
        {{"supervisor.kind", "vllm"}, "\"vllm\" is none of: ollama localai"},
        {{"supervisor.exclusiv", "on"}, "unknown label: did you mean supervisor.exclusive?"},
        {{"supervisor.profil", "33b"}, "unknown label: did you mean supervisor.profile?"},
        {{"supervisor.priorty", "low"}, "unknown label: did you mean supervisor.priority?"},
    };
    for (size_t i = 0; i < N(bad); i++) {
        assert_int_equal(config_for_labels(config, &bad[i].label, 1, &s, errors), 1);
        assert_string_equal(errors[0].label, bad[i].label.key);
        assert_string_equal(errors[0].message, bad[i].message);
        assert_int_equal(config_for_labels(config, &bad[i].label, 1, &s, NULL), 1);
    }
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sections), cmocka_unit_test(refused),
                                       cmocka_unit_test(too_many), cmocka_unit_test(printed),
                                       cmocka_unit_test(labels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
