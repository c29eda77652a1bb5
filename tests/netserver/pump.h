/* A proxy in front of one server, of the server and the client of net/: netserver --proxy ADDRESS.
 */
#ifndef TESTS_NETSERVER_PUMP_H
#define TESTS_NETSERVER_PUMP_H

#include "net/server.h"

const struct net_service *pump_service(uv_loop_t *loop, const char *address);
void pump_quietly(void);
void pump_free(void);

#endif
