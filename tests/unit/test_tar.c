/* Archives: read back by the system's tar. */
#include "base/tar.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char directory[32];
    struct buffer archive;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->directory, sizeof p->directory, "/tmp/tar-XXXXXX");
    if (!mkdtemp(p->directory))
        return -1;
    buffer_init(&p->archive, 64 * 1024 * 1024);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", p->directory);
    int result = system(command);
    buffer_clear(&p->archive);
    free(p);
    return result;
}

static void write_file(const struct place *p, const char *name, const void *bytes, size_t length)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", p->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* What tar says to the archive with these words, the first so many bytes. */
static const char *tar(const struct place *p, const char *words, char *text, size_t size)
{
    char command[512];
    write_file(p, "archive.tar", p->archive.data, p->archive.length);
    snprintf(command, sizeof command, "cd %s && tar %s 2>&1", p->directory, words);
    FILE *said = popen(command, "r");
    assert_non_null(said);
    size_t length = fread(text, 1, size - 1, said);
    text[length] = '\0';
    assert_int_equal(pclose(said), 0);
    return text;
}

static void files_come_back(void **state)
{
    struct place *p = *state;
    static char large[200001];
    char from[64], text[2048];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7);
    write_file(p, "large", large, sizeof large);
    snprintf(from, sizeof from, "%s/large", p->directory);
    assert_int_equal(tar_directory(&p->archive, "lib", 0755), 0);
    assert_int_equal(tar_directory(&p->archive, "/lib/x/", 0755), 0);
    assert_int_equal(tar_file(&p->archive, "/lib/x/large", 0755, from), 0);
    assert_int_equal(tar_bytes(&p->archive, "etc/empty", 0600, "", 0), 0);
    assert_int_equal(tar_bytes(&p->archive, "block", 0644, large, 512), 0);
    assert_int_equal(tar_end(&p->archive), 0);
    assert_int_equal(p->archive.length % 512, 0);
    assert_string_equal(tar(p, "--numeric-owner --utc -tvf archive.tar", text, sizeof text),
                        "drwxr-xr-x 0/0               0 1970-01-01 00:00 lib/\n"
                        "drwxr-xr-x 0/0               0 1970-01-01 00:00 lib/x/\n"
                        "-rwxr-xr-x 0/0          200001 1970-01-01 00:00 lib/x/large\n"
                        "-rw------- 0/0               0 1970-01-01 00:00 etc/empty\n"
                        "-rw-r--r-- 0/0             512 1970-01-01 00:00 block\n");
    assert_string_equal(tar(p,
                            "-xf archive.tar && cmp large lib/x/large && head -c 512 large | cmp - "
                            "block && echo ok",
                            text, sizeof text),
                        "ok\n");
}

static void long_paths(void **state)
{
    struct place *p = *state;
    char path[400], text[2048], all[2048] = "";
    /* 100 fit the name; more are cut at a slash; what has none, or is longer, does not fit. */
    for (size_t length = 98; length <= 256; length++) {
        memset(path, 'a', length);
        path[length] = '\0';
        for (size_t i = 50; i < length - 1; i += 50)
            path[i] = '/';
        int result = tar_bytes(&p->archive, path, 0644, "x", 1);
        if (length > 251) /* the last slash but one stands at 150, the rest is longer than 100 */
            assert_int_equal(result, -ENAMETOOLONG);
        else
            assert_int_equal(result, 0);
        if (result == 0 && (length == 100 || length == 101 || length == 251)) {
            size_t used = strlen(all);
            snprintf(all + used, sizeof all - used, "%s\n", path);
        }
    }
    tar_end(&p->archive);
    tar(p, "-tf archive.tar | awk 'length == 100 || length == 101 || length == 251'", text,
        sizeof text);
    assert_string_equal(text, all);
    memset(path, 'a', 101);
    path[101] = '\0';
    assert_int_equal(tar_bytes(&p->archive, path, 0644, "x", 1), -ENAMETOOLONG);
    assert_int_equal(tar_bytes(&p->archive, "", 0644, "x", 1), -EINVAL);
    assert_int_equal(tar_bytes(&p->archive, "/", 0644, "x", 1), -EINVAL);
    memset(path, 'a', 399);
    path[399] = '\0';
    assert_int_equal(tar_directory(&p->archive, path, 0755), -ENAMETOOLONG);
}

static void what_cannot_be_taken(void **state)
{
    struct place *p = *state;
    char from[64];
    assert_int_equal(tar_file(&p->archive, "x", 0644, "/nowhere/at/all"), -ENOENT);
    assert_int_equal(tar_file(&p->archive, "x", 0644, "/tmp"), -EINVAL);
    assert_int_equal(tar_file(&p->archive, "x", 0644, "/dev/null"), -EINVAL);
    assert_int_equal(tar_file(&p->archive, "x", 0644, "/proc/self/status"),
                     -EIO); /* 0 bytes long */
    snprintf(from, sizeof from, "%s/pipe", p->directory);
    assert_int_equal(mkfifo(from, 0600), 0);
    assert_int_equal(tar_file(&p->archive, "x", 0644, from), -EINVAL);
    struct buffer small;
    buffer_init(&small, 1500);
    assert_int_equal(tar_bytes(&small, "x", 0644, "0123", 4), 0);
    assert_int_equal(tar_bytes(&small, "y", 0644, "0123", 4), -EMSGSIZE);
    buffer_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_taken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
