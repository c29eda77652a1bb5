/* Profiles: the built-in ones, and each key from text and to text. */
#include "base/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define GIB(n) ((fact)(n) << 30)

static const char *value_of(const struct profile *profile, const char *key)
{
    static char text[PROFILE_TEXT_SIZE];
    profile_format(profile, key, text, sizeof(text));
    return text;
}

static void builtin(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        fact memory;
        bool exclusive;
        enum priority priority;
        const char *container, *volume, *model, *gpu;
        uint16_t port;
    } wanted[] = {
        {"standard", GIB(8), false, PRIORITY_NORMAL, "ollama", "ollama", "", "auto", 11434},
        {"33b", GIB(28), true, PRIORITY_HIGH, "ollama-33b", "ollama", "deepseek-coder:33b", "auto",
         11434},
        {"70b", GIB(30), true, PRIORITY_HIGH, "ollama-70b", "ollama", "llama3.1:70b", "auto",
         11434},
        {"localai", GIB(12), false, PRIORITY_NORMAL, "localai", "localai-models", "", "all", 8080},
    };
    assert_int_equal(PROFILES_BUILTIN_N, N(wanted));
    for (size_t i = 0; i < N(wanted); i++) {
        const struct profile *p = &profiles_builtin_table[i];
        assert_string_equal(p->name, wanted[i].name);
        assert_int_equal(p->memory, wanted[i].memory);
        assert_int_equal(p->exclusive, wanted[i].exclusive);
        assert_int_equal(p->priority, wanted[i].priority);
        assert_string_equal(p->container, wanted[i].container);
        assert_string_equal(p->volume, wanted[i].volume);
        assert_string_equal(p->model, wanted[i].model);
        assert_string_equal(p->gpu, wanted[i].gpu);
        assert_int_equal(p->port, wanted[i].port);
        assert_int_equal(p->swap, 0);
        assert_true(p->context == 4096 && p->parallel == 1 && p->max_loaded == 1);
        assert_string_equal(p->keep_alive, "5m");
        assert_string_equal(p->address, "127.0.0.1");
        assert_true(p->cache_ram == FACT_UNKNOWN && p->disk == FACT_UNKNOWN &&
                    p->reserve == FACT_UNKNOWN);
        assert_int_equal(p->server, i == 3 ? SERVER_LOCALAI : SERVER_OLLAMA);
        assert_true(profile_name_good(p->name));
        /* as it is shown it is read back to the same, key by key */
        struct profile again;
        assert_int_equal(profile_init(&again, p->name, NULL), 0);
        json_t *json = profile_json(p);
        assert_int_equal(json_object_size(json), PROFILE_KEYS_N);
        for (int k = 0; k < PROFILE_KEYS_N; k++) {
            assert_int_equal(profile_key(profile_keys[k]), k);
            assert_non_null(json_object_get(json, profile_keys[k]));
            assert_int_equal(
                profile_set(&again, profile_keys[k], value_of(p, profile_keys[k]), NULL), 0);
        }
        json_decref(json);
        for (int k = 0; k < PROFILE_KEYS_N; k++) {
            char one[PROFILE_TEXT_SIZE];
            profile_format(p, profile_keys[k], one, sizeof(one));
            assert_string_equal(one, value_of(&again, profile_keys[k]));
        }
        assert_int_equal(again.cache_ram, FACT_UNKNOWN);
    }
    assert_null(profile_keys[PROFILE_KEYS_N]);
}

