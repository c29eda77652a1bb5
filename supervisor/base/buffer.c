#include "base/buffer.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 256 }; /* most answers of the engine and of Ollama fit after two doublings */

void buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){.max = max};
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->max);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* At least needed bytes, doubled so that many small pieces cost few copies, never beyond the cap
 * and its NUL. */
static size_t next_size(const struct buffer *buffer, size_t needed)
{
    size_t size = buffer->allocated ? buffer->allocated : FIRST_BYTES;
    size_t most = buffer->max + 1;
    while (size < needed)
        size = size > most / 2 ? most : size * 2;
    return size < most ? size : most;
}

int buffer_append(struct buffer *buffer, const char *data, size_t length)
{
    if (length > buffer->max - buffer->length || buffer->max == SIZE_MAX)
        return -EMSGSIZE;
    size_t needed = buffer->length + length + 1;
    if (needed > buffer->allocated) {
        size_t size = next_size(buffer, needed);
        char *grown = realloc(buffer->data, size);
        if (!grown)
            return -ENOMEM;
        buffer->data = grown;
        buffer->allocated = size;
    }
    if (length > 0)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return 0;
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}
