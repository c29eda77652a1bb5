#include "cli/status_table.h"
#include "base/fact.h"
#include "base/size.h"
#include "cli/say.h"
#include "sense/json_member.h"

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

static fact number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value)      ? FACT_NONE
           : json_is_integer(value) ? json_integer_value(value)
                                    : FACT_UNKNOWN;
}

/* A line "  label  text" whose text is folded at words to the width. */
static void folded(const struct table *t, const char *label, const char *colour, const char *text)
{
    const int indent = 12;
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
    fact swap_total = number(host, "swap_total"), swap_used = number(host, "swap_used");
    snprintf(line, sizeof line, "%s of %s available", SHOWN(number(host, "available")),
             SHOWN(number(host, "total")));
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
    folded(t, "host", NULL, line);
}

/* "host low, models medium (13.0 GiB of 24.0 GiB), ollama high": what is known (row B4). */
static void print_levels(const struct table *t, const json_t *state)
{
    const json_t *models = json_object_get(state, "models"), *c;
    const char *level = member_string(json_object_get(state, "host"), "level");
    char line[1024];
    size_t i;
    if (!level)
        return;
    snprintf(line, sizeof line, "host %s", level);
    if (number(models, "budget") > 0)
        text_append(line, sizeof line, ", models %s (%s of %s)",
                    member_string_or(models, "level", "?"), SHOWN(number(models, "held")),
                    SHOWN(number(models, "budget")));
    json_array_foreach(json_object_get(state, "containers"), i, c)
    {
        const char *own = member_string(c, "level");
        if (own && strcmp(own, "unknown"))
            text_append(line, sizeof line, ", %.40s %s", member_string_or(c, "name", "?"), own);
    }
    folded(t, "levels", !strcmp(member_string_or(state, "level", "?"), "critical") ? red : NULL,
           line);
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
        snprintf(label, sizeof label, "GPU %lld", (long long)number(gpu, "index"));
        snprintf(line, sizeof line, "%.96s, %s of %s VRAM used",
                 json_object_get(gpu, "name") ? member_string_or(gpu, "name", "?") : "GPU",
                 SHOWN(number(gpu, "vram_used")), SHOWN(number(gpu, "vram_total")));
        if ((value = json_object_get(gpu, "utilization")) != NULL)
            text_append(line, sizeof line, ", %.0f %% busy", json_number_value(value));
        if (fact_known(number(gpu, "celsius")))
            text_append(line, sizeof line, ", %lld \u00b0C", (long long)number(gpu, "celsius"));
        if ((value = json_object_get(gpu, "watts")) != NULL)
            text_append(line, sizeof line, ", %.0f W", json_number_value(value));
        folded(t, label, NULL, line);
    }
    if (missing)
        folded(t, "GPUs", yellow, missing);
}

static fact held(const json_t *cgroup)
{
    fact swap = number(cgroup, "swap"), cached = number(cgroup, "swapcached");
    fact sum =
        fact_add(fact_add(number(cgroup, "anon"), number(cgroup, "shmem")), swap < 0 ? 0 : swap);
    return sum < 0 ? sum : cached > 0 && number(cgroup, "version") == 2 ? sum - cached : sum;
}

static void print_models(const struct table *t, const json_t *container)
{
    const json_t *ollama = json_object_get(container, "ollama"),
                 *models = json_object_get(ollama, "models"), *model;
    const char *kind = member_string(json_object_get(container, "labels"), "supervisor.kind");
    char line[400];
    size_t i;
    if (!json_is_true(json_object_get(ollama, "reachable"))) {
        const char *why = member_string(ollama, "error");
        bool asked = json_object_get(ollama, "reachable") != NULL;
        snprintf(line, sizeof line, "%.40s %s%s%.200s", asked || !kind ? "Ollama" : kind,
                 asked ? "does not answer" : "was not asked", why ? ": " : "", why ? why : "");
        folded(t, "models", ollama ? yellow : NULL, line);
        return;
    }
    json_array_foreach(models, i, model)
    {
        fact on_gpu = number(model, "size_vram");
        fact context = number(model, "context_length");
        char words[40] = "";
        if (fact_known(context))
            snprintf(words, sizeof words, ", context %lld", (long long)context);
        snprintf(line, sizeof line, "%.120s, %s%s%s%s", member_string_or(model, "name", "?"),
                 SHOWN(number(model, "size")), on_gpu > 0 ? ", VRAM " : "",
                 on_gpu > 0 ? SHOWN(on_gpu) : "", words);
        folded(t, i ? "" : "models", NULL, line);
    }
}

