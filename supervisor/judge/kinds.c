#include "judge/kinds.h"

#include <stdio.h>
#include <string.h>

#define BIT(remedy) (1u << (remedy))
/* What moves or ends processes. */
#define DEEDS (BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART))

const struct kind kinds_table[VERDICT_KINDS] = {
    [VERDICT_IDLE_LEAK] =
        {"idle-leak", SEVERITY_CRITICAL,
         "up longer than `leak.grace` (30 s); Ollama answers and lists no model; no runner is "
         "alive; not busy; the server's own RssAnon + VmSwap is the threshold or more above the "
         "baseline",
         "`leak.hold` 60 s; with a client connected `leak.connected_hold` 10 min",
         "held serve baseline threshold limit swap page_cache models runners connections cpu "
         "received",
         REMEDY_RESTART, REMEDY_RESTART,
         "unload (there is nothing to unload), reclaim (it moves the leak to swap and proves "
         "nothing)",
         BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RECLAIM)},
    [VERDICT_ORPHAN_RUNNER] =
        {"orphan-runner", SEVERITY_CRITICAL,
         "Ollama answers and does not list the runner; its CPU time, anon and file stand still; "
         "not in state D; its parent is the server",
         "`leak.orphan_hold` 60 s; with a client connected `leak.stalled_hold` 6 min",
         "pid runner runner_file runner_cpu_us held models runners connections", REMEDY_KILL_RUNNER,
         REMEDY_KILL_RUNNER, "restart; any other process",
         BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART)},
    [VERDICT_STUCK_STOPPING] =
        {"stuck-stopping", SEVERITY_WARNING,
         "the model's `expires_at` lies in the past; its runner stands still, is not in state D, "
         "and is the server's child; nobody is connected",
         "`leak.stuck_hold` 60 s; 6 min where it was found so",
         "pid runner expired held models runners connections", REMEDY_KILL_RUNNER,
         REMEDY_KILL_RUNNER,
         "restart; unload (that is what does not end); a runner that works, or has a client: "
         "`expires_at` lies in the past during every long request",
         BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART)},
    [VERDICT_STALLED_LOAD] =
        {"stalled-load", SEVERITY_WARNING, "as orphan-runner, with a client connected",
         "`leak.orphan_hold` 60 s",
         "pid runner runner_file runner_cpu_us held models runners connections", REMEDY_NONE,
         REMEDY_NONE,
         "any deed: Ollama ends it after five minutes (OLLAMA_LOAD_TIMEOUT), and until "
         "orphan-runner is raised it has the right to",
         DEEDS},
    [VERDICT_GHOST_MODEL] =
        {"ghost-model", SEVERITY_INFO,
         "Ollama answers and lists the model, its blob is known, and no live runner serves that "
         "blob",
         "10 s, two polls at least", "size models runners", REMEDY_NONE, REMEDY_NONE,
         "any deed: the next request loads it again, and it holds nothing", DEEDS},
    [VERDICT_GROWTH_LEAK] =
        {"growth-leak", SEVERITY_WARNING,
         "what a runner holds since its model is listed, or the server while the same models are "
         "loaded, rises: by chance in less than 1 of 1,000,000 cases, by `leak.growth` (64 MiB) "
         "and 1 "
         "% of the limit at least, and to the end; and it is no prompt-cache",
         "`leak.growth_hold` 10 min",
         "pid runner serve baseline threshold per_hour per_hour_low rise grown bound span limit "
         "held left connections",
         REMEDY_UNLOAD, REMEDY_RESTART,
         "any deed below `pressure.level_critical` (95 % of the limit), or while the model works "
         "or has a client; a restart while anything else works, while the runner can be killed, or "
         "where the server itself holds less than the threshold above its baseline; reclaim (it "
         "moves the growth to swap)",
         BIT(REMEDY_RECLAIM)},
    [VERDICT_PROMPT_CACHE] =
        {"prompt-cache", SEVERITY_INFO,
         "the same of a runner of Ollama 0.30 or newer, which has grown by no more than its "
         "prompt cache may (LLAMA_ARG_CACHE_RAM in the container's environment, 8,192 MiB "
         "otherwise; 10 % over); a warning where the bound does not fit below the limit",
         "`leak.growth_hold` 10 min",
         "pid runner per_hour per_hour_low rise grown bound fits span limit held left", REMEDY_NONE,
         REMEDY_NONE, "any deed: it is what the setting allows, and saves work", DEEDS},
    [VERDICT_OOM_KILL] =
        {"oom-kill", SEVERITY_WARNING,
         "the cgroup's counter of killed processes rose between two looks at one life; it stands "
         "for ten minutes, or until the next life",
         "none", "kills oom_kills pid runner held limit peak usage available", REMEDY_NONE,
         REMEDY_NONE, "any deed: the kernel has done it", DEEDS},
    [VERDICT_UNREACHABLE] =
        {"unreachable", SEVERITY_CRITICAL,
         "its container runs, and Ollama does not answer. Restarted only if it has answered in "
         "this life, all processes are known, it is not busy, every runner stands still, and "
         "nobody is connected",
         "`leak.unreachable_hold` 60 s, told; `leak.unreachable_restart` 5 min, restarted",
         "silent runners connections held cpu received", REMEDY_WAIT, REMEDY_RESTART,
         "restart while anything works in it, while it is throttled, or where it never answered: "
         "that may be our own way to it",
         BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER)},
    [VERDICT_HELD_ELSEWHERE] =
        {"held-elsewhere", SEVERITY_WARNING,
         "shmem and the processes that are not Ollama's hold the threshold or more",
         "`leak.hold` 60 s", "held shmem foreign", REMEDY_NONE, REMEDY_NONE,
         "any deed: a restart would not free a tmpfs that is a volume, and a foreign process is "
         "somebody's work",
         DEEDS},
    [VERDICT_OVER_BUDGET] =
        {"over-budget", SEVERITY_WARNING,
         "the container's runners, or those of all containers together, hold more than "
         "`memory.max_model_memory`",
         "10 s", "models_held budget runners", REMEDY_NONE, REMEDY_NONE,
         "any deed: which model goes is a person's to say (`models.single`)", DEEDS},
    [VERDICT_TOO_MANY_MODELS] =
        {"too-many-models", SEVERITY_INFO,
         "`models.single` is on, two or more models are loaded, this one is not the one used last, "
         "and its runner is not busy",
         "two polls", "models size unused", REMEDY_UNLOAD, REMEDY_UNLOAD,
         "a busy model; a model whose runner cannot be told",
         BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART)},
    [VERDICT_OVERSIZE_MODEL] =
        {"oversize-model", SEVERITY_WARNING,
         "a loaded model has more parameters than `models.max_parameters`; unloaded when its "
         "runner stands still for 5 s and nobody is connected",
         "two polls", "parameters max_parameters size runner connections", REMEDY_UNLOAD,
         REMEDY_UNLOAD, "a busy model; one smaller than `models.small_model` (5 GiB)",
         BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART)},
    [VERDICT_IDLE_MODEL] =
        {"idle-model", SEVERITY_INFO,
         "`models.idle_unload` is set, and nothing happens in the runner of a loaded model; it is "
         "neither pinned nor in one of the tiers ultra-fast, fast and medium",
         "`models.idle_unload`; with a client connected `leak.connected_hold` 10 min where that is "
         "longer",
         "unused idle_unload size runner models connections", REMEDY_UNLOAD, REMEDY_UNLOAD,
         "a model that is used, or of which that is not known; kill or restart: what does not go "
         "is "
         "told",
         BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART)},
    [VERDICT_NO_LIMIT] = {"no-limit", SEVERITY_INFO, "no limit is there, and none is wanted",
                          "two looks", "held total", REMEDY_NONE, REMEDY_NONE,
                          "a limit that nobody asked for", DEEDS | BIT(REMEDY_LIMIT)},
    [VERDICT_LIMIT_DRIFT] = {"limit-drift", SEVERITY_WARNING,
                             "one is wanted (`memory.limit`), and another or none is there",
                             "two looks", "wanted limit swap_limit floor held held_with_model",
                             REMEDY_LIMIT, REMEDY_LIMIT,
                             "a limit below the floor (*Acting* 5): told", DEEDS},
    [VERDICT_HIGH_DRIFT] =
        {"high-drift", SEVERITY_WARNING,
         "the same of memory.high (`memory.high`); on cgroup v1, which has none, told", "two looks",
         "wanted high floor held held_with_model", REMEDY_HIGH, REMEDY_HIGH,
         "a limit below the floor: told", DEEDS},
    [VERDICT_PAGE_CACHE] =
        {"page-cache", SEVERITY_INFO,
         "of the host's memory all but MemAvailable is `pressure.action_optimize` (90 %) or more, "
         "and at least 256 MiB of the container's page cache are inactive; it ends 5 % below that, "
         "or with half of that page cache; told on cgroup v1",
         "three looks", "inactive_file file available total in_use", REMEDY_RECLAIM, REMEDY_RECLAIM,
         "anything that makes memory of processes go", DEEDS},
    [VERDICT_LOW_PRIORITY] =
        {"low-priority", SEVERITY_WARNING,
         "the host's level is critical (more than `pressure.level_critical`, 95 %, of its memory "
         "is not available), and the container has the label supervisor.priority=low; it ends "
         "when the host has been 5 % below that for 30 s",
         "three looks", "in_use held high quota", REMEDY_THROTTLE, REMEDY_THROTTLE,
         "a memory.high below what is in use and 10 % (64 MiB at least); a quota or a memory.high "
         "that is looser than what is there",
         DEEDS},
    [VERDICT_HOST_PRESSURE] =
        {"host-pressure", SEVERITY_WARNING,
         "of the host: all of its memory but MemAvailable is `pressure.action_warn` (80 %) or "
         "more; critical from `pressure.action_unload` (95 %) on; it ends 5 % below "
         "`pressure.action_warn`. Of a container: what that asks of it (*Pressure*)",
         "three looks; stop 3 s; flush none", "in_use available total held models runner relief",
         REMEDY_UNLOAD, REMEDY_STOP,
         "kill-runner, restart (a running request ends by itself); the stop of what would be "
         "deleted by it (`--rm`), of a Swarm task, of what relieves the host by less than 1 %",
         BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART)},
    [VERDICT_STOPPED_BY_US] =
        {"stopped-by-us", SEVERITY_CRITICAL,
         "it was stopped to be restarted, and the engine has refused three times to start it; it "
         "stands, for the next supervisor too, until it runs, or is removed",
         "none", "tries stopped", REMEDY_NONE, REMEDY_NONE,
         "any deed: what the engine's words name must be mended by a person first",
         DEEDS | BIT(REMEDY_STOP)},
    [VERDICT_SWAP_IN_USE] =
        {"swap-in-use", SEVERITY_INFO,
         "a model is loaded, and more than 64 MiB of the host's swap are in use, or 1 MiB of the "
         "container's memory is swapped out (then a warning)",
         "60 s", "swap swap_used swap_total held", REMEDY_NONE, REMEDY_NONE,
         "any deed: what was swapped out comes back when it is used", DEEDS},
    [VERDICT_BROKEN_HEALTHCHECK] =
        {"broken-healthcheck", SEVERITY_WARNING,
         "the engine calls the container unhealthy, and the last run of its check could not even "
         "start: exit -1, 126 or 127, and a program that is not found or may not be run (exit 1: "
         "in a shell's words)",
         "two looks", "exit", REMEDY_NONE, REMEDY_NONE, "restart: what is broken is the check",
         DEEDS},
    [VERDICT_THERMAL] = {"thermal", SEVERITY_WARNING,
                         "a GPU of the host is hotter than `gpu.temperature_alert` (70 \u00b0C)",
                         "30 s", "gpu celsius alert", REMEDY_NONE, REMEDY_NONE,
                         "any deed: the card slows down by itself", DEEDS},
};

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
    const struct kind *k = &kinds_table[kind];
    if (remedy == REMEDY_NONE)
        return true;
    return !(k->never_remedies & BIT(remedy)) && place(remedy) >= place(k->first) &&
           place(remedy) <= place(k->last);
}

