/* Memory that is really there: mapped, written page by page, never on a free list. */
#ifndef SIMOLLAMA_MEMORY_H
#define SIMOLLAMA_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* A mapping of bytes (rounded up to pages) that is not touched yet; NULL and errno on failure. */
char *memory_map(uint64_t bytes);
/* Writes into every page of memory[from, to): each page then differs from zero and from others. */
void memory_touch(char *memory, uint64_t from, uint64_t to);
/* Maps and touches bytes that are given back by memory_unleak alone. 0 or -errno. */
int memory_leak(uint64_t bytes);
void memory_unleak(void);
/* What was leaked so far. */
uint64_t memory_leaked(void);
void memory_unmap(char *memory, uint64_t bytes);

#endif
