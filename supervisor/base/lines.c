#include "base/lines.h"
#include <errno.h>
#include <string.h>

void lines_init(struct lines *lines, size_t line_max)
{
    *lines = (struct lines){0};
    buffer_init(&lines->rest, line_max);
}

void lines_clear(struct lines *lines)
{
    buffer_clear(&lines->rest);
    lines->skipping = false;
}

/* Keeps the beginning of a line; one that is too long is forgotten and its remainder skipped. */
static int keep(struct lines *lines, const char *data, size_t length)
{
    if (lines->skipping)
        return 0;
    int result = buffer_append(&lines->rest, data, length);
    if (result != -EMSGSIZE)
        return result;
    buffer_clear(&lines->rest);
    lines->skipping = true;
    lines->skipped++;
    return 0;
}

static int complete(struct lines *lines, const char *data, size_t length, lines_take *take,
                    void *userdata)
{
    if (lines->rest.length == 0 && !lines->skipping && length <= lines->rest.max)
        return take(userdata, data, length) ? 0 : -ECANCELED;
    int result = keep(lines, data, length);
    if (result < 0)
        return result;
    if (lines->skipping) {
        lines->skipping = false;
        return 0;
    }
    bool more = take(userdata, buffer_text(&lines->rest), lines->rest.length);
    buffer_reset(&lines->rest);
    return more ? 0 : -ECANCELED;
}

int lines_feed(struct lines *lines, const char *data, size_t length, lines_take *take,
               void *userdata)
{
    while (length > 0) {
        const char *end = memchr(data, '\n', length);
        if (!end)
            return keep(lines, data, length);
        size_t line = (size_t)(end - data);
        int result = complete(lines, data, line, take, userdata);
        if (result < 0)
            return result;
        data += line + 1;
        length -= line + 1;
    }
    return 0;
}

int lines_end(struct lines *lines, lines_take *take, void *userdata)
{
    if (lines->rest.length == 0 && !lines->skipping)
        return 0;
    return complete(lines, "", 0, take, userdata);
}
