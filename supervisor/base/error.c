#include "base/error.h"
#include "base/text_clean.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MADE_MAX = 1024 }; /* of what is made before it is cut to fit */

/* A message is one line, whatever foreign bytes went into it; a cut one ends at a whole UTF-8
 * character. */
static void take(struct error *err, const char *message)
{
    text_copy(err->message, sizeof(err->message), message);
    for (char *c = err->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
}

int error_set(struct error *err, enum failure failure, int code, const char *format, ...)
{
    if (code >= 0)
        code = -EIO;
    if (!err)
        return code;
    char message[MADE_MAX] = ""; /* the arguments may point into *err */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    err->failure = failure;
    err->code = code;
    take(err, message);
    return code;
}

int error_wrap(struct error *err, const char *format, ...)
{
    if (!err)
        return -EIO;
    char message[MADE_MAX] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(err->message), format, arguments);
    va_end(arguments);
    size_t n = strlen(message);
    snprintf(message + n, sizeof(message) - n, ": %s", err->message);
    take(err, message);
    return err->code;
}

const char *error_of_file(int code)
{
    return code == EACCES || code == EPERM ? "permission denied; run as root (sudo)"
                                           : strerror(code);
}
