/* A cursor over text that somebody else wrote (files of procfs and cgroupfs). Every function moves
 * it past what it took and leaves it where it was otherwise; none reads past `end`, none needs a
 * NUL. A number counts only if something follows it: what stands at the very end of the text may be
 * torn. */
#ifndef SUPERVISOR_SENSE_TEXT_H
#define SUPERVISOR_SENSE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at, *end;
};

static inline struct text text_of(const char *start, size_t length)
{
    return (struct text){start, start + length};
}

static inline size_t text_left(const struct text *text)
{
    return (size_t)(text->end - text->at);
}

/* The next line without its newline; false when no whole line is left. */
static inline bool text_line(struct text *text, struct text *ret_line)
{
    const char *newline = text->at < text->end ? memchr(text->at, '\n', text_left(text)) : NULL;
    if (newline == NULL)
        return false;
    *ret_line = (struct text){text->at, newline};
    text->at = newline + 1;
    return true;
}

static inline void text_skip_blanks(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
        text->at++;
}

/* The next word, up to a blank or the end; false when there is none. */
static inline bool text_word(struct text *text, struct text *ret_word)
{
    struct text t = *text;
    text_skip_blanks(&t);
    const char *start = t.at;
    while (t.at < t.end && *t.at != ' ' && *t.at != '\t' && *t.at != '\n')
        t.at++;
    if (t.at == start)
        return false;
    *ret_word = (struct text){start, t.at};
    *text = t;
    return true;
}

/* Takes these characters if they stand here. */
static inline bool text_take(struct text *text, const char *word)
{
    size_t n = strlen(word);
    if (text_left(text) < n || memcmp(text->at, word, n) != 0)
        return false;
    text->at += n;
    return true;
}

/* true if the whole text is this word. */
static inline bool text_is(struct text text, const char *word)
{
    return text_take(&text, word) && text.at == text.end;
}

/* Decimal digits after blanks, to at most 2^63 - 1; false (nothing taken) without a digit or where
 * the number is larger. */
static inline bool text_number(struct text *text, int64_t *ret_number)
{
    struct text t = *text;
    int64_t number = 0;
    text_skip_blanks(&t);
    const char *start = t.at;
    for (; t.at < t.end && *t.at >= '0' && *t.at <= '9'; t.at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *t.at - '0', &number))
            return false;
    if (t.at == start)
        return false;
    *ret_number = number;
    *text = t;
    return true;
}

/* "   24682416 kB" to the end: bytes. */
static inline bool text_kilobytes(struct text text, int64_t *ret_bytes)
{
    int64_t kilobytes;
    if (!text_number(&text, &kilobytes) || !text_is(text, " kB") || kilobytes > INT64_MAX / 1024)
        return false;
    *ret_bytes = kilobytes * 1024;
    return true;
}

/* Hexadecimal digits, at most 16. */
static inline bool text_hex(struct text *text, uint64_t *ret_number)
{
    struct text t = *text;
    uint64_t number = 0;
    const char *start = t.at;
    for (; t.at < t.end && t.at - start < 16; t.at++) {
        char c = *t.at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            break;
        number = number << 4 | (unsigned)digit;
    }
    if (t.at == start)
        return false;
    *ret_number = number;
    *text = t;
    return true;
}

#endif
