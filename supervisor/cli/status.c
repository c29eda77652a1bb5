/* supervisor status: the memory audit, for a person and as JSON (row A8). */
#include "base/fact.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "cli/task.h"
#include "sense/json_member.h"
#include "tell/local.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

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

static const char *word(const json_t *object, const char *name)
{
    return member_string_or(object, name, "?");
}

/* A line "  label  text" whose text is folded at words to the width. */
static void __attribute__((format(printf, 4, 5)))
folded(const struct table *t, const char *label, const char *colour, const char *format, ...)
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
    folded(t, "host", NULL, "%s", line);
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
        text_append(line, sizeof line, ", models %s (%s of %s)", word(models, "level"),
                    SHOWN(number(models, "held")), SHOWN(number(models, "budget")));
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
        snprintf(label, sizeof label, "GPU %lld", (long long)number(gpu, "index"));
        snprintf(line, sizeof line, "%.96s, %s of %s VRAM used",
                 json_object_get(gpu, "name") ? word(gpu, "name") : "GPU",
                 SHOWN(number(gpu, "vram_used")), SHOWN(number(gpu, "vram_total")));
        if ((value = json_object_get(gpu, "utilization")) != NULL)
            text_append(line, sizeof line, ", %.0f %% busy", json_number_value(value));
        if (fact_known(number(gpu, "celsius")))
            text_append(line, sizeof line, ", %lld \u00b0C", (long long)number(gpu, "celsius"));
        if ((value = json_object_get(gpu, "watts")) != NULL)
            text_append(line, sizeof line, ", %.0f W", json_number_value(value));
        folded(t, label, NULL, "%s", line);
    }
    if (missing)
        folded(t, "GPUs", yellow, "%s", missing);
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
        fact on_gpu = number(model, "size_vram");
        fact context = number(model, "context_length");
        char words[40] = "";
        if (fact_known(context))
            snprintf(words, sizeof words, ", context %lld", (long long)context);
        folded(t, i ? "" : "models", NULL, "%.120s, %s%s%s%s", word(model, "name"),
               SHOWN(number(model, "size")), on_gpu > 0 ? ", VRAM " : "",
               on_gpu > 0 ? SHOWN(on_gpu) : "", words);
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
        long long pid = (long long)number(process, "pid");
        fact rss = number(process, "rss_anon"), swap = number(process, "swap");
        fact sum = rss < 0 ? rss : rss + (swap > 0 ? swap : 0);
        if (!strcmp(kind, "serve"))
            folded(t, "server", NULL, "pid %lld holds %s", pid, SHOWN(sum));
        else if (runner || sum > 64 << 20)
            folded(t, runner ? "runner" : "other", NULL,
                   "pid %lld (%s) holds %s and maps %s of files", pid, word(process, "comm"),
                   SHOWN(sum), SHOWN(number(process, "rss_file")));
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
        folded(t, "verdict", grave ? red : yellow, "%s, %s for %s%s%s%s%s%s%s%s%s",
               word(v, "verdict"), word(v, "state"),
               SHOWN_S(now_s - json_number_value(json_object_get(v, "since"))),
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
    fprintf(t->to, "%-11s%-10s%-10s%-10s%s\n", status, SHOWN(number(cgroup, "limit")),
            cgroup ? SHOWN(held(cgroup)) : "?", SHOWN(number(cgroup, "file")), worst);
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
    print_models(t, c);
    print_runners(t, c);
    print_verdicts(t, state, name);
}

/* A world with verdicts (the JSON of `status --json`) as lines. width: columns that may be used (at
 * least 40). What is unknown is shown as "?", what is none as "-". */
static void status_table(const json_t *state, FILE *to, int width, bool colour)
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
        fprintf(to, "(%s on this state directory: one look can only suspect)\n",
                json_object_get(state, "daemon") ? "another engine's daemon runs"
                                                 : "no daemon runs");
}

/* ---- the command */

struct status {
    struct task task;
    bool watch, first;
    bool elsewhere; /* the daemon follows another engine */
    double every_s;
    json_t **ret_world; /* where it goes instead of to stdout; NULL: nowhere else */
};

/* Takes over state. */
static void show(const struct status *s, json_t *state, const char *source)
{
    json_object_set_new(state, "source", json_string(source));
    if (s->elsewhere)
        json_object_set_new(state, "daemon", json_string("another engine's"));
    if (s->ret_world) {
        *s->ret_world = state;
    } else if (s->task.json) {
        say_json(state);
    } else {
        if (s->watch && cli_colour(stdout))
            fputs("\033[H\033[J", stdout);
        status_table(state, stdout, cli_width(), cli_colour(stdout));
        json_decref(state);
    }
    fflush(stdout);
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)world, (void)judgement;
    struct status *s = task->userdata;
    json_t *state = flow_to_json(task->flow);
    if (!state) {
        task_end(task, FAILURE_JOB);
        return;
    }
    show(s, state, "look");
    if (!s->watch || ferror(stdout))
        task_end(task, ferror(stdout) ? FAILURE_JOB : 0);
}

/* The daemon knows more: holds, rates, what was done. 0 if it answered. */
static int from_daemon(struct status *s)
{
    const struct settings *settings = config_settings(s->task.cli->config);
    json_t *state;
    int r = local_ask(settings->state, settings->docker_host, 2000, &state);
    s->elsewhere = r == -EXDEV;
    if (r == 0)
        show(s, state, "daemon");
    return r;
}

int cmd_status(struct cli *cli)
{
    struct error err = {0};
    struct status s = {.watch = cli_has(cli, "watch"), .every_s = 2};
    const char *every = cli_value(cli, "watch");
    if (every && (duration_parse(every, &s.every_s, &err) < 0 || s.every_s < 0.1)) {
        if (!err.code)
            error_set(&err, FAILURE_USAGE, -ERANGE, "%s: the shortest interval is 0.1 s", every);
        error_wrap(&err, "--watch");
        return cli_fail(&err);
    }
    s.task = TASK(cli, "status", NULL, &s, .everything = true, .gpus = true, .look = look);
    struct timespec pause = {(time_t)s.every_s,
                             (long)((s.every_s - (double)(time_t)s.every_s) * 1e9)};
    while (from_daemon(&s) == 0) {
        if (!s.watch || ferror(stdout))
            return ferror(stdout) ? FAILURE_JOB : 0;
        nanosleep(&pause, NULL);
    }
    if (s.watch) { /* no daemon (any more): look by ourselves, that often */
        char assignment[64];
        snprintf(assignment, sizeof assignment, "supervisor.interval=%.3f", s.every_s);
        if (config_set(cli->config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
            return cli_fail(&err);
    }
    return task_run(&s.task);
}

int step_status(struct cli *cli, json_t **ret_world)
{
    struct status s = {.ret_world = ret_world};
    s.task = TASK(cli, "status", NULL, &s, .everything = true, .gpus = true, .look = look);
    return from_daemon(&s) == 0 ? 0 : task_run(&s.task);
}
