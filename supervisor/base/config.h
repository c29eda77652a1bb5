/* Every tunable: its default with the reason, its name in the INI file, its environment variable,
 * its label, and where a value came from. Precedence: command line > environment > label > file >
 * preset > built-in. */
#ifndef SUPERVISOR_BASE_CONFIG_H
#define SUPERVISOR_BASE_CONFIG_H

#include "base/error.h"
#include "base/fact.h"
#include "base/profile.h"
#include "base/tier.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum config_origin {
    ORIGIN_BUILTIN,
    ORIGIN_PRESET,
    ORIGIN_FILE,
    ORIGIN_LABEL,
    ORIGIN_ENVIRONMENT,
    ORIGIN_COMMAND_LINE
};

/* The settings. Sizes in bytes, durations in seconds, percentages 0 to 100. The table that fills it
 * (config_table.c) has the reasons. */
struct settings {
    /* [supervisor] */
    char preset[16];    /* "" | "runbook" | "strict15g" | "router" | "homelab" */
    char mode[16];      /* "auto" (enforce for labelled, observe for found by image), "enforce",
                           "observe"       label supervisor.mode */
    double interval_s;  /* 1: one sample a second; 0.001 … 3600 */
    double poll_s;      /* 2: Ollama's API (older versions race on /api/ps: gently); 0.001 … 3600 */
    char state[256];    /* /var/lib/supervisor */
    char log[16];       /* "logfmt" | "json" */
    char log_level[16]; /* "info" | debug warning error */
    /* [docker] */
    char docker_host[256];  /* unix:///var/run/docker.sock; environment DOCKER_HOST too */
    char docker_label[128]; /* supervisor.enable */
    char
        docker_image[256]; /* comma-separated globs: "ollama/ollama,ollama/ollama:*,ollama/ollama@*"
                              (and with a registry before: "*" "/ollama/ollama:*") */
    /* [paths] */
    char procfs[256], cgroupfs[256]; /* /proc, /sys/fs/cgroup */
    char sysfs[256];                 /* /sys: GPUs */
    char nvml[256];                  /* "": libnvidia-ml.so.1 as the loader finds it */
    /* [memory] */
    fact memory_limit;            /* unset (FACT_NONE) label supervisor.memory */
    fact memory_swap;             /* unset: beyond memory_limit, where one is wanted; unset: as the
                                     container has it  label supervisor.memory.swap */
    fact memory_high;             /* unset: memory.high, cgroup v2  label supervisor.memory.high */
    fact memory_max_model_memory; /* unset: the budget of all loaded models together; a label
                                     supervisor.memory.max_model_memory: of one container's */
    fact memory_reserve;          /* 4 GiB of the host, left to others when a model is loaded */
    double memory_safety_margin_percent; /* 20: added to what a model needs */
    /* [pressure] */
    double level_medium, level_high, level_critical; /* 60 80 95 */
    /* Of the host's memory in use, all but MemAvailable; < 0: unset. */
    double action_warn, action_optimize;      /* 80: told; 90: idle models go, page cache too */
    double action_unload, action_kill_switch; /* 95: all models go; 98: a container is stopped */
    double action_flush;                      /* unset, 99 in router: all models at once */
    double pressure_optimize_every_s;         /* 60, 30 in strict15g: between two passes */
    /* [leak] labels supervisor.leak.<key> */
    double leak_hold_s;             /* 60 */
    double leak_orphan_hold_s;      /* 60 */
    double leak_stalled_hold_s;     /* 360: a stalled load keeps its client; more than
                                       OLLAMA_LOAD_TIMEOUT (5 m) */
    double leak_connected_hold_s;   /* 600: a foreign connection and no runner: nobody can tell what
                                       it is from outside */
    double leak_stuck_hold_s;       /* 60: a model whose time is over and that stays */
    double leak_hung_hold_s;        /* 180: a request is under way, and nothing happens */
    double leak_growth_hold_s;      /* 600 */
    fact leak_growth;               /* 64 MiB in that time at least */
    double leak_unreachable_hold_s; /* 60: told */
    double leak_unreachable_restart_s; /* 300: restarted, where nothing happens either */
    fact leak_threshold;               /* 1 GiB */
    double leak_threshold_percent;     /* 10 % of the limit */
    fact leak_baseline;                /* unset: learned, at most 256 MiB; 128 MiB before */
    double leak_grace_s;               /* 30 s up at least */
    double leak_busy_cpu_percent;      /* 5 % of a core over 5 s */
    fact leak_busy_received;           /* 64 KiB/s */
    /* [remedy] labels supervisor.remedy.<key> */
    double remedy_backoff_s, remedy_backoff_cap_s, remedy_healthy_s; /* 10, 300, 600 */
    fact remedy_budget_per_hour; /* 3                                     1 … 60 */
    double remedy_stop_grace_s;  /* unset (< 0): the container's own stop timeout, else 10 s */
    double remedy_throttle_cpu_percent; /* 50 % of one core */
    /* [models] */
    bool models_single; /* off                                                             label
                           supervisor.single */
    fact models_max_parameters;  /* unset: any; 3B in strict15g  label supervisor.max_parameters */
    fact models_small_model;     /* 5 GiB: smaller ones are left alone  label supervisor.small_model
                                  */
    double models_idle_unload_s; /* unset (< 0): Ollama's keep_alive alone; 30 s in strict15g, 15
                                    min in homelab  label supervisor.idle_unload; 5 s … 30 days */
    char models_pin[256];        /* "": none; "a, b": not unloaded when idle or for room  label
                                    supervisor.pin */
    bool models_startup_unload;  /* off: label supervisor.startup_unload */
    char models_pull[256];       /* "": none; "a, b": pulled where they are not there  label
                                    supervisor.pull */
    bool models_probe;           /* off: what is loaded after a heal generates a token  label
                                    supervisor.probe */
    /* [gpu] */
    fact gpu_temperature_alert; /* 70 degrees Celsius */
    /* [history] */
    double history_keep_samples_s, history_keep_minutes_s; /* 1 hour; 30 days */
    fact history_max_size;                                 /* 64 MiB on disk */
    /* [http] */
    char http_listen[172];        /* 127.0.0.1:9000, as net/address.h; "", "off": no HTTP */
    char http_legacy_listen[172]; /* "": 127.0.0.1:8523 in addition, for older scripts */
    char http_hosts[172];         /* "": names by which it is asked, beside addresses */
    char http_token[172], http_read_token[172]; /* "": one or more, "NAME:SECRET" or "SECRET" */
    char http_token_file[172], http_read_token_file[172]; /* "": the same, one a line */
    char http_loopback[8];   /* "act": as Ollama lets anybody there; "read", "none" */
    char http_families[172]; /* of routes: those that are served */
    char http_certificate[172], http_key[172]; /* "": plain HTTP */
};

