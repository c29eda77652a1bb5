/* supervisor doctor: what one look at the world tells of each container. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/doctor.h"
#include "judge/judge.h"
#include "judge/ledger.h"
#include "sense/disk.h"
#include "sense/json_member.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static const json_t *inspected(const struct doctor *doctor, const struct container *c)
{
    return json_object_get(doctor->inspected, c->id);
}

static void judge_mode(struct doctor *doctor, const struct container *c)
{
    static const struct {
        const char *why, *mend;
    } mends[] = {{"label", "its label says so"},
                 {"configuration", "supervisor.mode in the configuration says so: auto or enforce"},
                 {"a label that is not understood", "make it anew with a label that is"},
                 {"its labels are too long", "make it anew with shorter labels"},
                 {"found by image; who is adopted cannot be read", "sudo supervisor doctor"}};
    char mend[400];
    if (c->mode == MODE_ENFORCE) {
        doctor_find(doctor, DOCTOR_OK, "mode", c->name, NULL, NULL, "what it needs is done (%s)",
                    c->mode_why);
        return;
    }
    snprintf(mend, sizeof mend, "supervisor adopt %.255s", c->name);
    for (size_t i = 0; i < sizeof mends / sizeof mends[0]; i++)
        if (strcmp(c->mode_why, mends[i].why) == 0)
            snprintf(mend, sizeof mend, "%s", mends[i].mend);
    doctor_find(doctor, DOCTOR_NOTE, "mode", c->name, "nothing is healed in it", mend,
                "it is only watched (%s)", c->mode_why);
}

/* What cannot be seen of it. */
static void judge_sight(struct doctor *doctor, const struct container *c)
{
    const char *mend = geteuid() != 0 ? "sudo supervisor doctor"
                                      : "run the supervisor on the host, or with pid: host as "
                                        "compose/compose.yml has it";
    if (!c->processes_known)
        doctor_find(doctor, DOCTOR_CRITICAL, "processes", c->name,
                    "leaks and orphaned runners cannot be told: nothing is healed in it", mend,
                    "its processes cannot be seen");
    if (c->cgroup.version == 0)
        doctor_find(doctor, DOCTOR_CRITICAL, "cgroup", c->name,
                    "what it holds, and its limit, are unknown",
                    geteuid() != 0 ? mend
                                   : "bind /sys/fs/cgroup of the host into the supervisor's "
                                     "container, as compose/compose.yml has it",
                    "its control group cannot be read");
}

static void judge_server(struct doctor *doctor, const struct container *c)
{
    const struct ollama *o = &c->ollama;
    char mend[400];
    if (!container_is_ollama(c))
        return;
    if (o->reachable) {
        doctor_find(doctor, DOCTOR_OK, "ollama", c->name, NULL, NULL,
                    "Ollama %s answers in %.0f ms", o->version, o->latency_ms);
        return;
    }
    snprintf(mend, sizeof mend, "docker logs --tail 50 %.255s", c->name);
    doctor_find(doctor, DOCTOR_CRITICAL, "ollama", c->name,
                "which models are loaded is unknown, and nothing is healed on a guess",
                strstr(o->error, "OLLAMA_HOST") ? "make it anew with OLLAMA_HOST=0.0.0.0 in its "
                                                  "environment"
                                                : mend,
                "%s", o->error[0] ? o->error : "it was not asked yet");
}

/* What bounds it to four fifths of the host; where it holds more, the kernel would kill for it. */
static void limit_mend(const struct container *c, const struct host *host, char mend[600])
{
    fact mib = (host->total / 5 * 4) >> 20, held = container_held(c, host);
    snprintf(mend, 600, "%sdocker update --memory %lldm --memory-swap %lldm %.255s",
             !fact_known(held) ? "where it holds less than that: "
             : held >= (mib << 20) / 10 * 9
                 ? "first supervisor flush or fix-ollama, as it holds more "
                   "or nearly so; then: "
                 : "",
             (long long)mib, (long long)mib, c->name);
}

