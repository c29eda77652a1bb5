#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A message is one line, whatever foreign bytes went into it; a cut one ends at a whole UTF-8
 * character. */
static void tidy(char *message, bool cut)
{
    size_t length = strlen(message);
    if (cut) {
        size_t start = length;
        while (start > 0 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
            start--;
        if (start > 0 && (unsigned char)message[start - 1] >= 0xC0)
            message[start - 1] = '\0';
    }
    for (char *c = message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
}

int error_set(struct error *err, enum failure failure, int code, const char *format, ...)
{
    if (code >= 0)
        code = -EIO;
    if (!err)
        return code;
    va_list arguments;
    va_start(arguments, format);
    char message[sizeof(err->message)]; /* the arguments may point into *err */
    int length = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (length < 0)
        message[0] = '\0';
    tidy(message, length >= (int)sizeof(message));
    err->failure = failure;
    err->code = code;
    memcpy(err->message, message, sizeof(message));
    return code;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char context[sizeof(err->message)], message[sizeof(err->message)];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(context, sizeof(context), format, arguments) < 0)
        context[0] = '\0';
    va_end(arguments);
    int length = snprintf(message, sizeof(message), "%s: %s", context, err->message);
    if (length >= 0) {
        tidy(message, length >= (int)sizeof(message));
        memcpy(err->message, message, sizeof(message));
    }
    return err->code;
}
