/* supervisor doctor: the engine, what its kernel can, and how its containers were made. */
#include "base/clock.h"
#include "cli/doctor.h"
#include "deploy/await.h"
#include "sense/json_member.h"

#include <errno.h>
#include <string.h>

enum { INSPECTED_MAX = 256 };      /* as many as are followed */
static const double inspect_s = 5; /* all of them together, and one that does not answer */

static void not_reached(struct doctor *doctor, const struct error *err)
{
    bool refused = err->code == -EACCES || err->code == -EPERM;
    doctor_find(doctor, DOCTOR_CRITICAL, "engine", "", "nothing is seen, and nothing is healed",
                refused ? "sudo supervisor doctor; or, for good: sudo usermod -aG docker $USER, "
                          "then log in again"
                        : "sudo systemctl start docker; where it listens elsewhere: supervisor "
                          "--host unix:///PATH doctor, or docker.host in the configuration",
                "%s", err->message);
}

static bool is_rootless(const json_t *engine)
{
    size_t i;
    json_t *option;
    json_array_foreach(json_object_get(engine, "SecurityOptions"), i, option)
    {
        const char *text = json_string_value(option);
        if (text && strstr(text, "name=rootless"))
            return true;
    }
    return false;
}

/* What the engine says that its kernel can. */
static void judge_kernel(struct doctor *doctor)
{
    const json_t *engine = doctor->engine;
    fact limits = member_truth(engine, "MemoryLimit");
    if (limits == 0 && !is_rootless(engine))
        doctor_find(doctor, DOCTOR_CRITICAL, "memory-controller", "",
                    "no memory limit holds, and what a container holds is told by its processes "
                    "alone",
                    "add cgroup_enable=memory to the kernel's command line (Raspberry Pi OS: "
                    "/boot/firmware/cmdline.txt) and boot again",
                    "the kernel counts no memory of control groups");
    else if (limits == 1)
        doctor_find(doctor, DOCTOR_OK, "memory-controller", "", NULL, NULL,
                    "memory limits hold (cgroup version %s)",
                    member_string_or(engine, "CgroupVersion", "1"));
    if (limits == 1 && member_truth(engine, "SwapLimit") == 0)
        doctor_find(doctor, DOCTOR_NOTE, "swap-accounting", "",
                    "a limit bounds memory alone: what is beyond it goes to the swap of the host",
                    "add swapaccount=1 to the kernel's command line and boot again",
                    "the kernel does not count the swap of control groups");
    if (is_rootless(engine))
        doctor_find(doctor, limits == 0 ? DOCTOR_WARNING : DOCTOR_NOTE, "rootless", "",
                    "memory limits hold only where systemd hands the memory controller to this "
                    "user",
                    "systemctl show user@$(id -u) -p DelegateControllers tells it",
                    "the engine runs without root%s",
                    limits == 0 ? ", and cannot limit memory" : "");
}

/* Whether an image without a tag that is Ollama's is run by somebody whom nothing chooses. */
static bool looks_like_ollama(const json_t *container)
{
    const json_t *config = json_object_get(container, "Config");
    return strstr(member_string_or(config, "Image", ""), "ollama") != NULL;
}

static void inspect_all(struct doctor *doctor, struct await *await)
{
    json_t *list = NULL, *entry;
    size_t i, missed = 0;
    double end_s = clock_boottime_s() + inspect_s;
    if (await_json(await, DOCKER_LIST, "", &list, NULL) < 0)
        return;
    json_array_foreach(list, i, entry)
    {
        json_t *container = NULL;
        const char *id = member_string(entry, "Id");
        if (!id || strcmp(member_string_or(entry, "State", ""), "running") != 0)
            continue;
        if (i >= INSPECTED_MAX || await_signal(await) || clock_boottime_s() > end_s ||
            await_json(await, DOCKER_CONTAINER, id, &container, NULL) < 0) {
            missed++;
            continue;
        }
        const json_t *host = json_object_get(container, "HostConfig"),
                     *devices = json_object_get(host, "Devices");
        size_t k;
        json_t *device;
        bool amd = false, nvidia = json_array_size(json_object_get(host, "DeviceRequests")) > 0 ||
                                   strcmp(member_string_or(host, "Runtime", ""), "nvidia") == 0;
        json_array_foreach(devices, k, device)
        {
            const char *path = member_string_or(device, "PathOnHost", "");
            amd |= strncmp(path, "/dev/kfd", 8) == 0 || strncmp(path, "/dev/dri", 8) == 0;
            nvidia |= strncmp(path, "/dev/nvidia", 11) == 0;
        }
        bool privileged = member_truth(host, "Privileged") == 1;
        const char *name = member_string_or(container, "Name", "");
        json_object_set_new(
            doctor->inspected, id,
            json_pack("{s:b, s:b, s:s, s:b, s:s}", "nvidia", nvidia || privileged, "amd",
                      amd || privileged, "restart",
                      member_string_or(json_object_get(host, "RestartPolicy"), "Name", ""),
                      "ollama", looks_like_ollama(container), "name", name + (name[0] == '/')));
        json_decref(container);
    }
    json_decref(list);
    if (missed > 0)
        doctor_find(doctor, DOCTOR_NOTE, "inspect", "",
                    "their GPU and restart policy are not looked at",
                    "docker inspect tells whether the engine answers",
                    "of %zu containers the engine did not tell in time how they were made", missed);
}

bool doctor_engine(struct doctor *doctor)
{
    struct error err = {0};
    CLEANUP_AWAIT struct await *await = NULL;
    int r = await_new(doctor->cli->config, &await, &err);
    if (r == 0)
        r = await_json(await, DOCKER_INFO, "", &doctor->engine, &err);
    if (r < 0) {
        not_reached(doctor, &err);
        return false;
    }
    doctor_find(doctor, DOCTOR_OK, "engine", "", NULL, NULL, "Docker Engine %s answers at %s",
                member_string_or(doctor->engine, "ServerVersion", "of an unknown version"),
                doctor->settings->docker_host);
    doctor->default_gpus =
        strcmp(member_string_or(doctor->engine, "DefaultRuntime", ""), "nvidia") == 0;
    judge_kernel(doctor);
    inspect_all(doctor, await);
    doctor->signal = await_signal(await);
    return true;
}
