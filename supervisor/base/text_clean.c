#include "base/text_clean.h"
#include <string.h>

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

/* Length of a well-formed character, 0 if there is none: not longer than it needs to be, no
 * surrogate, nothing beyond Unicode. */
static size_t well_formed(const unsigned char *s, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = s[0] < 0x80   ? 1
                    : s[0] < 0xC0 ? 0
                    : s[0] < 0xE0 ? 2
                    : s[0] < 0xF0 ? 3
                    : s[0] < 0xF8 ? 4
                                  : 0;
    for (size_t i = 1; i < length; i++)
        if (i >= n || (s[i] & 0xC0) != 0x80)
            return 0;
    uint32_t code = text_code((const char *)s, length);
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < least[length] || code > 0x10FFFF || surrogate ? 0 : length;
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
