#include "cli/explain_text.h"
#include "base/size.h"
#include "cli/cli.h"
#include "sense/json_member.h"

#include <string.h>

enum { PART_COLUMNS = 17, BYTES_COLUMNS = 11, FROM_COLUMNS = 13, TEXT_MAX = 512 };

/* Verdicts about this container, and those about the host, which has none. */
static bool is_ours(const struct explained *x, const json_t *verdict)
{
    const char *name = member_string(verdict, "container");
    return !name || !strcmp(name, x->container->name);
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
    char bound[32] = "", pid[32] = "", seen[48] = "", bytes[16];
    if (p->bound == FACT_NONE)
        snprintf(bound, sizeof bound, ", without a bound");
    else if (fact_known(p->bound))
        snprintf(bound, sizeof bound, ", at most %s", size_format(p->bound, bytes, sizeof bytes));
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
    char text[TEXT_MAX], size[16], bytes[20];
    snprintf(bytes, sizeof bytes, "%s%s", p->negative ? "-" : "",
             size_format(p->bytes, size, sizeof size));
    describe(p, text, sizeof text);
    print_row(to, width, ledger_kind_name(p->kind), bytes, ledger_source_name(p->source), text);
}

static void print_ledger(const struct explained *x, int width, FILE *to)
{
    const struct ledger *l = x->ledger;
    char held[16];
    fprintf(to, "  %-*s%*s  %-*s%s\n", PART_COLUMNS, "PART", BYTES_COLUMNS, "BYTES", FROM_COLUMNS,
            "FROM", "OF");
    for (size_t i = 0; i < l->n_parts; i++)
        if (ledger_is_held(l->parts[i].kind) &&
            (l->parts[i].bytes > 0 || l->parts[i].kind == LEDGER_PROMPT_CACHE ||
             l->parts[i].kind == LEDGER_RESIDUAL))
            print_part(&l->parts[i], width, to);
    print_row(to, width, "= held", size_format(l->held, held, sizeof held), "cgroup",
              "what nobody can take back");
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
    const json_t *out = json_object_get(x->seen, "ruled_out");
    if (!out)
        fputs("    all: it does not run\n", to);
    for (size_t i = 0; i < json_array_size(out); i++) {
        const json_t *one = json_array_get(out, i);
        fprintf(to, "    %-20s ", member_string_or(one, "verdict", ""));
        help_wrap(to, member_string_or(one, "why", ""), 25, 25, width > 45 ? width : 45);
    }
}

void explain_print(const struct explained *x, bool next, int width, FILE *to)
{
    char held[16], limit[16], text[TEXT_MAX];
    const struct container *c = x->container;
    fact bound = c->cgroup.limit;
    snprintf(text, sizeof text, "%s holds %s %s%s", c->name,
             size_format(x->ledger->held, held, sizeof held),
             bound == FACT_NONE ? "and has no limit" : "of a limit of ",
             bound == FACT_NONE ? "" : size_format(bound, limit, sizeof limit));
    fprintf(to, "%s%s\n", next ? "\n" : "", text);
    if (*member_string_or(x->seen, "activity", ""))
        fprintf(to, "  it is %s\n", member_string_or(x->seen, "activity", ""));
    if (x->samples > 1)
        fprintf(to, "  within the last hour it held %s to %s\n",
                size_format(x->least, held, sizeof held),
                size_format(x->most, limit, sizeof limit));
    print_ledger(x, width, to);
    print_verdicts(x, width, to);
}

static void put_fact(json_t *object, const char *name, fact value)
{
    if (value != FACT_UNKNOWN)
        json_object_set_new(object, name, value == FACT_NONE ? json_null() : json_integer(value));
}

static json_t *part_json(const struct ledger_part *p)
{
    json_t *part = json_object();
    json_object_set_new(part, "part", json_string(ledger_kind_name(p->kind)));
    json_object_set_new(part, "held", json_boolean(ledger_is_held(p->kind)));
    if (p->negative)
        json_object_set_new(part, "bytes", json_integer(-p->bytes));
    else
        put_fact(part, "bytes", p->bytes);
    json_object_set_new(part, "from", json_string(ledger_source_name(p->source)));
    if (*p->model)
        json_object_set_new(part, "model", json_string(p->model));
    put_fact(part, "pid", p->pid);
    put_fact(part, "bound", p->bound);
    put_fact(part, "seen", p->seen);
    if (*p->note)
        json_object_set_new(part, "note", json_string(p->note));
    return part;
}

json_t *explain_json(const struct explained *x)
{
    json_t *json = json_object(), *ledger = json_array(), *ours = json_array();
    json_t *out = json_object_get(x->seen, "ruled_out");
    json_object_set_new(json, "name", json_string(x->container->name));
    json_object_set_new(json, "id", json_string(x->container->id));
    json_object_set_new(json, "activity", json_string(member_string_or(x->seen, "activity", "")));
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
    json_object_set_new(json, "ledger", ledger);
    json_object_set_new(json, "verdicts", ours);
    json_object_set_new(json, "ruled_out", out ? json_incref(out) : json_array());
    return json;
}
