/* Our own loads, the newest, so that what the model shows meanwhile is
 * not taken for somebody's use. */
#include "keep/private.h"

#define COLUMN(type, member) KEEP_COLUMN(type, keep_load, member)
static const struct keep_column columns[] = {COLUMN(TEXT, key), COLUMN(TEXT, load.model),
                                             COLUMN(REAL, load.begun_s),
                                             COLUMN(REAL, load.ended_s)};

int keep_load_begin(struct keep *keep, const char *key, const char *model,
                    const struct keep_now *now, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_run(keep, "BEGIN IMMEDIATE", "");
    keep_run(keep, "DELETE FROM loads WHERE boot_id <> ?", "t", now->boot_id);
    /* Whoever begins one holds the container's lock: one that has not ended is dead. */
    keep_run(keep, "UPDATE loads SET ended_s = begun_s WHERE key = ? AND ended_s < 0", "t", key);
    keep_run(keep, "INSERT INTO loads VALUES (?, ?, ?, ?, -1)", "tttd", key, model, now->boot_id,
             now->boottime_s);
    keep_run(keep,
             "DELETE FROM loads WHERE rowid IN (SELECT rowid FROM loads ORDER BY rowid DESC"
             " LIMIT -1 OFFSET ?)",
             "i", (int64_t)KEEP_LOADS_MAX);
    return keep_done(keep, "record the load", err);
}

int keep_load_end(struct keep *keep, const char *key, const char *model, const struct keep_now *now,
                  struct error *err)
{
    KEEP_LOCKED(keep);
    keep_run(keep, "UPDATE loads SET ended_s = ? WHERE key = ? AND model = ? AND ended_s < 0",
             "dtt", now->boottime_s, key, model);
    return keep_done(keep, "record the end of the load", err);
}

int keep_loads(struct keep *keep, const struct keep_now *now, struct keep_load **ret_loads,
               size_t *ret_n, struct error *err)
{
    static const struct keep_rows loads = {columns, KEEP_COUNT(columns), sizeof(struct keep_load),
                                           "read the loads"};
    KEEP_LOCKED(keep);
    KEEP_STATEMENT *statement = keep_prepare(
        keep,
        "SELECT key, model, begun_s, ended_s FROM loads WHERE boot_id = ? ORDER BY rowid DESC", "t",
        now->boot_id);
    return keep_read_all(keep, statement, &loads, ret_loads, ret_n, err);
}
