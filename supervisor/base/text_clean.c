#include "base/text_clean.h"
#include <string.h>

/* Length of a well-formed character, 0 if there is none. Bounds of the second byte: Unicode 15,
 * table 3-7. */
static size_t well_formed(const unsigned char *s, size_t n)
{
    unsigned char first = s[0], low = 0x80, high = 0xBF;
    size_t length = first < 0x80                     ? 1
                    : first >= 0xC2 && first <= 0xDF ? 2
                    : first >= 0xE0 && first <= 0xEF ? 3
                    : first >= 0xF0 && first <= 0xF4 ? 4
                                                     : 0;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (length == 0 || length > n || (length > 1 && (s[1] < low || s[1] > high)))
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* Controls; soft hyphen; Arabic letter mark; zero width, bidi marks; separators, embeddings; word
 * joiner, isolates, deprecated formatting; byte order mark; tags. */
static const struct {
    uint32_t first, last;
} harmful[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},      {0x61C, 0x61C},
               {0x180E, 0x180E}, {0x200B, 0x200F}, {0x2028, 0x202E},  {0x2060, 0x206F},
               {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};

uint32_t text_code(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    uint32_t code = length < 2 ? s[0] : s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    return code;
}

size_t text_character(const char *text, size_t n, bool *ret_harmless)
{
    *ret_harmless = true;
    if (text[0] >= 0x20 && text[0] < 0x7F)
        return 1;
    size_t length = well_formed((const unsigned char *)text, n);
    uint32_t code = text_code(text, length);
    *ret_harmless = length > 0;
    for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++) {
        if (code >= harmful[i].first && code <= harmful[i].last)
            *ret_harmless = false;
    }
    return length;
}

bool text_harmless(const char *text)
{
    bool harmless = true;
    for (size_t n = strlen(text), length; n > 0 && harmless; text += length, n -= length)
        length = text_character(text, n, &harmless);
    return harmless;
}

void text_clean(char *text)
{
    bool harmless;
    for (size_t n = strlen(text), length; n > 0; text += length, n -= length) {
        length = text_character(text, n, &harmless);
        if (length == 0)
            length = 1;
        if (!harmless)
            memset(text, '?', length);
    }
}

void text_copy(char *text, size_t size, const char *from)
{
    size_t n = from ? strnlen(from, size - 1) : 0;
    while (n > 0 && ((unsigned char)from[n] & 0xC0) == 0x80)
        n--;
    if (n > 0)
        memcpy(text, from, n);
    text[n] = '\0';
}
