#include "net/answer_head.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

const char *net_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "";
}

void net_date(int64_t epoch_s, char text[static NET_DATE_SIZE])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)epoch_s;
    struct tm at = {0};
    gmtime_r(&seconds, &at);
    snprintf(text, NET_DATE_SIZE, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * at.tm_wday,
             (unsigned)at.tm_mday % 100, months + 3 * at.tm_mon,
             (unsigned)(at.tm_year + 1900) % 10000, (unsigned)at.tm_hour % 100,
             (unsigned)at.tm_min % 100, (unsigned)at.tm_sec % 100);
}

static bool may_be_named(const char *name)
{
    static const char *const ours[] = {"connection", "content-length", "transfer-encoding",
                                       "keep-alive", "upgrade",        "trailer"};
    static const char token[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "!#$%&'*+-.^_`|~";
    if (*name == '\0' || name[strspn(name, token)] != '\0')
        return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (strcasecmp(name, ours[i]) == 0)
            return false;
    }
    return true;
}

static bool may_be_value(const char *value)
{
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static int put(struct buffer *to, const char *text)
{
    return buffer_append(to, text, strlen(text));
}

static int put_field(struct buffer *to, const char *name, const char *value)
{
    int result = put(to, name);
    if (result == 0)
        result = put(to, ": ");
    if (result == 0)
        result = put(to, value);
    return result < 0 ? result : put(to, "\r\n");
}

static int put_framing(struct buffer *to, const struct answer_head *head)
{
    char length[24];
    int result = 0;
    if (head->framing == ANSWER_LENGTH) {
        snprintf(length, sizeof length, "%llu", (unsigned long long)head->length);
        result = put_field(to, "Content-Length", length);
    } else if (head->framing == ANSWER_CHUNKED) {
        result = put_field(to, "Transfer-Encoding", "chunked");
    }
    if (result == 0 && !head->keep_alive)
        result = put_field(to, "Connection", "close");
    else if (result == 0 && head->http_1_0)
        result = put_field(to, "Connection", "keep-alive");
    return result < 0 ? result : put(to, "\r\n");
}

int answer_head_put(struct buffer *to, const struct answer_head *head)
{
    char line[64];
    bool dated = false;
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct net_field *field = &head->fields[i];
        if (!may_be_named(field->name) || !may_be_value(field->value))
            return -EINVAL;
        dated = dated || strcasecmp(field->name, "date") == 0;
    }
    if (head->status < 200 || head->status > 599)
        return -EINVAL;
    snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", head->status,
             net_status_phrase(head->status));
    int result = put(to, line);
    if (result == 0 && !dated)
        result = put_field(to, "Date", head->date);
    for (size_t i = 0; i < head->n_fields && result == 0; i++)
        result = put_field(to, head->fields[i].name, head->fields[i].value);
    return result < 0 ? result : put_framing(to, head);
}

int request_head_put(struct buffer *to, const char *method, const char *target,
                     const struct net_field *fields, size_t n_fields, uint64_t length)
{
    bool says_length = length > 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                       strcmp(method, "PATCH") == 0;
    struct answer_head framing = {.framing = !says_length           ? ANSWER_BODYLESS
                                             : length == UINT64_MAX ? ANSWER_CHUNKED
                                                                    : ANSWER_LENGTH,
                                  .length = length,
                                  .keep_alive = true};
    for (const char *at = target; *at; at++) {
        if (*at <= ' ' || *at == 0x7f)
            return -EINVAL;
    }
    if (!may_be_named(method) || *target == '\0')
        return -EINVAL;
    for (size_t i = 0; i < n_fields; i++) {
        if (!may_be_named(fields[i].name) || !may_be_value(fields[i].value))
            return -EINVAL;
    }
    const char *const line[] = {method, " ", target, " HTTP/1.1\r\n"};
    int result = 0;
    for (size_t i = 0; i < 4 && result == 0; i++)
        result = put(to, line[i]);
    for (size_t i = 0; i < n_fields && result == 0; i++)
        result = put_field(to, fields[i].name, fields[i].value);
    return result < 0 ? result : put_framing(to, &framing);
}
