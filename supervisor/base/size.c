#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SIZE_MAX_BYTES ((uint64_t)1 << 53) /* what a JSON number carries exactly */
static const double duration_max_s = 1e9;  /* 31 years */
static const double percent_max = 1e6;     /* a bound against nonsense; who asks has a closer one */

enum { TEXT_MAX = 64 }; /* of a word that is compared with others */

static const char *skip_spaces(const char *c)
{
    while (*c == ' ')
        c++;
    return c;
}

int value_refuse(struct error *err, int code, const char *value, const char *why)
{
    return error_set(err, FAILURE_USAGE, code, "\"%.*s\"%s %s", VALUE_SHOWN_MAX, value,
                     strlen(value) > VALUE_SHOWN_MAX ? "..." : "", why);
}

/* A number as it is written. */
struct number {
    uint64_t whole;
    uint32_t billionths; /* digits beyond the ninth place are dropped */
};

/* "28", "1.5" at the cursor, which moves behind it and the blanks. -EINVAL: `text`, in which it
 * stands, is refused as no_number; -ERANGE: as too_much. */
static int number(const char **cursor, struct number *ret_number, const char *text,
                  const char *too_much, const char *no_number, struct error *err)
{
    const char *c = *cursor;
    struct number n = {0};
    if (!isdigit((unsigned char)*c))
        return value_refuse(err, -EINVAL, text, no_number);
    for (; isdigit((unsigned char)*c); c++) {
        n.whole = n.whole * 10 + (uint64_t)(*c - '0');
        if (n.whole > SIZE_MAX_BYTES)
            return value_refuse(err, -ERANGE, text, too_much);
    }
    if (*c == '.') {
        c++;
        if (!isdigit((unsigned char)*c))
            return value_refuse(err, -EINVAL, text, no_number);
        for (uint32_t weight = 100000000; isdigit((unsigned char)*c); c++, weight /= 10)
            n.billionths += (uint32_t)(*c - '0') * weight;
    }
    *cursor = skip_spaces(c);
    *ret_number = n;
    return 0;
}

static double real_of(const struct number *number)
{
    return (double)number->whole + (double)number->billionths / 1e9;
}

int size_parse(const char *text, fact *ret_bytes, struct error *err)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = {{"", 0},     {"b", 0},   {"k", 10},   {"kb", 10}, {"kib", 10},
                 {"m", 20},   {"mb", 20}, {"mib", 20}, {"g", 30},  {"gb", 30},
                 {"gib", 30}, {"t", 40},  {"tb", 40},  {"tib", 40}};
    const char *c = skip_spaces(text);
    struct number n = {0};
    int code = number(&c, &n, text, "is more than 8192t",
                      "is not a size: write it as 28g, 512m or a number of bytes", err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcasecmp(c, units[i].name) != 0)
            continue;
        int shift = units[i].shift;
        if (shift == 0 && n.billionths != 0)
            return value_refuse(err, -EINVAL, text,
                                "is not a whole number of bytes: add k, m, g or t");
        if (n.whole > SIZE_MAX_BYTES >> shift ||
            (n.whole == SIZE_MAX_BYTES >> shift && n.billionths != 0))
            return value_refuse(err, -ERANGE, text, "is more than 8192t");
        double part = (double)n.billionths / 1e9 * (double)((uint64_t)1 << shift);
        *ret_bytes = (fact)((n.whole << shift) + (uint64_t)part);
        return 0;
    }
    return value_refuse(err, -EINVAL, text, "has no unit I know: use k, m, g or t");
}

/* The unit at *cursor in seconds, 0 if there is none that is known; the cursor moves behind it. */
static double duration_unit(const char **cursor)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t length = strspn(*cursor, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == length && strncmp(*cursor, units[i].name, length) == 0) {
            *cursor += length;
            return units[i].seconds;
        }
    return 0;
}

int duration_parse(const char *text, double *ret_seconds, struct error *err)
{
    double sum = 0, last = 0;
    const char *c = skip_spaces(text);
    do {
        struct number n = {0};
        int code = number(&c, &n, text, "is more than 11574d",
                          "is not a duration: write it as 60s, 500ms, 5m or 1h", err);
        if (code < 0)
            return code;
        double unit = *c == '\0' && last <= 0 ? 1 : duration_unit(&c);
        if (unit <= 0)
            return value_refuse(err, -EINVAL, text, "has no unit I know: use ms, s, m, h or d");
        if (last > 0 && unit >= last)
            return value_refuse(err, -EINVAL, text,
                                "has its units in no order: write 1h30m, not 30m1h");
        last = unit;
        sum += real_of(&n) * unit;
        c = skip_spaces(c);
    } while (*c != '\0');
    if (sum > duration_max_s)
        return value_refuse(err, -ERANGE, text, "is more than 11574d");
    *ret_seconds = sum;
    return 0;
}

