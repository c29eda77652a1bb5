/* What an idle server was seen to hold at its start, so that a supervisor that comes later knows.
 */
#include "keep/private.h"

int keep_baseline_set(struct keep *keep, const char *container, const char *started_at, fact held,
                      struct error *err)
{
    KEEP_LOCKED(keep);
    keep_run(keep, "BEGIN IMMEDIATE", "");
    keep_run(keep, "INSERT OR REPLACE INTO baselines VALUES (?, ?, ?)", "tti", container,
             started_at, held);
    keep_run(keep,
             "DELETE FROM baselines WHERE rowid IN (SELECT rowid FROM baselines ORDER BY rowid DESC"
             " LIMIT -1 OFFSET ?)",
             "i", (int64_t)KEEP_KEYS_MAX);
    return keep_done(keep, "record the baseline", err);
}

int keep_baseline_get(struct keep *keep, const char *container, const char *started_at,
                      fact *ret_held, struct error *err)
{
    KEEP_LOCKED(keep);
    *ret_held = keep_number(keep, FACT_UNKNOWN,
                            "SELECT held FROM baselines WHERE container = ? AND started_at = ?",
                            "tt", container, started_at);
    return keep_done(keep, "read the baseline", err);
}
