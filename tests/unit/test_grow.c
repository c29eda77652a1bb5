/* Arrays that grow. */
#include "base/grow.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_array_grows_zeroed_up_to_its_cap_and_keeps_what_it_has(void **state)
{
    enum { MAX = 37 };
    (void)state;
    uint64_t *numbers = NULL;
    size_t n = 0;
    for (uint64_t i = 0; i < MAX; i++) {
        uint64_t *added = array_more(&numbers, &n, MAX, sizeof *added);
        assert_ptr_equal(added, &numbers[i]);
        assert_int_equal(*added, 0);
        *added = i + 1;
    }
    assert_null(array_more(&numbers, &n, MAX, sizeof *numbers));
    assert_int_equal(n, MAX);
    n = 16; /* whoever takes some away goes on from there, also where the room is used up again */
    for (size_t i = n; i < MAX; i++)
        assert_int_equal(*(uint64_t *)array_more(&numbers, &n, MAX, sizeof *numbers), 0);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(numbers[i], i + 1);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_zeroed_up_to_its_cap_and_keeps_what_it_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
