/* The table of rules, and what is asked of it. */
#include "judge/rules.h"

#include <stdio.h>
#include <string.h>

const struct rule *const rules_table[VERDICT_KINDS] = {
#define ROW(KIND, name) [VERDICT_##KIND] = &rule_##name,
    VERDICTS(ROW)
#undef ROW
};

const struct kind *kind_of(enum verdict_kind kind)
{
    return &rules_table[kind]->kind;
}

/* The places on the ladder; what is beside it has its own. */
static int place(enum remedy remedy)
{
    static const int places[REMEDIES] = {
        [REMEDY_WAIT] = 1,  [REMEDY_UNLOAD] = 2,   [REMEDY_KILL_RUNNER] = 3, [REMEDY_RESTART] = 4,
        [REMEDY_FLUSH] = 5, [REMEDY_STOP] = 6,     [REMEDY_LIMIT] = 11,      [REMEDY_RECLAIM] = 12,
        [REMEDY_HIGH] = 13, [REMEDY_THROTTLE] = 14};
    return places[remedy];
}

bool kind_allows(enum verdict_kind kind, enum remedy remedy)
{
    const struct kind *k = kind_of(kind);
    if (remedy == REMEDY_NONE)
        return true;
    return !(k->never_remedies & BIT(remedy)) && place(remedy) >= place(k->first) &&
           place(remedy) <= place(k->last);
}

enum remedy kind_next(enum verdict_kind kind, enum remedy remedy)
{
    enum remedy next = REMEDY_NONE;
    for (int r = REMEDY_NONE + 1; r < REMEDIES && kind_of(kind)->last != REMEDY_STOP; r++)
        if (place((enum remedy)r) > place(remedy) && kind_allows(kind, (enum remedy)r) &&
            (next == REMEDY_NONE || place((enum remedy)r) < place(next)))
            next = (enum remedy)r;
    return next;
}

bool kind_shows(enum verdict_kind kind, const char *evidence)
{
    size_t length = strlen(evidence);
    for (const char *at = kind_of(kind)->evidence; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == length && !memcmp(at, evidence, n))
            return true;
        at += n;
    }
    return false;
}

int kind_row(enum verdict_kind kind, char *text, size_t size)
{
    const struct kind *k = kind_of(kind);
    bool told = k->first == REMEDY_NONE, one = k->first == k->last;
    return snprintf(text, size, "| **%s** | %s | %s | %s | %s%s%s | %s | %s |", k->name,
                    severity_name(k->severity), k->when, k->hold,
                    told ? "told" : remedy_name(k->first), one ? "" : " \u2026 ",
                    one ? "" : remedy_name(k->last), k->never, k->evidence);
}
