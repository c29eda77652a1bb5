/* The table of the commands that deploy. */
#include "cli/commands.h"

static const struct option_spec create_options[] = {
    {"name", 0, "NAME", "of the container, instead of the profile's"},
    {"memory", 0, "SIZE", "its limit, instead of the profile's"},
    {"swap", 0, "SIZE", "beyond the limit; none otherwise"},
    {"model", 0, "MODEL", "must fit; settings are made for it"},
    {"pull", 0, NULL, "pulls the model, with a progress bar"},
    {"gpu", 0, "auto|all|none|ID", "which GPUs it gets"},
    {"port", 0, "PORT|IP:PORT", "published on 127.0.0.1; 0: not published"},
    {"volume", 0, "NAME", "where the models are kept"},
    {"image", 0, "IMAGE", "instead of the profile's"},
    {"reserve", 0, "SIZE", "of the host's memory, left to others"},
    {"replace", 0, NULL, "replaces what is there, which is kept, stopped"},
    {"discard", 0, NULL, "removes what was replaced, not its volumes"},
    {"evict", 0, NULL, "stops Ollama containers of lower priority"},
    {"wait", 0, NULL, "until it answers; so by default"},
    {"no-wait", 0, NULL, "only until it is started"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec full_options[] = {
    {"skip-test", 0, NULL, "leaves the test of memory out"},
    {"reserve", 0, "SIZE", "of the host's memory, never touched by it; 4g"},
    {DRY},
    {JSON},
    {0}};

static const struct option_spec test_options[] = {
    {"reserve", 0, "SIZE", "of the host's memory, never touched; 4g"}, {JSON}, {0}};

#define CREATE_EXITS                                                                               \
    "0  it runs, or ran already\n"                                                                 \
    "1  refused or failed: what was made is taken away again\n"
#define CREATE                                                                                     \
    .options = create_options, .details = CREATE_TEXT, .exits = CREATE_EXITS, .function = cmd_create
#define CREATE_TEXT                                                                                \
    "Looks first whether it fits: memory after the reserve, disk for the model, GPU, name, port, " \
    "image. Refuses with the number that is short and what would free it. Makes the container "    \
    "with its limit (no swap beyond it), volume, health check, restart policy and the labels "     \
    "that hand it to the supervisor, and waits until it answers.\n\n"                              \
    "With --replace the new one gets all that is mounted in the old one, its networks, aliases, "  \
    "ports, devices, environment and labels; what of it differs is named first. It is refused "    \
    "where models lie in the old one's own layer. The old one is kept as "                         \
    "NAME-kept-by-supervisor, stopped and with the restart policy no, until --discard. No volume " \
    "is ever removed.\n\n"                                                                         \
    "If anything fails, or by Ctrl-C, the container that was made is taken away again, and what "  \
    "was replaced or stopped for it runs again. What a killed run left behind, the next run of "   \
    "the same name names, and finishes, or puts the old one back. Run again, it starts what is "   \
    "there and says what differs."

/* The functions are in cli/create.c, profiles.c, test.c, full_optimization.c, doctor.c, health.c,
 * api.c. */
const struct command commands_deploy[COMMANDS_DEPLOY_N] = {
    {COMMAND("create-standard", "makes a container with Ollama in 8 GiB", "", 0, 0), CREATE,
     .examples = "supervisor create-standard\n"
                 "supervisor create-standard --model qwen2.5:3b --pull\n"},
    {COMMAND("create-33b", "makes a container for a 33B model, in 28 GiB", "", 0, 0), CREATE,
     .examples = "supervisor create-33b --dry-run\n"
                 "supervisor create-33b --model deepseek-coder:33b --pull --evict\n"},
    {COMMAND("create-70b", "makes a container for a 70B model, in 30 GiB", "", 0, 0), CREATE,
     .examples = "supervisor create-70b --gpu all --model llama3.1:70b --pull\n"},
    {COMMAND("create-localai", "makes a container with LocalAI and the GPUs, in 12 GiB", "", 0, 0),
     CREATE, .examples = "supervisor create-localai --port 8081\n"},
    {COMMAND("create", "makes a container by a profile of one's own", "PROFILE", 1, 1), CREATE,
     .examples = "supervisor create 33b --name coder --port 11435\n"
                 "supervisor -c my.conf create small\n"},
    {COMMAND("profiles", "lists the profiles that create can make", "", 0, 0),
     .options = json_options,
     .details = "The built-in ones and those of [profile \"NAME\"] in the configuration, with what "
                "each makes.",
     .examples = "supervisor profiles\nsupervisor profiles --json\n", .function = cmd_profiles},
    {COMMAND("full-optimization", "status, fix, limits, policy, test, status: one report",
             "[SIZE...]", 0, 16),
     .options = full_options,
     .details =
         "Looks, heals what leaks, applies the wanted limits and the single-model policy, proves "
         "that memory can be had, and looks again, each as the command of its own does it. Stops "
         "at the first step that needs a person, with the reason and the command for it. The "
         "sizes are those of the test; without any, what the host can have now beside the reserve.",
     .examples = "supervisor full-optimization\n"
                 "supervisor full-optimization --dry-run\n"
                 "supervisor full-optimization --skip-test --json | jq .available_change\n",
     .exits =
         "0  all of it is done, or there was nothing to do\n1  a step needs a person, or failed\n",
     .function = cmd_full_optimization},
    {COMMAND("doctor", "tells what is wrong around it, and what mends it", "", 0, 0),
     .options = json_options,
     .details = "Looks at the engine, the kernel, the daemon, its state directory, the clock and "
                "each container with Ollama, and changes nothing. Each thing that is wrong or "
                "missing is told with what it costs and the one command that mends it; the worst "
                "comes first. With --json one list, with severity, check, container, text, cost "
                "and mend.",
     .examples = "supervisor doctor\nsupervisor doctor --json | jq '.[] | select(.mend)'\n",
     .exits = "0  nothing is to be mended\n1  there are warnings\n4  there is something critical\n",
     .function = cmd_doctor},
    {COMMAND("health", "tells whether a daemon looks, for a HEALTHCHECK", "", 0, 0),
     .options = json_options,
     .details = "Reads the heartbeat that the daemon writes into the state directory, and nothing "
                "else: it needs no shell, no engine and no Ollama, and takes milliseconds. One "
                "that hangs, that was killed or that ran before the last boot is not healthy.",
     .examples = "supervisor health\nsupervisor health --state /var/lib/supervisor --json\n",
     .exits =
         "0  a daemon of this state directory looked lately\n1  none did; the reason is told\n",
     .function = cmd_health},
    {COMMAND("api", "prints the routes of the HTTP API, each with a curl line", "", 0, 0),
     .options = json_options,
     .details = "The daemon answers HTTP where http.listen says. This asks nobody: it prints what "
                "there is, as http.listen and http.families have it; with --json as OpenAPI 3.1.",
     .examples = "supervisor api\nsupervisor api --json >openapi.json\n", .function = cmd_api},
    {COMMAND("test", "proves that so much memory can be had", "[SIZE...]", 0, 16),
     .options = test_options,
     .details = "For each size (10g 20g 25g without one) a container with that limit, in which the "
                "program itself touches the memory and reads it back, step by step, and never into "
                "the reserve: the host is not driven into swap. Tells the limit as the cgroup has "
                "it, what was touched, what was not tried and why. It runs in the image of the "
                "supervisor's own container, on a host in an empty one, with the program and its "
                "libraries bound there, to be read only; nothing is pulled. Everything is taken "
                "away again; what a killed test left behind, by the next one.",
     .examples = "supervisor test\n"
                 "supervisor test 28g --reserve 1.5g\n"
                 "supervisor test 512m 1g --json | jq .sizes[].had\n",
     .exits = "0  every size could be had\n1  one could not; the number that is short is told\n",
     .function = cmd_test},
    {COMMAND("probe-memory", "touches memory, in the container of `supervisor test`",
             "BYTES RESERVE", 2, 2),
     .no_config = true, .hidden = true, .function = cmd_probe_memory},
    {COMMAND("complete", "names what can stand as the last word, for the shells", "WORD...", 1,
             OPERANDS_MAX),
     .no_config = true, .hidden = true, .function = cmd_complete},
    {COMMAND("completion", "prints the completion for a shell", "bash|zsh|fish", 1, 1),
     .no_config = true,
     .details = "Of commands, options, settings and, where the engine answers within a second, "
                "containers: the shell asks the program itself at every word. Packages install it; "
                "by hand it is sourced, or put where the shell looks for it.",
     .examples = "source <(supervisor completion bash)\n"
                 "supervisor completion fish >~/.config/fish/completions/supervisor.fish\n",
     .exits = "0  printed\n", .function = cmd_completion},
};
