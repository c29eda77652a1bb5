/* supervisor manual: prints the manual page. Not in the help text: packages call it. */
#include "cli/manual.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- text as roff reads it */

static void letter(FILE *to, char c)
{
    static const char *const escapes[256] = {['\\'] = "\\e",  ['-'] = "\\-",   ['\''] = "\\(aq",
                                             ['`'] = "\\(ga", ['^'] = "\\(ha", ['~'] = "\\(ti"};
    const char *escape = escapes[(unsigned char)c];
    if (escape)
        fputs(escape, to);
    else
        fputc(c, to);
}

/* What begins a line must not look like a request. */
static void guard(FILE *to, char first)
{
    if (first == '.' || first == '\'')
        fputs("\\&", to);
}

void roff_literal(FILE *to, const char *text)
{
    guard(to, text[0]);
    for (; *text != '\0'; text++)
        letter(to, *text);
}

void roff_prose(FILE *to, const char *text)
{
    enum { LINE_MAX = 72 }; /* so many bytes of text, that a line of source stays below 80 */
    bool typed = false, option = false;
    int column = 0;
    guard(to, text[0]);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ' ' && column + 1 + (int)strcspn(c + 1, " ") > LINE_MAX) {
            fputc('\n', to);
            guard(to, c[1]);
            column = 0;
            option = false;
            continue;
        }
        column++;
        bool begins = c == text || c[-1] == ' ' || c[-1] == '(' || c[-1] == '`';
        option = begins ? c[0] == '-' : option && c[0] != ' ';
        if (*c == '`') {
            typed = !typed;
            fputs(typed ? "\\fB" : "\\fP", to);
        } else if (typed || option || *c == '\\' || *c == '~' || *c == '^') {
            letter(to, *c);
        } else {
            fputc(*c, to);
        }
    }
    fputc('\n', to);
}

void roff_tag(FILE *to, const char *tag, const char *rest)
{
    fputs(".TP\n\\fB", to);
    roff_literal(to, tag);
    fputs("\\fP", to);
    if (rest && rest[0] != '\0') {
        fputs(" \\fI", to);
        roff_literal(to, rest);
        fputs("\\fP", to);
    }
    fputc('\n', to);
}

/* The day in the footer: SOURCE_DATE_EPOCH's where a reproducible build sets it. */
static void date(char text[static 16])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *end = NULL;
    long long seconds = epoch ? strtoll(epoch, &end, 10) : 0;
    time_t when = epoch && end != epoch && *end == '\0' ? (time_t)seconds : time(NULL);
    struct tm day;
    if (!gmtime_r(&when, &day) || strftime(text, 16, "%Y-%m-%d", &day) == 0)
        snprintf(text, 16, "1970-01-01");
}

static void options_print(FILE *to, const struct option_spec *options)
{
    for (; options && options->name; options++) {
        char tag[64];
        int at = options->letter ? snprintf(tag, sizeof(tag), "-%c, ", options->letter) : 0;
        snprintf(tag + at, sizeof(tag) - (size_t)at, "--%s", options->name);
        roff_tag(to, tag, options->argument);
        roff_prose(to, options->help);
    }
}

/* Lines of "0  healed". */
static void exits_print(FILE *to, const char *text)
{
    for (const char *request = ".PP"; *text != '\0'; request = ".br") {
        char line[256];
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)length, text);
        size_t number = strcspn(line, " "), gap = strspn(line + number, " ");
        line[number] = '\0';
        fprintf(to, "%s\nExit status ", request);
        roff_literal(to, line);
        fputs(": ", to);
        roff_prose(to, gap > 0 ? line + number + gap : "");
        text += length + (text[length] == '\n');
    }
}

/* Commands that differ in their name only are described once. */
static const struct command *same(const struct command *const *list, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (list[i]->details && list[j]->details == list[i]->details)
            return list[j];
    return NULL;
}

static void commands_print(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs(".SH COMMANDS\n", to);
    for (size_t i = 0; i < n; i++) {
        const struct command *like = same(list, i);
        char text[256];
        fputs(".SS ", to);
        roff_literal(to, list[i]->name);
        if (list[i]->operands[0] != '\0') {
            fputs(" \\fI", to);
            roff_literal(to, list[i]->operands);
            fputs("\\fP", to);
        }
        snprintf(text, sizeof(text), "\n`supervisor %s` %s.", list[i]->name, list[i]->summary);
        roff_prose(to, text);
        if (like) {
            snprintf(text, sizeof(text), "Its options and all else are as with `%s`.", like->name);
            roff_prose(to, text);
            continue;
        }
        if (list[i]->details) {
            fputs(".PP\n", to);
            roff_prose(to, list[i]->details);
        }
        options_print(to, list[i]->options);
        if (list[i]->exits)
            exits_print(to, list[i]->exits);
    }
}

