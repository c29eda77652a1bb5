/* A historian on a loop of its own, with worlds as a test makes them. */
#ifndef TESTS_UNIT_HISTORIAN_CASE_H
#define TESTS_UNIT_HISTORIAN_CASE_H

#include "chronicle/historian_private.h"
#include "history_case.h"

struct stage {
    struct place *place;
    uv_loop_t loop;
    struct config *config;
    struct historian *historian;
    struct world world;
    struct judgement judgement;
    double now_s;
    int stopped, again, set_aside;
};

/* For cmocka: a stage, and its end. */
int stage_make(void **state);
int stage_drop(void **state);
/* Begins a historian, and ends it when all is written. */
void begin(struct stage *stage);
void end(struct stage *stage);
void turn(struct stage *stage);
void set_containers(struct stage *stage, size_t n);
/* A look after so long; each container holds 100 bytes more and has used a tenth of a core. */
void look(struct stage *stage, double after_s);

#endif