int percent_parse(const char *text, double *ret_percent, struct error *err)
{
    const char *c = skip_spaces(text);
    struct number n = {0};
    int code = number(&c, &n, text, "is too much for a percentage",
                      "is not a percentage: write it as 5 or 5%", err);
    if (code < 0)
        return code;
    double value = real_of(&n);
    if (value > percent_max)
        return value_refuse(err, -ERANGE, text, "is too much for a percentage");
    if (strcmp(skip_spaces(*c == '%' ? c + 1 : c), "") != 0)
        return value_refuse(err, -EINVAL, text, "is not a percentage: write it as 5 or 5%");
    *ret_percent = value;
    return 0;
}

int count_parse(const char *text, fact *ret_count, struct error *err)
{
    static const char units[] = "KMBT";
    const char *c = skip_spaces(text);
    uint64_t factor = 1;
    struct number n = {0};
    int code = number(&c, &n, text, "is too much for a count", "is not a whole number", err);
    if (code < 0)
        return code;
    const char *unit = *c == '\0' ? NULL : strchr(units, toupper((unsigned char)*c));
    if ((*c != '\0' && (!unit || c[1] != '\0')) || (*c == '\0' && n.billionths != 0))
        return value_refuse(err, -EINVAL, text, "is not a whole number");
    for (ptrdiff_t i = 0; unit && i <= unit - units; i++)
        factor *= 1000;
    if (n.whole > SIZE_MAX_BYTES / factor)
        return value_refuse(err, -ERANGE, text, "is too much for a count");
    *ret_count =
        (fact)(n.whole * factor + (uint64_t)((double)n.billionths / 1e9 * (double)factor + 0.5));
    return 0;
}

/* With the largest of the units, each `step` times the one before, in which it is whole. */
static const char *exact(fact value, const char *units, fact step, char *text, size_t size)
{
    size_t unit = 0;
    for (; value > 0 && value % step == 0 && units[unit] != '\0'; unit++)
        value /= step;
    snprintf(text, size, "%lld%.*s", (long long)value, unit > 0, units + (unit > 0 ? unit - 1 : 0));
    return text;
}

const char *count_exact(fact count, char *text, size_t size)
{
    return exact(count, "KMBT", 1000, text, size);
}

const char *size_exact(fact bytes, char *text, size_t size)
{
    return exact(bytes, "kmgt", 1024, text, size);
}

const char *size_format(fact bytes, char *text, size_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes == FACT_NONE)
        snprintf(text, size, "-");
    else if (bytes < 0)
        snprintf(text, size, "?");
    else if (bytes < 1024)
        snprintf(text, size, "%d B", (int)bytes);
    else {
        double value = (double)bytes / 1024;
        size_t unit = 0;
        for (; value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
            value /= 1024; /* 1023.95 would be shown as 1024.0 */
        snprintf(text, size, "%.1f %s", value, units[unit]);
    }
    return text;
}

const char *duration_format(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0 && seconds < 1e12))
        snprintf(text, size, "?");
    else if (seconds < 0.0995)
        snprintf(text, size, "%.0f ms", seconds * 1000);
    else if (seconds < 59.95)
        snprintf(text, size, "%.1f s", seconds);
    else {
        int64_t s = (int64_t)(seconds + 0.5), m = s / 60, h = m / 60;
        if (s < 3600)
            snprintf(text, size, "%dm %02ds", (int)m, (int)(s % 60));
        else if (h < 24)
            snprintf(text, size, "%dh %02dm", (int)h, (int)(m % 60));
        else
            snprintf(text, size, "%lldd %02dh", (long long)(h / 24), (int)(h % 24));
    }
    return text;
}

int word_find(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added, left out or swapped with their neighbour to make b of a;
 * capitals count as small ones. Both at most TEXT_MAX long. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][TEXT_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_length];
}

const char *nearest(const char *word, const char *const *candidates, size_t n)
{
    enum { BEGINNING_MIN = 3 }; /* letters of a beginning that is enough: "fix" for "fix-ollama" */
    const char *best = NULL, *begun = NULL;
    size_t best_distance = SIZE_MAX, length = strlen(word), beginnings = 0;
    if (length == 0 || length > TEXT_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const char *candidate = candidates[i];
        size_t candidate_length = candidate ? strlen(candidate) : 0;
        if (candidate_length == 0 || candidate_length > TEXT_MAX)
            continue;
        size_t d = distance(word, length, candidate, candidate_length);
        size_t longer = length > candidate_length ? length : candidate_length;
        if (d * 3 <= longer && d < best_distance) {
            best = candidate;
            best_distance = d;
        }
        if (length >= BEGINNING_MIN && strncasecmp(word, candidate, length) == 0) {
            begun = candidate;
            beginnings++;
        }
    }
    return best ? best : beginnings == 1 ? begun : NULL;
}

const char *meant(const char *word, const char *const *candidates, size_t n, const char *before,
                  const char *otherwise, char text[static MEANT_SIZE])
{
    const char *near = nearest(word, candidates, n);
    snprintf(text, MEANT_SIZE, "%s%s%s", near ? before : otherwise, near ? near : "",
             near ? "?" : "");
    return text;
}
