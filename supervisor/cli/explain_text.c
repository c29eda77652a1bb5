#include "cli/explain_text.h"
#include "base/size.h"
#include "cli/cli.h"
#include "sense/json_member.h"
#include "sense/json_put.h"

#include <string.h>

enum { PART_COLUMNS = 17, BYTES_COLUMNS = 11, FROM_COLUMNS = 13, TEXT_MAX = 512 };

/* Verdicts about this container, and those about the host, which has none. */
static bool is_ours(const struct explained *x, const json_t *verdict)
{
    const char *name = member_string(verdict, "container");
    return !name || !strcmp(name, x->container->name);
}

static bool stands(const struct explained *x, const char *kind)
{
    for (size_t i = 0; i < json_array_size(x->verdicts); i++) {
        const json_t *v = json_array_get(x->verdicts, i);
        if (is_ours(x, v) && !strcmp(member_string_or(v, "verdict", ""), kind))
            return true;
    }
    return false;
}

static void print_row(FILE *to, int width, const char *part, const char *bytes, const char *from,
                      const char *text)
{
    int column = 2 + PART_COLUMNS + BYTES_COLUMNS + 2 + FROM_COLUMNS;
    if (!*text) {
        fprintf(to, "  %-*s%*s  %s\n", PART_COLUMNS, part, BYTES_COLUMNS, bytes, from);
        return;
    }
    fprintf(to, "  %-*s%*s  %-*s", PART_COLUMNS, part, BYTES_COLUMNS, bytes, FROM_COLUMNS, from);
    help_wrap(to, text, column, column, width > column + 20 ? width : column + 20);
}

static void describe(const struct ledger_part *p, char *text, size_t size)
{
    char bound[32] = "", pid[32] = "", seen[48] = "";
    if (p->bound == FACT_NONE)
        snprintf(bound, sizeof bound, ", without a bound");
    else if (fact_known(p->bound))
        snprintf(bound, sizeof bound, ", at most %s", SHOWN(p->bound));
    if (p->kind == LEDGER_RUNNER)
        snprintf(pid, sizeof pid, "pid %lld, no listed model", (long long)p->pid);
    if (fact_known(p->seen))
        snprintf(seen, sizeof seen, "the most, of %lld load%s", (long long)p->seen,
                 p->seen == 1 ? "" : "s");
    bool told = *p->note || *seen;
    snprintf(text, size, "%s%s%s%s%s%s", p->model, *p->model && told ? ": " : "", pid, p->note,
             seen, bound);
}

static void print_part(const struct ledger_part *p, int width, FILE *to)
{
    char text[TEXT_MAX], bytes[20];
    snprintf(bytes, sizeof bytes, "%s%s", p->negative ? "-" : "", SHOWN(p->bytes));
    describe(p, text, sizeof text);
    print_row(to, width, ledger_kind_name(p->kind), bytes, ledger_source_name(p->source), text);
}

static void print_ledger(const struct explained *x, int width, FILE *to)
{
    const struct ledger *l = x->ledger;
    fprintf(to, "  %-*s%*s  %-*s%s\n", PART_COLUMNS, "PART", BYTES_COLUMNS, "BYTES", FROM_COLUMNS,
            "FROM", "OF");
    for (size_t i = 0; i < l->n_parts; i++)
        if (ledger_is_held(l->parts[i].kind) &&
            (l->parts[i].bytes > 0 || l->parts[i].kind == LEDGER_PROMPT_CACHE ||
             l->parts[i].kind == LEDGER_RESIDUAL))
            print_part(&l->parts[i], width, to);
    print_row(to, width, "= held", SHOWN(l->held), "cgroup", "what nobody can take back");
    fputs("  beside it, or in it already:\n", to);
    for (size_t i = 0; i < l->n_parts; i++)
        if (!ledger_is_held(l->parts[i].kind))
            print_part(&l->parts[i], width, to);
}

