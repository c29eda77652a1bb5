/* A buffer that grows up to a cap and is always a string. */
#ifndef SUPERVISOR_BASE_BUFFER_H
#define SUPERVISOR_BASE_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* NULL while empty, else length bytes and a NUL */
    size_t length, allocated;
    size_t max; /* bytes of content, without the NUL */
};

/* An empty buffer that takes at most max bytes; allocates nothing. */
void buffer_init(struct buffer *buffer, size_t max);
/* Frees the content; the buffer is empty and usable afterwards. */
void buffer_clear(struct buffer *buffer);
/* Forgets the content, keeps the memory for the next one. */
void buffer_reset(struct buffer *buffer);

/* 0; -EMSGSIZE beyond the cap, -ENOMEM: then the content is as before. */
int buffer_append(struct buffer *buffer, const char *data, size_t length);

/* The content as a string, "" while empty; valid until the next change. */
const char *buffer_text(const struct buffer *buffer);

#define CLEANUP_BUFFER __attribute__((cleanup(buffer_clear)))

#endif
