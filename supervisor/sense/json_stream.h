/* JSON objects out of a stream that arrives in pieces of any size: one after the other, with or
 * without white space or newlines between them. */
#ifndef SUPERVISOR_SENSE_JSON_STREAM_H
#define SUPERVISOR_SENSE_JSON_STREAM_H

#include "base/buffer.h"
#include <stdbool.h>

struct json_stream {
    struct buffer object; /* as far as it has arrived */
    size_t depth;         /* open brackets beyond `around`; 0: between two objects */
    size_t around, open;  /* brackets that are passed over at the beginning; of those open now */
    bool closed;          /* one of those was closed */
    bool other;           /* something else came before them: it is no such stream */
    bool in_string, escaped;
    bool skipping;  /* inside an object that is longer than the cap */
    size_t skipped; /* objects left out because of that */
    /* Gets the beginning of each of those; NULL: nobody does. */
    void (*left_out)(void *userdata, const char *text, size_t length);
};

/* One object (or list) as text, not checked otherwise. Return false to take no more. */
typedef bool json_stream_take(void *userdata, const char *text, size_t length);

/* Objects of more than object_max bytes are left out and counted. around: inside of how many
 * brackets they stand; 1 for those of a list, [{…},{…}]. */
void json_stream_init(struct json_stream *stream, size_t object_max, size_t around);
/* Whether all that was opened is closed again, and it was such a stream. */
bool json_stream_is_whole(const struct json_stream *stream);
void json_stream_clear(struct json_stream *stream);
/* Calls take for each object that this piece completes. 0; -ECANCELED when take returned false (the
 * rest of the piece is lost); -ENOMEM. */
int json_stream_feed(struct json_stream *stream, const char *data, size_t length,
                     json_stream_take *take, void *userdata);

#endif
