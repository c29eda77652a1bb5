/* supervisor replay: the same judgement over what was recorded, offline. */
#include "cli/cli.h"
#include "cli/say.h"
#include "judge/judge.h"
#include "judge/verdict_json.h"
#include "sense/json_put.h"
#include "sense/world_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    size_t worlds, events, foreign, verdicts, actions;
    bool summary;
};

static void print_changes(struct replay *r, const struct world *world, const struct judgement *j)
{
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (!v->changed)
            continue;
        r->verdicts++;
        json_t *json = json_pack("{s:f, s:s?, s:s, s:s, s:f, s:o, s:s}", "monotonic",
                                 world->monotonic_s, "container", v->name[0] ? v->name : NULL,
                                 "verdict", verdict_kind_name(v->kind), "state",
                                 verdict_state_name(v->state), "since", v->since_s, "evidence",
                                 evidence_to_json(v), "remedy", remedy_name(v->remedy));
        put_text(json, "model", v->model);
        put_known(json, "pid", v->pid);
        say_json(json);
        if (v->state != VERDICT_RAISED || v->remedy == REMEDY_NONE || v->mode != MODE_ENFORCE)
            continue;
        r->actions++;
        json =
            json_pack("{s:f, s:s, s:s, s:s}", "monotonic", world->monotonic_s, "container", v->name,
                      "action", remedy_name(v->remedy), "why", verdict_kind_name(v->kind));
        say_json(json);
    }
}

static int replay_file(FILE *from, struct judge *judge, struct replay *r)
{
    struct world world;
    struct judgement judgement = {0};
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int result = 0;
    world_init(&world);
    while (result == 0 && (n = getline(&line, &size, from)) >= 0) {
        if (n > 0 && line[n - 1] == '\n')
            line[--n] = 0;
        switch (n > WORLD_LINE_MAX ? WORLD_LINE_FOREIGN
                                   : world_from_json(line, (size_t)n, &world, NULL, 0)) {
        case WORLD_LINE_WORLD:
            r->worlds++;
            result = judge_look(judge, &world, &judgement);
            if (result == 0)
                print_changes(r, &world, &judgement);
            break;
        case WORLD_LINE_EVENT:
            r->events++;
            break;
        case WORLD_LINE_FOREIGN:
            r->foreign += n > 0;
            break;
        }
    }
    free(line);
    world_clear(&world);
    judgement_clear(&judgement);
    return result;
}

int cmd_replay(struct cli *cli)
{
    const char *path = cli->operands[0];
    struct replay r = {.summary = cli_has(cli, "summary")};
    bool standard_input = !strcmp(path, "-");
    FILE *from = standard_input ? stdin : fopen(path, "re");
    if (!from)
        return cli_refuse(FAILURE_USAGE, "%s: %s", path, error_of_file(errno));
    struct judge *judge;
    int result = judge_new(cli->config, &judge);
    if (result == 0) {
        result = replay_file(from, judge, &r);
        judge_free(judge);
    }
    bool unreadable = ferror(from);
    if (!standard_input)
        fclose(from);
    if (result < 0)
        return cli_refuse(FAILURE_JOB, "not enough memory to judge %s", path);
    if (unreadable)
        return cli_refuse(FAILURE_USAGE, "%s cannot be read", path);
    if (!r.worlds)
        return cli_refuse(FAILURE_USAGE,
                          "%s has no world in it (a recording has one JSON object with \"world\" a "
                          "line)",
                          path);
    if (r.foreign)
        fprintf(stderr, "supervisor: %s: %zu line%s skipped that %s no world\n", path, r.foreign,
                r.foreign == 1 ? "" : "s", r.foreign == 1 ? "is" : "are");
    if (r.summary)
        fprintf(stderr, "%zu worlds, %zu remarks, %zu changes of a verdict, %zu actions\n",
                r.worlds, r.events, r.verdicts, r.actions);
    return 0;
}
