/* supervisor doctor: what is wrong or missing around it, what that costs, what mends it. It changes
 * nothing. */
#include "cli/doctor.h"
#include "cli/say.h"
#include "cli/task.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <stdarg.h>
#include <string.h>

enum { EXIT_WARNING = 1, EXIT_CRITICAL = 4 };

static const struct {
    const char *name, *colour;
} severities[] = {[DOCTOR_OK] = {"ok", "\033[32m"},
                  [DOCTOR_NOTE] = {"note", ""},
                  [DOCTOR_WARNING] = {"warning", "\033[33m"},
                  [DOCTOR_CRITICAL] = {"critical", "\033[31m"}};

void doctor_find(struct doctor *doctor, enum doctor_severity severity, const char *check,
                 const char *about, const char *cost, const char *mend, const char *format, ...)
{
    char text[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *finding =
        json_pack("{s:s, s:s}", "severity", severities[severity].name, "check", check);
    if (about[0])
        put_text(finding, "container", about);
    put_text(finding, "text", text);
    if (cost)
        put_text(finding, "cost", cost);
    if (mend)
        put_text(finding, "mend", mend);
    json_array_append_new(doctor->findings, finding);
    doctor->counts[severity]++;
}

/* ---- the look */

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)judgement;
    doctor_world(task->userdata, world);
    task_end(task, 0);
}

static void on_bad_label(struct task *task, const struct container *c, const char *text)
{
    doctor_find(task->userdata, DOCTOR_WARNING, "labels", c->name,
                "what it asks for is not done, and on doubt the container is only watched",
                "labels of a container that exists cannot be changed: make it anew with the right "
                "one",
                "%s", text);
}

/* ---- what is said */

static void print_finding(const json_t *finding, enum doctor_severity severity, int width,
                          bool colour)
{
    enum { INDENT = 10 };
    const char *name = member_string_or(finding, "container", ""),
               *cost = member_string(finding, "cost"), *mend = member_string(finding, "mend");
    char text[1200];
    snprintf(text, sizeof text, "%s: %s%s%s", member_string_or(finding, "check", ""), name,
             name[0] ? ": " : "", member_string_or(finding, "text", ""));
    printf("%s%-*s%s", colour ? severities[severity].colour : "", INDENT, severities[severity].name,
           colour ? "\033[0m" : "");
    help_wrap(stdout, text, INDENT, INDENT, width);
    for (size_t i = 0; i < 2; i++) {
        const char *what = i == 0 ? cost : mend;
        if (!what)
            continue;
        snprintf(text, sizeof text, "%s %s", i == 0 ? "it costs:" : "to mend it:", what);
        printf("%*s", INDENT, "");
        help_wrap(stdout, text, INDENT, INDENT + 2, width);
    }
}

static void print_all(const struct doctor *doctor)
{
    int width = cli_width();
    bool colour = cli_colour(stdout);
    size_t bad = doctor->counts[DOCTOR_CRITICAL] + doctor->counts[DOCTOR_WARNING];
    for (int severity = DOCTOR_CRITICAL; severity >= DOCTOR_OK; severity--) {
        size_t i;
        json_t *finding;
        json_array_foreach(doctor->findings, i, finding)
        {
            if (strcmp(member_string_or(finding, "severity", ""), severities[severity].name) == 0)
                print_finding(finding, (enum doctor_severity)severity, width, colour);
        }
    }
    if (bad == 0)
        printf("\nNothing to mend: %zu checks are well.\n", doctor->counts[DOCTOR_OK]);
    else
        printf("\n%zu to mend, %zu of them critical; %zu checks are well.\n", bad,
               doctor->counts[DOCTOR_CRITICAL], doctor->counts[DOCTOR_OK]);
}

static int exit_status(const struct doctor *doctor)
{
    return !doctor->engine                       ? FAILURE_UNREACHABLE
           : doctor->counts[DOCTOR_CRITICAL] > 0 ? EXIT_CRITICAL
           : doctor->counts[DOCTOR_WARNING] > 0  ? EXIT_WARNING
                                                 : 0;
}

int cmd_doctor(struct cli *cli)
{
    struct doctor doctor = {.cli = cli,
                            .settings = config_settings(cli->config),
                            .findings = json_array(),
                            .inspected = json_object()};
    int status = 0;
    doctor_host(&doctor);
    if (doctor_engine(&doctor) && !doctor.signal) {
        struct task task = TASK(cli, "doctor", NULL, &doctor, .everything = true, .gpus = true,
                                .look = look, .bad_label = on_bad_label);
        status = task_run(&task);
    }
    if (doctor.signal)
        status = 128 + doctor.signal;
    if (status == 0) {
        status = exit_status(&doctor);
        if (cli_has(cli, "json"))
            say_json(json_incref(doctor.findings));
        else
            print_all(&doctor);
    }
    json_decref(doctor.findings);
    json_decref(doctor.inspected);
    json_decref(doctor.engine);
    return status;
}
