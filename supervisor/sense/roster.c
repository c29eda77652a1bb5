#include "sense/roster.h"
#include "base/clock.h"
#include "sense/policy.h"
#include "sense/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANK_CHOSEN = 1, RANK_RUNS = 2, RANK_ENFORCED = 4, RANK_HERE = 8, RANK_NAMED = 16 };

/* One that is here counts the same whether it runs: it may be stopped to be started again. One of
 * which it is not known whether it is chosen at all has rank 0. */
static unsigned char rank(bool named, bool here, bool enforced, bool runs)
{
    unsigned of = RANK_CHOSEN | (named ? RANK_NAMED : 0u) | (enforced ? RANK_ENFORCED : 0u) |
                  (here   ? RANK_HERE
                   : runs ? RANK_RUNS
                          : 0u);
    return (unsigned char)of;
}

static unsigned char rank_of(const struct watch *w)
{
    return rank(w->named || w->refreshing, w->here, w->container.mode == MODE_ENFORCE,
                w->container.status == STATUS_RUNNING);
}

void roster_free(struct roster *roster)
{
    cgroup_ids_clear(&roster->here);
    free(roster->waiting);
}

void roster_list_begins(struct sense *sense)
{
    sense->roster.weighed = false;
    sense->roster.listed = 0;
    sense->roster.left[0] = '\0';
}

void roster_keep(struct sense *sense)
{
    sense->roster.listed++;
}

static void leave_out(struct roster *roster, const char *id, const char *name)
{
    if (!roster->left[0])
        snprintf(roster->left, sizeof roster->left, "%s%s%.12s", name, *name ? ", " : "", id);
}

static struct candidate *lowest_waiting(const struct roster *roster)
{
    struct candidate *lowest = NULL;
    for (size_t i = 0; i < roster->n_waiting; i++)
        if (!lowest || roster->waiting[i].rank < lowest->rank)
            lowest = &roster->waiting[i];
    return lowest;
}

static struct watch *lowest_watch(const struct sense *sense)
{
    struct watch *lowest = NULL;
    for (size_t i = 0; i < sense->n; i++)
        if (!lowest || rank_of(sense->watches[i]) < rank_of(lowest))
            lowest = sense->watches[i];
    return lowest;
}

/* There are more than can be followed: it begins to matter who is here. */
static void weigh(struct sense *sense)
{
    struct roster *r = &sense->roster;
    r->weighed = true;
    cgroup_ids_read(sense->cgroupfs, &r->here);
    for (size_t i = 0; i < sense->n; i++)
        sense->watches[i]->here |= cgroup_ids_have(&r->here, sense->watches[i]->container.id);
    for (size_t i = 0; i < r->n_waiting; i++)
        if (!r->waiting[i].unsure && cgroup_ids_have(&r->here, r->waiting[i].id))
            r->waiting[i].rank = (unsigned char)((r->waiting[i].rank & ~RANK_RUNS) | RANK_HERE);
}

static uint64_t brief(const char *id)
{
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (; *id; id++)
        sum = (sum ^ (unsigned char)*id) * 1099511628211u;
    return sum;
}

/* After a reload others may be chosen. */
static void forget_others(struct sense *sense)
{
    const char *by = config_settings(sense->o.config)->docker_image;
    if (strcmp(sense->roster.others_by, by) == 0)
        return;
    memset(sense->roster.others, 0, sizeof sense->roster.others);
    snprintf(sense->roster.others_by, sizeof sense->roster.others_by, "%s", by);
}

bool roster_is_other(struct sense *sense, const char *id)
{
    uint64_t wanted = brief(id);
    forget_others(sense);
    for (size_t i = 0; i < ROSTER_OTHERS_MAX; i++)
        if (sense->roster.others[i] == wanted)
            return true;
    return false;
}

void roster_pass_over(struct sense *sense, const char *id)
{
    struct roster *r = &sense->roster;
    forget_others(sense);
    r->others[r->others_at] = brief(id);
    r->others_at = (r->others_at + 1) % ROSTER_OTHERS_MAX;
}

