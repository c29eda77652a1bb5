#include "ways.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http_server.h"
#include "sense/ollama_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADING                                                                                    \
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"

void ways_put_rows(struct ways *f, const char *rows)
{
    char text[1024];
    snprintf(text, sizeof text, HEADING "%s", rows);
    tree_put(f->tree, "100/net/tcp", text);
}

void ways_begin(struct ways *f, const char *rows)
{
    struct error err;
    struct watch *w = &f->w;
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(http_new(&f->loop, &f->sense.o.http, &err), 0);
    ways_put_rows(f, rows);
    tree_put(f->tree, "100/net/tcp6", HEADING);
    tree_put(f->tree, "100/net/fib_trie", TRIE);
    tree_make_directory(f->tree, "100/fd");
    assert_int_equal(symlink("socket:[7]", tree_path(f->tree, "100/fd/3")), 0);
    snprintf(f->sense.procfs, sizeof f->sense.procfs, "%s", f->tree->root);
    f->sense.sampler = (struct sampler){.procfs = f->sense.procfs, .http = f->sense.o.http};
    f->list = w;
    f->sense.watches = &f->list;
    f->sense.n = 1;
    w->sense = &f->sense;
    w->network = FACT_UNKNOWN;
    container_init(&w->container);
    w->container.status = STATUS_RUNNING;
    w->container.pid = MAIN;
    w->container.processes_known = true;
    struct process *p = container_add_process(&w->container);
    p->pid = MAIN;
    p->ppid = 1;
    p->state = 'S';
    p->started_us = MAIN;
    p->kind = PROCESS_SERVE;
    w->details.port = 11434;
    memcpy(w->details.address, "127.0.0.1", sizeof "127.0.0.1");
    assert_non_null(watch_client(w, &f->sense.sampler));
}

void ways_end(struct ways *f)
{
    ollama_client_free(f->w.client);
    container_clear(&f->w.container);
    http_free(f->sense.o.http);
    assert_true(loop_end(&f->loop));
}

bool ways_settle(struct ways *f, struct ollama *ret_answer, bool reachable, bool met)
{
    *ret_answer = (struct ollama){.asked = true, .reachable = reachable};
    if (!reachable)
        snprintf(ret_answer->error, sizeof ret_answer->error, "way %zu", f->w.way);
    assert_non_null(watch_client(&f->w, &f->sense.sampler)); /* as before each question */
    f->w.client->met = met;
    return watch_settle(&f->w, ret_answer);
}

bool ways_goes_to(const struct ways *f, const char *address)
{
    return strcmp(f->w.place.ways[f->w.way].address, address) == 0 && f->w.client != NULL &&
           strstr(f->w.client->url, address) != NULL;
}
