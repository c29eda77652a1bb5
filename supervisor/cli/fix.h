/* What the files of fix-ollama share; nobody else includes it. */
#ifndef SUPERVISOR_CLI_FIX_H
#define SUPERVISOR_CLI_FIX_H

#include "cli/task.h"

enum fix_end { FIX_NONE, FIX_HEALTHY, FIX_HEALED, FIX_TOLD, FIX_NOT };

struct fix_target {
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    double deadline_s;
    double locked_until_s;
    double patience_s; /* until when a fresh look may say that it is not the moment; 0: none did */
    bool again;        /* one did, and the next attempt is not told anew */
    double watched_s, watch_s;  /* since when, and how long, for a model that stays; 0: it is not */
    enum verdict_kind kind;     /* of the verdict that is healed */
    bool climbs;                /* a step of its ladder was not enough, and another one follows */
    const char *verdict, *step; /* what was found and done; "" nothing */
    double stopped_s;           /* since when it does not run; 0: it runs */
    bool healing, healed, looked;
    fact before, after;
    double took_s;
    enum fix_end end;
    char text[700];
};

struct fix {
    struct task task;
    struct fix_target *list;
    bool force;
    double started_s, hold_s;
};

/* The target's end, printed unless rows are wanted. */
void fix_end(struct fix *fix, struct fix_target *target, enum fix_end end, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One look at a target that is not being healed: begins a remedy, ends it, or watches on. */
void fix_look(struct fix *fix, struct fix_target *target, const struct world *world,
              const struct judgement *judgement);

#endif
