/* Capped buffers, and lines out of pieces. */
#include "base/buffer.h"
#include "base/lines.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void grows_up_to_its_cap(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    assert_string_equal(buffer_text(&buffer), "");
    assert_null(buffer.data);
    for (int i = 0; i < 100; i++)
        assert_int_equal(buffer_append(&buffer, "0123456789", 10), 0);
    assert_int_equal(buffer.length, 1000);
    assert_true(buffer.allocated <= 1001);
    assert_int_equal(buffer_append(&buffer, "x", 1), -EMSGSIZE);
    assert_int_equal(buffer_append(&buffer, "", 0), 0);
    assert_int_equal(strlen(buffer_text(&buffer)), 1000);
    assert_memory_equal(buffer_text(&buffer) + 990, "0123456789", 11);
    buffer_reset(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_non_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, "again", 5), 0);
    assert_string_equal(buffer_text(&buffer), "again");
    buffer_clear(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, "and", 3), 0);
    assert_string_equal(buffer_text(&buffer), "and");
    buffer_clear(&buffer);
}

static void edges(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer none, most, one;
    buffer_init(&none, 0);
    assert_int_equal(buffer_append(&none, "", 0), 0);
    assert_int_equal(buffer_append(&none, "a", 1), -EMSGSIZE);
    assert_string_equal(buffer_text(&none), "");
    buffer_init(&most, SIZE_MAX);
    assert_int_equal(buffer_append(&most, "a", 1), -EMSGSIZE); /* no room for the NUL */
    buffer_init(&one, 300);
    char block[300];
    memset(block, 'b', sizeof block);
    assert_int_equal(buffer_append(&one, block, sizeof block), 0); /* one piece beyond the first */
    assert_int_equal(strlen(buffer_text(&one)), 300);
    assert_int_equal(buffer_append(&one, block, SIZE_MAX), -EMSGSIZE);
}

struct taken {
    char text[256];
    unsigned n, stop_after;
};

static bool take(void *userdata, const char *line, size_t length)
{
    struct taken *taken = userdata;
    size_t used = strlen(taken->text);
    snprintf(taken->text + used, sizeof taken->text - used, "[%.*s]", (int)length, line);
    return ++taken->n != taken->stop_after;
}

/* Whatever the pieces, the lines are the same. */
static void pieces_of_any_size(void **state)
{
    (void)state;
    static const char stream[] = "first\n\nthird is longer\nlast";
    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        struct lines lines;
        struct taken taken = {0};
        lines_init(&lines, 64);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            size_t left = sizeof stream - 1 - at;
            assert_int_equal(
                lines_feed(&lines, stream + at, left < piece ? left : piece, take, &taken), 0);
        }
        assert_string_equal(taken.text, "[first][][third is longer]");
        assert_int_equal(lines_end(&lines, take, &taken), 0);
        assert_int_equal(lines_end(&lines, take, &taken), 0);
        assert_string_equal(taken.text, "[first][][third is longer][last]");
        lines_clear(&lines);
    }
}

static void long_lines_are_left_out(void **state)
{
    (void)state;
    static const char stream[] = "12345678\n123456789\n123456789012345678\nok\n123456789";
    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        struct lines lines;
        struct taken taken = {0};
        lines_init(&lines, 8);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            size_t left = sizeof stream - 1 - at;
            lines_feed(&lines, stream + at, left < piece ? left : piece, take, &taken);
        }
        assert_int_equal(lines_end(&lines, take, &taken), 0);
        assert_string_equal(taken.text, "[12345678][ok]");
        assert_int_equal(lines.skipped, 3);
        assert_int_equal(lines_feed(&lines, "on\n", 3, take, &taken), 0);
        assert_string_equal(taken.text, "[12345678][ok][on]");
        lines_clear(&lines);
    }
}

static void the_taker_may_stop(void **state)
{
    (void)state;
    struct lines lines;
    struct taken taken = {.stop_after = 2};
    lines_init(&lines, 8);
    assert_int_equal(lines_feed(&lines, "a\nb\nc\n", 6, take, &taken), -ECANCELED);
    assert_string_equal(taken.text, "[a][b]");
    taken.stop_after = 3;
    assert_int_equal(lines_feed(&lines, "d", 1, take, &taken), 0);
    assert_int_equal(lines_end(&lines, take, &taken), -ECANCELED);
    lines_clear(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_cap), cmocka_unit_test(edges),
        cmocka_unit_test(pieces_of_any_size),  cmocka_unit_test(long_lines_are_left_out),
        cmocka_unit_test(the_taker_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
