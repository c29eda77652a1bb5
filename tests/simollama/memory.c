#include "memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* At the head of each leak: the one before. */
struct leaked {
    struct leaked *before;
    uint64_t bytes;
};

static struct leaked *last;
static uint64_t leaked_bytes;

static size_t whole_pages(uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return ((size_t)bytes + page - 1) / page * page;
}

char *memory_map(uint64_t bytes)
{
    void *memory = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void memory_touch(char *memory, uint64_t from, uint64_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t end = whole_pages(to);
    for (size_t at = whole_pages(from); at < end; at += page)
        for (size_t i = 0; i < page; i += 512) /* no page may pass as filled with one value */
            *(volatile uint64_t *)(memory + at + i) = (at + i) * 0x9e3779b97f4a7c15u | 1;
}

int memory_leak(uint64_t bytes)
{
    if (!bytes)
        return 0;
    char *memory = memory_map(bytes);
    if (!memory)
        return -errno;
    memory_touch(memory, 0, bytes);
    struct leaked *leak = (void *)memory; /* of whole pages */
    *leak = (struct leaked){.before = last, .bytes = bytes};
    last = leak;
    leaked_bytes += bytes;
    return 0;
}

void memory_unleak(void)
{
    while (last) {
        struct leaked *before = last->before;
        memory_unmap((char *)last, last->bytes);
        last = before;
    }
    leaked_bytes = 0;
}

uint64_t memory_leaked(void)
{
    return leaked_bytes;
}

void memory_unmap(char *memory, uint64_t bytes)
{
    if (memory)
        munmap(memory, whole_pages(bytes));
}
