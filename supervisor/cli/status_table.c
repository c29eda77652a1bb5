#include "cli/status_table.h"
#include "base/fact.h"
#include "base/size.h"
#include "cli/say.h"
#include "sense/json_member.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_COLUMNS = 20 };

struct table {
    FILE *to;
    int width;
    bool colour;
};

static const char *const red = "\033[31m", *const green = "\033[32m", *const yellow = "\033[33m",
                         *const bold = "\033[1m";

static void paint(const struct table *t, const char *colour, const char *format, const char *text)
{
    if (t->colour && colour)
        fputs(colour, t->to);
    fprintf(t->to, format, text);
    if (t->colour && colour)
        fputs("\033[0m", t->to);
}

static const char *word(const json_t *object, const char *name)
{
    return member_string_or(object, name, "?");
}

/* A line "  label  text" whose text is folded at words to the width. */
static void __attribute__((format(printf, 4, 5))) folded(const struct table *t, const char *label,
                                                         const char *colour, const char *format,
                                                         ...)
{
    const int indent = 12;
    char whole[1024];
    const char *text = whole;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(whole, sizeof whole, format, arguments);
    va_end(arguments);
    int room = t->width - indent > 20 ? t->width - indent : 20;
    bool first = true;
    while (*text) {
        int n = (int)strlen(text);
        if (n > room) {
            n = room;
            while (n > room / 2 && text[n] != ' ')
                n--;
            if (text[n] != ' ')
                n = room;
        }
        fprintf(t->to, "  %-*s", indent - 2, first ? label : "");
        char line[1024];
        snprintf(line, sizeof line, "%.*s", n, text);
        paint(t, colour, "%s\n", line);
        text += n;
        text += strspn(text, " ");
        first = false;
    }
}

static void print_host(const struct table *t, const json_t *state)
{
    const json_t *host = json_object_get(state, "host"), *psi = json_object_get(host, "psi");
    char line[300];
    fact swap_total = member_limit(host, "swap_total"), swap_used = member_limit(host, "swap_used");
    snprintf(line, sizeof line, "%s of %s available", SHOWN(member_limit(host, "available")),
             SHOWN(member_limit(host, "total")));
    if (swap_total == 0)
        text_append(line, sizeof line, ", no swap");
    else
        text_append(line, sizeof line, ", swap %s of %s used", SHOWN(swap_used), SHOWN(swap_total));
    if (json_is_number(json_object_get(psi, "some_avg10")))
        text_append(line, sizeof line, ", pressure %.1f %% some, %.1f %% full (10 s)",
                    json_number_value(json_object_get(psi, "some_avg10")),
                    json_number_value(json_object_get(psi, "full_avg10")));
    else
        text_append(line, sizeof line, ", the kernel tells no pressure");
    folded(t, "host", NULL, "%s", line);
}

/* "host low, models medium (13.0 GiB of 24.0 GiB), ollama high": what is known. */
static void print_levels(const struct table *t, const json_t *state)
{
    const json_t *models = json_object_get(state, "models"), *c;
    const char *level = member_string(json_object_get(state, "host"), "level");
    char line[1024];
    size_t i;
    if (!level)
        return;
    snprintf(line, sizeof line, "host %s", level);
    if (member_limit(models, "budget") > 0)
        text_append(line, sizeof line, ", models %s (%s of %s)", word(models, "level"),
                    SHOWN(member_limit(models, "held")), SHOWN(member_limit(models, "budget")));
    json_array_foreach(json_object_get(state, "containers"), i, c)
    {
        const char *own = member_string(c, "level");
        if (own && strcmp(own, "unknown"))
            text_append(line, sizeof line, ", %.40s %s", word(c, "name"), own);
    }
    folded(t, "levels", !strcmp(word(state, "level"), "critical") ? red : NULL, "%s", line);
}

/* "NVIDIA L4, 3.1 GiB of 22.5 GiB VRAM used, 42 % busy, 55 °C, 31 W": what is known. */
static void print_gpus(const struct table *t, const json_t *state)
{
    const json_t *gpu, *value;
    const char *missing = member_string(state, "gpus_missing");
    char label[24], line[300];
    size_t i;
    json_array_foreach(json_object_get(state, "gpus"), i, gpu)
    {
        snprintf(label, sizeof label, "GPU %lld", (long long)member_limit(gpu, "index"));
        snprintf(line, sizeof line, "%.96s, %s of %s VRAM used",
                 json_object_get(gpu, "name") ? word(gpu, "name") : "GPU",
                 SHOWN(member_limit(gpu, "vram_used")), SHOWN(member_limit(gpu, "vram_total")));
        if ((value = json_object_get(gpu, "utilization")) != NULL)
            text_append(line, sizeof line, ", %.0f %% busy", json_number_value(value));
        if (fact_known(member_limit(gpu, "celsius")))
            text_append(line, sizeof line, ", %lld \u00b0C",
                        (long long)member_limit(gpu, "celsius"));
        if ((value = json_object_get(gpu, "watts")) != NULL)
            text_append(line, sizeof line, ", %.0f W", json_number_value(value));
        folded(t, label, NULL, "%s", line);
    }
    if (missing)
        folded(t, "GPUs", yellow, "%s", missing);
}

