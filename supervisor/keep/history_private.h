/* What the files of the history share. */
#ifndef SUPERVISOR_KEEP_HISTORY_PRIVATE_H
#define SUPERVISOR_KEEP_HISTORY_PRIVATE_H

#include "keep/history.h"
#include "keep/private.h"

enum {
    HISTORY_SCHEMA = 3,         /* user_version; a higher one is refused */
    HISTORY_SCHEMA_USES = 3,    /* before that, only when a model was used, by its name */
    HISTORY_SCHEMA_LESSONS = 2, /* before that, footprints were the most that was ever seen */
};

struct keep_history {
    struct keep db; /* the file with its handle; its mutex is not needed, but comes with it */
    fact max_bytes;
};

/* Each writes its part of the batch inside the transaction that is open. */
void history_write_events(struct keep *db, const struct history_batch *batch);
void history_write_samples(struct keep *db, const struct history_batch *batch);
void history_write_models(struct keep *db, const struct history_batch *batch);
/* Lets go what is too old or too many. */
void history_thin_events(struct keep *db);
void history_thin_samples(struct keep *db, const struct history_batch *batch);
/* Ends the reading of rows, or of one. */
static inline int history_read(struct keep *db, struct error *err)
{
    return keep_done(db, "read the history", err);
}

#endif
