#include "base/config_table.h"

#include "base/size.h"
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(f) .offset = offsetof(struct settings, f), .size = sizeof(((struct settings *)0)->f)

#define BYTES_MIN_LIMIT (6.0 * 1024 * 1024)        /* the engine takes no less */
#define BYTES_MAX       (double)(INT64_C(1) << 53) /* size_parse takes no more */
#define INTERVAL_MIN    0.001 /* the loop's timers go no finer; so fast only for bench_daemon */
#define HOUR            3600.0
#define DAY             86400.0
#define IMAGES                                                                                     \
    "ollama/ollama,ollama/ollama:*,ollama/ollama@*,"                                               \
    "*/ollama/ollama,*/ollama/ollama:*,*/ollama/ollama@*"

const struct setting settings_table[SETTINGS_N] = {
    {"supervisor", "preset", NULL, SETTING_CHOICE, true, "",
     "runbook, strict15g, router or homelab: other defaults, set by set",
     .choices = "runbook strict15g router homelab", FIELD(preset)},
    {"supervisor", "mode", "supervisor.mode", SETTING_CHOICE, false, "auto",
     "who labels a container wants it healed; one found by its image is only watched",
     .choices = "auto enforce observe", FIELD(mode)},
    {"supervisor", "interval", NULL, SETTING_DURATION, false, "1s",
     "time between two samples: memory grows by gigabytes a second while a model loads",
     .min = INTERVAL_MIN, .max = HOUR, FIELD(interval_s)},
    {"supervisor", "poll", NULL, SETTING_DURATION, false, "2s",
     "time between two questions to Ollama: older versions race on /api/ps, so gently",
     .min = INTERVAL_MIN, .max = HOUR, FIELD(poll_s)},
    {"supervisor", "state", NULL, SETTING_PATH, false, "/var/lib/supervisor",
     "what must survive a restart, and the locks: one directory for all on a host", FIELD(state)},
    {"supervisor", "log", NULL, SETTING_CHOICE, false, "logfmt",
     "form of the log's lines: logfmt reads well, json is for collectors", .choices = "logfmt json",
     FIELD(log)},
    {"supervisor", "log_level", NULL, SETTING_CHOICE, false, "info",
     "the least that is logged: one line for each verdict and action",
     .choices = "debug info warning error critical", FIELD(log_level)},

    {"docker", "host", NULL, SETTING_TEXT, false, "unix:///var/run/docker.sock",
     "where every distribution puts it", FIELD(docker_host)},
    {"docker", "label", NULL, SETTING_TEXT, false, "supervisor.enable",
     "the label by which a container asks to be supervised, or not to be", FIELD(docker_label)},
    {"docker", "image", NULL, SETTING_TEXT, true, IMAGES,
     "patterns of images that are Ollama: by any tag or digest, from any registry",
     FIELD(docker_image)},

    {"paths", "procfs", NULL, SETTING_PATH, false, "/proc",
     "elsewhere inside a container: /host/proc", FIELD(procfs)},
    {"paths", "cgroupfs", NULL, SETTING_PATH, false, "/sys/fs/cgroup",
     "elsewhere inside a container: /host/sys/fs/cgroup", FIELD(cgroupfs)},
    {"paths", "sysfs", NULL, SETTING_PATH, false, "/sys",
     "where AMD's GPUs are read; a container's own shows the host's", FIELD(sysfs)},
    {"paths", "nvml", NULL, SETTING_PATH, true, "",
     "NVIDIA's management library; unset: libnvidia-ml.so.1, where the loader finds it",
     FIELD(nvml)},

    {"memory", "limit", "supervisor.memory", SETTING_SIZE, true, "",
     "only who runs the host knows what a container may have; unset: none is applied",
     .min = BYTES_MIN_LIMIT, .max = BYTES_MAX, FIELD(memory_limit)},
    {"memory", "swap", "supervisor.memory.swap", SETTING_SIZE, true, "0",
     "beyond the limit: what leaks on in swap is not limited; unset: left as it is", .min = 0,
     .max = BYTES_MAX, FIELD(memory_swap)},
    {"memory", "high", "supervisor.memory.high", SETTING_SIZE, true, "",
     "memory.high of cgroup v2: slows down before the limit kills; unset: left as it is",
     .min = BYTES_MIN_LIMIT, .max = BYTES_MAX, FIELD(memory_high)},
    {"memory", "max_model_memory", "supervisor.memory.max_model_memory", SETTING_SIZE, true, "",
     "what all loaded models together may hold: more is told; unset: no level of models",
     .min = 1024 * 1024, .max = BYTES_MAX, FIELD(memory_max_model_memory)},
    {"memory", "reserve", NULL, SETTING_SIZE, false, "4g",
     "of the host, left to others when a model is loaded: what runs beside Ollama needs it",
     .min = 0, .max = BYTES_MAX, FIELD(memory_reserve)},
    {"memory", "safety_margin", NULL, SETTING_PERCENT, false, "20%",
     "added to what a model needs before it is loaded: requests take more than the load", .min = 0,
     .max = 400, FIELD(memory_safety_margin_percent)},

    {"pressure", "level_medium", NULL, SETTING_PERCENT, false, "60%",
     "of what may be held; below it all models can be loaded", .min = 1, .max = 100,
     FIELD(level_medium)},
    {"pressure", "level_high", NULL, SETTING_PERCENT, false, "80%",
     "from here on models that are not needed may go", .min = 1, .max = 100, FIELD(level_high)},
    {"pressure", "level_critical", NULL, SETTING_PERCENT, false, "95%",
     "above it the next load can meet the limit", .min = 1, .max = 100, FIELD(level_critical)},
    {"pressure", "action_warn", NULL, SETTING_PERCENT, false, "80%",
     "of the host's memory in use (all but MemAvailable): from here on it is told", .min = 1,
     .max = 100, FIELD(action_warn)},
    {"pressure", "action_optimize", NULL, SETTING_PERCENT, false, "90%",
     "the same: idle models go, one by one, and page cache may be reclaimed", .min = 1, .max = 100,
     FIELD(action_optimize)},
    {"pressure", "action_unload", NULL, SETTING_PERCENT, true, "95%",
     "the same: all idle models go, then busy ones; unset: none for that", .min = 1, .max = 100,
     FIELD(action_unload)},
    {"pressure", "action_kill_switch", NULL, SETTING_PERCENT, true, "98%",
     "the same, for 3 s: the largest container is stopped before the host freezes; unset: none",
     .min = 1, .max = 100, FIELD(action_kill_switch)},
    {"pressure", "action_flush", NULL, SETTING_PERCENT, true, "",
     "the same: every model is told to go at once, the last resort of a router; unset: none",
     .min = 1, .max = 100, FIELD(action_flush)},
    {"pressure", "optimize_every", NULL, SETTING_DURATION, false, "60s",
     "between the beginnings of two passes over idle models, while that pressure lasts", .min = 1,
     .max = DAY, FIELD(pressure_optimize_every_s)},

    {"leak", "hold", "supervisor.leak.hold", SETTING_DURATION, false, "60s",
     "for so long nothing else may explain it: an unload has ended after a few seconds", .min = 0.1,
     .max = DAY, FIELD(leak_hold_s)},
    {"leak", "orphan_hold", "supervisor.leak.orphan_hold", SETTING_DURATION, false, "60s",
     "the same for a runner that Ollama does not name", .min = 0.1, .max = DAY,
     FIELD(leak_orphan_hold_s)},
    {"leak", "stalled_hold", "supervisor.leak.stalled_hold", SETTING_DURATION, false, "360s",
     "a load that stalls keeps its client: longer than OLLAMA_LOAD_TIMEOUT (5m)", .min = 0.1,
     .max = DAY, FIELD(leak_stalled_hold_s)},
    {"leak", "connected_hold", "supervisor.leak.connected_hold", SETTING_DURATION, false, "600s",
     "somebody is connected and nothing runs: from outside nobody can tell why", .min = 0.1,
     .max = DAY, FIELD(leak_connected_hold_s)},
    {"leak", "stuck_hold", "supervisor.leak.stuck_hold", SETTING_DURATION, false, "60s",
     "for a model whose time is over and that does not go: an unload takes seconds", .min = 0.1,
     .max = DAY, FIELD(leak_stuck_hold_s)},
    {"leak", "growth_hold", "supervisor.leak.growth_hold", SETTING_DURATION, false, "600s",
     "memory must grow for so long: shorter is a burst of work", .min = 0.1, .max = DAY,
     FIELD(leak_growth_hold_s)},
    {"leak", "growth", "supervisor.leak.growth", SETTING_SIZE, false, "64m",
     "less growth in that time is not told, nor less than 1 % of the limit", .min = 1024 * 1024,
     .max = BYTES_MAX, FIELD(leak_growth)},
    {"leak", "unreachable_hold", "supervisor.leak.unreachable_hold", SETTING_DURATION, false, "60s",
     "so long without an answer is told: a question may wait for GPU discovery (30 s)", .min = 0.1,
     .max = DAY, FIELD(leak_unreachable_hold_s)},
    {"leak", "unreachable_restart", "supervisor.leak.unreachable_restart", SETTING_DURATION, false,
     "300s", "then it is restarted, if it answered before and nothing at all happens in it",
     .min = 0.1, .max = DAY, FIELD(leak_unreachable_restart_s)},
    {"leak", "threshold", "supervisor.leak.threshold", SETTING_SIZE, false, "1g",
     "less is not worth a restart", .min = 1024 * 1024, .max = BYTES_MAX, FIELD(leak_threshold)},
    {"leak", "threshold_percent", "supervisor.leak.threshold_percent", SETTING_PERCENT, false,
     "10%", "of the limit, where that is more: what is little in a large container", .min = 0,
     .max = 100, FIELD(leak_threshold_percent)},
    {"leak", "baseline", "supervisor.leak.baseline", SETTING_SIZE, true, "",
     "what an idle server holds; unset: learned, 128m until then and 256m at most", .min = 0,
     .max = BYTES_MAX, FIELD(leak_baseline)},
    {"leak", "grace", "supervisor.leak.grace", SETTING_DURATION, false, "30s",
     "a server that has just started is not judged", .min = 0, .max = DAY, FIELD(leak_grace_s)},
    {"leak", "busy_cpu", "supervisor.leak.busy_cpu", SETTING_PERCENT, false, "5%",
     "of a core over 5 s; an idle server takes 0.2, under emulation 3", .min = 0.1, .max = 100,
     FIELD(leak_busy_cpu_percent)},
    {"leak", "busy_received", "supervisor.leak.busy_received", SETTING_SIZE, false, "64k",
     "a second; more is a model being pulled; 0: off", .min = 0, .max = BYTES_MAX,
     FIELD(leak_busy_received)},

    {"remedy", "backoff", "supervisor.remedy.backoff", SETTING_DURATION, false, "10s",
     "before the second restart; doubled each time", .min = 0.1, .max = DAY,
     FIELD(remedy_backoff_s)},
    {"remedy", "backoff_cap", "supervisor.remedy.backoff_cap", SETTING_DURATION, false, "300s",
     "the longest wait: whoever looks, looks within minutes", .min = 0.1, .max = DAY,
     FIELD(remedy_backoff_cap_s)},
    {"remedy", "healthy", "supervisor.remedy.healthy", SETTING_DURATION, false, "600s",
     "after so long without a fault the wait is short again", .min = 0.1, .max = DAY,
     FIELD(remedy_healthy_s)},
    {"remedy", "budget_per_hour", "supervisor.remedy.budget_per_hour", SETTING_COUNT, false, "3",
     "restarts; what three do not heal needs a person", .min = 1, .max = 60,
     FIELD(remedy_budget_per_hour)},
    {"remedy", "stop_grace", "supervisor.remedy.stop_grace", SETTING_DURATION, true, "",
     "unset: the container's own stop timeout, else the engine's 10s", .min = 0, .max = HOUR,
     FIELD(remedy_stop_grace_s)},
    {"remedy", "throttle_cpu", "supervisor.remedy.throttle_cpu", SETTING_PERCENT, false, "50%",
     "of one core, for who has supervisor.priority=low while the host is at its limit", .min = 1,
     .max = 100000, FIELD(remedy_throttle_cpu_percent)},

    {"models", "single", "supervisor.single", SETTING_SWITCH, false, "off",
     "Ollama itself keeps several; on: only the one used last stays", FIELD(models_single)},
    {"models", "startup_unload", "supervisor.startup_unload", SETTING_SWITCH, false, "off",
     "what is loaded when the supervisor starts may be wanted", FIELD(models_startup_unload)},
    {"models", "max_parameters", "supervisor.max_parameters", SETTING_COUNT, true, "",
     "as 3B: a loaded model with more is unloaded when it is idle; unset: any", .min = 1,
     .max = BYTES_MAX, FIELD(models_max_parameters)},
    {"models", "small_model", "supervisor.small_model", SETTING_SIZE, false, "5g",
     "a loaded model below this is left alone, whatever its parameters", .min = 0, .max = BYTES_MAX,
     FIELD(models_small_model)},
    {"models", "idle_unload", "supervisor.idle_unload", SETTING_DURATION, true, "",
     "as 15m: a model nobody has used for so long is unloaded; unset: Ollama's keep_alive alone",
     .min = 5, .max = 30 * DAY, FIELD(models_idle_unload_s)},
    {"models", "pin", "supervisor.pin", SETTING_TEXT, true, "",
     "as llama3.2, qwen3:8b: not unloaded when idle or for room; loaded again after a heal",
     FIELD(models_pin)},

    {"gpu", "temperature_alert", NULL, SETTING_COUNT, false, "70",
     "degrees Celsius; cards slow down by themselves at 83 and more", .min = 30, .max = 120,
     FIELD(gpu_temperature_alert)},

    {"history", "keep_samples", NULL, SETTING_DURATION, false, "1h",
     "one a second, to look back at what led to an event", .min = 1, .max = 30 * DAY,
     FIELD(history_keep_samples_s)},
    {"history", "keep_minutes", NULL, SETTING_DURATION, false, "30d",
     "one a minute, average and most: a month shows what comes back every week", .min = 1,
     .max = 3660 * DAY, FIELD(history_keep_minutes_s)},
    {"history", "max_size", NULL, SETTING_SIZE, false, "64m",
     "of history.db: 30 days of 20 containers; then the oldest goes", .min = 4.0 * 1024 * 1024,
     .max = BYTES_MAX, FIELD(history_max_size)},
};

