/* What the head of a request must be before anybody sees it: one reading of where its body ends,
 * one host, a target of ours. llhttp has read it; what it leaves to its user, and what only some of
 * its versions refuse, is refused here. Pure. */
#ifndef SUPERVISOR_NET_HEAD_CHECK_H
#define SUPERVISOR_NET_HEAD_CHECK_H

#include "net/head.h"

struct net_framing {
    bool chunked;
    uint64_t length; /* of the body in bytes, 0 for none; not known if chunked */
    bool keep_alive; /* the client would send another request */
    bool expects;    /* it waits for 100 Continue before it sends the body */
    bool until_end;  /* of an answer: its body ends with the connection */
};

/* 0, or the status to refuse with (400, 405, 417); *ret_wrong is then a sentence (static). */
int net_head_check(const struct net_head *head, struct net_framing *ret_framing,
                   const char **ret_wrong);

/* The same for an answer; bodyless: it is one to HEAD. 502 for one that can be read in two ways. */
int net_head_check_answer(const struct net_head *head, bool bodyless,
                          struct net_framing *ret_framing, const char **ret_wrong);

#endif
