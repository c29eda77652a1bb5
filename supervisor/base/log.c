#include "base/log.h"

#include "base/clock.h"
#include "base/repeats.h"
#include "base/size.h"
#include "base/text_clean.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096,  /* PIPE_BUF: up to here a write to a pipe is not mixed with others */
    VALUE_MAX_BYTES = 1024, /* of one string, before escaping */
    TAIL_BYTES = 32         /* kept free for " dropped=N}" and the newline */
};

static const char *const level_names[] = {"debug", "info", "warning", "error", "critical"};
static enum log_level least_level = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_LOGFMT;

struct line {
    char text[LINE_MAX_BYTES];
    size_t length, limit;
    bool full; /* something did not fit */
};

void log_configure(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

int log_configure_named(const char *level, const char *format)
{
    bool json = strcmp(format, "json") == 0;
    int least = word_find(level_names, sizeof(level_names) / sizeof(level_names[0]), level);
    if (least < 0 || (!json && strcmp(format, "logfmt") != 0))
        return -EINVAL;
    log_configure((enum log_level)least, json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
    return 0;
}

static void put(struct line *line, const char *bytes, size_t n)
{
    if (line->full || n > line->limit - line->length) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->length, bytes, n);
    line->length += n;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* A character by its number, of those beyond the first plane only that one was. */
static void put_escaped(struct line *line, const char *s, size_t length)
{
    char escape[8];
    snprintf(escape, sizeof escape, "\\u%04x", length < 4 ? text_code(s, length) : 0xFFFD);
    put_text(line, escape);
}

/* What is not harmless text (text_clean.h) and what is not UTF-8 is escaped; the same escapes are
 * good in logfmt's quotes and in JSON. */
static void put_quoted(struct line *line, const char *string, size_t n)
{
    const char *s = string, *end = s + n;
    put_text(line, "\"");
    while (s < end) {
        bool harmless;
        size_t length = text_character(s, (size_t)(end - s), &harmless);
        if (length == 0) {
            put_text(line, "\\ufffd");
            length = 1;
        } else if (*s == '"' || *s == '\\') {
            put(line, (const char[]){'\\', *s}, 2);
        } else if (*s == '\n' || *s == '\r' || *s == '\t') {
            put_text(line, *s == '\n' ? "\\n" : *s == '\r' ? "\\r" : "\\t");
        } else if (!harmless) {
            put_escaped(line, s, length);
        } else {
            put(line, s, length);
        }
        s += length;
    }
    put_text(line, "\"");
}

static bool is_plain(const char *string, size_t n)
{
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c <= 0x20 || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return true;
}

static void put_string(struct line *line, const char *string)
{
    size_t n = strnlen(string, VALUE_MAX_BYTES + 1);
    if (n > VALUE_MAX_BYTES) { /* cut before a character, and say so */
        char cut[VALUE_MAX_BYTES + 3];
        n = VALUE_MAX_BYTES;
        while (n > VALUE_MAX_BYTES - 4 && ((unsigned char)string[n] & 0xC0) == 0x80)
            n--;
        memcpy(cut, string, n);
        memcpy(cut + n, "...", 3);
        put_quoted(line, cut, n + 3);
    } else if (line_format == LOG_FORMAT_LOGFMT && is_plain(string, n)) {
        put(line, string, n);
    } else {
        put_quoted(line, string, n);
    }
}

static void put_key(struct line *line, const char *key)
{
    if (line_format == LOG_FORMAT_JSON) {
        put_text(line, line->length == 1 ? "\"" : ",\"");
        put_text(line, key);
        put_text(line, "\":");
    } else {
        put_text(line, line->length == 0 ? "" : " ");
        put_text(line, key);
        put_text(line, "=");
    }
}

/* One field whole, or none of it. */
static void put_field(struct line *line, const struct log_field *field, unsigned *dropped)
{
    size_t mark = line->length;
    char number[32];
    if ((field->type == LOG_STRING && !field->string) ||
        (field->type == LOG_NUMBER && field->number == FACT_UNKNOWN) ||
        (field->type == LOG_REAL && !isfinite(field->real)))
        return;
    put_key(line, field->key);
    if (field->type == LOG_STRING) {
        put_string(line, field->string);
    } else if (field->type == LOG_NUMBER && field->number == FACT_NONE) {
        put_text(line, line_format == LOG_FORMAT_JSON ? "null" : "none");
    } else {
        if (field->type == LOG_NUMBER)
            snprintf(number, sizeof(number), "%lld", (long long)field->number);
        else
            snprintf(number, sizeof(number), "%.10g", field->real);
        put_text(line, number);
    }
    if (line->full) {
        line->length = mark;
        line->full = false;
        (*dropped)++;
    }
}

static void write_line(enum log_level level, const char *msg, const struct log_field *fields)
{
    char time[32];
    clock_format(clock_wall_ms(), time, sizeof(time));
    struct line line;
    line.length = 0;
    line.full = false;
    line.limit = sizeof(line.text) - TAIL_BYTES;
    unsigned dropped = 0;
    if (line_format == LOG_FORMAT_JSON)
        put_text(&line, "{");
    put_field(&line, &LS("time", time), &dropped);
    put_field(&line, &LS("level", level_names[level]), &dropped);
    put_field(&line, &LS("msg", msg), &dropped);
    for (const struct log_field *field = fields; field->type != LOG_END; field++)
        put_field(&line, field, &dropped);
    line.limit = sizeof(line.text);
    if (dropped > 0) {
        unsigned none = 0;
        put_field(&line, &LN("dropped", (int64_t)dropped), &none);
    }
    put_text(&line, line_format == LOG_FORMAT_JSON ? "}\n" : "\n");

    /* A log that cannot be written has nobody to be told to. */
    for (size_t done = 0; done < line.length;) {
        ssize_t n = write(STDERR_FILENO, line.text + done, line.length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
}

static const struct repeats_rule repeats_rule = {
    .one_burst = 16, .one_every_s = 60, .all_burst = 1024, .all_every_s = 2};
static struct repeats repeats = {.rule = &repeats_rule};

void log_repeated(bool at_end)
{
    double now_s = at_end ? INFINITY : clock_boottime_s();
    const struct repeated *r;
    unsigned n;
    while ((r = repeats_due(&repeats, now_s, &n)) != NULL)
        write_line(LOG_LEVEL_INFO, r->kind,
                   (const struct log_field[]){LS("container", r->about[0] ? r->about : NULL),
                                              LS("of", r->more[0] ? r->more : NULL),
                                              LN("repeated", (int64_t)n),
                                              {.type = LOG_END}});
}

void log_fields(bool kept, enum log_level level, const char *msg, const struct log_field *fields)
{
    static const char *const telling[] = {"verdict", "step", "model", "what"};
    const char *about = "", *what = NULL;
    char more[256] = "";
    if (level < least_level)
        return;
    for (const struct log_field *field = fields; field->type != LOG_END; field++) {
        if (field->type != LOG_STRING || !field->string)
            continue;
        if (!strcmp(field->key, "container"))
            about = field->string;
        if (!strcmp(field->key, "what"))
            what = field->string;
        if (what && !strcmp(field->key, "who")) /* "127.0.0.1:4711": each request has a port */
            snprintf(more, sizeof more, "%.200s %.*s", what,
                     (int)(strrchr(field->string, ':') ? strrchr(field->string, ':') - field->string
                                                       : 40),
                     field->string);
        for (size_t i = 0, n = strlen(more); i < sizeof telling / sizeof telling[0]; i++)
            if (!strcmp(field->key, telling[i]))
                snprintf(more + n, sizeof more - n, "%s%s", n ? " " : "", field->string);
    }
    log_repeated(false);
    if (kept || repeats_may(&repeats, msg, about, more, clock_boottime_s()))
        write_line(level, msg, fields);
}