static void examples_print(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs(".SH EXAMPLES\n.EX\n", to);
    for (size_t i = 0; i < n; i++)
        if (list[i]->examples)
            roff_literal(to, list[i]->examples);
    fputs(".EE\n", to);
}

struct entry {
    const char *tag, *rest, *text;
};

static void section(FILE *to, const char *title, const char *text, const struct entry *entries)
{
    fprintf(to, ".SH %s\n", title);
    if (text)
        roff_prose(to, text);
    for (; entries->tag; entries++) {
        roff_tag(to, entries->tag, entries->rest);
        roff_prose(to, entries->text);
    }
}

static const char description[] =
    "Watches the containers that run Ollama, sees when memory is held that no model explains, or a "
    "model's process that Ollama has forgotten, and gives the memory back by the smallest remedy "
    "that helps. It judges by what is held (anonymous memory, shared memory, swap), never by page "
    "cache, looks again right before it acts, and remembers on disk what it is about to do. At "
    "most "
    "three restarts an hour; then it leaves the container as it is and says so. What it cannot "
    "read "
    "is unknown, and nothing is done on what is unknown.";

static const struct entry environment[] = {
    {"SUPERVISOR_*", NULL, "A setting each; see CONFIGURATION. An unknown one is refused."},
    {"DOCKER_HOST", NULL, "As docker.host, below `SUPERVISOR_DOCKER_HOST`."},
    {"MAX_MODEL_MEMORY_GB", NULL, "As memory.max_model_memory, in GiB, below its own variable."},
    {"NO_COLOR", NULL, "Not empty: no colours."},
    {"COLUMNS", NULL, "The width, where there is no terminal to ask."},
    {0}};

static const struct entry files[] = {
    {CLI_CONFIG_PATH, NULL, "The configuration, where it exists and `-c` names no other."},
    {"/var/run/docker.sock", NULL, "The engine's socket (docker.host)."},
    {"/var/lib/supervisor/", NULL,
     "What must survive, in a database; a lock for each container; the daemon's socket "
     "(supervisor.state). All supervisors of a host share it."},
    {"/proc, /sys/fs/cgroup", NULL,
     "Where processes and memory are read (paths.procfs, paths.cgroupfs). Cgroups are written only "
     "for memory.high and memory.reclaim, both of version 2, and for the CPU quota of who is "
     "throttled."},
    {0}};

static const struct entry exits[] = {
    {"0", NULL, "Done."},
    {"1", NULL, "A job failed, or found what it was to find; each command says which."},
    {"2", NULL, "Bad command line or configuration; nothing was changed."},
    {"3", NULL, "The engine, the cgroups or the state cannot be reached."},
    {0}};

static const struct entry signals[] = {
    {"SIGHUP", NULL,
     "`supervisor run` reads the configuration anew; a bad one is told and the old one stays."},
    {"SIGTERM, SIGINT", NULL,
     "The daemon ends within a second; what is under way is taken up by the next one."},
    {0}};

int cmd_manual(struct cli *cli)
{
    (void)cli;
    FILE *to = stdout;
    char day[16];
    date(day);
    fprintf(to, ".TH SUPERVISOR 8 %s \"supervisor %s\" \"System administration\"\n", day,
            SUPERVISOR_VERSION);
    fputs(".SH NAME\nsupervisor \\- keeps Dockerized Ollama healthy in the memory it has\n"
          ".SH SYNOPSIS\n.B supervisor\n[\\fIoptions\\fP] \\fIcommand\\fP [\\fIoptions\\fP]\n"
          ".SH DESCRIPTION\n",
          to);
    roff_prose(to, description);
    commands_print(to);
    fputs(".SH OPTIONS\nOf every command, before or behind it.\n", to);
    options_print(to, options_global);
    manual_settings(to);
    section(to, "ENVIRONMENT", NULL, environment);
    section(to, "FILES", NULL, files);
    section(to, "EXIT STATUS", NULL, exits);
    section(to, "SIGNALS", NULL, signals);
    manual_labels(to);
    examples_print(to);
    fputs(".SH SEE ALSO\n.BR docker (1),\n.BR dockerd (8),\n.BR systemd (1),\n.BR cgroups (7)\n",
          to);
    return 0;
}
