/* The texts of PROCFS/PID: stat, status, cmdline, rows of net/tcp and net/dev. */
#include "sense/process_parse.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(fact value)
{
    if (value < 0 && value != FACT_UNKNOWN)
        abort();
}

static void check_process(const struct process *process)
{
    const fact facts[] = {process->pid,      process->ns_pid,   process->ppid,
                          process->port,     process->cpu_us,   process->started_us,
                          process->rss_anon, process->rss_file, process->swap};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        check(facts[i]);
    if (memchr(process->comm, '\0', sizeof process->comm) == NULL ||
        memchr(process->blob, '\0', sizeof process->blob) == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const comms[] = {"ollama", "llama-server", "", "sh"};
    char *copy = malloc(size == 0 ? 1 : size); /* to the byte: reading past it is seen */
    struct process process;

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    struct text text = text_of(copy, size), line;
    process_init(&process);
    if (process_parse_stat(text, 100, &process) == 0 && process.state == 0 && copy[0] != 0 &&
        memchr(copy, '\0', size) == NULL)
        abort();
    check_process(&process);
    process_init(&process);
    process_parse_status(text, &process);
    check_process(&process);
    for (size_t i = 0; i < sizeof comms / sizeof comms[0]; i++) {
        process_init(&process);
        enum process_kind kind = process_classify(comms[i], copy, size, &process);
        check_process(&process);
        if (kind != process.kind || (kind == PROCESS_SERVE && process.blob[0] != '\0'))
            abort();
    }
    while (text_line(&text, &line)) {
        struct tcp_row row;
        if (tcp_row_parse(line, &row) && row.state > 0xFF)
            abort();
        check(received_parse(line));
    }
    free(copy);
    return 0;
}
