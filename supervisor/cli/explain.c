/* supervisor explain: the ledger of what a container holds, and what was ruled out. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "cli/task.h"
#include "judge/ledger_json.h"
#include "keep/history.h"
#include "sense/json_member.h"
#include "sense/json_put.h"
#include "sense/world_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- one container, for a person and as JSON */

struct explained {
    const struct container *container;
    struct ledger *ledger;
    const json_t *verdicts; /* of all containers, as `status --json` has them */
    const json_t *seen;     /* the container's own, there: activity, ruled_out */
    size_t samples;         /* of the last hour, from the history: least and most held */
    fact least, most;
};

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
    char bound[32] = "", pid[32] = "", seen[48] = "";
    if (p->bound == FACT_NONE)
        snprintf(bound, sizeof bound, ", without a bound");
    else if (fact_known(p->bound))
        snprintf(bound, sizeof bound, ", at most %s", SHOWN(p->bound));
    if (p->kind == LEDGER_RUNNER)
        snprintf(pid, sizeof pid, "pid %lld, no listed model", (long long)p->pid);
    if (fact_known(p->seen))
        snprintf(seen, sizeof seen, "as its load ended, of %lld load%s", (long long)p->seen,
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
    const json_t *out = json_object_get(x->seen, "ruled_out");
    if (!out)
        fputs(x->container->status == STATUS_RUNNING ? "    unknown: the daemon is an older one\n"
                                                     : "    all: it does not run\n",
              to);
    for (size_t i = 0; i < json_array_size(out); i++) {
        const json_t *one = json_array_get(out, i);
        fprintf(to, "    %-20s ", member_string_or(one, "verdict", ""));
        help_wrap(to, member_string_or(one, "why", ""), 25, 25, width > 45 ? width : 45);
    }
}

/* next: it is not the first one. */
static void explain_print(const struct explained *x, bool next, int width, FILE *to)
{
    const struct container *c = x->container;
    fact bound = cgroup_bound(&c->cgroup);
    fprintf(to, "%s%s holds %s %s%s\n", next ? "\n" : "", c->name, SHOWN(x->ledger->held),
            bound == FACT_NONE ? "and has no limit" : "of a limit of ",
            bound == FACT_NONE ? "" : SHOWN(bound));
    if (*member_string_or(x->seen, "activity", ""))
        fprintf(to, "  it is %s\n", member_string_or(x->seen, "activity", ""));
    if (x->samples > 1)
        fprintf(to, "  within the last hour it held %s to %s\n", SHOWN(x->least), SHOWN(x->most));
    print_ledger(x, width, to);
    print_verdicts(x, width, to);
}

/* {"name":…,"id":…,"held":…,"ledger":[{"part":…,"held":true,"bytes":…,"from":…,"model":…,"pid":…}],
 * "verdicts":[…],"ruled_out":[{"verdict":…,"why":…}]}; a new reference. */
static json_t *explain_json(const struct explained *x)
{
    json_t *ledger = json_array(), *ours = json_array();
    json_t *out = json_object_get(x->seen, "ruled_out");
    json_t *json = json_pack("{s:s, s:s, s:s}", "name", x->container->name, "id", x->container->id,
                             "activity", member_string_or(x->seen, "activity", ""));
    put_fact(json, "held", x->ledger->held);
    put_fact(json, "limit", cgroup_bound(&x->container->cgroup));
    if (x->samples > 1) {
        put_fact(json, "least_in_hour", x->least);
        put_fact(json, "most_in_hour", x->most);
    }
    for (size_t i = 0; i < x->ledger->n_parts; i++)
        json_array_append_new(ledger, ledger_part_to_json(&x->ledger->parts[i]));
    for (size_t i = 0; i < json_array_size(x->verdicts); i++)
        if (is_ours(x, json_array_get(x->verdicts, i)))
            json_array_append(ours, json_array_get(x->verdicts, i));
    json_object_set_new(json, "ledger", ledger);
    json_object_set_new(json, "verdicts", ours);
    json_object_set_new(json, "ruled_out", out ? json_incref(out) : json_array());
    return json;
}

/* ---- the command */

enum { HOUR_MS = 3600000 };

