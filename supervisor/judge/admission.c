#include "judge/admission.h"

#include "base/model_name.h"
#include "base/size.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAMED_MAX = 3 }; /* models that a sentence names */

struct deciding {
    const struct admission_wish *wish;
    const struct room *room;
    struct admission *to;
    size_t order[LOADED_MAX];
    enum staying stays[LOADED_MAX];
    bool waits; /* one of those that stay is not known to be busy */
    size_t n_stay;
};

static void __attribute__((format(printf, 2, 3))) say(struct admission *to, const char *format, ...)
{
    size_t length = strlen(to->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to->text + length, sizeof to->text - length, format, arguments);
    va_end(arguments);
}

/* Whether it fits when models that hold `freed` have gone; fills bounds, tightest and missing. */
static bool fits(struct deciding *d, fact freed)
{
    struct admission *to = d->to;
    int64_t least = INT64_MAX;
    bool known = to->need.source != NEED_UNKNOWN;
    to->tightest = -1;
    to->freed = freed;
    for (int i = 0; i < BOUNDS; i++) {
        struct bound *bound = &to->bounds[i];
        *bound = room_bound(d->room, (enum room_bound)i, freed);
        if (!bound->bounded || (to->small && i != BOUND_LIMIT))
            continue;
        if (!bound->known) {
            to->tightest = i;
            known = false;
            break;
        }
        if (bound->free < least) {
            least = bound->free;
            to->tightest = i;
        }
    }
    bool enough = known && (to->tightest < 0 || least >= to->need.wanted);
    to->missing = known && !enough ? to->need.wanted - least : FACT_UNKNOWN;
    return enough;
}

static fact held_of(const struct room *room, size_t index)
{
    return fact_known(room->models[index].held) ? room->models[index].held : 0;
}

/* Those that need not go after all stay, the ones that would go last first. */
static void spare(struct deciding *d)
{
    struct admission *to = d->to;
    fact freed = to->freed;
    for (size_t i = to->n_go; i-- > 0;) {
        fact held = held_of(d->room, to->go[i]);
        if (!fits(d, freed - held))
            continue;
        freed -= held;
        memmove(&to->go[i], &to->go[i + 1], (to->n_go - i - 1) * sizeof to->go[0]);
        to->n_go--;
    }
    fits(d, freed);
}

/* Fills go: as many as are needed, all with the single-model policy. True: then it fits. */
static bool make_room(struct deciding *d)
{
    const struct room *room = d->room;
    struct admission *to = d->to;
    bool single = room->settings.models_single;
    enum pressure_level level = room_level(room, 0);
    fact freed = 0;
    fact in_doubt = 0;
    models_order(room->models, room->n_models, room->settings.models_small_model, d->order);
    for (size_t i = 0; i < room->n_models; i++) {
        size_t index = d->order[i];
        if (!single && (fits(d, freed) || !fact_known(to->missing)))
            break; /* what nobody knows does not become known by an unload */
        d->stays[index] = d->wish->keep_others
                              ? STAYS_PROTECTED
                              : model_stays(&room->models[index], level, d->wish->force || single);
        if (d->stays[index] == STAYS_NOT) {
            to->go[to->n_go++] = index;
            freed += held_of(room, index);
        } else {
            d->n_stay++;
            if (d->stays[index] == STAYS_UNKNOWN)
                in_doubt += held_of(room, index);
            d->waits |= d->stays[index] == STAYS_UNKNOWN;
        }
    }
    d->waits = d->waits && fits(d, freed + in_doubt); /* else nothing hangs on it */
    bool enough = fits(d, freed);
    if (single)
        return enough && d->n_stay == 0;
    if (enough)
        spare(d);
    return enough;
}

static void say_models(struct deciding *d, bool staying)
{
    const struct room *room = d->room;
    struct admission *to = d->to;
    size_t n = 0;
    if (!staying) {
        for (size_t i = 0; i < to->n_go && i < NAMED_MAX; i++)
            say(to, "%s%s", i ? ", " : "", room->models[to->go[i]].name);
        if (to->n_go > NAMED_MAX)
            say(to, " and %zu more", to->n_go - NAMED_MAX);
        return;
    }
    for (size_t i = 0; i < room->n_models && n < NAMED_MAX; i++) {
        size_t index = d->order[i];
        char why[128];
        if (d->stays[index] == STAYS_NOT)
            continue;
        say(to, "; %s stays: %s", room->models[index].name,
            staying_text(&room->models[index], d->stays[index], why, sizeof why));
        n++;
    }
    if (d->n_stay > n)
        say(to, "; so do %zu more", d->n_stay - n);
}

