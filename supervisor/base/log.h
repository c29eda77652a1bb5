/* One structured line an occurrence, on stderr: logfmt (default) or JSON. Only those who decide
 * log; libraries do not. time=2026-11-21T03:48:28.972Z level=warning msg="leak found"
 * container=ollama verdict=idle-leak held=2157969408 Values are quoted and escaped where needed, so
 * that foreign bytes (names, server texts) cannot forge a line. */
#ifndef SUPERVISOR_BASE_LOG_H
#define SUPERVISOR_BASE_LOG_H

#include "base/fact.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_CRITICAL
};
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

void log_configure(enum log_level least, enum log_format format);
/* By the names of the settings supervisor.log_level ("debug" ... "critical") and supervisor.log
 * ("logfmt", "json"); -EINVAL for others, and nothing is changed. */
int log_configure_named(const char *level, const char *format);

enum log_type { LOG_END, LOG_STRING, LOG_NUMBER, LOG_REAL };
struct log_field {
    enum log_type type;
    const char *key;
    const char *string; /* NULL prints nothing for the field */
    int64_t number;     /* FACT_UNKNOWN prints nothing for the field */
    double real;
};
#define LS(k, v) ((struct log_field){.type = LOG_STRING, .key = (k), .string = (v)})
#define LN(k, v) ((struct log_field){.type = LOG_NUMBER, .key = (k), .number = (v)})
#define LR(k, v) ((struct log_field){.type = LOG_REAL, .key = (k), .real = (v)})

/* log_line(LOG_LEVEL_INFO, "found", LS("container", name), LN("pid", pid)); */
/* A number that is FACT_NONE is printed as none (JSON null), a real that is not finite not at all.
 * A string over 1,024 bytes is cut; a line has at most 4,096, and fields that do not fit are
 * counted in a last field, `dropped`. The same again (msg, container, verdict, step, model) is
 * written 16 times and then once a minute, with `repeated` for how often it was not. Where `what`
 * was asked for, that is one of them too, with `who` (without a port). */
#define log_line(level, msg, ...) log_kept(false, (level), (msg), __VA_ARGS__)
/* The same; kept: it is written however often, for nobody but admins can cause it. */
#define log_kept(kept, level, msg, ...)                                                            \
    log_fields((kept), (level), (msg),                                                             \
               (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.type = LOG_END}})
void log_fields(bool kept, enum log_level level, const char *msg, const struct log_field *fields);
/* Writes the counts that are due; every line does it too. at_end: all there are. */
void log_repeated(bool at_end);

#endif