struct explain {
    struct cli *cli;
    const char *named; /* the container, or NULL: all */
    json_t *state;     /* a world with verdicts, as `status --json` prints it */
    struct world world;
    struct keep_history *history; /* NULL: there is none */
    json_t *said;                 /* one of each container, for --json */
    size_t shown;
};

/* From the daemon; from a look of our own where none runs, or where it does not follow the
 * container that was named. The exit status. */
static int get_world(struct explain *e, struct targets *targets)
{
    for (bool ask = true;; ask = false) {
        struct error err = {0};
        int status = step_status(e->cli, e->named, ask, &e->state);
        if (status != 0)
            return status;
        if (world_from_tree(e->state, &e->world, NULL, 0) != WORLD_LINE_WORLD)
            return cli_refuse(FAILURE_JOB, "what was seen cannot be read back");
        if (!e->named || targets_choose(&e->world, e->named, "explain", NULL, targets, &err) == 0)
            return 0;
        bool daemon = !strcmp(member_string_or(e->state, "source", ""), "daemon");
        if (!daemon || err.failure == FAILURE_JOB)
            return cli_fail(&err);
        json_decref(e->state);
        e->state = NULL;
    }
}

static int ask_history(void *userdata, const struct container *c, const struct model *m,
                       struct ledger_learned *ret_learned)
{
    const struct explain *e = userdata;
    struct history_footprint f = {.digest = m->digest,
                                  .context = m->context_length,
                                  .parallel = ledger_parallel(c),
                                  .kv_type = ledger_kv_type(c),
                                  .version = c->ollama.version,
                                  .gpu = e->world.n_gpus > 0 && m->size_vram > 0,
                                  .model = m->name};
    if (!e->history || keep_history_footprint(e->history, &f, NULL) < 0)
        return -ENOENT;
    *ret_learned = (struct ledger_learned){f.held, f.seen};
    return 0;
}

static void span_sample(void *userdata, const struct history_sample *sample)
{
    struct explained *x = userdata;
    if (!fact_known(sample->held))
        return;
    if (x->samples++ == 0)
        x->least = x->most = sample->held;
    x->least = sample->held < x->least ? sample->held : x->least;
    x->most = sample->held > x->most ? sample->held : x->most;
}

static int explain_one(struct explain *e, size_t i)
{
    struct explained x = {.container = &e->world.containers[i],
                          .least = FACT_UNKNOWN,
                          .most = FACT_UNKNOWN,
                          .ledger = calloc(1, sizeof *x.ledger)};
    if (!x.ledger)
        return -ENOMEM;
    ledger_of(&e->world, x.container, ask_history, e, x.ledger);
    if (e->history)
        keep_history_samples(e->history, x.container->id, clock_wall_ms() - HOUR_MS, span_sample,
                             &x, NULL);
    x.seen = json_array_get(json_object_get(e->state, "containers"), i);
    x.verdicts = json_object_get(e->state, "verdicts");
    if (cli_has(e->cli, "json"))
        json_array_append_new(e->said, explain_json(&x));
    else
        explain_print(&x, e->shown > 0, cli_width(), stdout);
    e->shown++;
    free(x.ledger);
    return 0;
}

static int explain_all(struct explain *e, const struct targets *targets)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->world.n_containers; i++)
        if (e->named ? targets_have(targets, e->world.containers[i].id)
                     : e->world.containers[i].status == STATUS_RUNNING)
            r = explain_one(e, i);
    if (r < 0)
        return cli_refuse(FAILURE_JOB, "not enough memory");
    if (e->shown == 0)
        return cli_refuse(FAILURE_JOB, "no Ollama container is running");
    if (cli_has(e->cli, "json"))
        say_json_by(json_pack("{s:O, s:O}", "source", json_object_get(e->state, "source"),
                              "containers", e->said),
                    WORLD_JSON_FLAGS);
    return ferror(stdout) ? FAILURE_JOB : 0;
}

int cmd_explain(struct cli *cli)
{
    struct targets targets = {0};
    struct explain e = {.cli = cli, .named = cli->operands[0], .said = json_array()};
    world_init(&e.world);
    int status = get_world(&e, &targets);
    if (status == 0) {
        keep_history_read(config_settings(cli->config)->state, false, &e.history, NULL);
        status = explain_all(&e, &targets);
    }
    keep_history_close(e.history);
    world_clear(&e.world);
    json_decref(e.said);
    json_decref(e.state);
    return status;
}
