/* Reads one request after the other from the bytes of a connection: head, body, end; or one answer
 * after the other. Two readers must agree on each head and on each chunk: head_scan and llhttp. */
#ifndef SUPERVISOR_NET_PARSER_H
#define SUPERVISOR_NET_PARSER_H

#include "net/head.h"
#include "net/head_check.h"
#include "net/head_scan.h"
#include "net/limits.h"
#include <llhttp.h>

enum net_parsed {
    NET_PARSED_MORE,   /* all bytes are used, and more are needed */
    NET_PARSED_HEAD,   /* the head is whole; the body, if there is one, comes next */
    NET_PARSED_DONE,   /* the request is whole: what follows is the next one's */
    NET_PARSED_REFUSED /* nothing more can be read from this connection; status and wrong say why */
};

struct net_parser {
    llhttp_t llhttp;
    struct head_scan scan;
    struct net_head head;
    struct net_framing framing;
    const struct net_limits *limits;
    uint8_t phase;
    bool bodyless;       /* of an answer */
    size_t head_bytes;   /* of the head, or of the trailers */
    size_t between;      /* bytes of framing since the last byte of a chunk */
    uint64_t body_max;   /* the body has at most so many bytes: set it when the head is there */
    uint64_t body_bytes; /* that came */
    char trailer[20];    /* its name, cut */
    uint8_t trailer_bytes;
    int status;        /* 400, 405, 413, 417, 431, once refused; 500 for lack of memory */
    const char *wrong; /* a sentence, static */
    void (*on_body)(void *userdata, const char *data, size_t length);
    void *userdata;
};

/* limits: kept, not copied. on_body gets the body's bytes, piece by piece; it must not touch the
 * parser. */
void net_parser_init(struct net_parser *parser, const struct net_limits *limits,
                     void (*on_body)(void *userdata, const char *data, size_t length),
                     void *userdata);
void net_parser_clear(struct net_parser *parser);
/* For the next request, after NET_PARSED_DONE. */
void net_parser_next(struct net_parser *parser);
/* For the next answer, to a request of that kind (bodyless: HEAD), on a parser of answers. One of
 * 1xx is an answer by itself, and the true one follows. A body of any size is read. What is refused
 * has the status 502. */
void net_parser_next_answer(struct net_parser *parser, bool bodyless);
/* The connection has ended: whether the answer is whole, because its body ends so. */
bool net_parser_is_whole(const struct net_parser *parser);

/* Reads on. *ret_used: how many bytes were used; what follows was not looked at. */
enum net_parsed net_parser_feed(struct net_parser *parser, const char *data, size_t length,
                                size_t *ret_used);
/* Whether a byte of a request was read whose head is not whole. */
bool net_parser_inside_head(const struct net_parser *parser);
/* How many bytes of the body are to come at least; UINT64_MAX: not known. */
uint64_t net_parser_left(const struct net_parser *parser);

#endif
