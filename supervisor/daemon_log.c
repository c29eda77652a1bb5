#include "daemon_log.h"
#include "base/log.h"

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