static fact held(const json_t *cgroup)
{
    fact swap = member_limit(cgroup, "swap"), cached = member_limit(cgroup, "swapcached");
    fact sum = fact_add(fact_add(member_limit(cgroup, "anon"), member_limit(cgroup, "shmem")),
                        swap < 0 ? 0 : swap);
    return sum < 0 ? sum : cached > 0 && member_limit(cgroup, "version") == 2 ? sum - cached : sum;
}

/* gpu: one was seen; else what Ollama calls VRAM is memory like all other. */
static void print_models(const struct table *t, const json_t *container, bool gpu)
{
    const json_t *ollama = json_object_get(container, "ollama"),
                 *models = json_object_get(ollama, "models"), *model;
    const char *kind = member_string(json_object_get(container, "labels"), "supervisor.kind");
    size_t i;
    if (!json_is_true(json_object_get(ollama, "reachable"))) {
        const char *why = member_string(ollama, "error");
        bool asked = json_object_get(ollama, "reachable") != NULL;
        folded(t, "models", ollama ? yellow : NULL, "%.40s %s%s%.200s",
               asked || !kind ? "Ollama" : kind, asked ? "does not answer" : "was not asked",
               why ? ": " : "", why ? why : "");
        return;
    }
    json_array_foreach(models, i, model)
    {
        fact on_gpu = gpu ? member_limit(model, "size_vram") : 0;
        fact context = member_limit(model, "context_length");
        char words[40] = "";
        if (fact_known(context))
            snprintf(words, sizeof words, ", context %lld", (long long)context);
        folded(t, i ? "" : "models", NULL, "%.120s, %s%s%s%s", word(model, "name"),
               SHOWN(member_limit(model, "size")), on_gpu > 0 ? ", VRAM " : "",
               on_gpu > 0 ? SHOWN(on_gpu) : "", words);
    }
}

/* What is wanted and not there yet. */
static void print_pulls(const struct table *t, const json_t *container)
{
    const json_t *pull;
    size_t i;
    json_array_foreach(json_object_get(container, "pulls"), i, pull)
    {
        const char *state = word(pull, "state"), *why = member_string(pull, "why");
        bool runs = !strcmp(state, "runs"), given_up = !strcmp(state, "given-up");
        fact total = member_limit(pull, "total");
        if (runs && fact_known(total))
            folded(t, "pull", NULL, "%.120s: %s of %s", word(pull, "model"),
                   SHOWN(member_limit(pull, "current")), SHOWN(total));
        else if (runs || given_up || !strcmp(state, "waits"))
            folded(t, "pull", given_up ? red : NULL, "%.120s: %s%s%s", word(pull, "model"),
                   given_up ? "given up"
                   : runs   ? "begins"
                            : "waits",
                   why ? ": " : "", why ? why : "");
    }
}

static void print_runners(const struct table *t, const json_t *container)
{
    const json_t *processes = json_object_get(container, "processes"), *process;
    size_t i;
    if (!processes)
        folded(t, "processes", yellow,
               "cannot be seen: the supervisor needs the host's pids (pid: host) and its /proc");
    json_array_foreach(processes, i, process)
    {
        const char *kind = word(process, "kind");
        bool runner = !strcmp(kind, "runner");
        long long pid = (long long)member_limit(process, "pid");
        fact rss = member_limit(process, "rss_anon"), swap = member_limit(process, "swap");
        fact sum = rss < 0 ? rss : rss + (swap > 0 ? swap : 0);
        if (!strcmp(kind, "serve"))
            folded(t, "server", NULL, "pid %lld holds %s", pid, SHOWN(sum));
        else if (runner || sum > 64 << 20)
            folded(t, runner ? "runner" : "other", NULL,
                   "pid %lld (%s) holds %s and maps %s of files", pid, word(process, "comm"),
                   SHOWN(sum), SHOWN(member_limit(process, "rss_file")));
    }
}

static int severity_of(const json_t *verdict)
{
    const char *severity = word(verdict, "severity");
    return !strcmp(severity, "critical") ? 2 : !strcmp(severity, "warning") ? 1 : 0;
}

