/* What the judge remembers of one listed model. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_MODEL_H
#define SUPERVISOR_JUDGE_MODEL_H

#include "judge/failures.h"
#include "judge/hold.h"
#include "judge/work.h"

/* One listed model. */
struct known_model {
    char name[CONTAINER_NAME_SIZE];
    const struct model *now; /* as it is listed in this look; NULL: the list is not known */
    struct matter own[VERDICT_KINDS];
    char expires_at[48];
    int64_t expires_ms; /* < 0 unknown */
    /* How much later than that its time may be over: what the wall clock jumped, or the machine
     * slept, since expires_at was set. */
    int64_t slip_ms;
    bool found_over;     /* its time was over when the list was seen first */
    double skip_until_s; /* its unload was asked for and it did not go: others come first */
    struct failures failures;
};
enum { MODELS_KNOWN_MAX = 32 }; /* of one container; more are not judged one by one */

struct look;
struct history;

/* Its only runner; NULL: none, or nobody can tell which. */
struct runner *model_runner(const struct look *look, const struct model *model);
struct known_model *history_model(struct history *history, const char *name); /* NULL: none */
/* Whether nobody serves the listed model. One runner whose blob is unknown may be anybody's. */
enum tri model_haunted(const struct look *look, const struct model *model);
/* false: its expires_at cannot be read. ended_s is where no keep_alive of the server's is known the
 * future. */
bool model_lease(const struct world *world, const struct container *container,
                 const struct model *model, struct lease *ret_lease);
/* Each known model's expires_at may be that much earlier than its time is over. */
void models_slip(struct history *history, int64_t ms);

#endif
