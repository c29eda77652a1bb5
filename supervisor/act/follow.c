#include "act/follow.h"

/* An engine that answers and does not show the container for so long will not by waiting. */
static const double refused_max_s = 120;

static bool runs(const struct follow *f)
{
    return f->status == STATUS_RUNNING || f->status == STATUS_PAUSED ||
           f->status == STATUS_RESTARTING || f->status == STATUS_UNKNOWN;
}

/* It still runs in the life that the intent is about. */
static enum follow_next still_runs(const struct follow *f)
{
    if (!f->over)
        return FOLLOW_WAIT;
    if (!f->signals_asked)
        return FOLLOW_ASK_SIGNALS;
    /* Where that is not known it counts as sent: it is not done twice. */
    return f->signals.known && f->signals.stops == 0 ? FOLLOW_NOT_SENT : FOLLOW_IGNORED;
}

/* A restart, and it is stopped in the life that the intent is about: half-way, or by others? */
static enum follow_next stopped_half_way(const struct follow *f)
{
    if (f->kill_switch)
        return FOLLOW_KILL_SWITCH;
    if (!f->signals_asked)
        return FOLLOW_ASK_SIGNALS;
    if (f->signals.known && f->signals.stops > 1)
        return FOLLOW_PERSON_STOPPED; /* more than we sent */
    if (!f->over && !f->answered_no)
        return FOLLOW_WAIT; /* the engine may be about to start it */
    /* The engine goes on with a restart whose client has left, and shows the error of a start that
     * failed. A life that ended without either was not ended by the restart. */
    if (f->recovering && !f->start_failed && f->tries == 0) {
        if (f->signals.known)
            return f->signals.stops ? FOLLOW_PERSON_STOPPED : FOLLOW_NOT_SENT;
        if (!f->ended_then)
            return FOLLOW_PERSON_STOPPED; /* its restart would have ended it in that time */
    }
    if (!f->may_start)
        return FOLLOW_MAY_NOT_START;
    if (f->tries >= FOLLOW_STARTS_MAX)
        return FOLLOW_CANNOT_START;
    return f->start_due ? FOLLOW_START : FOLLOW_WAIT;
}

/* Started since the intent. What was told to stop and does not run was stopped by that: a life may
 * have begun between our last look and our request. */
static enum follow_next new_life(const struct follow *f)
{
    if (runs(f))
        return f->stop ? FOLLOW_STARTED_SINCE : FOLLOW_RESTARTED;
    return f->stop && (!f->recovering || f->ended_then) ? FOLLOW_STOPPED : FOLLOW_STARTED_SINCE;
}

enum follow_next follow_next(const struct follow *f)
{
    switch (f->saw) {
    case FOLLOW_SAW_NOTHING:
        return FOLLOW_WAIT; /* nothing can be known, and that the engine is away was told */
    case FOLLOW_SAW_REFUSAL:
        return f->refused_s > refused_max_s ? FOLLOW_CANNOT_TELL : FOLLOW_WAIT;
    case FOLLOW_SAW_GONE:
        return FOLLOW_GONE;
    case FOLLOW_SAW_LIFE:
        break;
    }
    if (!f->same_life)
        return new_life(f);
    if (runs(f))
        return still_runs(f);
    return f->stop ? FOLLOW_STOPPED : stopped_half_way(f);
}

bool follow_person_stopped(const struct signals_sent *sent)
{
    /* Each restart sends one; one more than restarts is somebody's stop. */
    return sent->known && sent->before > 1 && sent->restarts == 1;
}