static void good_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *shown;
    } cases[] = {
        {"memory", "28g", "28g"},
        {"memory", "6m", "6m"},
        {"memory", "1.5GiB", "1536m"},
        {"memory", "1610612737", "1610612737"},
        {"swap", "0", "0"},
        {"swap", "2g", "2g"},
        {"swap", "unlimited", "unlimited"},
        {"cpus", "4", "4"},
        {"cpus", "0.01", "0.01"},
        {"cpus", "1.5", "1.5"},
        {"cpus", "0", "0"},
        {"cpus", "2.000", "2"},
        {"gpu", "all", "all"},
        {"gpu", "none", "none"},
        {"gpu", "0,1", "0,1"},
        {"gpu", "GPU-8a56a4bc-1", "GPU-8a56a4bc-1"},
        {"gpu", "0,MIG-GPU-1/2/3", "0,MIG-GPU-1/2/3"},
        {"model", "hf.co/a/b-GGUF:Q4_K_M", "hf.co/a/b-GGUF:Q4_K_M"},
        {"model", "", ""},
        {"exclusive", "Yes", "on"},
        {"exclusive", "off", "off"},
        {"priority", "low", "low"},
        {"image", "registry:5000/ollama/ollama@sha256:0a", "registry:5000/ollama/ollama@sha256:0a"},
        {"volume", "models_2.x-y", "models_2.x-y"},
        {"container", "Ollama.1", "Ollama.1"},
        {"address", "0.0.0.0", "0.0.0.0"},
        {"address", "::1", "::1"},
        {"port", "0", "0"},
        {"port", "65535", "65535"},
        {"port", "0.0.0.0:11435", "11435"},
        {"port", "[::1]:11435", "11435"},
        {"context", "131072", "131072"},
        {"parallel", "4", "4"},
        {"max_loaded", "3", "3"},
        {"disk", "50g", "50g"},
        {"disk", "", ""},
        {"reserve", "0", "0"},
        {"reserve", "1.5g", "1536m"},
        {"cache_ram", "0", "0"},
        {"keep_alive", "-1", "-1"},
        {"keep_alive", "0", "0"},
        {"keep_alive", "300", "300"},
        {"keep_alive", "1h30m", "1h30m"},
        {"keep_alive", "500ms", "500ms"},
        {"keep_alive", "-1.5h", "-1.5h"},
        {"server", "localai", "localai"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct profile profile;
        struct error err = {.message = ""};
        assert_int_equal(profile_init(&profile, "x", NULL), 0);
        if (profile_set(&profile, cases[i].key, cases[i].value, &err) < 0)
            fail_msg("%s", err.message);
        assert_string_equal(value_of(&profile, cases[i].key), cases[i].shown);
        assert_int_equal(
            profile_set(&profile, cases[i].key, value_of(&profile, cases[i].key), &err), 0);
        assert_string_equal(value_of(&profile, cases[i].key), cases[i].shown);
    }
    struct profile profile;
    profile_init(&profile, "x", NULL);
    assert_int_equal(profile_set(&profile, "port", "0.0.0.0:1", NULL), 0);
    assert_string_equal(profile.address, "0.0.0.0");
    assert_int_equal(profile_set(&profile, "port", "[::1]:2", NULL), 0);
    assert_string_equal(profile.address, "::1");
    assert_int_equal(profile_set(&profile, "port", "3", NULL), 0);
    assert_string_equal(profile.address, "::1");
    assert_int_equal(profile.port, 3);
}

