/* Sizes, durations, percentages, nearest words, errors. */
#include "base/error.h"
#include "base/size.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define KIB  INT64_C(1024)
#define GIB  (KIB * KIB * KIB)

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        fact bytes;
    } cases[] = {
        {"0", 0, 0},
        {"1048576", 0, KIB * KIB},
        {"512b", 0, 512},
        {"64k", 0, 64 * KIB},
        {"512M", 0, 512 * KIB * KIB},
        {"28g", 0, 28 * GIB},
        {"28GB", 0, 28 * GIB},
        {"28 GiB", 0, 28 * GIB},
        {"1.5GiB", 0, GIB * 3 / 2},
        {"0.1k", 0, 102},
        {" 2t", 0, INT64_C(1) << 41},
        {"2t ", -EINVAL, 0},
        {"8192t", 0, INT64_C(1) << 53},
        {"8192.1t", -ERANGE, 0},
        {"8193t", -ERANGE, 0},
        {"9007199254740993", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0},
        {"28x", -EINVAL, 0},
        {"28gg", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"1.", -EINVAL, 0},
        {".5g", -EINVAL, 0},
        {"-1g", -EINVAL, 0},
        {"+1g", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1e9", -EINVAL, 0},
        {"inf", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"g", -EINVAL, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct error err = {0};
        fact bytes = 77;
        int code = size_parse(cases[i].text, &bytes, &err);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(bytes, code == 0 ? cases[i].bytes : 77);
        if (code < 0) { /* names the value; fails without an error object too */
            assert_int_equal(err.failure, FAILURE_USAGE);
            assert_int_equal(err.code, code);
            assert_non_null(strstr(err.message, cases[i].text));
            assert_int_equal(size_parse(cases[i].text, &bytes, NULL), code);
        }
    }
    struct error err;
    fact bytes;
    size_parse("28x", &bytes, &err);
    assert_string_equal(err.message, "\"28x\" has no unit I know: use k, m, g or t");
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        double seconds;
    } cases[] = {
        {"60", 0, 60},
        {"60s", 0, 60},
        {"500ms", 0, 0.5},
        {"5m", 0, 300},
        {"1.5h", 0, 5400},
        {"1d", 0, 86400},
        {"1h 04m", 0, 3840},
        {"12m30s", 0, 750},
        {"2m 500ms", 0, 120.5},
        {"0", 0, 0},
        {"5 m", 0, 300},
        {"", -EINVAL, 0},
        {"5x", -EINVAL, 0},
        {"5M", -EINVAL, 0},
        {"30m1h", -EINVAL, 0},
        {"1h1h", -EINVAL, 0},
        {"1h30", -EINVAL, 0},
        {"-5", -EINVAL, 0},
        {"5 5", -EINVAL, 0},
        {"nan", -EINVAL, 0},
        {"1000000001", -ERANGE, 0},
        {"20000d", -ERANGE, 0},
        {"5min", -EINVAL, 0},
        {"s", -EINVAL, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        double seconds = 77;
        struct error err = {0};
        assert_int_equal(duration_parse(cases[i].text, &seconds, &err), cases[i].code);
        assert_true(fabs(seconds - (cases[i].code == 0 ? cases[i].seconds : 77)) < 1e-9);
        if (cases[i].code < 0)
            assert_non_null(strstr(err.message, cases[i].text));
    }
}

static void percentages(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        double percent;
    } cases[] = {
        {"5", 0, 5},          {"5%", 0, 5},
        {"0.25 %", 0, 0.25},  {"100%", 0, 100},
        {"", -EINVAL, 0},     {"%", -EINVAL, 0},
        {"5%%", -EINVAL, 0},  {"-5", -EINVAL, 0},
        {"five", -EINVAL, 0}, {"1000001", -ERANGE, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        double percent = 77;
        assert_int_equal(percent_parse(cases[i].text, &percent, NULL), cases[i].code);
        assert_true(fabs(percent - (cases[i].code == 0 ? cases[i].percent : 77)) < 1e-9);
    }
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        fact bytes;
        const char *text;
    } sizes_shown[] = {
        {FACT_NONE, "-"},
        {FACT_UNKNOWN, "?"},
        {-5, "?"},
        {0, "0 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {8 * KIB * KIB, "8.0 MiB"},
        {GIB - 1, "1.0 GiB"},
        {27057868800, "25.2 GiB"},
        {INT64_MAX, "8.0 EiB"},
    };
    static const struct {
        double seconds;
        const char *text;
    } durations_shown[] = {
        {0, "0 ms"},       {0.02, "20 ms"},     {0.0996, "0.1 s"},  {4.2, "4.2 s"},
        {59.94, "59.9 s"}, {59.96, "1m 00s"},   {750, "12m 30s"},   {3599.6, "1h 00m"},
        {3840, "1h 04m"},  {86399.6, "1d 00h"}, {273600, "3d 04h"}, {-1, "?"},
        {0.0 / 0.0, "?"},
    };
    char text[16];
    for (size_t i = 0; i < N(sizes_shown); i++)
        assert_string_equal(size_format(sizes_shown[i].bytes, text, sizeof(text)),
                            sizes_shown[i].text);
    for (size_t i = 0; i < N(durations_shown); i++)
        assert_string_equal(duration_format(durations_shown[i].seconds, text, sizeof(text)),
                            durations_shown[i].text);
}

/* What is shown can be typed in again. */
static void shown_is_read(void **state)
{
    (void)state;
    for (fact bytes = 1; bytes < INT64_C(1) << 49; bytes = bytes * 3 + 1) {
        char text[16];
        fact again;
        assert_int_equal(size_parse(size_format(bytes, text, sizeof(text)), &again, NULL), 0);
        fact off = again > bytes ? again - bytes : bytes - again;
        assert_true(off <= bytes / 19); /* one decimal: 0.05 of at least 1.0 */
    }
}

static void nearest_words(void **state)
{
    (void)state;
    static const char *const known[] = {"status", "fix-ollama", "run", "record",
                                        "replay", "release",    NULL,  ""};
    static const struct {
        const char *word, *meant;
    } cases[] = {
        {"status", "status"},
        {"statsu", "status"},
        {"STATUS", "status"},
        {"stat", "status"},
        {"fix", "fix-ollama"},
        {"fixollama", "fix-ollama"},
        {"rn", "run"},
        {"runn", "run"},
        {"recrod", "record"},
        {"x", NULL},
        {"", NULL},
        {"restart", NULL},
        {"re", NULL},
        {"rel", "release"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        const char *meant = nearest(cases[i].word, known, N(known));
        if (cases[i].meant)
            assert_string_equal(meant, cases[i].meant);
        else
            assert_null(meant);
    }
    char long_word[200];
    memset(long_word, 'a', sizeof(long_word));
    long_word[sizeof(long_word) - 1] = '\0';
    const char *const long_known[] = {long_word};
    assert_null(nearest(long_word, long_known, 1));
}

static void counts(void **state)
{
    static const struct {
        const char *text;
        int code;
        fact count;
        const char *exact;
    } cases[] = {
        {"3", 0, 3, "3"},
        {"0", 0, 0, "0"},
        {"31.1B", 0, INT64_C(31100000000), "31100M"},
        {"494.03M", 0, 494030000, "494030K"},
        {"137K", 0, 137000, "137K"},
        {"3b", 0, INT64_C(3000000000), "3B"},
        {" 1 T ", -EINVAL, 0, NULL},
        {"1.5", -EINVAL, 0, NULL},
        {"3g", -EINVAL, 0, NULL},
        {"3BB", -EINVAL, 0, NULL},
        {"", -EINVAL, 0, NULL},
        {"-3", -EINVAL, 0, NULL},
        {"many", -EINVAL, 0, NULL},
        {"9008T", -ERANGE, 0, NULL},
        {"99999999999999999999", -ERANGE, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fact count = 17;
        char text[24];
        struct error err = {0};
        assert_int_equal(count_parse(cases[i].text, &count, &err), cases[i].code);
        assert_int_equal(count, cases[i].code ? 17 : cases[i].count);
        if (!cases[i].code)
            assert_string_equal(count_exact(count, text, sizeof text), cases[i].exact);
        else
            assert_true(err.message[0] != '\0');
    }
}

static void errors(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, FAILURE_UNREACHABLE, -ENOENT, "%s is\nnot there", "socket"),
                     -ENOENT);
    assert_string_equal(err.message, "socket is?not there");
    assert_int_equal(err.failure, FAILURE_UNREACHABLE);
    assert_int_equal(error_wrap(&err, "engine %d", 1), -ENOENT);
    assert_string_equal(err.message, "engine 1: socket is?not there");
    /* its own message as an argument */
    error_set(&err, FAILURE_JOB, -EIO, "again: %s", err.message);
    assert_string_equal(err.message, "again: engine 1: socket is?not there");
    assert_int_equal(error_set(NULL, FAILURE_JOB, -EIO, "x"), -EIO);
    assert_int_equal(error_wrap(NULL, "x"), -EIO);
    assert_int_equal(error_set(&err, FAILURE_JOB, 0, "never a success"), -EIO);

    /* a long one is cut before a character, not within */
    char text[sizeof(err.message) + 10];
    memset(text, 'a', sizeof(text));
    memcpy(text + sizeof(err.message) - 2, "\xC3\xA9",
           2); /* its first byte is the last with room */
    text[sizeof(text) - 1] = '\0';
    error_set(&err, FAILURE_JOB, -EIO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 2);
    assert_int_equal(err.message[sizeof(err.message) - 3], 'a');
    error_wrap(&err, "context");
    assert_memory_equal(err.message, "context: a", 10);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),   cmocka_unit_test(durations),     cmocka_unit_test(percentages),
        cmocka_unit_test(formats), cmocka_unit_test(shown_is_read), cmocka_unit_test(nearest_words),
        cmocka_unit_test(errors),  cmocka_unit_test(counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
