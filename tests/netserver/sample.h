/* A small API of its own, for tests of how tables are served (tell/api): things with names, kept in
 * memory. netserver --api. */
#ifndef TESTS_NETSERVER_SAMPLE_H
#define TESTS_NETSERVER_SAMPLE_H

#include "net/exchange.h"

const struct net_service *sample_service(void); /* NULL: its table is not whole; it says why */

#endif
