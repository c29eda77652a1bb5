#include "base/repeats.h"
#include <stdio.h>

/* FNV-1a; the NUL counts, so that "a", "bc" is not "ab", "c". */
static uint64_t mixed(uint64_t key, const char *text)
{
    do
        key = (key ^ (unsigned char)*text) * 0x100000001b3;
    while (*text++);
    return key;
}

/* Who is given up last when there is no place left. */
static int worth(const struct repeated *r)
{
    return r->key == 0 ? 0 : r->unsaid == 0 ? 1 : 2;
}

/* Its own place, else that of the one which is worth the least, and was met the longest ago. */
static struct repeated *place_for(struct repeats *repeats, uint64_t key, bool all)
{
    size_t end = all ? REPEATS_KINDS : REPEATS_MAX;
    struct repeated *least = &repeats->list[all ? 0 : REPEATS_KINDS];
    for (size_t i = all ? 0 : REPEATS_KINDS; i < end; i++) {
        struct repeated *r = &repeats->list[i];
        if (r->key == key)
            return r;
        if (worth(r) < worth(least) || (worth(r) == worth(least) && r->at_s < least->at_s))
            least = r;
    }
    repeats->counting -= least->unsaid > 0;
    *least = (struct repeated){0};
    return least;
}

static void refill(const struct repeats_rule *rule, struct repeated *r, double now_s)
{
    double burst = r->all ? rule->all_burst : rule->one_burst,
           every_s = r->all ? rule->all_every_s : rule->one_every_s;
    if (now_s > r->at_s)
        r->room += (now_s - r->at_s) / every_s;
    r->room = r->room < burst ? r->room : burst;
    r->at_s = now_s;
}

/* Takes the room for one, or counts it. about NULL: all together. */
static bool take(struct repeats *repeats, const char *kind, const char *about, const char *more,
                 double now_s)
{
    uint64_t key = mixed(0xcbf29ce484222325, kind);
    if (about)
        key = mixed(mixed(key, about), more);
    struct repeated *r = place_for(repeats, key | 1, !about);
    if (r->key == 0) {
        r->key = key | 1;
        r->all = !about;
        r->room = about ? repeats->rule->one_burst : repeats->rule->all_burst;
        snprintf(r->kind, sizeof r->kind, "%s", kind);
        snprintf(r->about, sizeof r->about, "%s", about ? about : "");
        snprintf(r->more, sizeof r->more, "%s", more);
    }
    refill(repeats->rule, r, now_s);
    bool may = r->room >= 1 && r->unsaid == 0;
    if (may)
        r->room -= 1;
    else if (r->unsaid++ == 0)
        repeats->counting++;
    return may;
}

bool repeats_may(struct repeats *repeats, const char *kind, const char *about, const char *more,
                 double now_s)
{
    return take(repeats, kind, about, more, now_s) && take(repeats, kind, NULL, "", now_s);
}

const struct repeated *repeats_due(struct repeats *repeats, double now_s, unsigned *ret_unsaid)
{
    for (size_t i = 0; repeats->counting > 0 && i < REPEATS_MAX; i++) {
        struct repeated *r = &repeats->list[i];
        if (r->unsaid == 0)
            continue;
        refill(repeats->rule, r, now_s);
        if (r->room < 1)
            continue;
        r->room -= 1;
        *ret_unsaid = r->unsaid;
        r->unsaid = 0;
        repeats->counting--;
        return r;
    }
    return NULL;
}