void roster_offer(struct sense *sense, const struct docker_entry *e, bool named, bool unsure)
{
    struct roster *r = &sense->roster;
    r->listed++;
    for (size_t i = 0; i < r->n_waiting; i++)
        if (!strcmp(r->waiting[i].id, e->id))
            return;
    if (!r->waiting && !(r->waiting = malloc(SENSE_CONTAINERS_MAX * sizeof *r->waiting)))
        return;
    struct candidate *waiting = r->waiting;
    bool full = sense->n + sense->inspecting_new + r->n_waiting >= SENSE_CONTAINERS_MAX;
    if (full && !r->weighed)
        weigh(sense);
    struct candidate c = {.named = named, .unsure = unsure};
    memcpy(c.id, e->id, sizeof c.id);
    c.rank = unsure
                 ? 0
                 : rank(named, r->weighed && cgroup_ids_have(&r->here, e->id),
                        policy_labelled(config_settings(sense->o.config), e->labels, e->n_labels) ||
                            adopted_has(&sense->adopted, e->name, e->image) == ADOPTION_YES,
                        e->status == STATUS_RUNNING);
    struct candidate *other = full ? lowest_waiting(r) : NULL;
    const struct watch *w = full ? lowest_watch(sense) : NULL;
    bool crowded = r->n_waiting == SENSE_CONTAINERS_MAX;
    if (other && other->rank < c.rank && (crowded || !w || other->rank <= rank_of(w))) {
        leave_out(r, other->id, "");
        *other = c;
    } else if (!crowded && (!full || (w && rank_of(w) < c.rank))) {
        waiting[r->n_waiting++] = c;
    } else {
        leave_out(r, e->id, e->name);
    }
}

void roster_list_ended(struct sense *sense)
{
    struct roster *r = &sense->roster;
    char text[sizeof r->left + 192];
    bool too_many = r->listed > SENSE_CONTAINERS_MAX;
    if (too_many && !r->told) {
        snprintf(
            text, sizeof text,
            "at most %d are supervised at one time: %zu are not%s%s%s; who runs here and is to be "
            "healed comes first",
            SENSE_CONTAINERS_MAX, r->listed - SENSE_CONTAINERS_MAX, r->left[0] ? " (" : "", r->left,
            r->left[0] ? " among them)" : "");
        sense_tell(sense, NOTE_TOO_MANY, NULL, text);
    }
    r->told = too_many;
}

static struct candidate *best_waiting(const struct roster *roster)
{
    struct candidate *best = NULL;
    for (size_t i = 0; i < roster->n_waiting; i++)
        if (!best || roster->waiting[i].rank > best->rank)
            best = &roster->waiting[i];
    return best;
}

bool roster_next(struct sense *sense, struct candidate *ret_candidate)
{
    struct roster *r = &sense->roster;
    struct candidate *best = best_waiting(r);
    if (!best)
        return false;
    *ret_candidate = *best;
    size_t after = (size_t)(&r->waiting[--r->n_waiting] - best);
    memmove(best, best + 1, after * sizeof *best);
    return true;
}

bool roster_next_is_here(const struct sense *sense)
{
    const struct candidate *best = best_waiting(&sense->roster);
    return best && best->rank >= RANK_HERE;
}

struct watch *roster_admit(struct sense *sense, const char *id, unsigned of)
{
    if (sense->n >= SENSE_CONTAINERS_MAX) {
        struct watch *lowest = lowest_watch(sense);
        if (rank_of(lowest) >= of) {
            leave_out(&sense->roster, id, "");
            return NULL;
        }
        sense_remove(sense, lowest, "it gave way: there are more than are supervised at one time");
    }
    struct watch **watches = realloc(sense->watches, (sense->n + 1) * sizeof(*watches));
    if (!watches)
        return NULL;
    sense->watches = watches;
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    container_init(&w->container);
    snprintf(w->container.id, sizeof w->container.id, "%s", id);
    w->sense = sense;
    w->followed_s = clock_boottime_s();
    w->listed = true; /* the list under way may have passed it */
    w->here = of & RANK_HERE;
    sense->watches[sense->n++] = w;
    return w;
}