static void judge_limit(struct doctor *doctor, const struct container *c, const struct host *host)
{
    fact bound = cgroup_bound(&c->cgroup);
    char mend[600];
    if (!fact_known(host->total))
        return;
    limit_mend(c, host, mend);
    if (bound == FACT_NONE)
        doctor_find(doctor, DOCTOR_WARNING, "limit", c->name,
                    "one model that is too large, or a leak, takes the host into its swap, and the "
                    "kernel kills what it likes",
                    mend, "nothing bounds its memory but the host's %s", SHOWN(host->total));
    else if (fact_known(bound) && bound > host->total)
        doctor_find(doctor, DOCTOR_WARNING, "limit", c->name,
                    "the limit never holds: the host is in its swap before", mend,
                    "it may take %s, and the host has %s", SHOWN(bound), SHOWN(host->total));
    else if (fact_known(bound))
        doctor_find(doctor, DOCTOR_OK, "limit", c->name, NULL, NULL,
                    "it may take %s of the host's %s", SHOWN(bound), SHOWN(host->total));
}

static void judge_cache(struct doctor *doctor, const struct container *c, const struct host *host)
{
    fact bound = cgroup_bound(&c->cgroup);
    fact room = fact_known(bound) ? bound : host->total;
    if (!container_is_ollama(c) || !c->ollama.reachable || !ledger_runs_llama_server(c, NULL) ||
        container_env(c, "LLAMA_ARG_CACHE_RAM") || !fact_known(room))
        return;
    doctor_find(doctor, room < 2 * ledger_cache_default ? DOCTOR_WARNING : DOCTOR_NOTE,
                "prompt-cache", c->name,
                "each loaded model keeps so many finished prompts beside its weights, where no "
                "list of Ollama shows them",
                "make it anew with LLAMA_ARG_CACHE_RAM=1024 (MiB) in its environment",
                "its prompt cache is bounded by the default of %s alone, in %s",
                SHOWN(ledger_cache_default), SHOWN(room));
}

/* As disk_free_of_models; -EAGAIN: that disk has hung for a while. */
static int free_of_models(const struct doctor *doctor, const struct container *c, fact *ret_room)
{
    static const double patience_s = 3;
    struct disk_look *look;
    double end_s = clock_boottime_s() + patience_s;
    int r =
        disk_look_begin(doctor->settings->procfs, c->pid, container_env(c, "OLLAMA_MODELS"), &look);
    if (r < 0)
        return r;
    while ((r = disk_look_result(look, ret_room)) == -EAGAIN && clock_boottime_s() < end_s)
        poll(NULL, 0, 5);
    disk_look_end(look);
    return r;
}

static const fact disk_short = (fact)10 << 30, disk_full = (fact)1 << 30;

static void judge_disk(struct doctor *doctor, const struct container *c)
{
    fact room;
    char mend[400];
    int r = container_is_ollama(c) ? free_of_models(doctor, c, &room) : -ENOENT;
    if (r == -EAGAIN)
        doctor_find(doctor, DOCTOR_CRITICAL, "disk", c->name, "no model can be loaded from it",
                    "dmesg tells what the kernel says of it", "the disk of its models hangs");
    if (r < 0)
        return;
    snprintf(mend, sizeof mend, "docker exec %.255s ollama list shows them, ollama rm removes one",
             c->name);
    if (room >= disk_short)
        doctor_find(doctor, DOCTOR_OK, "disk", c->name, NULL, NULL,
                    "the disk of its models has %s left", SHOWN(room));
    else
        doctor_find(doctor, room < disk_full ? DOCTOR_CRITICAL : DOCTOR_WARNING, "disk", c->name,
                    "a pull of a larger model fails", mend, "the disk of its models has %s left",
                    SHOWN(room));
}

