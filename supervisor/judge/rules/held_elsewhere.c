/* held-elsewhere: the memory is not Ollama's. */
#include "judge/rules.h"

#include <stdio.h>

/* What processes that are not Ollama's hold. */
struct foreign {
    fact held, largest;
    bool all_known;
    const struct process *owner; /* of the largest part */
};

static struct foreign foreign_of(const struct container *c)
{
    struct foreign f = {.largest = -1, .all_known = true};
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        fact held = process_held(p);
        if (p->kind != PROCESS_OTHER)
            continue;
        f.all_known &= fact_known(held);
        f.held += fact_known(held) ? held : 0;
        if (held > f.largest)
            f.largest = held, f.owner = p;
    }
    return f;
}

static struct ruling elsewhere(const struct look *look, const struct foreign *f)
{
    const struct container *c = look->container;
    fact sum = fact_add(c->cgroup.shmem, f->held);
    return !fact_known(sum) || !c->processes_known || !fact_known(look->threshold)
               ? UNKNOWN("what other processes and tmpfs hold")
           : sum >= look->threshold ? YES(look->now_s)
           : !f->all_known          ? UNKNOWN("what other processes and tmpfs hold")
                                    : NO("other processes and tmpfs hold @, it is told from @ on",
                                         BYTES(sum), BYTES(look->threshold));
}

static void judge(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    struct foreign f = foreign_of(c);
    struct verdict *v = look_judge(look, VERDICT_HELD_ELSEWHERE, h->own, elsewhere(look, &f),
                                   h->settings->leak_hold_s);
    if (!v)
        return;
    SHOW(look, v, NULL, {"shmem", UNIT_BYTES, (double)c->cgroup.shmem},
         {"foreign", UNIT_BYTES, (double)f.held});
    if (f.owner && f.largest > c->cgroup.shmem) {
        v->pid = f.owner->pid;
        v->started_us = f.owner->started_us;
        snprintf(
            v->why, sizeof v->why,
            "the memory is not Ollama's: process %lld (%.15s) in the container holds most of it",
            (long long)f.owner->pid, f.owner->comm);
    } else {
        snprintf(v->why, sizeof v->why,
                 "the memory lies in a tmpfs or in shared memory: deleting files there frees it, a "
                 "restart may not");
    }
}

const struct rule rule_held_elsewhere = {
    {"held-elsewhere", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "shmem and the processes that are not Ollama's hold the threshold or more", "`leak.hold` 60 s",
     "held shmem foreign",
     "any deed: a restart would not free a tmpfs that is a volume, and a foreign process is "
     "somebody's work"},
    .of_container = judge,
};
