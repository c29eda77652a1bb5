/* Ollama's answers, read. */
#include "sense/ollama_parse.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "2d1ac1ed95449cc91245c51b277622141ebd82a0204a5c1c0a133268426d8587"
#define BLOB   "sha256-d952cac8cb452d49ccc088d72bff25595b7499c968f83b5ecf0f2b03b6220ae3"

static void loaded_models(void **state)
{
    (void)state;
    struct ollama answer = {0};
    static const char odd[] = "{\"models\":[{\"name\":\"\"},7,{\"name\":\"a\",\"size\":-1,"
                              "\"digest\":\"" DIGEST "0\",\"details\":{\"parameter_size\":"
                              "\"494.03M\"}},{\"size\":3},{\"name\":\"b\",\"details\":"
                              "{\"parameter_size\":\"unknown\"}}]}";
    assert_int_equal(ollama_parse_ps(odd, sizeof odd - 1, &answer), 0);
    assert_int_equal(answer.n_models, 2);
    assert_int_equal(answer.models[0].parameters, 494030000);
    assert_int_equal(answer.models[1].parameters, FACT_UNKNOWN);
    assert_int_equal(answer.models[0].size, FACT_UNKNOWN);
    assert_string_equal(answer.models[0].digest, ""); /* too long for one */
    ollama_clear(&answer);
    static const char *const bad[] = {"{\"models\":null}", "[]", "{}", "", "{\"models\":[}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ollama_parse_ps(bad[i], strlen(bad[i]), &answer), -EBADMSG);
}

/* A name that is not exactly what could be sent back makes the list incomplete, and is shown clean.
 */
static void names_that_are_none(void **state)
{
    static const char *const names[][2] = {{"a\\u0000b", "a"},
                                           {"\\u001b[2Ja", "?[2Ja"},
                                           {"a\\u202eb", "a???b"},
                                           {"a\\u2066b", "a???b"},
                                           {"a\\u200bb", "a???b"},
                                           {"a\\u009bb", "a??b"},
                                           {"a\\nlevel=info", "a?level=info"}};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ollama answer = {0};
        char body[128];
        snprintf(body, sizeof body, "{\"models\":[{\"name\":\"%s\"}]}", names[i][0]);
        assert_int_equal(ollama_parse_ps(body, strlen(body), &answer), 0);
        assert_true(answer.incomplete);
        assert_string_equal(answer.models[0].name, names[i][1]);
        ollama_clear(&answer);
    }
}

static void blobs_of_modelfiles(void **state)
{
    (void)state;
    static const struct {
        const char *modelfile, *blob;
    } shows[] = {
        {"FROM /m/" BLOB, BLOB},
        {"FROM " BLOB "\\r\\nFROM /m/other", BLOB},
        {"FROM qwen3-mlx\\nFROM /m/" BLOB, ""},
        {"FROM /m/x" BLOB, ""},
        {"FROM /m/" BLOB "0", ""},
        {"FROM /m/sha256-zz", ""},
        {"FROM ", ""},
        {"# FROM /m/" BLOB, ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof shows / sizeof shows[0]; i++) {
        char body[512], blob[80] = "before";
        snprintf(body, sizeof body, "{\"modelfile\":\"%s\"}", shows[i].modelfile);
        assert_int_equal(ollama_parse_show(body, strlen(body), blob, sizeof blob), 0);
        assert_string_equal(blob, shows[i].blob);
    }
}

static void versions_and_errors(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(ollama_parse_show("{}", 2, text, sizeof text), -EBADMSG);
    assert_int_equal(ollama_parse_version("{\"version\":\"0.33.0\"}", 20, text, sizeof text), 0);
    assert_string_equal(text, "0.33.0");
    assert_int_equal(ollama_parse_version("{\"version\":\"0.33.0-rc\"}", 23, text, sizeof text),
                     -EBADMSG);
    ollama_parse_error("{\"error\":\"a\\nb\"}", 16, text, sizeof text);
    assert_string_equal(text, "a b");
    ollama_parse_error("nonsense", 8, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_models),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(blobs_of_modelfiles),
        cmocka_unit_test(versions_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
