/* A server over the room net/, for tests: it answers by path, and says on stdout what it was asked.
 *
 *   netserver [--tls CERTIFICATE KEY] [--limit NAME=NUMBER]... [--quiet] [--api]
 *             [--proxy UPSTREAM] ADDRESS...
 *
 * SIGHUP reads certificate and key again, SIGTERM drains. Lines: "listening PORT", "request METHOD
 * TARGET", "done METHOD TARGET RESULT", "reloaded" or "kept SENTENCE", "drained". */
#include "netserver/pump.h"
#include "netserver/sample.h"
#include "netserver/serve.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
    uv_loop_t *loop;
    struct net_limits limits;
    struct net_tls *tls;
    const char *certificate, *key;
    struct net_server *server;
    uv_signal_t hangup, terminate;
};

static void usage(void)
{
    fprintf(stderr, "netserver [--tls CERTIFICATE KEY] [--limit NAME=NUMBER]... ADDRESS...\n");
    exit(2);
}

static void set_limit(struct net_limits *limits, const char *assignment)
{
#define SIZE(name) {#name, offsetof(struct net_limits, name), sizeof limits->name}
    static const struct {
        const char *name;
        size_t offset, size;
    } all[] = {SIZE(head_bytes),   SIZE(headers),      SIZE(body_bytes), SIZE(connections),
               SIZE(per_address),  SIZE(head_ms),      SIZE(body_ms),    SIZE(progress_bytes),
               SIZE(write_ms),     SIZE(idle_ms),      SIZE(linger_ms),  SIZE(discard_bytes),
               SIZE(window_bytes), SIZE(waiting_bytes)};
#undef SIZE
    const char *equals = strchr(assignment, '=');
    for (size_t i = 0; equals && i < sizeof all / sizeof *all; i++) {
        char *to = (char *)limits + all[i].offset;
        if (strlen(all[i].name) != (size_t)(equals - assignment) ||
            strncmp(assignment, all[i].name, strlen(all[i].name)) != 0)
            continue;
        uint64_t value = strtoull(equals + 1, NULL, 10);
        uint32_t small = (uint32_t)value;
        memcpy(to, all[i].size == sizeof value ? (void *)&value : (void *)&small, all[i].size);
        return;
    }
    usage();
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct program *program = signal->data;
    struct error err;
    (void)number;
    if (!program->tls)
        return;
    if (net_tls_reload(program->tls, program->certificate, program->key, &err) < 0)
        printf("kept %s\n", err.message);
    else
        printf("reloaded\n");
}

static void drained(void *userdata)
{
    struct program *program = userdata;
    printf("drained\n");
    net_server_free(program->server);
    pump_free();
    uv_close((uv_handle_t *)&program->hangup, NULL);
    uv_close((uv_handle_t *)&program->terminate, NULL);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct program *program = signal->data;
    (void)number;
    uv_signal_stop(signal);
    serve_drains();
    net_server_drain(program->server, 3000, drained, program);
}

int main(int argc, char **argv)
{
    struct program program = {.loop = uv_default_loop(), .limits = net_limits};
    struct error err;
    const struct net_service *service = serve_service(program.loop);
    int i = 1;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            program.certificate = argv[++i];
            program.key = argv[++i];
        } else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc) {
            set_limit(&program.limits, argv[++i]);
        } else if (strcmp(argv[i], "--quiet") == 0) {
            serve_quietly();
            pump_quietly();
        } else if (strcmp(argv[i], "--api") == 0) {
            service = sample_service();
        } else if (strcmp(argv[i], "--proxy") == 0 && i + 1 < argc) {
            service = pump_service(program.loop, argv[++i]);
        } else {
            usage();
        }
    }
    if (program.certificate &&
        net_tls_new(program.certificate, program.key, &program.tls, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return (int)err.failure;
    }
    if (i == argc || !service ||
        net_server_new(program.loop, service, &program.limits, &program.server) < 0)
        usage();
    for (; i < argc; i++) {
        const char *list = argv[i];
        struct net_address address;
        int r;
        while ((r = net_address_next(&list, &address, &err)) > 0 &&
               (r = net_server_listen(program.server, &address, program.tls, 0600, &err)) == 0)
            ;
        if (r < 0) {
            fprintf(stderr, "%s\n", err.message);
            return (int)err.failure;
        }
        printf("listening %d\n", net_server_port(program.server, 0));
    }
    serve_counts_of(program.server);
    program.hangup.data = program.terminate.data = &program;
    uv_signal_init(program.loop, &program.hangup);
    uv_signal_init(program.loop, &program.terminate);
    uv_signal_start(&program.hangup, on_hangup, SIGHUP);
    uv_signal_start(&program.terminate, on_terminate, SIGTERM);
    uv_run(program.loop, UV_RUN_DEFAULT);
    net_tls_free(program.tls);
    return uv_loop_close(program.loop) == 0 ? 0 : 1;
}
