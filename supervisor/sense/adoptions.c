/* Who is adopted, while the containers are followed. */
#include "base/clock.h"
#include "sense/policy.h"
#include "sense/private.h"

static const double adoptions_every_s = 2;

void sense_set_mode(struct sense *sense, struct watch *w)
{
    struct container *c = &w->container;
    struct settings settings;
    policy_for(sense->o.config, c, &settings, NULL);
    policy_mode(&settings, w->named, adopted_has(&sense->adopted, c->name, c->image), c);
}

static void read_job(uv_work_t *work)
{
    struct sense *sense = work->data;
    sense->adoptions.changed = adopted_refresh(&sense->adoptions.fresh, sense->state);
}

static void take(struct sense *sense)
{
    adopted_clear(&sense->adopted);
    sense->adopted = sense->adoptions.fresh;
    sense->adoptions.fresh = (struct adopted){.seen = sense->adopted.seen};
    for (size_t i = 0; i < sense->n; i++)
        sense_set_mode(sense, sense->watches[i]);
    sense->reconcile_due_s = clock_boottime_s(); /* the list has those that were not followed */
}

static void on_read(uv_work_t *work, int status)
{
    struct sense *sense = work->data;
    sense->adoptions.under_way = false;
    if (status == 0 && sense->adoptions.changed && !sense->closing)
        take(sense);
    sense_let_go(sense);
}

void sense_ask_adoptions(struct sense *sense, double now_s)
{
    if (sense->adoptions.under_way || now_s < sense->adoptions.due_s)
        return;
    sense->adoptions.due_s = now_s + adoptions_every_s;
    sense->adoptions.work.data = sense;
    sense->adoptions.changed = false;
    sense->adoptions.under_way =
        uv_queue_work(sense->o.loop, &sense->adoptions.work, read_job, on_read) == 0;
    sense->timers += sense->adoptions.under_way;
}