static void bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *message;
    } cases[] = {
        {"memory", "28x", "memory: \"28x\" has no unit I know: use k, m, g or t"},
        {"memory", "5m", "memory: \"5m\" is out of bounds: 6m to 8192t"},
        {"memory", "", "memory: an empty value"},
        {"swap", "-1", "swap: \"-1\" is not a size: write it as 28g, 512m or a number of bytes"},
        {"cpus", "0.001", "cpus: \"0.001\" is out of bounds: 0.01 to 4096, or 0: all"},
        {"cpus", "5000", "cpus: \"5000\" is out of bounds: 0.01 to 4096, or 0: all"},
        {"cpus", "1e3", "cpus: \"1e3\" is no number of CPUs: write it as 4 or 1.5; 0: all"},
        {"cpus", "nan", "cpus: \"nan\" is no number of CPUs: write it as 4 or 1.5; 0: all"},
        {"cpus", "1.", "cpus: \"1.\" is no number of CPUs: write it as 4 or 1.5; 0: all"},
        {"gpu", "yes",
         "gpu: \"yes\" names no GPU: write auto, all, none, or ids as 0,1 or GPU-..."},
        {"gpu", "0,", "gpu: \"0,\" names no GPU: write auto, all, none, or ids as 0,1 or GPU-..."},
        {"gpu", "GPU-",
         "gpu: \"GPU-\" names no GPU: write auto, all, none, or ids as 0,1 or "
         "GPU-..."},
        {"model", "a b",
         "model: \"a b\" is no name of a model: 1 to 127 letters, digits and "
         "._:/@-"},
        {"exclusive", "perhaps", "exclusive: \"perhaps\" is no switch: write on or off"},
        {"priority", "urgent", "priority: \"urgent\" is none of: low normal high"},
        {"server", "vllm", "server: \"vllm\" is none of: ollama localai"},
        {"image", "-x",
         "image: \"-x\" is no name of an image: 1 to 127 letters, digits and "
         "._:/@-"},
        {"volume", "/srv/models",
         "volume: \"/srv/models\" is no name of a volume: 2 to 127 letters, digits and ._-"},
        {"container", "a",
         "container: \"a\" is no name of a container: 2 to 127 letters, digits and ._-"},
        {"address", "localhost",
         "address: \"localhost\" is no address: write it as 127.0.0.1, 0.0.0.0 or ::1"},
        {"port", "65536",
         "port: \"65536\" is no port: write 0 (not published) to 65535, or ADDRESS:PORT"},
        {"port", "1434x",
         "port: \"1434x\" is no port: write 0 (not published) to 65535, or ADDRESS:PORT"},
        {"port", "here:1", "port: \"here\" is no address: write it as 127.0.0.1, 0.0.0.0 or ::1"},
        {"context", "4k", "context: \"4k\" is not a whole number"},
        {"context", "0", "context: \"0\" is out of bounds: 1 to 16777216"},
        {"parallel", "257", "parallel: \"257\" is out of bounds: 1 to 256"},
        {"keep_alive", "1d",
         "keep_alive: \"1d\" is no time to keep a model: write 30s, 5m, 24h, 0 or -1 (always)"},
        {"keep_alive", "-",
         "keep_alive: \"-\" is no time to keep a model: write 30s, 5m, 24h, 0 or -1 (always)"},
        {"memry", "1g", "unknown key \"memry\" of a profile: did you mean memory?"},
        {"limit", "1g",
         "unknown key \"limit\" of a profile: `supervisor config show` lists all "
         "that there are"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct profile profile, before;
        struct error err = {.message = ""};
        assert_int_equal(profile_init(&profile, "x", NULL), 0);
        memcpy(&before, &profile, sizeof(profile));
        int code = profile_set(&profile, cases[i].key, cases[i].value, &err);
        assert_true(code == -EINVAL || code == -ERANGE);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_string_equal(err.message, cases[i].message);
        assert_memory_equal(&before, &profile, sizeof(profile));
        assert_int_equal(profile_set(&profile, cases[i].key, cases[i].value, NULL), code);
    }
    char text[300];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct profile profile;
    assert_int_equal(profile_init(&profile, "x", NULL), 0);
    for (int k = 0; k < PROFILE_KEYS_N; k++)
        assert_true(profile_set(&profile, profile_keys[k], text, NULL) < 0);
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "A", "-a", "a b", "a/b", "\"", ".x", "ü", "abcdefghijklmnopqrstuvwxyz012345"};
    struct profile profile;
    struct error err;
    for (size_t i = 0; i < N(bad); i++) {
        assert_int_equal(profile_init(&profile, bad[i], &err), -EINVAL);
        assert_non_null(strstr(err.message, "is no name for a profile"));
    }
    assert_int_equal(profile_init(&profile, "abcdefghijklmnopqrstuvwxyz01234", &err), 0);
    assert_string_equal(profile.container, "ollama-abcdefghijklmnopqrstuvwxyz01234");
    assert_string_equal(profile.volume, "ollama");
    assert_int_equal(profile.memory, GIB(8));
    assert_string_equal(priority_name(PRIORITY_HIGH), "high");
    enum priority priority = PRIORITY_LOW;
    assert_int_equal(priority_parse("High", &priority), -EINVAL);
    assert_int_equal(priority_parse("high", &priority), 0);
    assert_int_equal(priority, PRIORITY_HIGH);
}

/* What is LocalAI's comes with it, what was said stays. */
static void another_server(void **state)
{
    (void)state;
    struct profile profile;
    profile_init(&profile, "x", NULL);
    assert_int_equal(profile_set(&profile, "volume", "mine", NULL), 0);
    assert_int_equal(profile_set(&profile, "server", "localai", NULL), 0);
    assert_string_equal(profile.image, "localai/localai:latest-gpu-nvidia-cuda-12");
    assert_string_equal(profile.container, "localai-x");
    assert_string_equal(profile.volume, "mine");
    assert_string_equal(profile.gpu, "all");
    assert_int_equal(profile.port, 8080);
    assert_int_equal(profile_set(&profile, "server", "ollama", NULL), 0);
    assert_string_equal(profile.image, "ollama/ollama:latest");
    assert_string_equal(profile.container, "ollama-x");
    assert_int_equal(profile.port, 11434);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(builtin), cmocka_unit_test(good_values),
                                       cmocka_unit_test(bad_values), cmocka_unit_test(names),
                                       cmocka_unit_test(another_server)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
