/* What the test server answers, by path:
 *
 *   /hello           "hello\n"
 *   /size/N          N bytes, the head with Content-Length
 *   /stream/N/SIZE   N pieces of SIZE bytes, each when there is room, chunked
 *   /drip/N/MS       N lines, one each MS milliseconds
 *   /echo            the request's body, piece by piece as it comes
 *   /count           how many bytes the body had
 *   /admit/MS        the body is wanted after MS milliseconds; as /count
 *   /deny            403 at once; the body is not wanted
 *   /later/MS        "later\n" after MS milliseconds
 *   /leaving         never; a client that half-closes is taken to be gone
 *   /broken          the beginning of an answer
 *   /events/N/SIZE   N events of SIZE bytes as fast as the loop turns
 *   /peer            who asks
 *   /counts          the server's counts
 *   /large           a body of any size is taken, as /count
 *
 * Everything else is 404. */
#ifndef TESTS_NETSERVER_SERVE_H
#define TESTS_NETSERVER_SERVE_H

#include "net/server.h"

const struct net_service *serve_service(uv_loop_t *loop);
void serve_counts_of(struct net_server *server);
void serve_quietly(void); /* no lines about requests: for measuring */
void serve_drains(void);  /* event streams end */

#endif
