/* The stand-in for Ollama: one program under the names of all the processes that the real one has.
 *   ollama serve | list | ps | --version    ollama runner …    llama-server …    sim fill | hold |
 * leak | keep */
#include "api.h"
#include "client.h"
#include "control.h"
#include "loop.h"
#include "memory.h"
#include "models.h"
#include "runner.h"
#include "sched.h"
#include "settings.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a real server holds in anonymous memory before it has loaded anything. */
#define SERVE_IDLE_BYTES (7u << 20)

static struct timer stop_timer;

static void stop(struct timer *timer)
{
    (void)timer;
    sched_end();
    exit(0);
}

static void signalled(int signal_number)
{
    control_signal_seen(signal_number);
    printf("signal %d\n", signal_number);
    if ((signal_number != SIGTERM && signal_number != SIGINT) || settings.ignore_term)
        return;
    api_end();
    stop_timer.fire = stop;
    if (!stop_timer.armed)
        loop_arm(&stop_timer, settings.stop_delay_ms);
}

static void child_exited(pid_t pid, int wait_status)
{
    if (!sched_child_exited(pid, wait_status))
        control_child_exited(pid);
}

static void serve(void)
{
    static const struct loop_hooks hooks = {child_exited, signalled};
    setvbuf(stdout, NULL, _IOLBF, 0);
    settings_start();
    models_start();
    char *idle = memory_map(SERVE_IDLE_BYTES);
    if (!idle)
        die("mapping %u bytes: %m", SERVE_IDLE_BYTES);
    memory_touch(idle, 0, SERVE_IDLE_BYTES);
    loop_start(&hooks);
    sched_start();
    api_start();
    control_start();
    printf("simollama plays Ollama %s\n", sim_version());
    loop_run();
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    const char *command = argc > 1 ? argv[1] : "";
    name = name ? name + 1 : argv[0];
    if (!strcmp(name, "llama-server") || !strcmp(command, "runner"))
        runner_main(argc, argv);
    if (!strcmp(name, "sim"))
        return client_sim(argc - 1, argv + 1);
    if (!strcmp(command, "serve"))
        serve();
    if (!strcmp(command, "list") || !strcmp(command, "ls"))
        return client_list();
    if (!strcmp(command, "ps"))
        return client_ps();
    if (!strcmp(command, "sim"))
        return client_sim(argc - 2, argv + 2);
    if (!strcmp(command, "--version") || !strcmp(command, "-v")) {
        printf("ollama version is %s\n", sim_version());
        return 0;
    }
    fputs("usage: ollama serve | list | ps | --version | sim fill | hold | leak | keep …\n",
          stderr);
    return 2;
}