static void print_runners(const struct table *t, const json_t *container)
{
    const json_t *processes = json_object_get(container, "processes"), *process;
    char line[300];
    size_t i, n = 0;
    if (!processes)
        folded(t, "processes", yellow,
               "cannot be seen: the supervisor needs the host's pids (pid: host) and its /proc");
    json_array_foreach(processes, i, process)
    {
        const char *kind = member_string_or(process, "kind", "?");
        fact rss = number(process, "rss_anon"), swap = number(process, "swap");
        fact sum = rss < 0 ? rss : rss + (swap > 0 ? swap : 0);
        if (!strcmp(kind, "serve"))
            snprintf(line, sizeof line, "pid %lld holds %s", (long long)number(process, "pid"),
                     SHOWN(sum));
        else if (!strcmp(kind, "runner") || sum > 64 << 20)
            snprintf(line, sizeof line, "pid %lld (%s) holds %s and maps %s of files",
                     (long long)number(process, "pid"), member_string_or(process, "comm", "?"),
                     SHOWN(sum), SHOWN(number(process, "rss_file")));
        else
            continue;
        folded(t,
               !strcmp(kind, "serve")    ? "server"
               : !strcmp(kind, "runner") ? "runner"
                                         : "other",
               NULL, line);
        n++;
    }
}

static int severity_of(const json_t *verdict)
{
    const char *severity = member_string_or(verdict, "severity", "?");
    return !strcmp(severity, "critical") ? 2 : !strcmp(severity, "warning") ? 1 : 0;
}

/* name: of the container, NULL for what is about the host. */
static void print_verdicts(const struct table *t, const json_t *state, const char *name)
{
    const json_t *verdicts = json_object_get(state, "verdicts"), *v;
    double now_s = json_number_value(json_object_get(state, "monotonic"));
    char line[900];
    size_t i;
    json_array_foreach(verdicts, i, v)
    {
        const char *container = member_string(v, "container");
        if (name ? !container || strcmp(container, name) : container != NULL)
            continue;
        bool raised = !strcmp(member_string_or(v, "state", "?"), "raised");
        const char *remedy = member_string_or(v, "remedy", "?"), *why = member_string(v, "why");
        const char *missing = member_string(v, "missing"), *acted = member_string(v, "acted");
        bool grave = raised && (strcmp(remedy, "none") || severity_of(v) == 2);
        snprintf(line, sizeof line, "%s, %s for %s%s%s%s%s%s%s%s%s",
                 member_string_or(v, "verdict", "?"), member_string_or(v, "state", "?"),
                 SHOWN_S(now_s - json_number_value(json_object_get(v, "since"))),
                 strcmp(remedy, "none") ? "; remedy: " : "", strcmp(remedy, "none") ? remedy : "",
                 why ? ". " : "", why ? why : "", missing ? ". Unknown: " : "",
                 missing ? missing : "", acted ? ". Last: " : "", acted ? acted : "");
        folded(t, "verdict", grave ? red : yellow, line);
    }
}

static void print_container(const struct table *t, const json_t *state, const json_t *c)
{
    const json_t *cgroup = json_object_get(c, "cgroup");
    const char *status = member_string_or(c, "status", "?"),
               *mode = member_string_or(c, "mode", "?"), *name = member_string_or(c, "name", "?");
    char why[96];
    bool enforce = !strcmp(mode, "enforce");
    const json_t *verdict;
    const char *worst = "-";
    int worst_rank = -1;
    size_t i;
    json_array_foreach(json_object_get(state, "verdicts"), i, verdict)
    {
        int rank =
            severity_of(verdict) + 3 * !strcmp(member_string_or(verdict, "state", "?"), "raised");
        if (!strcmp(member_string_or(verdict, "container", "?"), name) && rank > worst_rank &&
            strcmp(member_string_or(verdict, "verdict", "?"), "no-limit")) {
            worst = member_string_or(verdict, "verdict", "?");
            worst_rank = rank;
        }
    }
    fprintf(t->to, "%-*.*s ", NAME_COLUMNS, NAME_COLUMNS, name);
    paint(t, enforce ? green : NULL, "%-8s", mode);
    fprintf(t->to, "%-11s%-10s%-10s%-10s%s\n", status, SHOWN(number(cgroup, "limit")),
            cgroup ? SHOWN(held(cgroup)) : "?", SHOWN(number(cgroup, "file")), worst);
    const char *mode_why = member_string(c, "mode_why");
    if (strlen(name) > NAME_COLUMNS)
        folded(t, "name", NULL, name);
    if (mode_why) {
        snprintf(why, sizeof why, "%s (%s)", mode, mode_why);
        folded(t, "mode", NULL, why);
    }
    if (strcmp(status, "running")) {
        print_verdicts(t, state, name);
        return;
    }
    if (!cgroup)
        folded(t, "memory", yellow,
               "its cgroup cannot be read: mount /sys/fs/cgroup and set paths.cgroupfs");
    const char *activity = member_string(c, "activity");
    if (activity)
        folded(t, "doing", NULL, activity);
    const char *throttled = member_string(c, "throttled");
    if (throttled)
        folded(t, "throttled", yellow, throttled);
    print_models(t, c);
    print_runners(t, c);
    print_verdicts(t, state, name);
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
    if (!strcmp(member_string_or(state, "source", "?"), "look"))
        fprintf(to, "(%s on this state directory: one look can only suspect)\n",
                json_object_get(state, "daemon") ? "another engine's daemon runs"
                                                 : "no daemon runs");
}
