#include "daemon_log.h"
#include "base/log.h"
#include "judge/kinds.h"

#include <string.h>

/* A wanted limit that may not be set is said in its own words. */
static void log_refusal(const struct verdict *v)
{
    bool limit = v->kind == VERDICT_LIMIT_DRIFT || v->kind == VERDICT_HIGH_DRIFT;
    if (limit && v->state == VERDICT_RAISED && v->remedy == REMEDY_NONE)
        log_line(LOG_LEVEL_WARNING, "limit refused", LS("container", v->name),
                 LS("verdict", verdict_kind_name(v->kind)),
                 LN("wanted", (int64_t)verdict_evidence(v, "wanted")),
                 LN("floor", (int64_t)verdict_evidence(v, "floor")), LS("why", v->why));
}

void daemon_log_verdict(const struct verdict *v)
{
    bool raised = v->state == VERDICT_RAISED;
    struct log_field fields[EVIDENCE_MAX + 10];
    size_t n = 0;
    fields[n++] = LS("container", v->name[0] ? v->name : NULL);
    fields[n++] = LS("verdict", verdict_kind_name(v->kind));
    fields[n++] = LR("since", v->since_s);
    if (raised) {
        fields[n++] = LS("severity", severity_name(v->severity));
        fields[n++] = LR("hold_s", v->hold_s);
        fields[n++] = LS("remedy", remedy_name(v->remedy));
        fields[n++] = LS("mode", v->mode == MODE_ENFORCE ? "enforce" : "observe");
        fields[n++] = LS("model", v->model[0] ? v->model : NULL);
        for (size_t i = 0; i < v->n_evidence; i++) {
            bool whole = v->evidence[i].unit == UNIT_BYTES || v->evidence[i].unit == UNIT_COUNT;
            fields[n++] = whole ? LN(v->evidence[i].name, (int64_t)v->evidence[i].value)
                                : LR(v->evidence[i].name, v->evidence[i].value);
        }
        fields[n++] = LS("why", v->why);
    }
    fields[n] = (struct log_field){.type = LOG_END};
    log_fields(false, raised && v->severity > SEVERITY_INFO ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
               raised ? "verdict raised" : "verdict cleared", fields);
    log_refusal(v);
}

/* Something began (err), and what follows from it; or it is over. */
static void told(const struct error *err, enum log_level level, const char *bad, const char *then,
                 const char *good)
{
    if (err)
        log_line(level, bad, LS("why", err->message), LS("then", then));
    else
        log_line(LOG_LEVEL_INFO, good);
}

void daemon_log_no_room(void *userdata, const struct error *err)
{
    (void)userdata;
    told(err, LOG_LEVEL_ERROR, "no room kept", "what cannot be remembered is not done", NULL);
}

void daemon_log_keep(const struct error *err, const struct keep_report *report)
{
    const char *aside = report->set_aside[0] ? report->set_aside : NULL;
    const char *corrupt =
                   "the database was corrupt and was set aside: holds, restart counts and what "
                   "is to be given back to who was throttled are lost",
               *moved =
                   "the database was removed or replaced while it was in use: of holds, restart "
                   "counts and what is to be given back only what this supervisor did is known";
    if (aside || report->replaced)
        log_line(LOG_LEVEL_CRITICAL, "CRITICAL ALERT", LS("why", aside ? corrupt : moved),
                 LS("file", aside));
    else
        told(err, LOG_LEVEL_ERROR, "nothing can be remembered",
             "what cannot be remembered is not done; it is tried again", "remembered again");
}

void daemon_log_place(void *userdata, const struct error *err)
{
    (void)userdata;
    told(err, LOG_LEVEL_WARNING, "locks not shared",
         "one with another state directory is not kept away", "locks shared");
}

void daemon_log_history(void *userdata, const struct error *err, const char *set_aside)
{
    (void)userdata;
    if (set_aside)
        log_line(LOG_LEVEL_ERROR, "history begun anew", LS("why", "the file was corrupt"),
                 LS("file", set_aside));
    else
        told(err, LOG_LEVEL_ERROR, "history not written", "supervision goes on without it",
             "history written again");
}

void daemon_log_pulling(void *userdata, const struct wanted_pull *pull)
{
    (void)userdata;
    log_line(LOG_LEVEL_INFO, "pulling", LS("container", pull->container), LS("model", pull->model),
             LN("current", pull->current), LN("total", pull->total));
}
