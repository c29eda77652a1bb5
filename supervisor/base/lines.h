/* Lines out of a stream that arrives in pieces of any size. */
#ifndef SUPERVISOR_BASE_LINES_H
#define SUPERVISOR_BASE_LINES_H

#include "base/buffer.h"
#include <stdbool.h>

struct lines {
    struct buffer rest; /* the beginning of a line whose end has not arrived */
    bool skipping;      /* inside a line that is longer than the cap */
    size_t skipped;     /* lines left out because of that */
};

/* One line without its newline; not NUL-terminated. Return false to take no more. */
typedef bool lines_take(void *userdata, const char *line, size_t length);

/* Lines longer than line_max bytes are left out and counted. */
void lines_init(struct lines *lines, size_t line_max);
void lines_clear(struct lines *lines);

/* Calls take for each line that this piece completes (empty ones too). 0; -ECANCELED when take
 * returned false (the rest of the piece is lost); -ENOMEM. */
int lines_feed(struct lines *lines, const char *data, size_t length, lines_take *take,
               void *userdata);
/* The stream has ended: what came after the last newline is a line too. As lines_feed. */
int lines_end(struct lines *lines, lines_take *take, void *userdata);

#endif
