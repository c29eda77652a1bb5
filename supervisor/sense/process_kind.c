/* What a process is to Ollama, by its argv. */
#include "sense/process.h"
#include "sense/text.h"

/* The next argument; false at the end. One without its NUL was cut off and does not count. */
static bool next_argument(struct text *argv, struct text *ret_argument)
{
    const char *nul = argv->at < argv->end ? memchr(argv->at, '\0', text_left(argv)) : NULL;
    if (nul == NULL)
        return false;
    *ret_argument = (struct text){argv->at, nul};
    argv->at = nul + 1;
    return true;
}

/* What follows the last slash. */
static struct text last_component(struct text path)
{
    for (const char *at = path.at; at < path.end; at++)
        if (*at == '/')
            path.at = at + 1;
    return path;
}

/* The value of an option, as the next argument or behind "=": true if the argument is that option
 * and has one. */
static bool option_value(struct text argument, const char *option, struct text argv,
                         struct text *ret_value)
{
    if (!text_take(&argument, option))
        return false;
    if (argument.at == argument.end)
        return next_argument(&argv, ret_value);
    if (!text_take(&argument, "="))
        return false;
    *ret_value = argument;
    return true;
}

static void take_blob(struct text path, struct process *process)
{
    struct text name = last_component(path), rest = name;
    size_t length = text_left(&name);

    if (!text_take(&rest, "sha256-") || length >= sizeof process->blob)
        return;
    for (size_t i = 0; i < length; i++)
        if (name.at[i] < ' ' || name.at[i] > '~')
            return;
    memcpy(process->blob, name.at, length);
    process->blob[length] = '\0';
}

/* The program by its own name or by the one the kernel keeps (15 bytes of it). */
static bool is_program(struct text program, const char *comm, const char *name)
{
    return text_is(program, name) || strncmp(comm, name, 15) == 0;
}

/* The program's own name. Behind a translator of another machine's code (Rosetta, QEMU) it is the
 * next argument, and what it was called may follow once more. */
static bool take_program(struct text *argv, struct text *ret_program)
{
    struct text argument, name;
    if (!next_argument(argv, &argument))
        return false;
    *ret_program = name = last_component(argument);
    if (!text_is(name, "rosetta") && !text_take(&name, "qemu-"))
        return true;
    if (!next_argument(argv, &argument))
        return false;
    *ret_program = last_component(argument);
    struct text again = *argv;
    if (next_argument(&again, &argument)) {
        name = last_component(argument);
        if (text_left(&name) == text_left(ret_program) &&
            memcmp(name.at, ret_program->at, text_left(&name)) == 0)
            *argv = again;
    }
    return true;
}

enum process_kind process_classify(const char *comm, const char *argv, size_t length,
                                   struct process *process)
{
    struct text rest = text_of(argv, length), argument, command = {argv, argv}, value, program;
    bool model = false;

    process->kind = PROCESS_OTHER;
    process->blob[0] = '\0';
    process->port = FACT_UNKNOWN;
    if (!take_program(&rest, &program))
        return PROCESS_OTHER;
    bool ollama = is_program(program, comm, "ollama");
    if (!ollama && !is_program(program, comm, "llama-server") &&
        !is_program(program, comm, "ollama_llama_server"))
        return PROCESS_OTHER;

    bool first = true;
    struct text blob = command, port = command;
    while (next_argument(&rest, &argument)) {
        if (first && text_left(&argument) > 0 && *argument.at != '-') {
            command = argument;
            first = false;
        }
        if (option_value(argument, "--model", rest, &value)) {
            model = true;
            blob = value;
        } else if (option_value(argument, "--port", rest, &value)) {
            port = value;
        }
    }
    if (ollama && (text_is(command, "serve") || text_is(command, "start")))
        return process->kind = PROCESS_SERVE;
    if (ollama && !text_is(command, "runner"))
        return PROCESS_OTHER;
    int64_t number;
    if (text_number(&port, &number) && port.at == port.end && number > 0 && number <= UINT16_MAX)
        process->port = number;
    if (!model)
        return process->kind = PROCESS_HELPER;
    take_blob(blob, process);
    return process->kind = PROCESS_RUNNER;
}
