/* Writing control files: where the root is elsewhere plainly, and what is said when it fails. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/control.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char place[] = "/tmp/test-control-XXXXXX";

static int make_place(void **state)
{
    (void)state;
    return mkdtemp(place) ? 0 : -1;
}

static int remove_place(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/memory.high", place);
    unlink(path);
    return rmdir(place);
}

static void value_is_written_where_the_root_is(void **state)
{
    char path[64], text[64] = "";
    struct error err = {0};
    (void)state;
    snprintf(path, sizeof path, "%s/memory.high", place);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(control_write("/tmp", place, "memory.high", "943718400", &err), 0);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "943718400\n");
}

/* A control file is never made: one that is not there is an error. */
static void file_that_is_not_there_is_named(void **state)
{
    struct error err = {0};
    char message[128];
    (void)state;
    assert_int_equal(control_write("/tmp", place, "memory.low", "1", &err), -ENOENT);
    snprintf(message, sizeof message, "%s/memory.low cannot be written", place);
    assert_memory_equal(err.message, message, strlen(message));
    assert_int_equal(err.failure, FAILURE_JOB);
}

/* At the usual mount libcgroup is asked first; its failure loses the reason, so it is asked again.
 */
static void usual_mount_tells_the_kernels_own_error(void **state)
{
    static const char nowhere[] = "/sys/fs/cgroup/memory/no-such-group";
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        assert_true(control_write("/sys/fs/cgroup", nowhere, "memory.high", "1", &err) < 0);
        assert_non_null(strstr(err.message, nowhere));
    }
}

static void path_that_is_too_long_is_refused(void **state)
{
    char directory[PATH_MAX];
    struct error err = {0};
    (void)state;
    memset(directory, 'x', sizeof directory - 1);
    directory[0] = '/';
    directory[sizeof directory - 1] = '\0';
    assert_int_equal(control_write("/x", directory, "memory.high", "1", &err), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_is_written_where_the_root_is),
        cmocka_unit_test(file_that_is_not_there_is_named),
        cmocka_unit_test(usual_mount_tells_the_kernels_own_error),
        cmocka_unit_test(path_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
