#include "daemon_log.h"
#include "base/log.h"
#include "judge/kinds.h"

#include <string.h>

void daemon_log_configure(const struct settings *s)
{
    enum log_level level = LOG_LEVEL_INFO;
    if (!strcmp(s->log_level, "debug"))
        level = LOG_LEVEL_DEBUG;
    else if (!strcmp(s->log_level, "warning"))
        level = LOG_LEVEL_WARNING;
    else if (!strcmp(s->log_level, "error"))
        level = LOG_LEVEL_ERROR;
    log_configure(level, strcmp(s->log, "json") ? LOG_FORMAT_LOGFMT : LOG_FORMAT_JSON);
}

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
    log_fields(raised && v->severity > SEVERITY_INFO ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
               raised ? "verdict raised" : "verdict cleared", fields);
    log_refusal(v);
}

void daemon_log_no_room(void *userdata, const struct error *err)
{
    (void)userdata;
    log_line(LOG_LEVEL_ERROR, "no room kept", LS("why", err->message),
             LS("then", "what cannot be remembered is not done"));
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
    if (aside || report->replaced) {
        log_line(LOG_LEVEL_CRITICAL, "CRITICAL ALERT", LS("why", aside ? corrupt : moved),
                 LS("file", aside));
        return;
    }
    if (err)
        log_line(LOG_LEVEL_ERROR, "nothing can be remembered", LS("why", err->message),
                 LS("then", "what cannot be remembered is not done; it is tried again"));
    else
        log_line(LOG_LEVEL_INFO, "remembered again");
}

void daemon_log_place(void *userdata, const struct error *err)
{
    (void)userdata;
    log_line(err ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, err ? "locks not shared" : "locks shared",
             LS("why", err ? err->message : NULL),
             LS("then", err ? "one with another state directory is not kept away" : NULL));
}

void daemon_log_history(void *userdata, const struct error *err, const char *set_aside)
{
    (void)userdata;
    if (set_aside)
        log_line(LOG_LEVEL_ERROR, "history begun anew", LS("why", "the file was corrupt"),
                 LS("file", set_aside));
    else if (err)
        log_line(LOG_LEVEL_ERROR, "history not written", LS("why", err->message),
                 LS("then", "supervision goes on without it"));
    else
        log_line(LOG_LEVEL_INFO, "history written again");
}
