/* The report of full-optimization: each step as it ends, for a person, and all of them as JSON. */
#ifndef SUPERVISOR_CLI_FULL_REPORT_H
#define SUPERVISOR_CLI_FULL_REPORT_H

#include "base/fact.h"
#include <jansson.h>
#include <stdbool.h>

enum step_end {
    STEP_DONE,        /* something was done, or shown, or proved */
    STEP_NOTHING,     /* there was nothing to do */
    STEP_WOULD,       /* dry run: something would be done */
    STEP_PENDING,     /* it waits for a model that is in use; no person is needed */
    STEP_SKIPPED,     /* there is nothing that it could work on, or it was not wanted */
    STEP_PERSON,      /* only a person can go on: why, and the command for it */
    STEP_FAILED,      /* it could not be carried out; the reason is on stderr */
    STEP_INTERRUPTED, /* Ctrl-C */
};

struct full_step {
    const char *name; /* "status" "fix" "limits" "policy" "test" */
    enum step_end end;
    double began_s;    /* boottime */
    json_t *result;    /* owned by the caller: a world, rows, or test's report; NULL: none */
    char note[400];    /* one sentence more, "" none */
    char why[700];     /* with STEP_PERSON */
    char command[400]; /* the same: what a person would type */
};

struct full_report {
    bool json, dry_run;
    int width;
    json_t *steps;                          /* owned: those so far */
    bool changed;                           /* some step did something */
    bool would;                             /* or would do something */
    fact available_before, available_after; /* of the host, bytes */
    struct full_step stopped;               /* a copy; no name: it went to its end */
};

/* Takes the step into the report and, for a person, prints it. */
void full_report_add(struct full_report *report, const struct full_step *step);
/* The end: what it brought, where it stopped. signal 0: none. */
void full_report_end(struct full_report *report, int signal);

/* What a row of fix, limits or policy says, as one sentence into text; returns text. */
const char *full_row_text(const json_t *row, char *text, size_t size);

#endif