enum remedy kind_next(enum verdict_kind kind, enum remedy remedy)
{
    enum remedy next = REMEDY_NONE;
    for (int r = REMEDY_NONE + 1; r < REMEDIES && kinds_table[kind].last != REMEDY_STOP; r++)
        if (place((enum remedy)r) > place(remedy) && kind_allows(kind, (enum remedy)r) &&
            (next == REMEDY_NONE || place((enum remedy)r) < place(next)))
            next = (enum remedy)r;
    return next;
}

bool kind_shows(enum verdict_kind kind, const char *evidence)
{
    size_t length = strlen(evidence);
    for (const char *at = kinds_table[kind].evidence; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == length && !memcmp(at, evidence, n))
            return true;
        at += n;
    }
    return false;
}

int kind_row(enum verdict_kind kind, char *text, size_t size)
{
    const struct kind *k = &kinds_table[kind];
    bool told = k->first == REMEDY_NONE, one = k->first == k->last;
    return snprintf(text, size, "| **%s** | %s | %s | %s | %s%s%s | %s | %s |", k->name,
                    severity_name(k->severity), k->when, k->hold,
                    told ? "told" : remedy_name(k->first), one ? "" : " \u2026 ",
                    one ? "" : remedy_name(k->last), k->never, k->evidence);
}
