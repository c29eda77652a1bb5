/* The manual page, supervisor(8): roff with the macros of man(7), made from the tables. */
#ifndef SUPERVISOR_CLI_MANUAL_H
#define SUPERVISOR_CLI_MANUAL_H

#include "cli/cli.h"

/* Text as it is to be typed: every hyphen is a minus. */
void roff_literal(FILE *to, const char *text);
/* A paragraph's text, on a line of its own; `this` becomes bold, as it is to be typed. */
void roff_prose(FILE *to, const char *text);
/* ".TP", the tag in bold, then what follows it in italics (NULL: nothing). */
void roff_tag(FILE *to, const char *tag, const char *rest);

/* The section CONFIGURATION and LABELS, from the table of settings. */
void manual_settings(FILE *to);
void manual_labels(FILE *to);

#endif
