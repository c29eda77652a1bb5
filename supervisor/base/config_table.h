/* The one table of settings, what can be done with a row of it, and the headers that the files of
 * config need. Inside of config only. */
#ifndef SUPERVISOR_BASE_CONFIG_TABLE_H
#define SUPERVISOR_BASE_CONFIG_TABLE_H

#include "base/config.h"
#include "base/size.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum setting_type {
    /* char[] */
    SETTING_TEXT,
    SETTING_SECRET, /* text that is never shown */
    SETTING_PATH,   /* absolute */
    SETTING_LABEL,  /* the name of a container's label, without = and a value */
    SETTING_CHOICE, /* one of `choices` */
    /* What only profiles have, and profile_key.c reads. */
    SETTING_NAME,
    SETTING_GPU,
    SETTING_ADDRESS,
    SETTING_KEEP_ALIVE,
    SETTING_PORT, /* uint16_t */
    SETTING_SWAP, /* fact, bytes */
    SETTING_CPUS, /* double */

    SETTING_SWITCH,   /* bool */
    SETTING_WORD,     /* an enum: the place of one of `choices` */
    SETTING_SIZE,     /* fact, bytes */
    SETTING_COUNT,    /* fact; 3B is 3,000,000,000 */
    SETTING_WHOLE,    /* fact, digits only */
    SETTING_DURATION, /* double, seconds */
    SETTING_PERCENT   /* double */
};

struct setting {
    const char *section, *key;
    const char *label; /* NULL: not for one container */
    enum setting_type type;
    bool optional;       /* may be unset, by an empty value */
    const char *initial; /* the built-in value, as text; "" = unset; NULL: it has none of its own */
    const char *reason;  /* why that value */
    double min, max;     /* of numbers, in the unit that is stored */
    const char *choices; /* separated by spaces */
    size_t offset, size; /* of its field in struct settings */
    fact unset;          /* what a fact is then */
};

enum { SETTINGS_N = 74 };
extern const struct setting settings_table[SETTINGS_N];

struct preset {
    const char *name, *section, *key, *value;
};
/* The rows where a preset differs from the built-in values; ends with a NULL name. */
extern const struct preset presets_table[];

/* Index of a row, or -1. */
int setting_find(const char *section, const char *key);
int setting_find_name(const char *name); /* "section.key" */
int setting_find_label(const char *label);
int setting_find_environment(const char *variable);

enum { SETTING_NAME_MAX = 64 };
/* "section.key" into text; returns it. */
const char *setting_name(const struct setting *setting, char text[static SETTING_NAME_MAX]);
/* The name of its variable, SUPERVISOR_SECTION_KEY, into text; returns it. Those of the section
 * supervisor do without its name: SUPERVISOR_MODE. */
const char *setting_environment(const struct setting *setting, char text[static SETTING_NAME_MAX]);
/* FAILURE_USAGE: `unknown setting "leak.hld": did you mean leak.hold?` Returns -EINVAL. */
int setting_unknown(const char *name, struct error *err);

/* Reads text into the row's field of *to, the struct that it is about; on error *to is unchanged.
 * The sentence names the value but not the setting. */
int setting_parse(const struct setting *setting, const char *text, void *to, struct error *err);
/* Of a row whose field is a number, in its own unit: less than 0 where it is unset. */
double setting_number(const struct setting *setting, const void *from);
/* The field as text that setting_parse reads back to the same value; "" when unset. Of a secret
 * SETTING_HIDDEN, which it refuses. */
#define SETTING_HIDDEN "(set; not shown)"
void setting_format(const struct setting *setting, const void *from, char *text, size_t size);
/* In bytes, seconds, per cent; null when unset. */
json_t *setting_json(const struct setting *setting, const void *from);

static inline const void *setting_field(const struct setting *setting, const void *from)
{
    return (const char *)from + setting->offset;
}

#endif
