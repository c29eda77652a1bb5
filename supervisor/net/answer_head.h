/* The head of an answer, or of a request that is sent, as text. Pure. Inside of net only. */
#ifndef SUPERVISOR_NET_ANSWER_HEAD_H
#define SUPERVISOR_NET_ANSWER_HEAD_H

#include "base/buffer.h"
#include "net/head.h"

enum answer_framing { ANSWER_BODYLESS, ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_UNTIL_CLOSE };

struct answer_head {
    int status; /* 200 … 599 */
    const struct net_field *fields;
    size_t n_fields;
    enum answer_framing framing;
    uint64_t length;  /* of ANSWER_LENGTH */
    bool keep_alive;  /* else Connection: close */
    bool http_1_0;    /* the client speaks it, and is told where the connection stays */
    const char *date; /* as net_date has it */
};

/* Appends it. 0, -ENOMEM, -EMSGSIZE, -EINVAL: a name that is no token or says what the server says
 * (Connection, Content-Length, Transfer-Encoding …), or a value with a control byte. */
int answer_head_put(struct buffer *to, const struct answer_head *head);

/* Appends the head of a request with these fields, and Content-Length or Transfer-Encoding (length
 * UINT64_MAX: chunked; 0: neither, but for POST, PUT and PATCH). Errors as answer_head_put. */
int request_head_put(struct buffer *to, const char *method, const char *target,
                     const struct net_field *fields, size_t n_fields, uint64_t length);

/* "Not Found"; "" for one without a phrase. */
const char *net_status_phrase(int status);

enum { NET_DATE_SIZE = 30 };
/* "Mon, 30 Nov 2026 13:17:27 GMT" from seconds of the Unix epoch. */
void net_date(int64_t epoch_s, char text[static NET_DATE_SIZE]);

#endif
