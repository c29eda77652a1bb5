/* The history of alerts, as the runbook's paths have it: what was raised and cleared, from the
 * events. To delete it is to begin behind the newest event: neither events nor what stands is
 * touched. */
#include "base/clock.h"
#include "sense/json_put.h"
#include "tell/serve/records.h"
#include "tell/serve/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char mark_name[] = "alerts-after"; /* in the state directory: an event's id */

static void mark_path(const struct serve *serve, const char *end, char *path, size_t size)
{
    snprintf(path, size, "%s/%s%s", serve->o.state, mark_name, end);
}

void alerts_remember(struct serve *serve)
{
    char path[320], text[24] = "";
    mark_path(serve, "", path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, text, sizeof text - 1) > 0)
        serve->alerts_after = strtoll(text, NULL, 10);
    close(fd);
}

/* ---- in the worker */

static void add_alert(void *userdata, const struct history_event *e)
{
    struct job *job = userdata;
    bool raised = strcmp(e->kind, "raised") == 0;
    char when[32];
    if (e->id <= job->after || !e->verdict[0] || (!raised && strcmp(e->kind, "cleared") != 0))
        return;
    clock_format(e->wall_ms, when, sizeof when);
    json_t *one = json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)e->id, "type",
                            alert_type(e->verdict), "verdict", e->verdict, "state",
                            raised ? "raised" : "resolved", "timestamp", when);
    put_text(one, "container", e->name);
    put_text(one, "message", e->outcome);
    json_array_append_new(job->list, one);
    if (json_array_size(job->list) > (size_t)job->points)
        json_array_remove(job->list, 0);
}

static int read_alerts(struct job *job, struct keep_history *history)
{
    int r = keep_history_events(history, &job->filter, add_alert, job, &job->last, &job->err);
    if (r == 0 && job->last < job->after) { /* it was begun anew: the mark hides nothing */
        job->anew = true;
        job->after = 0;
        r = keep_history_events(history, &job->filter, add_alert, job, &job->last, &job->err);
    }
    return r;
}

static int write_mark(struct job *job)
{
    char path[320], half[320], text[24];
    mark_path(job->serve, "", path, sizeof path);
    mark_path(job->serve, ".new", half, sizeof half);
    int fd = open(half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int n = snprintf(text, sizeof text, "%lld\n", (long long)job->last);
    bool good = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0 && close(fd) < 0)
        good = false;
    if (good && rename(half, path) == 0)
        return 0;
    return error_set(&job->err, FAILURE_JOB, -errno, "%s: %s", path, strerror(errno));
}

static int read_newest(struct job *job, struct keep_history *history)
{
    int r = keep_history_events(history, &job->filter, add_alert, job, &job->last, &job->err);
    return r < 0 ? r : write_mark(job);
}

/* ---- on the loop */

static void answer_alerts(struct job *job, json_t *list)
{
    if (job->anew && job->serve->alerts_after > job->last) /* a deletion may have set it since */
        job->serve->alerts_after = 0;
    api_answer(job->call, 200, list);
}

static void answer_deleted(struct job *job, json_t *list)
{
    json_decref(list);
    job->serve->alerts_after = job->last;
    api_answer(job->call, 200, json_pack("{s:b}", "success", 1));
}

static void history(void *userdata, struct api_call *call)
{
    struct job *job = job_new(userdata, call, read_alerts, answer_alerts);
    if (!job)
        return;
    job->after = job->serve->alerts_after;
    job->points = api_whole(call, "limit", EVENTS_DEFAULT);
    job->filter.limit = HISTORY_EVENTS_MAX;
    job_queue(job);
}

static void clear(void *userdata, struct api_call *call)
{
    struct job *job = job_new(userdata, call, read_newest, answer_deleted);
    if (!job)
        return;
    job->filter.limit = 1;
    job_queue(job);
}

/* ---- the table */

static const struct api_member limit_parameter[] = {{.name = "limit",
                                                     .type = API_INTEGER,
                                                     .about = "the newest so many; 50",
                                                     .bounded = true,
                                                     .min = 1,
                                                     .max = EVENTS_MAX,
                                                     .optional = true},
                                                    {0}};
static const struct api_member alert_members[] = {
    {.name = "id", .type = API_INTEGER, .about = "the event's"},
    {.name = "type", .type = API_STRING, .about = "model-unavailable, memory-pressure, leak …"},
    {.name = "verdict", .type = API_STRING, .about = "the verdict's kind"},
    {.name = "state",
     .type = API_STRING,
     .about = "raised or resolved",
     .choices = (const char *const[]){"raised", "resolved", NULL}},
    {.name = "timestamp", .type = API_STRING, .about = "RFC 3339"},
    {.name = "container", .type = API_STRING, .about = "absent: the host", .optional = true},
    {.name = "message", .type = API_STRING, .about = "one sentence", .optional = true},
    {0}};
static const struct api_schema alert_schema = {"PastAlert", "An alert that was raised or resolved.",
                                               alert_members, false};
static const struct api_member deleted_members[] = {
    {.name = "success", .type = API_BOOLEAN, .about = "it begins anew"}, {0}};
static const struct api_schema deleted_schema = {"Deleted", "The history of alerts begins anew.",
                                                 deleted_members, false};
static const struct api_answer history_answers[] = {
    {.status = 200, .about = "the oldest first", .schema = &alert_schema, .list = true}, {0}};
static const struct api_answer deleted_answers[] = {
    {.status = 200, .about = "done", .schema = &deleted_schema}, {0}};

const struct api_route routes_alerts[] = {
    {NET_GET, "/llm/production/monitoring/alerts/history", "runbookAlertHistory", "runbook",
     "What was raised and resolved.", API_READS, limit_parameter, NULL, history_answers, history},
    {NET_DELETE, "/llm/production/monitoring/alerts/history", "runbookAlertHistoryClear", "runbook",
     "Lets the history of alerts begin anew; events and standing alerts stay.", API_ACTS, NULL,
     NULL, deleted_answers, clear},
    {0}};
