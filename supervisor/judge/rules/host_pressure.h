/* What the files of host-pressure share. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_HOST_PRESSURE_H
#define SUPERVISOR_JUDGE_HOST_PRESSURE_H

#include "judge/host.h"
#include "judge/rules/host_pressure_relief.h"

enum asked { ASKED_NOTHING, ASKED_OPTIMIZE, ASKED_UNLOAD };

/* One look at the host's pressure. */
struct turn {
    struct look *look; /* at the host */
    struct host_pressure *pressure;
    const struct settings *settings;
    double in_use;                 /* per cent of the host's memory; < 0 unknown */
    double unload_from, stop_from; /* from so much on; < 0: never */
    enum asked asked;              /* of the models, now or until it is known that it is not */
    const struct condition *by;    /* what asks it; NULL: nothing does */
    enum relief_stage least;       /* the first stage at which an `enforce` container has one */
    size_t may_go;                 /* models of `enforce` containers */
    bool waits;                    /* whether one more may is known soon */
    size_t n_going;                /* of `enforce` containers, chosen before */
    bool read_anew;                /* one has just gone: what came back is seen in the next look */
};

/* The look at one container: what its own rules left behind. */
struct look pressure_look(const struct turn *turn, size_t container);
/* The host's numbers, the container's, and one more. */
void pressure_show(const struct turn *turn, const struct look *look, struct verdict *verdict,
                   struct evidence more);

/* Models: brings the choices up to date, then makes new ones. */
void pressure_survey(struct turn *turn);
void pressure_models(struct turn *turn);
/* The kill switch, its alert, and the flush. */
void pressure_stop(struct turn *turn);
void pressure_flush(struct turn *turn);

#endif
