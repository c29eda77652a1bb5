/* The lines as they arrive on standard error. */
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static char line[8192];
static int read_end, kept_stderr;

static void begin(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    kept_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    read_end = ends[0];
}

/* What was written since begin(), behind "time=… " where it begins with that. */
static const char *end(void)
{
    assert_true(dup2(kept_stderr, STDERR_FILENO) >= 0);
    close(kept_stderr);
    ssize_t n = read(read_end, line, sizeof(line) - 1);
    close(read_end);
    assert_true(n >= 0);
    line[n] = '\0';
    if (strncmp(line, "time=", 5) != 0)
        return line;
    int64_t ms;
    char time[32];
    const char *space = strchr(line, ' ');
    snprintf(time, sizeof(time), "%.*s", (int)(space - line - 5), line + 5);
    assert_int_equal(clock_parse(time, &ms), 0);
    return space + 1;
}

static void logfmt(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    begin();
    log_line(LOG_LEVEL_WARNING, "leak found", LS("container", "ollama"), LS("none", NULL),
             LN("held", 2157969408), LN("limit", FACT_NONE), LN("peak", FACT_UNKNOWN),
             LR("psi", 0.25), LR("nan", NAN));
    assert_string_equal(end(), "level=warning msg=\"leak found\" container=ollama held=2157969408 "
                               "limit=none psi=0.25\n");
    begin();
    log_line(LOG_LEVEL_CRITICAL, "alone");
    assert_string_equal(end(), "level=critical msg=alone\n");
}

static void quoting(void **state)
{
    (void)state;
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"plain-1:2/3", "plain-1:2/3"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"no\"", "\"say \\\"no\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"x\nlevel=critical msg=forged", "\"x\\nlevel=critical msg=forged\""},
        {"\r\t\x01\x1b[31m\x7f", "\"\\r\\t\\u0001\\u001b[31m\\u007f\""},
        {"\xc2\x9b"
         "31m",
         "\"\\u009b31m\""}, /* a terminal's CSI in one character */
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
        {"\xf0\x9f\xa6\x99", "\"\xf0\x9f\xa6\x99\""},
        {"\xff"
         "a\xc3",
         "\"\\ufffda\\ufffd\""},                       /* no UTF-8, and a cut character */
        {"\xc0\x8a", "\"\\ufffd\\ufffd\""},            /* a line feed in a forbidden form */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half of a surrogate pair */
    };
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (size_t i = 0; i < N(cases); i++) {
        char wanted[256];
        snprintf(wanted, sizeof(wanted), "level=info msg=m v=%s\n", cases[i].shown);
        begin();
        log_line(LOG_LEVEL_INFO, "m", LS("v", cases[i].value));
        assert_string_equal(end(), wanted);
    }
}

static void json(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    begin();
    log_line(LOG_LEVEL_ERROR, "a \"b\"",
             LS("text", "x\n\x1b\xff"
                        "\xc3\xbc"),
             LN("n", 5), LN("limit", FACT_NONE), LN("unknown", FACT_UNKNOWN), LR("real", 0.125));
    const char *text = end();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    assert_non_null(strchr(text, '\n'));
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(object, "msg")), "a \"b\"");
    assert_string_equal(json_string_value(json_object_get(object, "text")),
                        "x\n\x1b\xef\xbf\xbd\xc3\xbc");
    assert_int_equal(json_integer_value(json_object_get(object, "n")), 5);
    assert_true(json_is_null(json_object_get(object, "limit")));
    assert_null(json_object_get(object, "unknown"));
    assert_true(fabs(json_real_value(json_object_get(object, "real")) - 0.125) < 1e-12);
    json_decref(object);
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(log_configure_named("error", "logfmt"), 0);
    begin();
    log_line(LOG_LEVEL_WARNING, "quiet");
    log_line(LOG_LEVEL_ERROR, "loud");
    assert_string_equal(end(), "level=error msg=loud\n");
    assert_int_equal(log_configure_named("loud", "logfmt"), -EINVAL);
    assert_int_equal(log_configure_named("debug", "xml"), -EINVAL);
    begin();
    log_line(LOG_LEVEL_WARNING, "still quiet");
    assert_string_equal(end(), "");
    assert_int_equal(log_configure_named("debug", "json"), 0);
    begin();
    log_line(LOG_LEVEL_DEBUG, "x");
    assert_non_null(strstr(end(), "\"level\":\"debug\""));
}

/* What is too long is cut, or left out and counted; the line stays one, whole and readable. */
static void caps(void **state)
{
    (void)state;
    static char large[5000];
    memset(large, 'x', sizeof(large) - 1);
    memcpy(large + 1023, "\xc3\xbc", 2); /* a character over the cut */
    for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
        log_configure(LOG_LEVEL_INFO, (enum log_format)format);
        begin();
        log_line(LOG_LEVEL_INFO, "m", LS("a", large), LS("b", large), LS("c", large),
                 LS("d", large), LN("n", 5), LS("e", large));
        const char *text = end();
        assert_true(strlen(text) <= 4096);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        if (format == LOG_FORMAT_LOGFMT) {
            assert_non_null(strstr(text, "x...\" b="));
            assert_non_null(strstr(text, " n=5 dropped=2\n"));
            continue;
        }
        json_t *object = json_loads(text, 0, NULL);
        assert_non_null(object);
        const char *a = json_string_value(json_object_get(object, "a"));
        assert_int_equal(strlen(a), 1023 + 3);
        assert_string_equal(a + 1020, "xxx...");
        assert_null(json_object_get(object, "d"));
        assert_int_equal(json_integer_value(json_object_get(object, "dropped")), 2);
        json_decref(object);
    }
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
}

/* Nobody reads, and the pipe is full: the line is lost, nothing hangs. */
static void full_pipe(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    char msg[64];
    begin();
    for (int i = 0; i < 5000; i++) { /* no two alike: those would be counted */
        snprintf(msg, sizeof msg, "filling the pipe with lines that nobody reads: %d", i);
        log_line(LOG_LEVEL_INFO, msg);
    }
    assert_memory_equal(end(), "level=info", 10);
}

/* A line that repeats is counted; others are written meanwhile, and the count at the end. */
static void repetition(void **state)
{
    (void)state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    begin();
    log_repeated(true); /* of the tests before */
    end();
    begin();
    for (int i = 0; i < 1000; i++)
        log_line(LOG_LEVEL_ERROR, "engine lost", LS("why", "a reason"));
    size_t lines = 0;
    for (const char *at = end(); (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 16);
    begin();
    log_line(LOG_LEVEL_ERROR, "engine lost", LS("container", "another"));
    assert_string_equal(end(), "level=error msg=\"engine lost\" container=another\n");
    begin();
    log_repeated(true);
    assert_string_equal(end(), "level=info msg=\"engine lost\" repeated=984\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),     cmocka_unit_test(quoting), cmocka_unit_test(json),
        cmocka_unit_test(levels),     cmocka_unit_test(caps),    cmocka_unit_test(full_pipe),
        cmocka_unit_test(repetition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
