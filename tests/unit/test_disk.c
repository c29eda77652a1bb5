/* Whose disk the models lie on: by the mounts of their server, and ours of the same file system. */
#include "sense/disk.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static fact free_in(const char *path)
{
    struct statvfs info;
    assert_int_equal(statvfs(path, &info), 0);
    return (fact)info.f_bavail * (fact)info.f_frsize;
}

/* Other programs write too. */
static void near(fact seen, const char *path)
{
    fact is = free_in(path), apart = seen > is ? seen - is : is - seen;
    if (seen < 0 || apart > (fact)1 << 28)
        fail_msg("%lld instead of %lld", (long long)seen, (long long)is);
}

/* The mounts of process 7, of which /mnt… are made in its root. */
static fact seen(struct tree *tree, const char *mounts, const char *models)
{
    fact available = 0;
    tree_put(tree, "7/mountinfo", mounts);
    int r = disk_free_of_models(tree_path(tree, ""), 7, models, &available);
    assert_int_equal(r, available == FACT_UNKNOWN ? -ENXIO : 0);
    return available;
}

/* Its root may be entered: only the right mount point is there. */
static void by_its_root(void **state)
{
    struct tree *tree = *state;
    static const char *const rest = "10 1 0:5 / / rw - overlay overlay rw\n"
                                    "11 10 0:6 / /root rw - tmpfs tmpfs rw\n"
                                    "12 10 8:1 /v /root/.ollama rw,relatime - ext4 /dev/sda1 rw\n"
                                    "13 10 8:2 /w /root/.ollamas rw - ext4 /dev/sdb1 rw\n"
                                    "14 10 8:3 /x /data rw - ext4 /dev/sdc1 rw\n"
                                    "torn";
    tree_make_directory(tree, "7/root/root/.ollama");
    near(seen(tree, rest, NULL), "/tmp");
    near(seen(tree, rest, "relative"), "/tmp");
    assert_int_equal(seen(tree, rest, "/data/models"), FACT_UNKNOWN);
    tree_make_directory(tree, "7/root/data");
    tree_remove(tree, "7/root/root/.ollama");
    near(seen(tree, rest, "/data/models"), "/tmp");
    near(seen(tree, rest, "/data"), "/tmp");
    assert_int_equal(seen(tree, rest, NULL), FACT_UNKNOWN);
    tree_make_directory(tree, "7/root/home/o/.ollama"); /* whose home is elsewhere */
    near(seen(tree,
              "10 1 0:5 / / rw - overlay overlay rw\n"
              "12 10 8:1 /v /home/o/.ollama rw - ext4 /dev/sda1 rw\n",
              NULL),
         "/tmp");
}

/* It may not: the same file system is asked where we have it. */
static void by_our_mounts(void **state)
{
    struct tree *tree = *state;
    char mounts[256];
    struct stat info;
    assert_int_equal(stat("/proc", &info), 0);
    snprintf(mounts, sizeof mounts, "12 10 %u:%u / /root/.ollama rw - ext4 x rw\n",
             major(info.st_dev), minor(info.st_dev));
    assert_int_equal(seen(tree, mounts, NULL), free_in("/proc"));
    assert_int_equal(seen(tree, "12 10 8:250 / /root/.ollama rw - ext4 x rw\n", NULL),
                     FACT_UNKNOWN);
}

static void nothing(void **state)
{
    struct tree *tree = *state;
    static const char *const bad[] = {"", "x\n", "12 10 8:1 /\n", "12\n", "-1 10 8:1 / /root rw\n"};
    fact available;
    assert_int_equal(disk_free_of_models(tree_path(tree, ""), 7, NULL, &available), -ENOENT);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(seen(tree, bad[i], NULL), FACT_UNKNOWN);
}

static fact looked(struct disk_look *look)
{
    fact available = FACT_UNKNOWN;
    int r;
    for (int i = 0; (r = disk_look_result(look, &available)) == -EAGAIN && i < 3000; i++)
        usleep(10000);
    assert_int_equal(r, 0);
    disk_look_end(look);
    return available;
}

/* A file system of which nobody answers, on that directory, for this process and its children.
 * Returns its descriptor, with which it ends. */
static int hang(const char *directory)
{
    char options[96];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (fd >= 0 && unshare(CLONE_NEWNS) == 0 &&
        mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("hangs", directory, "fuse", 0, options) == 0)
        return fd;
    print_message("skipped: no file system can be made to hang here (%s)\n", strerror(errno));
    skip();
    return -1;
}

/* Who looks does not hang with it, and what did makes room for the next look, of any disk. */
static void a_disk_that_hangs(void **state)
{
    struct tree *tree = *state;
    struct disk_look *look;
    fact available;
    tree_put(tree, "8/mountinfo", "12 10 8:1 /v /root/.ollama rw - ext4 /dev/sda1 rw\n");
    tree_make_directory(tree, "8/root/root/.ollama");
    tree_put(tree, "7/mountinfo", "12 10 8:1 /v /root/.ollama rw - ext4 /dev/sda1 rw\n");
    tree_make_directory(tree, "7/root/root/.ollama");
    int fd = hang(tree_path(tree, "7/root/root/.ollama"));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(disk_look_begin(tree_path(tree, ""), 7, NULL, &look), 0);
        usleep(20000);
        assert_int_equal(disk_look_result(look, &available), -EAGAIN);
        disk_look_end(look);
    }
    assert_int_equal(disk_look_begin(tree_path(tree, ""), 8, NULL, &look), 0);
    near(looked(look), "/tmp");
    umount2(tree_path(tree, "7/root/root/.ollama"), MNT_DETACH);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_its_root, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(by_our_mounts, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(nothing, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_disk_that_hangs, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