/* runbook's levels are the built-in ones, and its three tiers live side by side (tiers_runbook): it
 * does not differ in what there is to set. */
const struct preset presets_table[] = {
    {"strict15g", "models", "single", "on"}, /* 15 GB of memory: a second model would swap */
    {"strict15g", "models", "max_parameters", "3B"},
    {"strict15g", "models", "idle_unload", "30s"}, /* row C8: what others wait for is given back */
    {"strict15g", "pressure", "optimize_every", "30s"}, /* row C9 */
    {"router", "models", "single", "on"},               /* the router loads the one that it asks */
    {"router", "models", "startup_unload", "on"},
    {"router", "pressure", "action_flush", "99%"}, /* rows B6, C10 */
    {"homelab", "models", "idle_unload", "15m"},   /* row C8: an evening's pauses are shorter */
    {NULL, NULL, NULL, NULL},
};

int setting_find(const char *section, const char *key)
{
    for (int i = 0; i < SETTINGS_N; i++)
        if (strcmp(settings_table[i].section, section) == 0 &&
            strcmp(settings_table[i].key, key) == 0)
            return i;
    return -1;
}

int setting_find_name(const char *name)
{
    char text[SETTING_NAME_MAX];
    for (int i = 0; i < SETTINGS_N; i++)
        if (strcmp(setting_name(&settings_table[i], text), name) == 0)
            return i;
    return -1;
}

