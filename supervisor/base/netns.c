#include "base/netns.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

struct wish {
    int netns, family, type, protocol, fd;
};

static void *enter(void *userdata)
{
    struct wish *wish = userdata;
    if (setns(wish->netns, CLONE_NEWNET) < 0)
        wish->fd = -errno;
    else if ((wish->fd = socket(wish->family, wish->type | SOCK_CLOEXEC, wish->protocol)) < 0)
        wish->fd = -errno;
    return NULL;
}

int netns_socket(int netns, int family, int type, int protocol)
{
    struct wish wish = {netns, family, type, protocol, -EPERM};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, enter, &wish);
    if (r == 0)
        r = pthread_join(thread, NULL);
    return r == 0 ? wish.fd : -r;
}
