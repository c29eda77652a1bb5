/* Capped buffers. */
#include "base/buffer.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_up_to_its_cap),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
