/* Who runs `ollama serve`, from a procfs of files. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/served.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

#define ARGV(text) text, sizeof text

static const struct {
    const char *pid, *argv;
    size_t length;
    const char *cgroup;
} processes[] = {
    {"10", ARGV("/usr/bin/ollama\0serve"), "0::/system.slice/docker-" A ".scope\n"},
    {"11", ARGV("/bin/ollama\0list"), "0::/system.slice/docker-" D ".scope\n"},
    {"12", ARGV("ollama\0serve"), "2:memory:/docker/" B "\n1:cpu:/docker/" B "\n0::/\n"},
    {"13", ARGV("/usr/bin/qemu-x86_64\0/bin/ollama\0serve"),
     "0::/docker/" A "/docker/" C "\n"}, /* an engine in a container */
    {"14", ARGV("/bin/sh\0-c\0ollama serve"), "0::/docker/" D "\n"},
    {"15", ARGV("ollama\0serve"), "0::/user.slice/session-1.scope\n"}, /* on the host */
    {"self", ARGV("ollama\0serve"), "0::/docker/" D "\n"},
    {"16", "", 0, "0::/docker/" D "\n"}, /* the kernel's own, or a zombie */
};

static void write_file(const char *directory, const char *name, const char *data, size_t length)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    fclose(file);
}

static void those_that_serve(void **state)
{
    char root[] = "/tmp/served-XXXXXX", directory[200], command[100];
    struct cgroup_ids ids = {0};
    (void)state;
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof processes / sizeof processes[0]; i++) {
        snprintf(directory, sizeof directory, "%s/%s", root, processes[i].pid);
        assert_int_equal(mkdir(directory, 0700), 0);
        write_file(directory, "cmdline", processes[i].argv, processes[i].length);
        write_file(directory, "cgroup", processes[i].cgroup, strlen(processes[i].cgroup));
    }
    for (int round = 0; round < 2; round++) { /* what was read before is replaced */
        served_read(root, &ids);
        assert_int_equal(ids.n, 3);
        assert_true(cgroup_ids_have(&ids, A) && cgroup_ids_have(&ids, B) &&
                    cgroup_ids_have(&ids, C));
        assert_false(cgroup_ids_have(&ids, D));
    }
    served_read("/nowhere", &ids);
    assert_int_equal(ids.n, 0);
    assert_false(cgroup_ids_have(&ids, A));
    cgroup_ids_clear(&ids);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(those_that_serve)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