static void say_need(struct deciding *d)
{
    struct admission *to = d->to;
    const struct need *need = &to->need;
    if (need->source == NEED_UNKNOWN)
        say(to, "how much %.120s needs is not known", d->wish->model->name);
    else if (need->source == NEED_NONE)
        say(to, "%.120s runs elsewhere and needs nothing here", d->wish->model->name);
    else if (need->wanted == need->bytes)
        say(to, "%.120s needs %s (by %s)", d->wish->model->name, SHOWN(need->wanted),
            need_source_name(need->source));
    else
        say(to, "%.120s needs %s (%s by %s, and %g %%)", d->wish->model->name, SHOWN(need->wanted),
            SHOWN(need->bytes), need_source_name(need->source), need->margin_percent);
}

static void say_room(struct deciding *d)
{
    struct admission *to = d->to;
    if (to->tightest < 0)
        return;
    const struct bound *bound = &to->bounds[to->tightest];
    if (!bound->known) {
        say(to, ", and what %s leaves could not be read", bound->name);
        return;
    }
    say(to, ", and %s leaves %s", bound->name, SHOWN(bound->free > 0 ? bound->free : 0));
    if (to->tightest != BOUND_HOST)
        say(to, " of %s", SHOWN(bound->of));
    else if (bound->cut_percent || bound->reserve)
        say(to, " (%s available%s%.0d%s, %s reserved)", SHOWN(bound->of - bound->used),
            bound->cut_percent ? ", cut by " : "", bound->cut_percent,
            bound->cut_percent ? " %" : "", SHOWN(bound->reserve));
    if (to->n_go) {
        say(to, " when ");
        say_models(d, false);
        say(to, " %s gone", to->n_go == 1 ? "has" : "have");
    }
}

static void refuse(struct deciding *d)
{
    struct admission *to = d->to;
    say_need(d);
    say_room(d);
    if (fact_known(to->missing))
        say(to, ": %s short", SHOWN(to->missing));
    else if (d->room->settings.models_single && to->need.source != NEED_UNKNOWN &&
             (to->tightest < 0 || to->bounds[to->tightest].known))
        say(to, ", but one model at a time is wanted (models.single)");
    if (d->wish->keep_others && d->n_stay)
        say(to, "; nothing is unloaded for it");
    else
        say_models(d, true);
    to->forced = d->wish->force;
    to->answer = to->forced ? ADMISSION_FITS : ADMISSION_REFUSED;
    if (to->forced)
        say(to, "; loaded all the same (--force)");
    else
        to->n_go = 0; /* nobody goes for nothing */
}

static bool too_many_parameters(struct deciding *d)
{
    const struct need *need = &d->to->need;
    fact most = d->room->settings.models_max_parameters;
    char a[24], b[24];
    if (!fact_known(most) || !fact_known(need->parameters) || need->parameters <= most ||
        d->wish->force)
        return false;
    say(d->to, "%.120s has %s parameters, and models.max_parameters is %s: %s too many",
        d->wish->model->name, count_exact(need->parameters, a, sizeof a),
        count_exact(most, b, sizeof b), count_exact(need->parameters - most, (char[24]){0}, 24));
    d->to->answer = ADMISSION_REFUSED;
    return true;
}

void admission_decide(const struct admission_wish *wish, const struct room *room,
                      struct admission *ret_admission)
{
    struct admission *to = ret_admission;
    *to = (struct admission){.tightest = -1, .missing = FACT_UNKNOWN};
    struct deciding d = {.wish = wish, .room = room, .to = to};
    need_of(wish->model, wish->server, room->settings.memory_safety_margin_percent, &to->need);
    fact size = fact_known(to->need.weights) ? to->need.weights : to->need.bytes;
    to->small = fact_known(size) && size < room->settings.models_small_model;
    const struct loaded_model *there = room_model(room, wish->model->name, wish->model->digest);
    if (there && !there->ghost) {
        to->answer = ADMISSION_THERE;
        say(to, "%.120s is loaded already", wish->model->name);
        return;
    }
    if (too_many_parameters(&d))
        return;
    if (to->need.source == NEED_NONE || make_room(&d)) {
        to->answer = ADMISSION_FITS;
        say_need(&d);
        say_room(&d);
        return;
    }
    if (d.waits && !wish->no_waiting) {
        to->answer = ADMISSION_WAIT;
        to->n_go = 0;
        say(to, "whether a loaded model is busy is not known yet");
        return;
    }
    refuse(&d);
}
