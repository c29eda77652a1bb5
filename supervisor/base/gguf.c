#include "base/gguf.h"

#include <stddef.h>
#include <strings.h>

/* Bytes of a block by the values in it (ggml's type_traits). */
static const struct {
    const char *name;
    double bits;
} types[] = {
    {"f16", 16},         {"bf16", 16},        {"f32", 32},        {"q8_0", 8.5},
    {"q4_0", 4.5},       {"q4_1", 5},         {"q5_0", 5.5},      {"q5_1", 6},
    {"q8_1", 9},         {"q2_k", 2.625},     {"q3_k", 3.4375},   {"q4_k", 4.5},
    {"q5_k", 5.5},       {"q6_k", 6.5625},    {"q8_k", 9.125},    {"iq1_s", 1.5625},
    {"iq1_m", 1.75},     {"iq2_xxs", 2.0625}, {"iq2_xs", 2.3125}, {"iq2_s", 2.5625},
    {"iq3_xxs", 3.0625}, {"iq3_s", 3.4375},   {"iq4_nl", 4.5},    {"iq4_xs", 4.25},
    {"tq1_0", 1.6875},   {"tq2_0", 2.0625},   {"mxfp4", 4.25},    {"i8", 8},
    {"i16", 16},         {"i32", 32},         {"i64", 64},        {"f64", 64},
};

double gguf_bits(const char *type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(types[i].name, type) == 0)
            return types[i].bits;
    return 0;
}
