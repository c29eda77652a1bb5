#include "base/config_table.h"

#include <ctype.h>
#include <stddef.h>

#define FIELD(f) .offset = offsetof(struct settings, f), .size = sizeof(((struct settings *)0)->f)

#define BYTES_MIN_LIMIT (6.0 * 1024 * 1024)        /* the engine takes no less */
#define BYTES_MAX       (double)(INT64_C(1) << 53) /* size_parse takes no more */
#define INTERVAL_MIN    0.001 /* the loop's timers go no finer; so fast only for bench_daemon */
#define HOUR            3600.0
#define DAY             86400.0
#define IMAGES                                                                                     \
    "ollama/ollama,ollama/ollama:*,ollama/ollama@*,"                                               \
    "*/ollama/ollama,*/ollama/ollama:*,*/ollama/ollama@*"

/* Whether it may be unset. */
enum { MUST = false, MAY = true };

#define ROW(type, section, key, label, may, initial, field, reason, ...)                           \
    {section, key, label, type, may, initial, reason, .unset = FACT_NONE, FIELD(field), __VA_ARGS__}
#define TEXT(...)   ROW(SETTING_TEXT, __VA_ARGS__, )
#define SECRET(...) ROW(SETTING_SECRET, __VA_ARGS__, )
#define PATH(...)   ROW(SETTING_PATH, __VA_ARGS__, )
#define LABEL(...)  ROW(SETTING_LABEL, __VA_ARGS__, )
#define SWITCH(...) ROW(SETTING_SWITCH, __VA_ARGS__, )
#define CHOICE(section, key, label, may, initial, words, field, reason)                            \
    ROW(SETTING_CHOICE, section, key, label, may, initial, field, reason, .choices = (words))
#define NUMBER(type, section, key, label, may, initial, least, most, field, reason)                \
    ROW(type, section, key, label, may, initial, field, reason, .min = (least), .max = (most))
#define SIZE(...)     NUMBER(SETTING_SIZE, __VA_ARGS__)
#define COUNT(...)    NUMBER(SETTING_COUNT, __VA_ARGS__)
#define DURATION(...) NUMBER(SETTING_DURATION, __VA_ARGS__)
#define PERCENT(...)  NUMBER(SETTING_PERCENT, __VA_ARGS__)