/* name: of the container, NULL for what is about the host. */
static void print_verdicts(const struct table *t, const json_t *state, const char *name)
{
    const json_t *verdicts = json_object_get(state, "verdicts"), *v;
    double now_s = json_number_value(json_object_get(state, "monotonic"));
    size_t i;
    json_array_foreach(verdicts, i, v)
    {
        const char *container = member_string(v, "container");
        if (name ? !container || strcmp(container, name) : container != NULL)
            continue;
        bool raised = !strcmp(word(v, "state"), "raised");
        const char *remedy = word(v, "remedy"), *why = member_string(v, "why");
        const char *missing = member_string(v, "missing"), *acted = member_string(v, "acted");
        bool grave = raised && (strcmp(remedy, "none") || severity_of(v) == 2);
        bool told_only = !strcmp(remedy, "none");
        const json_t *at = json_object_get(v, "raised");
        double from_s = json_number_value(at ? at : json_object_get(v, "since"));
        folded(t, "verdict", grave ? red : yellow, "%s, %s for %s%s%s%s%s%s%s%s%s",
               word(v, "verdict"), word(v, "state"), SHOWN_S(now_s - from_s),
               told_only ? "" : "; remedy: ", told_only ? "" : remedy, why ? ". " : "",
               why ? why : "", missing ? ". Unknown: " : "", missing ? missing : "",
               acted ? ". Last: " : "", acted ? acted : "");
    }
}

static void print_container(const struct table *t, const json_t *state, const json_t *c)
{
    const json_t *cgroup = json_object_get(c, "cgroup");
    const char *status = word(c, "status"), *mode = word(c, "mode"), *name = word(c, "name");
    bool enforce = !strcmp(mode, "enforce");
    const json_t *verdict;
    const char *worst = "-";
    int worst_rank = -1;
    size_t i;
    json_array_foreach(json_object_get(state, "verdicts"), i, verdict)
    {
        int rank = severity_of(verdict) + 3 * !strcmp(word(verdict, "state"), "raised");
        if (!strcmp(word(verdict, "container"), name) && rank > worst_rank &&
            strcmp(word(verdict, "verdict"), "no-limit")) {
            worst = word(verdict, "verdict");
            worst_rank = rank;
        }
    }
    fprintf(t->to, "%-*.*s ", NAME_COLUMNS, NAME_COLUMNS, name);
    paint(t, enforce ? green : NULL, "%-8s", mode);
    fprintf(t->to, "%-11s%-10s%-10s%-10s%s\n", status, SHOWN(member_limit(cgroup, "limit")),
            cgroup ? SHOWN(held(cgroup)) : "?", SHOWN(member_limit(cgroup, "file")), worst);
    const char *mode_why = member_string(c, "mode_why");
    if (strlen(name) > NAME_COLUMNS)
        folded(t, "name", NULL, "%s", name);
    if (mode_why)
        folded(t, "mode", NULL, "%s (%.80s)", mode, mode_why);
    if (strcmp(status, "running")) {
        print_verdicts(t, state, name);
        return;
    }
    if (!cgroup)
        folded(t, "memory", yellow,
               "its cgroup cannot be read: mount /sys/fs/cgroup and set paths.cgroupfs");
    const char *activity = member_string(c, "activity");
    if (activity)
        folded(t, "doing", NULL, "%s", activity);
    const char *throttled = member_string(c, "throttled");
    if (throttled)
        folded(t, "throttled", yellow, "%s", throttled);
    print_models(t, c, json_array_size(json_object_get(state, "gpus")) > 0);
    print_pulls(t, c);
    print_runners(t, c);
    print_verdicts(t, state, name);
}

/* Why this is one look. */
static const char *daemon_words(const json_t *state)
{
    const char *daemon = member_string_or(state, "daemon", "");
    return !strcmp(daemon, "hidden") ? "whether a daemon runs is root's to see; run as root (sudo)"
           : *daemon                 ? "another engine's daemon runs on this state directory"
                                     : "no daemon runs on this state directory";
}

void status_table(const json_t *state, FILE *to, int width, bool colour)
{
    struct table t = {to, width < 40 ? 40 : width > 120 ? 120 : width, colour};
    const json_t *containers = json_object_get(state, "containers"), *c;
    size_t i;
    print_host(&t, state);
    print_levels(&t, state);
    print_gpus(&t, state);
    print_verdicts(&t, state, NULL);
    if (!json_array_size(containers)) {
        fputs("No Ollama container: none has label supervisor.enable=true or Ollama's image.\n",
              to);
        return;
    }
    char heading[120];
    snprintf(heading, sizeof heading, "%-*s %-8s%-11s%-10s%-10s%-10s%s", NAME_COLUMNS, "NAME",
             "MODE", "STATE", "LIMIT", "HELD", "CACHE", "VERDICT");
    paint(&t, bold, "%s\n", heading);
    json_array_foreach(containers, i, c) print_container(&t, state, c);
    if (!strcmp(word(state, "source"), "look"))
        fprintf(to, "(%s: one look can only suspect)\n", daemon_words(state));
}
