#include "judge/footprint.h"

#include "base/gguf.h"
#include "judge/footprint_table.h"
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LENGTH = 255 };

#define MIB(n) ((fact)(n) << 20)

/* A name in small letters, in its parts. */
struct name {
    char text[NAME_MAX_LENGTH + 1]; /* "deepseek-coder" NUL "33b-instruct-q4_0" */
    const char *base, *tag;         /* tag: "" none, or latest */
    bool library;                   /* of Ollama's own library, not somebody's */
};

/* Bits of a weight, of a whole file: the table in llama.cpp's tools/quantize/README.md, measured
 * there on an 8B model. */
static const struct quant {
    const char *name;
    double bits;
} quants[] = {
    {"iq1_s", 2.00},  {"iq1_m", 2.15},  {"iq2_xxs", 2.38}, {"iq2_xs", 2.59},  {"iq2_s", 2.74},
    {"iq2_m", 2.94},  {"q2_k_s", 2.97}, {"q2_k", 3.16},    {"iq3_xxs", 3.25}, {"iq3_xs", 3.50},
    {"q3_k_s", 3.64}, {"iq3_s", 3.66},  {"iq3_m", 3.76},   {"q3_k_m", 4.00},  {"q3_k_l", 4.30},
    {"mxfp4", 4.25},  {"iq4_xs", 4.46}, {"iq4_nl", 4.68},  {"q4_0", 4.66},    {"q4_k_s", 4.67},
    {"q4_k_m", 4.89}, {"q4_1", 5.12},   {"q5_0", 5.57},    {"q5_k_s", 5.57},  {"q5_k_m", 5.70},
    {"q5_1", 6.03},   {"q6_k", 6.56},   {"q8_0", 8.50},    {"fp16", 16.0},    {"f16", 16.0},
    {"bf16", 16.0},   {"fp32", 32.0},   {"f32", 32.0},
};
static const double bits_default = 4.89; /* q4_K_M: what the library's tags have unless they say */

/* Lower-cased copy, without registry and namespace; -1 for a name that is none. */
static int split(const char *model, struct name *ret_name)
{
    const char *slash = strrchr(model, '/'), *own = slash ? slash + 1 : model;
    size_t length = strlen(own);
    if (length == 0 || length > NAME_MAX_LENGTH)
        return -1;
    for (size_t i = 0; i <= length; i++)
        ret_name->text[i] = (char)tolower((unsigned char)own[i]);
    static const char *const libraries[] = {"library/", "registry.ollama.ai/library/"};
    ret_name->library = !slash;
    for (size_t i = 0; i < 2; i++)
        if (slash && (size_t)(own - model) == strlen(libraries[i]) &&
            strncmp(model, libraries[i], strlen(libraries[i])) == 0)
            ret_name->library = true;
    char *colon = strchr(ret_name->text, ':');
    if (colon)
        *colon = '\0';
    ret_name->base = ret_name->text;
    ret_name->tag = colon && strcmp(colon + 1, "latest") != 0 ? colon + 1 : "";
    return 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_';
}

/* The next part of a name between - and the like, at or after *cursor; its length, 0: no more. */
static size_t next_part(const char **cursor)
{
    const char *c = *cursor;
    while (*c != '\0' && !is_word(*c))
        c++;
    *cursor = c;
    size_t length = 0;
    while (is_word(c[length]))
        length++;
    return length;
}

/* "33b", "8x7b", "1.5b", "270m" -> thousands of millions; 0: is none. */
static double part_parameters(const char *part, size_t length)
{
    static const double shared = 0.84; /* experts share attention: 8x7b has 46.7, not 56 */
    char text[24];
    if (length < 2 || length >= sizeof(text) || !isdigit((unsigned char)part[0]))
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)length, part);
    char unit = text[length - 1];
    text[length - 1] = '\0';
    if (unit != 'b' && unit != 'm')
        return 0;
    char *times = strchr(text, 'x');
    if (times)
        *times = '\0';
    const char *number = times ? times + 1 : text;
    if (text[strspn(text, "0123456789.")] != '\0' ||
        number[strspn(number, "0123456789.")] != '\0' || !isdigit((unsigned char)number[0]))
        return 0;
    double value = strtod(number, NULL) * (times ? strtod(text, NULL) * shared : 1);
    return unit == 'm' ? value / 1000 : value;
}

/* The first number of parameters in the text; 0: none. */
static double find_parameters(const char *text)
{
    for (size_t length; (length = next_part(&text)) > 0; text += length) {
        double parameters = part_parameters(text, length);
        if (parameters > 0)
            return parameters;
    }
    return 0;
}

/* The quantisation named in the text; NULL: none. */
static const struct quant *find_quant(const char *text)
{
    for (size_t length; (length = next_part(&text)) > 0; text += length)
        for (size_t i = 0; i < sizeof(quants) / sizeof(quants[0]); i++)
            if (strlen(quants[i].name) == length && strncasecmp(text, quants[i].name, length) == 0)
                return &quants[i];
    return NULL;
}

/* Is it this row, perhaps in another variant ("-instruct", "-q8_0")? */
static bool is_row(const struct name *name, const struct known_model *row)
{
    const char *colon = strchr(row->name, ':');
    size_t base = (size_t)(colon - row->name), tag = strlen(colon + 1);
    if (strlen(name->base) != base || strncmp(name->base, row->name, base) != 0)
        return false;
    if (name->tag[0] == '\0' || find_parameters(name->tag) <= 0)
        return row->latest;
    return strncmp(name->tag, colon + 1, tag) == 0 && !is_word(name->tag[tag]);
}

