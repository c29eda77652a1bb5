#include "sense/world_json_members.h"
#include "sense/world.h"

#define MEMBER(type, s, m) {#m, offsetof(struct s, m), MEMBER_##type, sizeof(((struct s *)0)->m)}
#define FACT(s, m)         MEMBER(FACT, s, m)
#define LIMIT(s, m)        MEMBER(LIMIT, s, m)
#define FLAG(s, m)         MEMBER(FLAG, s, m)
#define REAL(s, m)         MEMBER(REAL, s, m)
#define TEXT(s, m)         MEMBER(TEXT, s, m)
#define TOKEN(s, m)        MEMBER(TOKEN, s, m)
#define SHAPE(m)           {#m, offsetof(struct model, shape.m), MEMBER_FACT, 0}

static const struct member psi_list[] = {
    REAL(psi, some_avg10),
    REAL(psi, full_avg10),
    FACT(psi, some_total_us),
    FACT(psi, full_total_us),
};

static const struct member host_list[] = {
    FACT(host, cpus),       FACT(host, total),     FACT(host, available),
    FACT(host, swap_total), FACT(host, swap_used),
};

static const struct member cgroup_list[] = {
    FACT(cgroup_memory, inode),      FACT(cgroup_memory, anon),
    FACT(cgroup_memory, file),       FACT(cgroup_memory, shmem),
    FACT(cgroup_memory, kernel),     LIMIT(cgroup_memory, swap),
    FACT(cgroup_memory, swapcached), FACT(cgroup_memory, inactive_file),
    FACT(cgroup_memory, usage),      FACT(cgroup_memory, peak),
    LIMIT(cgroup_memory, limit),     LIMIT(cgroup_memory, swap_limit),
    LIMIT(cgroup_memory, bound),     LIMIT(cgroup_memory, high),
    FACT(cgroup_memory, oom_kills),  FACT(cgroup_memory, cpu_us),
    FACT(cgroup_memory, disk_read),  LIMIT(cgroup_memory, frozen),
};

static const struct member process_list[] = {
    FACT(process, pid),        FACT(process, ns_pid), FACT(process, ppid),
    FACT(process, started_us), TEXT(process, comm),   TOKEN(process, blob),
    FACT(process, port),       FACT(process, cpu_us), FACT(process, rss_anon),
    FACT(process, rss_file),   FACT(process, swap),   FACT(process, clients),
};

static const struct member model_list[] = {
    TEXT(model, name),
    TOKEN(model, digest),
    TOKEN(model, blob),
    FACT(model, size),
    FACT(model, size_vram),
    FACT(model, context_length),
    TOKEN(model, expires_at),
    FACT(model, parameters),
    SHAPE(weights),
    SHAPE(kv_per_token),
    SHAPE(graph),
};

static const struct member ollama_list[] = {
    TEXT(ollama, version),
    TEXT(ollama, error),
    LIMIT(ollama, server),
    REAL(ollama, latency_ms),
};

/* Utilisation and power, which are written as fractions, stand in neither table. */
static const struct member gpu_list[] = {
    TEXT(gpu, name),
    TOKEN(gpu, uuid),
    FACT(gpu, vram_total),
    FACT(gpu, vram_used),
    FACT(gpu, gtt_total),
    FACT(gpu, gtt_used),
    {"celsius", offsetof(struct gpu, temperature_c), MEMBER_FACT, 0},
};

static const struct member container_list[] = {
    TOKEN(container, id),         TEXT(container, name),          TEXT(container, image),
    TOKEN(container, started_at), FACT(container, restart_count), FLAG(container, oom_killed),
    FACT(container, exit_code),   FACT(container, pid),           TEXT(container, mode_why),
    FACT(container, baseline),    REAL(container, uptime_s),      FLAG(container, auto_remove),
    FLAG(container, swarm_task),  REAL(container, age_s),
};

static const struct member container_tail_list[] = {
    FACT(container, connections),
    FACT(container, unread),
    LIMIT(container, received),
};

#define MEMBERS(list) {list, sizeof(list) / sizeof((list)[0])}

const struct members psi_members = MEMBERS(psi_list);
const struct members host_members = MEMBERS(host_list);
const struct members cgroup_members = MEMBERS(cgroup_list);
const struct members process_members = MEMBERS(process_list);
const struct members model_members = MEMBERS(model_list);
const struct members ollama_members = MEMBERS(ollama_list);
const struct members gpu_members = MEMBERS(gpu_list);
const struct members container_members = MEMBERS(container_list);
const struct members container_tail_members = MEMBERS(container_tail_list);
