#include "tree.h"
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tree_make(void **state)
{
    struct tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL)
        return -1;
    snprintf(tree->root, sizeof tree->root, "/tmp/supervisor-tree-XXXXXX");
    if (mkdtemp(tree->root) == NULL || chmod(tree->root, 0755) < 0) {
        free(tree);
        return -1;
    }
    *state = tree;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

int tree_drop(void **state)
{
    struct tree *tree = *state;
    int r = nftw(tree->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(tree);
    return r;
}

const char *tree_path(const struct tree *tree, const char *path)
{
    static char buffers[4][PATH_MAX];
    static unsigned turn;
    char *buffer = buffers[turn++ % 4];

    snprintf(buffer, PATH_MAX, "%s/%s", tree->root, path);
    return buffer;
}

void tree_make_directory(const struct tree *tree, const char *path)
{
    char whole[PATH_MAX];

    snprintf(whole, sizeof whole, "%s/%s", tree->root, path);
    for (char *slash = whole + strlen(tree->root) + 1; (slash = strchr(slash, '/')) != NULL;) {
        *slash = '\0';
        if (mkdir(whole, 0755) < 0)
            assert_int_equal(errno, EEXIST);
        *slash++ = '/';
    }
    if (mkdir(whole, 0755) < 0)
        assert_int_equal(errno, EEXIST);
}

void tree_put_bytes(const struct tree *tree, const char *path, const void *bytes, size_t length)
{
    char above[PATH_MAX];

    snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash != NULL) {
        *slash = '\0';
        tree_make_directory(tree, above);
    }
    FILE *file = fopen(tree_path(tree, path), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void tree_put(const struct tree *tree, const char *path, const char *text)
{
    tree_put_bytes(tree, path, text, strlen(text));
}

void tree_remove(const struct tree *tree, const char *path)
{
    assert_int_equal(nftw(tree_path(tree, path), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static const struct tree *copy_to;
static const char *copy_from, *copy_below;

static int copy_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    char to[PATH_MAX], bytes[65536];

    (void)place;
    snprintf(to, sizeof to, "%s%s", copy_below, path + strlen(copy_from));
    if (kind == FTW_D) {
        tree_make_directory(copy_to, to);
        return 0;
    }
    assert_true(st->st_size < (off_t)sizeof bytes);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    tree_put_bytes(copy_to, to, bytes, n);
    return 0;
}

void tree_copy(const struct tree *tree, const char *from, const char *path)
{
    copy_to = tree;
    copy_from = from;
    copy_below = path;
    assert_int_equal(nftw(from, copy_one, 16, FTW_PHYS), 0);
}
