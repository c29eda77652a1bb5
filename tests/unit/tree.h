/* A directory of its own for a test, in which fixture trees of procfs and cgroupfs are made. */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <stddef.h>

struct tree {
    char root[64];
};

/* cmocka's set-up and tear-down; *state is the struct tree. */
int tree_make(void **state);
int tree_drop(void **state);

/* ROOT/PATH in one of four buffers that take turns. */
const char *tree_path(const struct tree *tree, const char *path);
/* Writes the file, with the directories above it. Fails the test if that cannot be done. */
void tree_put(const struct tree *tree, const char *path, const char *text);
void tree_put_bytes(const struct tree *tree, const char *path, const void *bytes, size_t length);
void tree_make_directory(const struct tree *tree, const char *path);
/* Copies a tree of files: from a directory, below ROOT/PATH. */
void tree_copy(const struct tree *tree, const char *from, const char *path);
/* Removes ROOT/PATH with all that is in it. */
void tree_remove(const struct tree *tree, const char *path);

#endif
