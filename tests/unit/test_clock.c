#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T00:00:01.5Z", 0, 1500},
        {"2026-11-21T03:48:28.972Z", 0, 1795232908972},
        {"2026-11-21T03:48:28.972123456Z", 0, 1795232908972},
        {"2026-11-21t03:48:28.9729999z", 0, 1795232908972},
        {"2026-11-21 05:18:28.972+01:30", 0, 1795232908972},
        {"2026-11-20T19:48:28.972-08:00", 0, 1795232908972},
        {"2024-02-29T00:00:00Z", 0, 1709164800000},
        {"2016-12-31T23:59:60Z", 0, 1483228800000}, /* a leap second */
        {"1969-12-31T23:59:59.999Z", 0, -1},
        {"0001-01-01T00:00:00Z", 0, -62135596800000}, /* the engine's "never" */
        {"2023-02-29T00:00:00Z", -EINVAL, 0},
        {"1900-02-29T00:00:00Z", -EINVAL, 0},
        {"2026-13-01T00:00:00Z", -EINVAL, 0},
        {"2026-00-01T00:00:00Z", -EINVAL, 0},
        {"2026-01-32T00:00:00Z", -EINVAL, 0},
        {"2026-01-01T24:00:00Z", -EINVAL, 0},
        {"2026-01-01T00:60:00Z", -EINVAL, 0},
        {"2026-01-01T00:00:00", -EINVAL, 0},
        {"2026-01-01T00:00:00.Z", -EINVAL, 0},
        {"2026-01-01T00:00:00Zx", -EINVAL, 0},
        {"2026-01-01T00:00:00+0100", -EINVAL, 0},
        {"2026-01-01T00:00:00+24:00", -EINVAL, 0},
        {"2026-01-01", -EINVAL, 0},
        {"26-01-01T00:00:00Z", -EINVAL, 0},
        {"", -EINVAL, 0},
        {NULL, -EINVAL, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        int64_t ms = 77;
        assert_int_equal(clock_parse(cases[i].text, &ms), cases[i].code);
        assert_int_equal(ms, cases[i].code == 0 ? cases[i].ms : 77);
    }
}

static void formats(void **state)
{
    (void)state;
    char text[32];
    clock_format(1795232908972, text, sizeof(text));
    assert_string_equal(text, "2026-11-21T03:48:28.972Z");
    clock_format(-1, text, sizeof(text));
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    for (int64_t ms = -62135596800000; ms < 253402300799999; ms += 86399999 * INT64_C(977)) {
        int64_t again;
        clock_format(ms, text, sizeof(text));
        assert_int_equal(clock_parse(text, &again), 0);
        assert_int_equal(again, ms);
    }
    clock_format(INT64_MAX, text,
                 sizeof(text)); /* a year that no calendar has: nothing overflows */
    assert_true(strlen(text) < sizeof(text));
    clock_format(0, text, 0);
}

static void goes_on(void **state)
{
    (void)state;
    double before = clock_boottime_s();
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    double after = clock_boottime_s();
    assert_true(before > 0 && after - before >= 0.002);
    int64_t wall = clock_wall_ms();
    assert_true(wall / 1000 >= time(NULL) - 1 && wall / 1000 <= time(NULL) + 1);
}

static void put(const char *path, const char *text, size_t n)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    fclose(file);
}

static void boot_id(void **state)
{
    (void)state;
    static const char id[] = "5d3b1f0a-8f0e-4d8e-9f4a-0123456789ab";
    char text[40];
    clock_boot_id("/proc", text, sizeof(text));
    assert_int_equal(strlen(text), 36);

    char root[] = "/tmp/clock-XXXXXX", path[128];
    assert_non_null(mkdtemp(root));
    clock_boot_id(root, text, sizeof(text)); /* not there */
    assert_string_equal(text, "");
    static const char *const parts[] = {"/sys", "/sys/kernel", "/sys/kernel/random"};
    for (size_t i = 0; i < N(parts); i++) {
        snprintf(path, sizeof(path), "%s%s", root, parts[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", root);
    static const struct {
        const char *text;
        size_t n;
        const char *id;
    } cases[] = {
        {"5d3b1f0a-8f0e-4d8e-9f4a-0123456789ab\n", 37, id},
        {"5d3b1f0a-8f0e-4d8e-9f4a-0123456789a", 35, ""}, /* too short */
        {"5D3B1f0a-8f0e-4d8e-9f4a-0123456789a\n", 36, ""},
        {"5d3b1f0a-8f0e-4d8e-9f4a-0123456789a\0", 36, ""},
        {"", 0, ""},
    };
    for (size_t i = 0; i < N(cases); i++) {
        put(path, cases[i].text, cases[i].n);
        clock_boot_id(root, text, sizeof(text));
        assert_string_equal(text, cases[i].id);
    }
    put(path, id, 36);
    clock_boot_id(root, text, 36); /* no room for the end */
    assert_string_equal(text, "");
    assert_int_equal(unlink(path), 0);
    for (size_t i = N(parts); i > 0; i--) {
        snprintf(path, sizeof(path), "%s%s", root, parts[i - 1]);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(formats),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(boot_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
