#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("simollama: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *must_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        die("out of memory (%zu bytes)", bytes);
    return memory;
}

int text_append(struct text *text, const void *data, size_t len, size_t limit)
{
    if (len > limit || text->len > limit - len)
        return -E2BIG;
    if (text->len + len + 1 > text->room) {
        size_t room = text->room ? text->room : 256;
        while (room < text->len + len + 1)
            room *= 2;
        char *larger = realloc(text->data, room);
        if (!larger)
            die("out of memory (%zu bytes)", room);
        text->data = larger;
        text->room = room;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
    return 0;
}

void text_print(struct text *text, const char *format, ...)
{
    char line[TEXT_PRINT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof line)
        die("a line of %d bytes is over %d", n, TEXT_PRINT_MAX);
    text_append(text, line, (size_t)n, SIZE_MAX / 4);
}

void text_consume(struct text *text, size_t bytes)
{
    if (!bytes)
        return;
    text->len -= bytes;
    memmove(text->data, text->data + bytes, text->len + 1);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

/* The unit at `at` in nanoseconds and its length; 0 where there is none that Go knows. */
static double duration_unit(const char *at, size_t *ret_len)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},  {"us", 1e3}, {"µs", 1e3},  {"ms", 1e6},
                 {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    size_t len = strcspn(at, ".0123456789");
    *ret_len = len;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == len && !strncmp(units[i].name, at, len))
            return units[i].ns;
    return 0;
}

int duration_parse(const char *text, int64_t *ret_ns, char *why, size_t why_size)
{
    const char *at = text;
    double sign = 1, total_ns = 0;
    if (*at == '-' || *at == '+')
        sign = *at++ == '-' ? -1 : 1;
    if (!strcmp(at, "0")) {
        *ret_ns = 0;
        return 0;
    }
    if (!*at) {
        snprintf(why, why_size, "time: invalid duration \"%s\"", text);
        return -EINVAL;
    }
    while (*at) {
        char *end;
        if (*at != '.' && (*at < '0' || *at > '9')) {
            snprintf(why, why_size, "time: invalid duration \"%s\"", text);
            return -EINVAL;
        }
        double number = strtod(at, &end);
        size_t unit_len;
        double unit_ns = duration_unit(end, &unit_len);
        if (unit_len == 0) {
            snprintf(why, why_size, "time: missing unit in duration \"%s\"", text);
            return -EINVAL;
        }
        if (unit_ns == 0) {
            snprintf(why, why_size, "time: unknown unit \"%.*s\" in duration \"%s\"", (int)unit_len,
                     end, text);
            return -EINVAL;
        }
        total_ns += number * unit_ns;
        at = end + unit_len;
    }
    if (total_ns >= 9.2e18) {
        snprintf(why, why_size, "time: invalid duration \"%s\"", text);
        return -EINVAL;
    }
    *ret_ns = (int64_t)(sign * total_ns);
    return 0;
}

void time_text(int64_t wall_ns, int64_t plus_ns, char text[TIME_TEXT_SIZE])
{
    int64_t fraction = wall_ns % 1000000000 + plus_ns % 1000000000;
    time_t seconds = (time_t)(wall_ns / 1000000000 + plus_ns / 1000000000 + fraction / 1000000000);
    fraction %= 1000000000;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fraction) {
        n += (size_t)snprintf(text + n, TIME_TEXT_SIZE - n, ".%09d", (int)fraction);
        while (text[n - 1] == '0')
            n--;
    }
    snprintf(text + n, TIME_TEXT_SIZE - n, "Z");
}

int bytes_parse(const char *text, uint64_t *ret_bytes)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || errno || !(number >= 0))
        return -EINVAL;
    static const char units[] = "kmgt";
    if (*end) {
        char lower = (char)(*end | 0x20);
        const char *unit = strchr(units, lower);
        if (!unit || end[1])
            return -EINVAL;
        for (const char *u = units; u <= unit; u++)
            number *= 1024;
    }
    if (number > 1e18)
        return -EINVAL;
    *ret_bytes = (uint64_t)number;
    return 0;
}

uint64_t text_hash(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}
