/* What the database says of a container before anything is done there. Private to act. */
#ifndef SUPERVISOR_ACT_PAST_H
#define SUPERVISOR_ACT_PAST_H

#include "act/run.h"

/* A job for run_work: fills run->past, and sets or ends the hold as the budget has it. It blocks.
 */
void past_job(uv_work_t *work);

#endif
