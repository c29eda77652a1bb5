/* What is too much for a tree: counted before one is built, though it is proper JSON. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/json_member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "[" + n times the element, commas between + "]". */
static char *list_of(const char *element, size_t n)
{
    size_t length = strlen(element);
    char *text = malloc(n * (length + 1) + 3), *at = text;
    *at++ = '[';
    for (size_t i = 0; i < n; i++) {
        memcpy(at, element, length);
        at += length;
        *at++ = ',';
    }
    at[-1] = ']';
    *at = '\0';
    return text;
}

static bool taken(const char *text)
{
    json_t *answer = answer_parse(text, strlen(text));
    json_decref(answer);
    return answer != NULL;
}

static void more_values_than_any_answer_has(void **state)
{
    static const char *const elements[] = {"{}", "[]", "7", "\"\"", "{\"a\":1}"};
    (void)state;
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        char *few = list_of(elements[i], ANSWER_VALUES_MAX / 8),
             *many = list_of(elements[i], ANSWER_VALUES_MAX + 1);
        json_t *proper = json_loads(many, 0, NULL); /* it is no error of theirs */
        assert_non_null(proper);
        json_decref(proper);
        assert_true(taken(few));
        assert_false(taken(many));
        free(few);
        free(many);
    }
}

static void deeper_than_any_answer_is(void **state)
{
    char text[2 * ANSWER_DEPTH_MAX + 8];
    (void)state;
    for (size_t depth = ANSWER_DEPTH_MAX; depth <= ANSWER_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        assert_int_equal(taken(text), depth == ANSWER_DEPTH_MAX);
    }
}

/* Brackets and commas in a string are text, whatever is escaped in it. */
static void strings_are_one_value(void **state)
{
    size_t n = 4 * ANSWER_VALUES_MAX;
    char *text = malloc(n + 16);
    (void)state;
    memcpy(text, "[\"\\\\\\\"", 6);
    for (size_t i = 0; i < n; i++)
        text[6 + i] = "[{,:"[i % 4];
    memcpy(text + 6 + n, "\"]", 3);
    assert_true(taken(text));
    free(text);
}

/* 2^64 - 1, the pids limit of an engine, hides nothing else. */
static void numbers_beyond_64_bits(void **state)
{
    static const char text[] = "{\"limit\":18446744073709551615,\"usage\":7,\"half\":0.5}";
    (void)state;
    json_t *answer = answer_parse(text, sizeof text - 1);
    assert_int_equal(member_fact(answer, "usage"), 7);
    assert_int_equal(member_fact(answer, "limit"), FACT_UNKNOWN);
    assert_int_equal(member_fact(answer, "half"), FACT_UNKNOWN);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_beyond_64_bits),
        cmocka_unit_test(more_values_than_any_answer_has),
        cmocka_unit_test(deeper_than_any_answer_is),
        cmocka_unit_test(strings_are_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
