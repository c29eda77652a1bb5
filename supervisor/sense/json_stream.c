#include "sense/json_stream.h"
#include <errno.h>
#include <string.h>

void json_stream_init(struct json_stream *stream, size_t object_max, size_t around)
{
    *stream = (struct json_stream){.around = around};
    buffer_init(&stream->object, object_max);
}

bool json_stream_is_whole(const struct json_stream *stream)
{
    bool begun = stream->around == 0 || stream->closed;
    return begun && stream->open == 0 && stream->depth == 0 && !stream->other;
}

void json_stream_clear(struct json_stream *stream)
{
    struct json_stream cleared = {.around = stream->around, .left_out = stream->left_out};
    buffer_clear(&stream->object);
    cleared.object = stream->object;
    *stream = cleared;
}

/* The brackets around the objects: opened one after the other before the first, closed at the end.
 * true: the byte was one of them. */
static bool goes_around(struct json_stream *stream, char byte)
{
    if (stream->depth > 0 || stream->in_string)
        return false;
    bool opens = byte == '[' || byte == '{', closes = byte == ']' || byte == '}';
    if (opens && stream->open < stream->around && !stream->closed) {
        stream->open++;
        return true;
    }
    if (closes && stream->open > 0) {
        stream->open--;
        stream->closed = true;
        return true;
    }
    stream->other |= stream->around > 0 && stream->open == 0 && !strchr(" \t\r\n", byte);
    return stream->open < stream->around;
}

/* Follows brackets and strings; true at an object's last byte. */
static bool ends_object(struct json_stream *stream, char byte)
{
    if (stream->in_string) {
        if (stream->escaped)
            stream->escaped = false;
        else if (byte == '\\')
            stream->escaped = true;
        else if (byte == '"')
            stream->in_string = false;
        return false;
    }
    if (byte == '{' || byte == '[')
        stream->depth++;
    else if (byte == '"' && stream->depth > 0)
        stream->in_string = true;
    else if ((byte == '}' || byte == ']') && stream->depth > 0)
        return --stream->depth == 0;
    return false;
}

static int keep(struct json_stream *stream, const char *data, size_t length)
{
    if (stream->skipping || length == 0)
        return 0;
    int result = buffer_append(&stream->object, data, length);
    if (result != -EMSGSIZE)
        return result;
    stream->skipping = true;
    stream->skipped++;
    return 0;
}

int json_stream_feed(struct json_stream *stream, const char *data, size_t length,
                     json_stream_take *take, void *userdata)
{
    size_t begin = 0; /* of what is not in the buffer yet */
    for (size_t i = 0; i < length; i++) {
        if (goes_around(stream, data[i])) {
            begin = i + 1;
            continue;
        }
        bool outside = stream->depth == 0, ended = ends_object(stream, data[i]);
        if (outside && stream->depth == 0) { /* between two objects */
            begin = i + 1;
            continue;
        }
        if (!ended)
            continue;
        int result = keep(stream, data + begin, i + 1 - begin);
        if (result < 0)
            return result;
        begin = i + 1;
        if (stream->skipping && stream->left_out)
            stream->left_out(userdata, buffer_text(&stream->object), stream->object.length);
        bool more =
            stream->skipping || take(userdata, buffer_text(&stream->object), stream->object.length);
        stream->skipping = false;
        buffer_reset(&stream->object);
        if (!more)
            return -ECANCELED;
    }
    return keep(stream, data + begin, length - begin);
}
