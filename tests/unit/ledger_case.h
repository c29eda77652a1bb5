/* A ledger of one container, and its parts. */
#ifndef TESTS_UNIT_LEDGER_CASE_H
#define TESTS_UNIT_LEDGER_CASE_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/ledger.h"

#define MIB ((fact)1 << 20)
#define GIB ((fact)1 << 30)

extern struct ledger ledger; /* the last one */
extern size_t ledger_gpus;   /* that are seen by the next one */

fact sum_held(void);
/* The part of that kind, the n-th; fails where there is none. */
const struct ledger_part *part(enum ledger_kind kind, size_t n);
bool has(enum ledger_kind kind);
/* A server of 20 MiB with one llama-server of `runner` bytes for one model of 5.5 GiB. */
struct container *server(struct world *world, fact runner);
/* Its ledger, which must add up. */
void take(struct container *container);
/* Calls check for every line of the recordings of real servers, with a world for it to read into;
 * the sum of what it returns. */
typedef size_t ledger_line(const char *line, size_t n, struct world *world);
size_t ledger_recorded(ledger_line *check);

#endif