struct config;

/* Built-in values, then environment: SUPERVISOR_<SECTION>_<KEY>, but SUPERVISOR_<KEY> for section
 * [supervisor]; DOCKER_HOST below SUPERVISOR_DOCKER_HOST; MAX_MODEL_MEMORY_GB, a number of GiB,
 * below SUPERVISOR_MEMORY_MAX_MODEL_MEMORY. A variable that is empty is not there. Never touches a
 * file. err on a bad value and on an unknown SUPERVISOR_* (FAILURE_USAGE, names variable and
 * value). */
int config_new(struct config **ret_config, struct error *err);
void config_free(struct config *config);
/* Takes over all of fresh (which is freed by this call): the settings change in place. */
void config_replace(struct config *config, struct config *fresh);

/* Reads an INI file (inih, at most 64 KiB) below environment and command line, in place of the file
 * read before. The first bad line is the error: file:line, the thing, the nearest known key. The
 * whole is checked too (config_check), so what the command line says goes in before. On error the
 * config is as it was before. */
int config_read_file(struct config *config, const char *path, struct error *err);
/* "section.key=value", from the command line (--set). An empty value unsets what may be unset. */
int config_set(struct config *config, const char *assignment, enum config_origin origin,
               struct error *err);

/* Whether the settings fit together (medium below high below critical, warn below optimize below
 * unload below the kill switch, memory.high not above memory.limit, remedy.backoff not above its
 * cap): 0 or -EINVAL. Each one's own bounds are checked
 * when it is set. */
int config_check(const struct config *config, struct error *err);

/* The profiles that `create` can make: the built-in ones as the file's [profile "NAME"] sections
 * change them, then those that it adds. Valid until the next change. */
const struct profile *config_profiles(const struct config *config, size_t *ret_n);
const struct profile *config_profile(const struct config *config, const char *name); /* or NULL */

/* The tiers: those of the file's [tier "NAME"] sections in their order; without any those of the
 * preset (runbook has three), else none. Valid until the next change. */
const struct tier *config_tiers(const struct config *config, size_t *ret_n);

/* What holds without labels. Valid until the next change. */
const struct settings *config_settings(const struct config *config);

/* "on", "true", "yes", "1" and their opposites, in any case: 0, or -EINVAL. (supervisor.enable,
 * which is no setting, is read by it too.) */
int switch_parse(const char *text, bool *ret_on, struct error *err);

struct label_error {
    char label[128];
    char message[256];
};
enum { CONFIG_LABEL_ERRORS_MAX = 8 };
/* What holds for one container: labels "supervisor.*" over the file, under environment and command
 * line. A malformed or unknown supervisor.* label is left out and told in errors (at most
 * CONFIG_LABEL_ERRORS_MAX); the rest holds. get(userdata, i, &key, &value) iterates labels. */
struct config_label {
    const char *key, *value;
};
size_t config_for_labels(const struct config *config, const struct config_label *labels, size_t n,
                         struct settings *ret_settings, struct label_error *errors);

/* Every value with where it came from: as the INI file that would give it, reason above and origin
 * behind each as comments; or as JSON, {section: {key: {"value": ..., "origin": "file"}}} in bytes,
 * seconds and per cent, null for what is unset. A profile is a section of the name
 * `profile "NAME"`, in which an unlimited swap is null. Secrets are not shown: their line is a
 * comment, their value a sentence. */
void config_print(const struct config *config, FILE *to, bool json);
json_t *config_to_json(const struct config *config); /* a new reference */

#endif
