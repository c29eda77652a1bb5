/* supervisor manual: prints the manual page, supervisor(8): roff with the macros of man(7), made
 * from the tables. Not in the help text: packages call it. */
#include "base/config_table.h"
#include "base/profile.h"
#include "cli/cli.h"

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

/* Text as it is to be typed: every hyphen is a minus. */
static void roff_literal(FILE *to, const char *text)
{
    guard(to, text[0]);
    for (; *text != '\0'; text++)
        letter(to, *text);
}

/* A paragraph's text, on a line of its own; `this` becomes bold, as it is to be typed. */
static void roff_prose(FILE *to, const char *text)
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

/* ".TP", the tag in bold, then what follows it in italics (NULL: nothing). */
static void roff_tag(FILE *to, const char *tag, const char *rest)
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

/* ---- the settings */

static void setting_print(FILE *to, const struct setting *setting)
{
    char name[SETTING_NAME_MAX], rule[SETTING_NAME_MAX];
    roff_tag(to, setting_name(setting, name),
             setting->initial[0] == '\0' ? NULL : setting->initial);
    roff_prose(to, setting->reason);
    if (setting->label) {
        snprintf(rule, sizeof(rule), "Label `%s`.", setting->label);
        fputs(".br\n", to);
        roff_prose(to, rule);
    }
}

static void presets_print(FILE *to)
{
    fputs(".PP\nWhat the presets set otherwise:\n", to);
    for (const struct preset *p = presets_table; p->name; p++) {
        char text[128];
        snprintf(text, sizeof(text), "%s.%s = %s", p->section, p->key, p->value);
        roff_tag(to, p->name, text);
        fputs("\\&\n", to);
    }
}

static void profiles_print(FILE *to)
{
    fputs(".SS [profile \\(dqNAME\\(dq]\n", to);
    roff_prose(
        to, "Changes a built-in profile of `supervisor create` or adds one of your own. Each key "
            "with its value in a new one; those of the built-in ones: `supervisor profiles`.");
    for (const char *const *key = profile_keys; *key; key++) {
        char text[PROFILE_TEXT_SIZE];
        profile_format(&profiles_builtin_table[0], *key, text, sizeof(text));
        fputs(key == profile_keys ? ".PP\n" : ".br\n", to);
        fputs("\\fB", to);
        roff_literal(to, *key);
        fprintf(to, " =\\fP%s", text[0] == '\0' ? "" : " ");
        roff_literal(to, text);
        fputc('\n', to);
    }
}

static void tiers_print(FILE *to)
{
    fputs(".SS [tier \\(dqNAME\\(dq]\n", to);
    roff_prose(to, "Models that are wanted at hand, as `models = llama3.2, qwen3:8b`. Those of the "
                   "tiers ultra-fast, fast and medium are not unloaded to make room, unless they "
                   "have not been used for 30 minutes and the pressure is critical. `supervisor "
                   "preload` loads those of all tiers, and so does the daemon after a heal. The "
                   "preset runbook has the three, with one model each.");
}

/* The section CONFIGURATION, and LABELS, from the table of settings. */
static void manual_settings(FILE *to)
{
    const char *section = "";
    fputs(".SH CONFIGURATION\n", to);
    roff_prose(
        to, "The file has sections in brackets and lines `key = value`; a semicolon behind a space "
            "begins a comment. `supervisor config show` prints every setting with its value and "
            "where that came from, and its output is such a file. A setting `key` of `[section]` "
            "is also the option `--set section.key=value`, the environment variable "
            "`SUPERVISOR_SECTION_KEY` (for the section supervisor without its name: "
            "`SUPERVISOR_MODE`) and, where it is for one container, a label. Where several say "
            "something, the first of these holds: command line, environment, label, file, preset, "
            "built-in. Sizes take k, m, g, t (1 GB is 1 GiB), times ms, s, m, h, d. In the "
            "following the built-in value stands behind the name; without one the setting is "
            "unset.");
    for (size_t i = 0; i < SETTINGS_N; i++) {
        if (strcmp(section, settings_table[i].section) != 0)
            fprintf(to, ".SS [%s]\n", settings_table[i].section);
        section = settings_table[i].section;
        setting_print(to, &settings_table[i]);
        if (i + 1 == SETTINGS_N || strcmp(section, settings_table[i + 1].section) != 0)
            if (strcmp(section, "supervisor") == 0)
                presets_print(to);
    }
    tiers_print(to);
    profiles_print(to);
}

static void manual_labels(FILE *to)
{
    fputs(".SH LABELS\n", to);
    roff_prose(to,
               "What a container says of itself. A label that is malformed is told and left out.");
    roff_tag(to, "supervisor.enable", "true|false");
    roff_prose(to,
               "true: supervise it, and act. false: leave it alone. Without it a container whose "
               "image is Ollama's is found and only told about.");
    roff_tag(to, "supervisor.priority", "low|normal|high");
    roff_prose(to,
               "Who gives way to whom, where memory is short: `create --evict` stops the lower "
               "ones, and low is throttled while the host is at its limit (remedy.throttle_cpu).");
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char name[SETTING_NAME_MAX], text[SETTING_NAME_MAX + 32];
        if (!settings_table[i].label)
            continue;
        roff_tag(to, settings_table[i].label, NULL);
        snprintf(text, sizeof(text), "The setting `%s`.", setting_name(&settings_table[i], name));
        roff_prose(to, text);
    }
}

/* ---- the page */

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