/* K and V, all layers, 2 bytes each (f16). */
static fact kv_of(const struct known_model *row)
{
    return (fact)2 * row->layers * row->kv_heads * row->head * 2;
}

/* The buffers of llama.cpp's graph for a batch of 512 tokens: the output alone is 512 x the
 * vocabulary (32 to 256 thousand) x 4 bytes. As it prints them ("compute buffer size"): 250 to 300
 * MiB for an 8B model, 550 to 600 for a 70B one. */
static fact compute_of(double parameters)
{
    return parameters < 20 ? MIB(320) : MIB(640);
}

/* Without a row: 8 KV heads of 128, as most models of the size have since they share them; the
 * number of layers grows with the size. */
static fact kv_estimated(double parameters)
{
    static const struct {
        double parameters;
        int layers;
    } sizes[] = {{1, 16}, {4, 32}, {10, 36}, {20, 48}, {40, 64}, {100, 80}};
    int layers = 126;
    for (size_t i = sizeof(sizes) / sizeof(sizes[0]); i-- > 0;)
        if (parameters <= sizes[i].parameters)
            layers = sizes[i].layers;
    return (fact)2 * layers * 8 * 128 * 2;
}

static struct footprint make(enum footprint_source source, double parameters, double gigabytes,
                             fact kv)
{
    fact bytes = (fact)(gigabytes * 1e9);
    return (struct footprint){.source = source,
                              .parameters = parameters * 1e9,
                              .download = bytes,
                              .weights = bytes,
                              .kv_per_token = kv,
                              .compute = compute_of(parameters)};
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), n = strlen(end);
    return length >= n && strcmp(text + length - n, end) == 0;
}

struct footprint footprint_of(const char *model)
{
    static const double most = 5000; /* thousands of millions of parameters; more is no model */
    struct footprint unknown = {FOOTPRINT_UNKNOWN, 0,           FACT_UNKNOWN, FACT_UNKNOWN,
                                FACT_UNKNOWN,      FACT_UNKNOWN};
    struct name name = {.base = ""};
    if (split(model, &name) < 0)
        return unknown;
    if (strcmp(name.tag, "cloud") == 0 || ends_with(name.tag, "-cloud")) /* runs at ollama.com */
        return (struct footprint){.source = FOOTPRINT_KNOWN};
    const struct quant *quant = find_quant(name.tag);
    if (!quant)
        quant = find_quant(name.base);
    for (size_t i = 0; i < known_models_n; i++) {
        const struct known_model *row = &known_models[i];
        if (!is_row(&name, row))
            continue;
        const struct quant *own = find_quant(row->quant);
        bool same = !quant || quant == own;
        double factor = same || !own ? 1 : quant->bits / own->bits;
        /* A tag that names neither size nor quantisation may be any: "phi3:medium". */
        bool told = name.tag[0] == '\0' || quant || find_parameters(name.tag) > 0 ||
                    strcmp(name.tag, strchr(row->name, ':') + 1) == 0;
        return make(same && told && name.library ? FOOTPRINT_KNOWN : FOOTPRINT_ESTIMATED,
                    row->parameters, row->gigabytes * factor, kv_of(row));
    }
    double parameters = find_parameters(name.tag);
    if (parameters <= 0)
        parameters = find_parameters(name.base);
    if (parameters <= 0 || parameters > most)
        return unknown;
    return make(FOOTPRINT_ESTIMATED, parameters,
                parameters * (quant ? quant->bits : bits_default) / 8, kv_estimated(parameters));
}

fact footprint_buffers(fact graph, fact context)
{
    enum { MASK = 512 * 2 };
    return fact_add(graph, fact_times(context, MASK));
}

double footprint_kv_scale(const char *kv_type)
{
    double bits = gguf_bits(kv_type);
    return bits > 0 ? bits / 16 : 1;
}

fact footprint_kv(fact per_token, fact context, fact parallel, double scale)
{
    return fact_scale(fact_times(fact_times(per_token, context), parallel), scale);
}

size_t footprints_that_fit(footprint_fits *fits, const void *userdata, const char **ret_models,
                           size_t max)
{
    enum { FIT_MAX = 32 };
    const struct known_model *fit[FIT_MAX];
    size_t n = 0, most = max < FIT_MAX ? max : FIT_MAX;
    for (size_t i = 0; i < known_models_n; i++) {
        const struct known_model *row = &known_models[i];
        struct footprint footprint =
            make(FOOTPRINT_KNOWN, row->parameters, row->gigabytes, kv_of(row));
        if (row->layers == 0 || !fits(&footprint, userdata))
            continue;
        size_t at = n; /* its place among the larger ones */
        while (at > 0 && fit[at - 1]->gigabytes < row->gigabytes)
            at--;
        if (at == most)
            continue;
        n = n < most ? n + 1 : n;
        memmove(&fit[at + 1], &fit[at], (n - at - 1) * sizeof(fit[0]));
        fit[at] = row;
    }
    for (size_t i = 0; i < n; i++)
        ret_models[i] = fit[i]->name;
    return n;
}
