#include "net/events.h"
#include "net/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int net_events_begin(struct net_exchange *exchange)
{
    static const struct net_field fields[] = {
        {"Content-Type", "text/event-stream"},
        {"Cache-Control", "no-store"},
        {"X-Accel-Buffering", "no"}, /* nginx would keep them back */
    };
    int result =
        net_answer_begin(exchange, 200, fields, sizeof fields / sizeof *fields, NET_LENGTH_UNKNOWN);
    if (result < 0)
        return result;
    if (exchange->muted)
        return net_answer_end(exchange);
    net_answer_patience(exchange, true);
    return 0;
}

static int put(struct buffer *to, const char *field, const char *text, size_t length)
{
    int result = buffer_append(to, field, strlen(field));
    if (result == 0)
        result = buffer_append(to, ": ", 2);
    if (result == 0)
        result = buffer_append(to, text, length);
    return result < 0 ? result : buffer_append(to, "\n", 1);
}

static int put_one_line(struct buffer *to, const char *field, const char *text)
{
    if (!text)
        return 0;
    size_t length = strcspn(text, "\r\n");
    return text[length] ? -EINVAL : put(to, field, text, length);
}

int net_event_format(struct buffer *to, const char *name, const char *id, const char *data)
{
    int result = put_one_line(to, "event", name);
    if (result == 0)
        result = put_one_line(to, "id", id);
    while (result == 0) {
        size_t length = strcspn(data, "\r\n");
        result = put(to, "data", data, length);
        data += length;
        if (*data == '\0')
            break;
        data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
    }
    return result < 0 ? result : buffer_append(to, "\n", 1);
}

static int drop(struct net_exchange *exchange, size_t behind)
{
    char last[96];
    int length =
        snprintf(last, sizeof last, "event: dropped\ndata: {\"behind_bytes\":%zu,\"max\":%d}\n\n",
                 behind, NET_EVENTS_BEHIND_MAX);
    net_answer_patience(exchange, false);
    int result = net_answer_write(exchange, last, (size_t)length);
    if (result >= 0)
        result = net_answer_end(exchange);
    return result;
}

static int send_or_drop(struct net_exchange *exchange, const char *text, size_t length)
{
    size_t behind = net_answer_waiting(exchange);
    if (behind > NET_EVENTS_BEHIND_MAX)
        return drop(exchange, behind);
    int result = net_answer_write(exchange, text, length);
    return result < 0 ? result : 1;
}

int net_events_send(struct net_exchange *exchange, const struct buffer *event)
{
    return send_or_drop(exchange, buffer_text(event), event->length);
}

int net_events_beat(struct net_exchange *exchange)
{
    return send_or_drop(exchange, ":\n\n", 3);
}
