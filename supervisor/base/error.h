/* What went wrong, as an object (used at the borders: engine, Ollama, configuration, database,
 * command line). A function that takes `struct error *err` returns 0 or a negative errno and fills
 * *err only on failure; err may be NULL. The message is one sentence without a final newline that
 * names the thing, the value and, where there is one, the remedy. */
#ifndef SUPERVISOR_BASE_ERROR_H
#define SUPERVISOR_BASE_ERROR_H

/* What a failure means to the person who typed the command; the value is the process's exit status.
 */
enum failure {
    FAILURE_JOB = 1,   /* the job itself failed */
    FAILURE_USAGE = 2, /* bad command line, configuration or input; nothing was changed */
    FAILURE_UNREACHABLE =
        3, /* the world (engine, Ollama, cgroups, state directory) cannot be reached */
};

struct error {
    enum failure failure;
    int code; /* negative errno, never 0 once set */
    char message[512];
};

/* Fills *err (may be NULL); code is a negative errno. Returns code, so that `return error_set(...)`
 * reads well. */
int error_set(struct error *err, enum failure failure, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What the system says of a file that it does not give (a positive errno); and where that is for
 * want of permission, who may have it. Static. */
const char *error_of_file(int code);

/* Puts "CONTEXT: " before the message that is there. Returns err->code (or -EIO for NULL). */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
