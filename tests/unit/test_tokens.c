/* The tokens of [http] (tell/serve/tokens.h). */
#include "tell/serve/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings of(const char *token, const char *read_token)
{
    struct settings s = {0};
    snprintf(s.http_token, sizeof s.http_token, "%s", token);
    snprintf(s.http_read_token, sizeof s.http_read_token, "%s", read_token);
    return s;
}

static void test_names_and_secrets(void **state)
{
    (void)state;
    struct settings s = of("me:0123456789abcdef, 0123456789abcdeg", ":0123456789abcdeh");
    struct tokens t;
    struct error err;
    assert_int_equal(tokens_read(&s, &t, &err), 0);
    assert_int_equal(t.n, 3);
    assert_string_equal(t.list[0].name, "me");
    assert_string_equal(t.list[0].secret, "0123456789abcdef");
    assert_true(t.list[0].admin);
    assert_string_equal(t.list[1].name, "http.token 2");
    assert_string_equal(t.list[2].name, "http.read_token 1");
    assert_string_equal(t.list[2].secret, "0123456789abcdeh");
    assert_false(t.list[2].admin);
}

static void test_none(void **state)
{
    (void)state;
    struct settings s = of("", " , ");
    struct tokens t = {.n = 7};
    assert_int_equal(tokens_read(&s, &t, NULL), 0);
    assert_int_equal(t.n, 0);
}

static void test_refused(void **state)
{
    (void)state;
    char long_secret[160] = "";
    memset(long_secret, 'x', 136);
    const struct {
        const char *token, *says;
    } all[] = {
        {"0123456789abcde", "token 1 has 15 characters"},
        {"0123456789abcdef,me:", "token 2 has 0 characters"},
        {"a-name-of-more-than-thirty-one-letters:0123456789abcdef", "the name of token 1"},
        {long_secret, "token 1 has 136 characters"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct settings s = of(all[i].token, "");
        struct tokens t = {.n = 7};
        struct error err = {0};
        assert_int_equal(tokens_read(&s, &t, &err), -EINVAL);
        assert_non_null(strstr(err.message, all[i].says));
        assert_null(strstr(err.message, "0123456789abcde"));
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_int_equal(t.n, 7); /* as it was */
    }
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_file(void **state)
{
    (void)state;
    char path[] = "/tmp/tokens-XXXXXX";
    struct settings s = of("0123456789abcdef", "");
    struct tokens t;
    struct error err;
    close(mkstemp(path));
    snprintf(s.http_read_token_file, sizeof s.http_read_token_file, "%s", path);
    write_file(path, "# a comment\r\n\n  a:0123456789abcdeg  \r\n0123456789,abcdeh", 0600);
    assert_int_equal(tokens_read(&s, &t, &err), 0);
    assert_int_equal(t.n, 3);
    assert_string_equal(t.list[1].name, "a");
    assert_string_equal(t.list[1].secret, "0123456789abcdeg");
    assert_string_equal(t.list[2].secret, "0123456789,abcdeh");
    assert_string_equal(t.list[2].name, "http.read_token 2");
    assert_false(t.list[2].admin);

    write_file(path, "0123456789abcdeg\n", 0640);
    assert_int_equal(tokens_read(&s, &t, &err), -EPERM);
    assert_non_null(strstr(err.message, "http.read_token: /tmp/tokens-"));
    unlink(path);
    assert_int_equal(tokens_read(&s, &t, &err), -ENOENT);
    snprintf(s.http_read_token_file, sizeof s.http_read_token_file, "/tmp");
    assert_int_equal(tokens_read(&s, &t, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_secrets),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
