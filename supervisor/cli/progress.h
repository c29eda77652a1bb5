/* A bar for what takes long. On a terminal it is drawn anew; elsewhere a line tells every few
 * seconds how far it is. On stderr: stdout is for results. */
#ifndef SUPERVISOR_CLI_PROGRESS_H
#define SUPERVISOR_CLI_PROGRESS_H

#include "base/fact.h"
#include <stdbool.h>

struct progress {
    bool shown;     /* a bar stands on the terminal */
    char what[128]; /* of the last call */
    double started_s, told_s;
    fact first; /* bytes at its beginning: what a download goes on from */
    bool begun;
};

/* Bytes; total unknown or 0: only what has come is told. */
void progress_show(struct progress *progress, const char *what, fact current, fact total);
/* Takes the bar away; the next progress_show begins anew. */
void progress_end(struct progress *progress);

#endif
