/* Server-sent events (text/event-stream) as an answer: one event after the other to a reader who
 * stays. One that does not read is dropped, and its last event says so. */
#ifndef SUPERVISOR_NET_EVENTS_H
#define SUPERVISOR_NET_EVENTS_H

#include "base/buffer.h"
#include "net/exchange.h"

/* A reader is dropped when, at the next event, more bytes wait for it in its connection, beyond
 * what its kernel and ours took: some hundred worlds. So one event of any size reaches who reads.
 */
enum { NET_EVENTS_BEHIND_MAX = 256 * 1024 };

/* Begins the answer; errors as net_answer_begin. One to HEAD is ended with it: what is sent then is
 * -EALREADY. */
int net_events_begin(struct net_exchange *exchange);
/* Appends an event as it is sent, for one or many readers. name, id: NULL for none; data may have
 * lines. 0, -ENOMEM, -EMSGSIZE; -EINVAL: a name or id with a line break. */
int net_event_format(struct buffer *to, const char *name, const char *id, const char *data);
/* Sends what net_event_format made. 1; 0: the reader was too far behind, it gets an event `dropped`
 * and its answer is ended; errors as net_answer_write. */
int net_events_send(struct net_exchange *exchange, const struct buffer *event);
/* A comment, which no reader sees and every proxy does: the stream is alive. As net_events_send. */
int net_events_beat(struct net_exchange *exchange);

#endif
