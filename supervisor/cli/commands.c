/* The table of the commands that watch and heal; those that deploy: commands_deploy.c. */
#include "cli/commands.h"
#include "base/size.h"

#include <errno.h>
#include <string.h>

static const struct option_spec status_options[] = {
    {JSON}, {"watch", 'w', "[SECONDS]", "repeats, every 2 seconds or as said"}, {0}};

static const struct option_spec fix_options[] = {
    {"hold", 0, "DURATION", "how long it must hold, 5s"},
    {DRY},
    {"force", 0, NULL, "although it is busy"},
    {JSON},
    {0}};

static const struct option_spec enforce_options[] = {{DRY}, {JSON}, {0}};

static const struct option_spec unload_options[] = {
    {"container", 0, "CONTAINER", "only in this one"},
    {"wait", 0, NULL, "waits for what is busy or loading"},
    {"force", 0, NULL, "ends the runner that does not go"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec load_options[] = {
    {"container", 0, "CONTAINER", "into this one"},
    {"keep-alive", 0, "DURATION", "how long it stays unused, or forever"},
    {"force", 0, NULL, "although it does not fit"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec preload_options[] = {
    {"container", 0, "CONTAINER", "the same as the operand"},
    {"keep-alive", 0, "DURATION", "how long each stays unused, or forever"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec optimize_options[] = {
    {"container", 0, "CONTAINER", "the same as the operand"},
    {"now", 0, NULL, "unloads what is idle at any pressure"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec emergency_options[] = {
    {"yes", 'y', NULL, "does not ask"}, {DRY}, {JSON}, {0}};

static const struct option_spec record_options[] = {
    {"output", 'o', "FILE", "appends to it, instead of standard output"},
    {"seconds", 0, "N", "ends after so long; else by Ctrl-C"},
    {0}};

static const struct option_spec events_options[] = {
    {"since", 0, "WHEN", "90m, 2d, 10:15, 2026-11-21; all of them"},
    {"limit", 0, "N", "the newest N; 50 without --since"},
    {"follow", 'f', NULL, "goes on with those that come, until Ctrl-C"},
    {JSON},
    {0}};

static const struct option_spec replay_options[] = {
    {"summary", 0, NULL, "only the counts at the end"}, {0}};

const struct option_spec json_options[] = {{JSON}, {0}};

static const struct option_spec adopt_options[] = {
    {"force", 0, NULL, "although it looks like no Ollama"}, {JSON}, {0}};

static const struct command table[] = {
    {COMMAND("status", "shows the host, the containers, their models and verdicts", "", 0, 0),
     .options = status_options,
     .details = "One look at everything: the host's memory, swap and pressure, and for each Ollama "
                "container its mode and why, state, limit, what it holds, page cache, models, "
                "runners and verdict. Changes nothing. With --json it is one line of the world "
                "with its verdicts. A daemon that is running is asked for its verdicts; without "
                "one, one look can only suspect.",
     .examples = "supervisor status\n"
                 "supervisor status --watch 5\n"
                 "supervisor status --json | jq .containers[].verdicts\n",
     .function = cmd_status},
    {COMMAND("explain", "says what holds the memory, and what was ruled out", "[CONTAINER]", 0, 1),
     .options = json_options,
     .details = "The ledger of a container: weights, KV cache, prompt cache, the server's own and "
                "what is left, each with where the figure comes from; together they are what it "
                "holds. Then the verdicts that stand, and for each other kind what rules it out. "
                "A daemon that is running is asked; without one, one look can only suspect.",
     .examples = "supervisor explain\n"
                 "supervisor explain ollama --json | jq .containers[0].ledger\n",
     .function = cmd_explain},
    {COMMAND("fix-ollama", "finds what leaks in a container and heals it", "[CONTAINER]", 0, 1),
     .options = fix_options,
     .details =
         "Looks for some seconds, names what it found with the numbers, takes the smallest "
         "remedy that helps (unload, reclaim, end one runner, restart), checks that the "
         "bytes came back and prints before and after; where they did not, the next step of the "
         "ladder follows. A model that stays in \"Stopping...\" is watched for a minute, for "
         "six where it was found so; `supervisor unload --force MODEL` ends it at once. "
         "Without a name: the containers in mode enforce, or the only Ollama container that "
         "there is. What is busy is left alone unless --force is given.",
     .examples = "supervisor fix-ollama\n"
                 "supervisor fix-ollama ollama --dry-run\n"
                 "supervisor fix-ollama ollama --hold 30s\n",
     .exits = "0  healed, or nothing to heal\n1  busy, unknown or not healed\n",
     .function = cmd_fix_ollama},
    {COMMAND("run", "supervises until it is told to end: the daemon", "", 0, 0),
     .details = "Follows all Ollama containers as they come and go, samples, judges, and acts in "
                "those in mode enforce; in mode observe it only tells. Logs one line for each "
                "verdict and action. SIGHUP reads the configuration anew, SIGTERM ends it. Only "
                "one can run on a state directory.",
     .examples = "supervisor run\n"
                 "supervisor run --mode observe --state /tmp/try\n"
                 "supervisor -c my.conf run\n",
     .exits = "0  ended by SIGTERM or SIGINT\n1  could not start or go on\n", .function = cmd_run},
    {COMMAND("enforce", "applies memory limits and the single-model policy, once", "[CONTAINER]", 0,
             1),
     .options = enforce_options,
     .details =
         "Applies the wanted memory limit (memory.limit, label supervisor.memory) and, where "
         "models.single is on, unloads all models but the one used last. A limit below what "
         "the container needs is refused with the reason.",
     .examples = "supervisor enforce --dry-run\n"
                 "supervisor --set memory.limit=28g enforce ollama\n",
     .exits = "0  applied, or nothing to apply\n1  refused or failed\n", .function = cmd_enforce},
    {COMMAND("unload", "unloads models and shows what came back", "MODEL...", 1, OPERANDS_MAX),
     .options = unload_options,
     .details =
         "Asks Ollama to unload the models, and is done when they are gone from its list and "
         "their runners have ended. A model that is busy or loading is told, not interrupted.",
     .examples = "supervisor unload llama3.1:70b\n"
                 "supervisor unload qwen3:8b gpt-oss:20b --container ollama --wait\n",
     .exits = "0  unloaded, or was not loaded\n1  busy, pending or failed\n",
     .function = cmd_unload},
    {COMMAND("flush", "unloads all models and shows what came back", "", 0, 0),
     .options = unload_options,
     .details = "As unload, for every model that is loaded: at most 10 seconds for one and 30 for "
                "all.",
     .examples = "supervisor flush\n"
                 "supervisor flush --container ollama --dry-run\n",
     .exits = "0  nothing is loaded any more\n1  busy, pending or failed\n",
     .function = cmd_unload},
    {COMMAND("load", "loads a model if there is room for it", "MODEL", 1, 1),
     .options = load_options,
     .details =
         "What it needs (measured before, by its metadata, or by the table of known models, with "
         "memory.safety_margin) must fit below the container's limit, memory.max_model_memory and "
         "what the host has less memory.reserve. Where it does not, idle models go first, those "
         "of the tiers last, pinned and busy ones never. A model below models.small_model only "
         "has to fit the container's limit. With --force protected tiers go too, and it is loaded "
         "even where it does not fit. Ctrl-C aborts the load.",
     .examples = "supervisor load qwen3:8b\n"
                 "supervisor load gpt-oss:20b --container ollama --keep-alive 1h\n"
                 "supervisor load llama3.1:70b --dry-run\n",
     .exits = "0  loaded, or was loaded\n1  it does not fit, or the load failed\n",
     .function = cmd_load},
    {COMMAND("preload", "loads the tiers and the pinned models, if they fit", "[CONTAINER]", 0, 1),
     .options = preload_options,
     .details = "The models of the tiers ([tier \"fast\"] models), ultra-fast first, then fast, "
                "medium and the others, then those of models.pin, which stay for ever unless "
                "--keep-alive says otherwise. Nothing is unloaded for them.",
     .examples = "supervisor preload\n"
                 "supervisor preload ollama --keep-alive 1h --dry-run\n",
     .exits = "0  all are loaded\n1  some do not fit, are not installed, or failed\n",
     .function = cmd_preload},
    {COMMAND("optimize", "unloads idle models, as far as the pressure asks", "[CONTAINER]", 0, 1),
     .options = optimize_options,
     .details = "One pass. From medium pressure (of the host, the container's limit or "
                "memory.max_model_memory) large idle models go, from high on small ones too, until "
                "the level is below that; at critical also those of the tiers that nobody has used "
                "for 30 minutes. Busy and pinned ones stay. Says how many bytes came back. The "
                "daemon does the like by itself when the host runs short: `[pressure]` in the "
                "configuration.",
     .examples = "supervisor optimize --dry-run\n"
                 "supervisor optimize ollama --now\n",
     .exits = "0  done, or nothing to do\n1  a model did not go\n", .function = cmd_optimize},
    {COMMAND("emergency-restart", "unloads all, restarts, loads what is wanted at hand",
             "[CONTAINER]", 0, 1),
     .options = emergency_options,
     .details = "Unloads all models of the container, restarts it, waits until Ollama answers, "
                "loads what preload would, and prints the final state. It asks first. The restart "
                "is done even where the budget of restarts is spent, and is counted in it.",
     .examples = "supervisor emergency-restart\n"
                 "supervisor emergency-restart ollama --yes\n",
     .exits = "0  restarted, and all wanted models are loaded\n1  not restarted, or some are not "
              "loaded\n",
     .function = cmd_emergency_restart},
    {COMMAND("record", "writes what is seen as JSON lines", "[CONTAINER]", 0, 1),
     .options = record_options,
     .details = "One line a sample, every supervisor.interval. Without a name: all containers.",
     .examples = "supervisor record -o leak.jsonl --seconds 300\n"
                 "supervisor record ollama --set supervisor.interval=200ms | gzip >leak.jsonl.gz\n",
     .function = cmd_record},
    {COMMAND("events", "shows what happened: verdicts, remedies, deaths", "[CONTAINER]", 0, 1),
     .options = events_options,
     .details = "What supervisors took down in the state directory: verdicts raised and cleared, "
                "remedies with the memory before and after, containers found, started, died and "
                "gone, the engine lost and back. The newest comes last. Works without the engine "
                "and without a daemon. With --json one line each.",
     .examples = "supervisor events\n"
                 "supervisor events ollama --since 2d\n"
                 "supervisor events --json --since 1h | jq -r .event\n",
     .function = cmd_events},
    {COMMAND("replay", "judges a recording and prints what would have been done", "FILE", 1, 1),
     .options = replay_options,
     .details = "Reads the lines that record wrote (- is standard input) and prints one JSON line "
                "for each change of a verdict and each action. Touches nothing else.",
     .examples = "supervisor replay leak.jsonl\n"
                 "supervisor replay leak.jsonl --set leak.hold=10s --set leak.threshold=512m\n",
     .exits = "0  replayed\n1  could not be read to its end\n", .function = cmd_replay},
    {COMMAND("config", "shows or checks the configuration", "show|check [FILE]", 1, 2),
     .no_config = true, .options = json_options,
     .details = "show prints every setting with its reason and with where its value came from: "
                "command line before environment before file before preset before built-in. Its "
                "output is a configuration file. check only reads: FILE, or the file that would be "
                "used.",
     .examples = "supervisor config show >my.conf\n"
                 "supervisor config show --json --set leak.hold=5m\n"
                 "supervisor config check my.conf\n",
     .exits = "0  good\n", .function = cmd_config},
    {COMMAND("release", "ends the hold of a container whose restarts were used up", "CONTAINER", 1,
             1),
     .details = "After remedy.budget_per_hour restarts within an hour a container is left as it is "
                "until the hour frees one, or until this command.",
     .examples = "supervisor release ollama\n",
     .exits = "0  released, or was not held\n1  failed\n", .function = cmd_release},
    {COMMAND("adopt", "lets containers be healed that have no label for it", "[CONTAINER...]", 0,
             OPERANDS_MAX),
     .options = adopt_options,
     .details =
         "Labels cannot be added to a container that exists. One that is adopted is in mode "
         "enforce as if it had the label supervisor.enable=true, also after it was made anew "
         "under its name from the same image, whatever the tag. A label of its own that says "
         "observe or off wins. One in which no Ollama answers and whose image is none of "
         "docker.image is refused without --force. It stands in the state directory; a daemon "
         "that runs there follows within seconds. Without a name: those that are adopted.",
     .examples = "supervisor adopt ollama\n"
                 "supervisor adopt\n",
     .exits = "0  adopted, or was\n1  its label says otherwise, it is no Ollama, or it does not "
              "run\n",
     .function = cmd_adopt},
    {COMMAND("abandon", "takes back what adopt said: it is only observed", "CONTAINER...", 1,
             OPERANDS_MAX),
     .options = json_options,
     .details =
         "By name the container need not be there, and the engine is not asked; by id it is. "
         "No remedy is begun there from then on; one that was begun before is followed to "
         "its end, which is said.",
     .examples = "supervisor abandon ollama\n", .exits = "0  abandoned\n1  it was not adopted\n",
     .function = cmd_adopt},
    {COMMAND("version", "prints the version", "", 0, 0), .no_config = true, .options = json_options,
     .examples = "supervisor version --json\n", .function = cmd_version},
    {COMMAND("help", "explains a command", "[COMMAND]", 0, 1), .no_config = true,
     .examples = "supervisor help fix-ollama\n", .function = cmd_help},
};

enum { TABLE_N = sizeof(table) / sizeof(table[0]), COMMANDS_N = TABLE_N + COMMANDS_DEPLOY_N };

/* Those that help text and completion show: the table's, version and help last. */
const struct command *const *commands(size_t *ret_n)
{
    static const struct command *present[COMMANDS_N];
    size_t n = 0;
    for (size_t i = 0; i < TABLE_N; i++) {
        for (size_t d = 0; strcmp(table[i].name, "config") == 0 && d < COMMANDS_DEPLOY_N; d++)
            if (!commands_deploy[d].hidden)
                present[n++] = &commands_deploy[d];
        present[n++] = &table[i];
    }
    *ret_n = n;
    return present;
}

const struct command *command_find(const char *name)
{
    size_t n;
    const struct command *const *list = commands(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->name, name) == 0)
            return list[i];
    for (size_t d = 0; d < COMMANDS_DEPLOY_N; d++)
        if (strcmp(commands_deploy[d].name, name) == 0)
            return &commands_deploy[d];
    return NULL;
}

int command_unknown(const char *name, struct error *err)
{
    const char *names[COMMANDS_N];
    size_t n;
    const struct command *const *list = commands(&n);
    for (size_t i = 0; i < n; i++)
        names[i] = list[i]->name;
    return error_set(err, FAILURE_USAGE, -EINVAL, "unknown command \"%.64s\": %s", name,
                     MEANT(name, names, n, "did you mean ", "`supervisor help` lists them"));
}
