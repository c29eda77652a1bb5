/* A sentence that is put together piece by piece. */
#ifndef SUPERVISOR_BASE_APPEND_H
#define SUPERVISOR_BASE_APPEND_H

#include <stddef.h>

/* Behind what text says already, as far as there is room for it. */
void text_append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
