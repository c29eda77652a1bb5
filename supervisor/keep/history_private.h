/* What the files of the history share. */
#ifndef SUPERVISOR_KEEP_HISTORY_PRIVATE_H
#define SUPERVISOR_KEEP_HISTORY_PRIVATE_H

#include "keep/history.h"
#include "keep/private.h"

struct keep_history {
    struct keep db; /* the file with its handle; its mutex is not needed, but comes with it */
    fact max_bytes;
};

/* Each writes its part of the batch inside the transaction that is open; SQLite's codes. */
int history_write_events(struct keep *db, const struct history_batch *batch);
int history_write_samples(struct keep *db, const struct history_batch *batch);
int history_write_models(struct keep *db, const struct history_batch *batch);
/* Lets go what is too old or too many. */
int history_thin_events(struct keep *db);
int history_thin_samples(struct keep *db, const struct history_batch *batch);
/* Lets the oldest go, some of each, whatever their age: the file has reached its bound. */
int history_shed(struct keep *db);

/* The text of a column, "" for NULL. */
const char *history_text(sqlite3_stmt *row, int column);

#endif