static void judge_gpu(struct doctor *doctor, const struct container *c, const struct world *world)
{
    const json_t *is = inspected(doctor, c);
    bool nvidia = false, amd = false;
    char mend[500];
    for (size_t i = 0; i < world->n_gpus; i++) {
        nvidia |= world->gpus[i].vendor == GPU_NVIDIA;
        amd |= world->gpus[i].vendor == GPU_AMD;
    }
    if (!is || (!nvidia && !amd))
        return;
    bool has = (nvidia && (doctor->default_gpus || json_is_true(json_object_get(is, "nvidia")))) ||
               (amd && json_is_true(json_object_get(is, "amd")));
    snprintf(
        mend, sizeof mend,
        "make it anew with %s; by a profile: supervisor create PROFILE --name %.255s --replace "
        "--gpu all",
        nvidia ? "--gpus all" : "--device /dev/kfd --device /dev/dri and Ollama's rocm image",
        c->name);
    if (has)
        doctor_find(doctor, DOCTOR_OK, "gpu", c->name, NULL, NULL, "it was given the GPU");
    else
        doctor_find(doctor, DOCTOR_WARNING, "gpu", c->name,
                    "its models run on the CPU, many times slower, and in the memory of the host",
                    mend, "the host has a GPU (%s), and it was not given one",
                    world->gpus[0].name[0] ? world->gpus[0].name
                                           : gpu_vendor_name(world->gpus[0].vendor));
}

static void judge_rest(struct doctor *doctor, const struct container *c)
{
    const json_t *is = inspected(doctor, c);
    const char *policy = member_string_or(is, "restart", "");
    char mend[400];
    if (healthcheck_broken(c))
        doctor_find(doctor, DOCTOR_WARNING, "health-check", c->name,
                    "Docker, and what heals by it, calls it unhealthy for ever",
                    "make it anew with the check [\"CMD\", \"ollama\", \"list\"]",
                    "its health check cannot run: %s", c->health_output);
    if (c->labels_cut)
        doctor_find(doctor, DOCTOR_WARNING, "labels", c->name, "those beyond are not obeyed",
                    "make it anew with fewer labels",
                    "it has more labels of the supervisor than "
                    "are read");
    if ((strcmp(policy, "no") == 0 || (is && !policy[0])) && c->auto_remove != 1) {
        snprintf(mend, sizeof mend, "docker update --restart unless-stopped %.255s", c->name);
        doctor_find(doctor, DOCTOR_NOTE, "restart-policy", c->name,
                    "it stays stopped after the host was booted", mend,
                    "the engine does not start it again");
    }
}

/* Those that run, and look like Ollama, and are not followed. */
static void judge_strangers(struct doctor *doctor, const struct world *world)
{
    const char *id;
    json_t *is;
    json_object_foreach(doctor->inspected, id, is)
    {
        char mend[400];
        const char *name = member_string_or(is, "name", "");
        if (!json_is_true(json_object_get(is, "ollama")) || world_container(world, id))
            continue;
        snprintf(mend, sizeof mend, "supervisor adopt --force %.255s, if it is one", name);
        doctor_find(doctor, DOCTOR_NOTE, "not-followed", name, "it is not watched", mend,
                    "its image has ollama in its name, and nothing says that it is one");
    }
    if (!doctor->found_running)
        doctor_find(doctor, DOCTOR_WARNING, "ollama", "", "there is nothing to keep healthy",
                    "supervisor create-standard makes one; one that runs by another image's name "
                    "takes the label supervisor.enable=true, or supervisor adopt --force NAME",
                    "no container with Ollama runs here");
}

void doctor_world(struct doctor *doctor, const struct world *world)
{
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (container_is_kept(c))
            continue;
        if (c->status != STATUS_RUNNING) {
            doctor_find(doctor, DOCTOR_NOTE, "stopped", c->name, "nobody is served by it", NULL,
                        "it does not run (%s)", container_status_name(c->status));
            continue;
        }
        doctor->found_running |= container_is_ollama(c);
        judge_mode(doctor, c);
        judge_sight(doctor, c);
        judge_server(doctor, c);
        judge_limit(doctor, c, &world->host);
        judge_cache(doctor, c, &world->host);
        judge_disk(doctor, c);
        judge_gpu(doctor, c, world);
        judge_rest(doctor, c);
    }
    judge_strangers(doctor, world);
    if (world->gpus_missing[0])
        doctor_find(doctor, DOCTOR_WARNING, "gpu", "", "the memory of the GPUs is unknown",
                    "nvidia-smi says more; after an update of the driver the host wants a boot",
                    "%s", world->gpus_missing);
}