int setting_find_label(const char *label)
{
    for (int i = 0; i < SETTINGS_N; i++)
        if (settings_table[i].label && strcmp(settings_table[i].label, label) == 0)
            return i;
    return -1;
}

int setting_find_environment(const char *variable)
{
    char text[SETTING_NAME_MAX];
    for (int i = 0; i < SETTINGS_N; i++)
        if (strcmp(setting_environment(&settings_table[i], text), variable) == 0)
            return i;
    return -1;
}

const char *setting_environment(const struct setting *setting, char text[static SETTING_NAME_MAX])
{
    bool bare = strcmp(setting->section, "supervisor") == 0;
    snprintf(text, SETTING_NAME_MAX, "SUPERVISOR_%s%s%s", bare ? "" : setting->section,
             bare ? "" : "_", setting->key);
    for (char *c = text; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return text;
}

const char *setting_name(const struct setting *setting, char text[static SETTING_NAME_MAX])
{
    snprintf(text, SETTING_NAME_MAX, "%s.%s", setting->section, setting->key);
    return text;
}

/* The row that an unknown name was meant to be, or -1. A section that is right says more than its
 * letters: only its own keys are compared then. */
static int setting_meant(const char *name)
{
    char names[SETTINGS_N][SETTING_NAME_MAX];
    const char *full[SETTINGS_N], *keys[SETTINGS_N], *own[SETTINGS_N];
    const char *dot = strchr(name, '.'), *key = dot ? dot + 1 : name;
    size_t section_length = (size_t)(key - name);
    bool section_known = false;
    for (int i = 0; i < SETTINGS_N; i++) {
        full[i] = setting_name(&settings_table[i], names[i]);
        keys[i] = settings_table[i].key;
        own[i] = dot && strncmp(full[i], name, section_length) == 0 ? keys[i] : NULL;
        section_known = section_known || own[i];
    }
    const char *const *const lists[] = {own, keys, full};
    for (size_t l = 0; l < (section_known ? 2 : 3); l++) {
        const char *meant = nearest(l == 2 ? name : key, lists[l], SETTINGS_N);
        for (int i = 0; meant && i < SETTINGS_N; i++)
            if (lists[l][i] == meant)
                return i;
    }
    return -1;
}

int setting_unknown(const char *name, struct error *err)
{
    char text[SETTING_NAME_MAX];
    int meant = setting_meant(name);
    if (meant >= 0)
        return error_set(err, FAILURE_USAGE, -EINVAL, "unknown setting \"%.*s\": did you mean %s?",
                         SETTING_NAME_MAX, name, setting_name(&settings_table[meant], text));
    return error_set(err, FAILURE_USAGE, -EINVAL,
                     "unknown setting \"%.*s\": `supervisor config show` lists all that there are",
                     SETTING_NAME_MAX, name);
}