static void print_verdicts(const struct explained *x, int width, FILE *to)
{
    char text[TEXT_MAX];
    bool any = false;
    fputs("  verdicts:\n", to);
    for (size_t i = 0; i < json_array_size(x->verdicts); i++) {
        const json_t *v = json_array_get(x->verdicts, i);
        if (!is_ours(x, v))
            continue;
        any = true;
        fprintf(to, "    %-20s ", member_string_or(v, "verdict", ""));
        snprintf(text, sizeof text, "%s%s%s%s%s", member_string_or(v, "state", ""),
                 *member_string_or(v, "why", "") ? ": " : "", member_string_or(v, "why", ""),
                 *member_string_or(v, "missing", "") ? "; unknown: " : "",
                 member_string_or(v, "missing", ""));
        help_wrap(to, text, 25, 25, width > 45 ? width : 45);
    }
    if (!any)
        fputs("    none\n", to);
    fputs("  ruled out:\n", to);
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++) {
        if (stands(x, verdict_kind_name(k)))
            continue;
        fprintf(to, "    %-20s ", verdict_kind_name(k));
        help_wrap(to, ruled_out(k, &x->seen, text, sizeof text), 25, 25, width > 45 ? width : 45);
    }
}

void explain_print(const struct explained *x, bool next, int width, FILE *to)
{
    const struct container *c = x->container;
    fact bound = c->cgroup.limit;
    fprintf(to, "%s%s holds %s %s%s\n", next ? "\n" : "", c->name, SHOWN(x->ledger->held),
            bound == FACT_NONE ? "and has no limit" : "of a limit of ",
            bound == FACT_NONE ? "" : SHOWN(bound));
    if (*x->seen.activity)
        fprintf(to, "  it is %s\n", x->seen.activity);
    if (x->samples > 1)
        fprintf(to, "  within the last hour it held %s to %s\n", SHOWN(x->least), SHOWN(x->most));
    print_ledger(x, width, to);
    print_verdicts(x, width, to);
}

static json_t *part_json(const struct ledger_part *p)
{
    json_t *part =
        json_pack("{s:s, s:b}", "part", ledger_kind_name(p->kind), "held", ledger_is_held(p->kind));
    if (p->negative)
        json_object_set_new(part, "bytes", json_integer(-p->bytes));
    else
        put_fact(part, "bytes", p->bytes);
    json_object_set_new(part, "from", json_string(ledger_source_name(p->source)));
    put_text(part, "model", p->model);
    put_fact(part, "pid", p->pid);
    put_fact(part, "bound", p->bound);
    put_fact(part, "seen", p->seen);
    put_text(part, "note", p->note);
    return part;
}

json_t *explain_json(const struct explained *x)
{
    json_t *ledger = json_array(), *ours = json_array(), *out = json_array();
    json_t *json = json_pack("{s:s, s:s, s:s}", "name", x->container->name, "id", x->container->id,
                             "activity", x->seen.activity);
    char text[TEXT_MAX];
    put_fact(json, "held", x->ledger->held);
    put_fact(json, "limit", x->container->cgroup.limit);
    if (x->samples > 1) {
        put_fact(json, "least_in_hour", x->least);
        put_fact(json, "most_in_hour", x->most);
    }
    for (size_t i = 0; i < x->ledger->n_parts; i++)
        json_array_append_new(ledger, part_json(&x->ledger->parts[i]));
    for (size_t i = 0; i < json_array_size(x->verdicts); i++)
        if (is_ours(x, json_array_get(x->verdicts, i)))
            json_array_append(ours, json_array_get(x->verdicts, i));
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++)
        if (!stands(x, verdict_kind_name(k)))
            json_array_append_new(out, json_pack("{s:s, s:s}", "verdict", verdict_kind_name(k),
                                                 "why", ruled_out(k, &x->seen, text, sizeof text)));
    json_object_set_new(json, "ledger", ledger);
    json_object_set_new(json, "verdicts", ours);
    json_object_set_new(json, "ruled_out", out);
    return json;
}