const struct setting settings_table[SETTINGS_N] = {
    CHOICE("supervisor", "preset", NULL, MAY, "", "runbook strict15g router homelab", preset,
           "runbook, strict15g, router or homelab: other defaults, set by set"),
    CHOICE("supervisor", "mode", "supervisor.mode", MUST, "auto", "auto enforce observe", mode,
           "who labels a container wants it healed; one found by its image is only watched"),
    DURATION("supervisor", "interval", NULL, MUST, "1s", INTERVAL_MIN, HOUR, interval_s,
             "time between two samples: memory grows by gigabytes a second while a model loads"),
    DURATION("supervisor", "poll", NULL, MUST, "2s", INTERVAL_MIN, HOUR, poll_s,
             "time between two questions to Ollama: older versions race on /api/ps, so gently"),
    PATH("supervisor", "state", NULL, MUST, "/var/lib/supervisor", state,
         "what must survive a restart, and the locks: one directory for all on a host"),
    CHOICE("supervisor", "log", NULL, MUST, "logfmt", "logfmt json", log,
           "form of the log's lines: logfmt reads well, json is for collectors"),
    CHOICE("supervisor", "log_level", NULL, MUST, "info", "debug info warning error critical",
           log_level, "the least that is logged: one line for each verdict and action"),

    TEXT("docker", "host", NULL, MUST, "unix:///var/run/docker.sock", docker_host,
         "where every distribution puts it"),
    LABEL("docker", "label", NULL, MUST, "supervisor.enable", docker_label,
          "the label by which a container asks to be supervised (on), or not to be (off)"),
    TEXT("docker", "image", NULL, MAY, IMAGES, docker_image,
         "patterns of images that are Ollama: by any tag or digest, from any registry"),

    PATH("paths", "procfs", NULL, MUST, "/proc", procfs,
         "elsewhere inside a container: /host/proc"),
    PATH("paths", "cgroupfs", NULL, MUST, "/sys/fs/cgroup", cgroupfs,
         "elsewhere inside a container: /host/sys/fs/cgroup"),
    PATH("paths", "sysfs", NULL, MUST, "/sys", sysfs,
         "where AMD's GPUs are read; a container's own shows the host's"),
    PATH("paths", "nvml", NULL, MAY, "", nvml,
         "NVIDIA's management library; unset: libnvidia-ml.so.1, where the loader finds it"),

    SIZE("memory", "limit", "supervisor.memory", MAY, "", BYTES_MIN_LIMIT, BYTES_MAX, memory_limit,
         "only who runs the host knows what a container may have; unset: none is applied"),
    SIZE("memory", "swap", "supervisor.memory.swap", MAY, "", 0, BYTES_MAX, memory_swap,
         "beyond the limit; 0 is best: what leaks on in swap is not limited. Unset: left as it is"),
    SIZE("memory", "high", "supervisor.memory.high", MAY, "", BYTES_MIN_LIMIT, BYTES_MAX,
         memory_high,
         "memory.high of cgroup v2: slows down before the limit kills; unset: left as it is"),
    SIZE("memory", "max_model_memory", "supervisor.memory.max_model_memory", MAY, "", 1024 * 1024,
         BYTES_MAX, memory_max_model_memory,
         "what all loaded models together may hold: more is told; unset: no level of models"),
    SIZE("memory", "reserve", NULL, MUST, "4g", 0, BYTES_MAX, memory_reserve,
         "of the host, left to others when a model is loaded: what runs beside Ollama needs it"),
    PERCENT("memory", "safety_margin", NULL, MUST, "20%", 0, 400, memory_safety_margin_percent,
            "added to what a model needs before it is loaded: requests take more than the load"),

    PERCENT("pressure", "level_medium", NULL, MUST, "60%", 1, 100, level_medium,
            "of what may be held; below it all models can be loaded"),
    PERCENT("pressure", "level_high", NULL, MUST, "80%", 1, 100, level_high,
            "from here on models that are not needed may go"),
    PERCENT("pressure", "level_critical", NULL, MUST, "95%", 1, 100, level_critical,
            "above it the next load can meet the limit"),
    PERCENT("pressure", "action_warn", NULL, MUST, "80%", 1, 100, action_warn,
            "of the host's memory in use (all but MemAvailable): from here on it is told"),
    PERCENT("pressure", "action_optimize", NULL, MUST, "90%", 1, 100, action_optimize,
            "the same: idle models go, one by one, and page cache may be reclaimed"),
    PERCENT("pressure", "action_unload", NULL, MAY, "95%", 1, 100, action_unload,
            "the same: all idle models go, then busy ones; unset: none for that"),
    PERCENT(
        "pressure", "action_kill_switch", NULL, MAY, "98%", 1, 100, action_kill_switch,
        "the same, for 3 s: the largest container is stopped before the host freezes; unset: none"),
    PERCENT(
        "pressure", "action_flush", NULL, MAY, "", 1, 100, action_flush,
        "the same: every model is told to go at once, the last resort of a router; unset: none"),
    DURATION("pressure", "optimize_every", NULL, MUST, "60s", 1, DAY, pressure_optimize_every_s,
             "between the beginnings of two passes over idle models, while that pressure lasts"),

    DURATION("leak", "hold", "supervisor.leak.hold", MUST, "60s", 0.1, DAY, leak_hold_s,
             "for so long nothing else may explain it: an unload has ended after a few seconds"),
    DURATION("leak", "orphan_hold", "supervisor.leak.orphan_hold", MUST, "60s", 0.1, DAY,
             leak_orphan_hold_s, "the same for a runner that Ollama does not name"),
    DURATION("leak", "stalled_hold", "supervisor.leak.stalled_hold", MUST, "360s", 0.1, DAY,
             leak_stalled_hold_s,
             "a load that stalls keeps its client: longer than OLLAMA_LOAD_TIMEOUT (5m)"),
    DURATION("leak", "connected_hold", "supervisor.leak.connected_hold", MUST, "600s", 0.1, DAY,
             leak_connected_hold_s,
             "somebody is connected and nothing runs: from outside nobody can tell why"),
    DURATION("leak", "stuck_hold", "supervisor.leak.stuck_hold", MUST, "60s", 0.1, DAY,
             leak_stuck_hold_s,
             "for a model whose time is over and that does not go: an unload takes seconds"),
    DURATION("leak", "hung_hold", "supervisor.leak.hung_hold", MUST, "180s", 0.1, DAY,
             leak_hung_hold_s,
             "for a runner in which a request stands still while its client waits"),
    DURATION("leak", "growth_hold", "supervisor.leak.growth_hold", MUST, "600s", 0.1, DAY,
             leak_growth_hold_s, "memory must grow for so long: shorter is a burst of work"),
    SIZE("leak", "growth", "supervisor.leak.growth", MUST, "64m", 1024 * 1024, BYTES_MAX,
         leak_growth, "less growth in that time is not told, nor less than 1 % of the limit"),
    DURATION("leak", "unreachable_hold", "supervisor.leak.unreachable_hold", MUST, "60s", 0.1, DAY,
             leak_unreachable_hold_s,
             "so long without an answer is told: a question may wait for GPU discovery (30 s)"),
    DURATION("leak", "unreachable_restart", "supervisor.leak.unreachable_restart", MUST, "300s",
             0.1, DAY, leak_unreachable_restart_s,
             "then it is restarted, if it answered before and nothing at all happens in it"),
    SIZE("leak", "threshold", "supervisor.leak.threshold", MUST, "1g", 1024 * 1024, BYTES_MAX,
         leak_threshold, "less is not worth a restart"),
    PERCENT("leak", "threshold_percent", "supervisor.leak.threshold_percent", MUST, "10%", 0, 100,
            leak_threshold_percent,
            "of the limit, where that is more: what is little in a large container"),
    SIZE("leak", "baseline", "supervisor.leak.baseline", MAY, "", 0, BYTES_MAX, leak_baseline,
         "what an idle server holds; unset: learned, 128m until then and 256m at most"),
    DURATION("leak", "grace", "supervisor.leak.grace", MUST, "30s", 0, DAY, leak_grace_s,
             "a server that has just started is not judged"),
    PERCENT("leak", "busy_cpu", "supervisor.leak.busy_cpu", MUST, "5%", 0.1, 100,
            leak_busy_cpu_percent,
            "of a core over 5 s; an idle server takes 0.2, under emulation 3"),
    SIZE("leak", "busy_received", "supervisor.leak.busy_received", MUST, "64k", 0, BYTES_MAX,
         leak_busy_received, "a second; more is a model being pulled; 0: off"),

    DURATION("remedy", "backoff", "supervisor.remedy.backoff", MUST, "10s", 0.1, DAY,
             remedy_backoff_s, "before the second restart; doubled each time"),
    DURATION("remedy", "backoff_cap", "supervisor.remedy.backoff_cap", MUST, "300s", 0.1, DAY,
             remedy_backoff_cap_s, "the longest wait: whoever looks, looks within minutes"),
    DURATION("remedy", "healthy", "supervisor.remedy.healthy", MUST, "600s", 0.1, DAY,
             remedy_healthy_s, "after so long without a fault the wait is short again"),
    COUNT("remedy", "budget_per_hour", "supervisor.remedy.budget_per_hour", MUST, "3", 1, 60,
          remedy_budget_per_hour, "restarts; what three do not heal needs a person"),
    DURATION("remedy", "stop_grace", "supervisor.remedy.stop_grace", MAY, "", 0, HOUR,
             remedy_stop_grace_s, "unset: the container's own stop timeout, else the engine's 10s"),
    PERCENT("remedy", "throttle_cpu", "supervisor.remedy.throttle_cpu", MUST, "50%", 1, 100000,
            remedy_throttle_cpu_percent,
            "of one core, for who has supervisor.priority=low while the host is at its limit"),

    SWITCH("models", "single", "supervisor.single", MUST, "off", models_single,
           "Ollama itself keeps several; on: only the one used last stays"),
    SWITCH("models", "startup_unload", "supervisor.startup_unload", MUST, "off",
           models_startup_unload, "what is loaded when the supervisor starts may be wanted"),
    COUNT("models", "max_parameters", "supervisor.max_parameters", MAY, "", 1, BYTES_MAX,
          models_max_parameters,
          "as 3B: a loaded model with more is unloaded when it is idle; unset: any"),
    SIZE("models", "small_model", "supervisor.small_model", MUST, "5g", 0, BYTES_MAX,
         models_small_model, "a loaded model below this is left alone, whatever its parameters"),
    DURATION("models", "idle_unload", "supervisor.idle_unload", MAY, "", 5, 30 * DAY,
             models_idle_unload_s,
             "as 15m: a model nobody has used for so long is unloaded; unset: Ollama's keep_alive "
             "alone"),
    TEXT("models", "pin", "supervisor.pin", MAY, "", models_pin,
         "as llama3.2, qwen3:8b: not unloaded when idle or for room; loaded again after a heal"),
    TEXT("models", "pull", "supervisor.pull", MAY, "", models_pull,
         "as llama3.2, qwen3:8b: pulled, where it is not there, when supervision begins; unset: "
         "none"),
    SWITCH("models", "probe", "supervisor.probe", MUST, "off", models_probe,
           "what is loaded again after a heal must then generate a token; on: that is asked of it"),

    COUNT("gpu", "temperature_alert", NULL, MUST, "70", 30, 120, gpu_temperature_alert,
          "degrees Celsius; cards slow down by themselves at 83 and more"),

    DURATION("history", "keep_samples", NULL, MUST, "1h", 1, 30 * DAY, history_keep_samples_s,
             "one a second, to look back at what led to an event"),
    DURATION("history", "keep_minutes", NULL, MUST, "30d", 1, 3660 * DAY, history_keep_minutes_s,
             "one a minute, average and most: a month shows what comes back every week"),
    SIZE("history", "max_size", NULL, MUST, "64m", 4.0 * 1024 * 1024, BYTES_MAX, history_max_size,
         "of history.db: 30 days of 20 containers; then the oldest goes"),

    TEXT("http", "listen", NULL, MAY, "127.0.0.1:9000", http_listen,
         "where the API is: ADDRESS:PORT or unix:/PATH, more by commas; off: there is none"),
    TEXT("http", "legacy_listen", NULL, MAY, "", http_legacy_listen,
         "a second address, as 127.0.0.1:8523 for scripts that ask there"),
    TEXT("http", "hosts", NULL, MAY, "", http_hosts,
         "names by which it is asked: others than these, localhost and addresses are refused"),
    SECRET("http", "token", NULL, MAY, "", http_token,
           "SECRET or NAME:SECRET, more by commas: who sends one may do everything"),
    SECRET("http", "read_token", NULL, MAY, "", http_read_token,
           "the same, for who may only read: a Prometheus that is elsewhere"),
    PATH("http", "token_file", NULL, MAY, "", http_token_file,
         "tokens one a line, in a file that only its owner can read"),
    PATH("http", "read_token_file", NULL, MAY, "", http_read_token_file,
         "the same, for who may only read"),
    CHOICE(
        "http", "loopback", NULL, MUST, "act", "act read none", http_loopback,
        "without a token: act is what Ollama lets anybody there do; none: behind a proxy on this "
        "machine"),
    TEXT("http", "families", NULL, MUST, "api, events, metrics, runbook, memory, resources",
         http_families, "groups of paths that there are; without a name its paths are 404"),
    PATH("http", "certificate", NULL, MAY, "", http_certificate,
         "PEM, with its chain: then it is HTTPS; read anew by SIGHUP"),
    PATH("http", "key", NULL, MAY, "", http_key, "of the certificate, PEM without a passphrase"),
};

/* runbook's levels are the built-in ones, and its three tiers live side by side (tiers_runbook): it
 * does not differ in what there is to set. */
const struct preset presets_table[] = {
    {"strict15g", "models", "single", "on"}, /* 15 GB of memory: a second model would swap */
    {"strict15g", "models", "max_parameters", "3B"},
    {"strict15g", "models", "idle_unload", "30s"}, /* what others wait for is given back */
    {"strict15g", "pressure", "optimize_every", "30s"},
    {"router", "models", "single", "on"}, /* the router loads the one that it asks */
    {"router", "models", "startup_unload", "on"},
    {"router", "pressure", "action_flush", "99%"},
    {"homelab", "models", "idle_unload", "15m"}, /* an evening's pauses are shorter */
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
