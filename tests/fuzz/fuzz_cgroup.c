/* The texts of cgroup files. What comes of them is known and not negative, none, or unknown. */
#include "sense/cgroup_parse.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(fact value, bool may_be_none)
{
    if (value < 0 && value != FACT_UNKNOWN && !(may_be_none && value == FACT_NONE))
        abort();
}

static void check_average(double average)
{
    if (!(average >= 0) && average != -1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size); /* to the byte: reading past it is seen */
    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    struct text text = text_of(copy, size);

    for (int version = 1; version <= 2; version++) {
        struct cgroup_memory memory;
        cgroup_memory_init(&memory);
        cgroup_parse_stat(text, version, &memory);
        for (const fact *f = &memory.inode; f <= &memory.cpu_us; f++)
            check(*f, false);
    }
    check(cgroup_parse_number(text), false);
    check(cgroup_parse_limit(text), true);
    check(cgroup_parse_key(text, "oom_kill"), false);
    check(cgroup_parse_key(text, ""), false);
    struct psi psi;
    psi_parse(text, &psi);
    check(psi.some_total_us, false);
    check(psi.full_total_us, false);
    check_average(psi.some_avg10);
    check_average(psi.full_avg10);
    free(copy);
    return 0;
}
