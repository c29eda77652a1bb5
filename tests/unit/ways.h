/* A running container with one server, in a tree of /proc, and the ways to it: a fixture. */
#ifndef TESTS_UNIT_WAYS_H
#define TESTS_UNIT_WAYS_H

#include "sense/private.h"
#include "tree.h"

/* The process that is its server, and its rows of net/tcp. */
enum { MAIN = 100 };
#define LISTENS(port, waiting)                                                                     \
    "   0: 00000000:" port " 00000000:0000 0A 00000000:0000000" waiting " 00:00000000 00000000 "   \
    "    0        0 7 1 0000000000000000 100 0 0 10 0\n"
#define OTHERS(port)                                                                               \
    "   0: 0100007F:" port " 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0    0 9 1 "  \
    "0000000000000000 100 0 0 10 0\n"
#define BROKEN(port) "   0: 00000000:" port " 00000000:0000 0A 00000000:00000000\n"
#define P11434       "2CAA"
#define P8080        "1F90"
#define TRIE         "     |-- 127.0.0.2\n     |-- 10.0.0.2\n        /32 host LOCAL\n"

struct ways {
    struct tree *tree;
    uv_loop_t loop;
    struct sense sense;
    struct watch w, *list;
};

/* What net/tcp says. */
void ways_put_rows(struct ways *f, const char *rows);
/* f->tree given. The engine names 127.0.0.1, its namespace 10.0.0.2 too. */
void ways_begin(struct ways *f, const char *rows);
void ways_end(struct ways *f);
/* What is settled when the way that is asked now answers so; met: by a connection that its server
 * has too. */
bool ways_settle(struct ways *f, struct ollama *ret_answer, bool reachable, bool met);
bool ways_goes_to(const struct ways *f, const char *address);

#endif
