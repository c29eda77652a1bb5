/* NVIDIA's GPUs by NVML, loaded at run time: no header and no library of NVIDIA's is needed to
 * build. The names, numbers and layouts are those of nvml.h as NVIDIA publishes it with
 * nvidia-settings and go-nvml; each function that changed carries its version in its name, and the
 * old names stay. */
#include "sense/gpu_private.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvml_return; /* nvmlReturn_t */
enum {
    NVML_SUCCESS = 0,
    NVML_UNINITIALIZED = 1,
    NVML_NOT_SUPPORTED = 3,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_GPU_IS_LOST = 15,
    NVML_RESET_REQUIRED = 16,
    NVML_LIB_RM_VERSION_MISMATCH = 18,
};

typedef struct nvmlDevice_st *nvml_device; /* nvmlDevice_t, opaque */

struct nvml_memory { /* nvmlMemory_t: bytes; `used` has what the driver keeps for itself too */
    unsigned long long total, free, used;
};

struct nvml_utilization { /* nvmlUtilization_t: per cent of the last sample period */
    unsigned gpu, memory;
};

/* nvmlProcessInfo_v1_t, and nvmlProcessInfo_v2_t, which _v3 has too. */
struct nvml_process_1 {
    unsigned pid;
    unsigned long long used; /* all ones: not available */
};
struct nvml_process_2 {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

enum {
    NVML_TEMPERATURE_GPU = 0, /* nvmlTemperatureSensors_t */
    NAME_MAX_BYTES = 96,      /* NVML_DEVICE_NAME_V2_BUFFER_SIZE, …_UUID_V2_BUFFER_SIZE */
    PROCESSES_ASKED = 64,     /* at first; grows when the library says that it is too few */
    PROCESSES_ASKED_MAX = 4096,
    /* Some drivers of the 535 series wrote 8 bytes more for each process in _v3. Room for that
     * much is always given, and _v2, which never changed, is asked first. */
    PROCESS_ROOM = 32,
};

typedef nvml_return processes_function(nvml_device, unsigned *count, void *processes);

struct gpu_nvml {
    void *library;
    bool initialised;
    nvml_return (*init)(void);
    nvml_return (*shutdown)(void);
    const char *(*error_string)(nvml_return);
    nvml_return (*count)(unsigned *);
    nvml_return (*handle)(unsigned index, nvml_device *);
    nvml_return (*name)(nvml_device, char *, unsigned size);
    nvml_return (*uuid)(nvml_device, char *, unsigned size);
    nvml_return (*memory)(nvml_device, struct nvml_memory *);
    nvml_return (*utilization)(nvml_device, struct nvml_utilization *);
    nvml_return (*temperature)(nvml_device, int sensor, unsigned *celsius);
    nvml_return (*power)(nvml_device, unsigned *milliwatts);
    struct nvml_processes {
        processes_function *function; /* NULL: the library has none */
        bool with_instances;          /* struct nvml_process_2 */
    } compute, graphics;
};

/* The first of these names that the library has; NULL. */
static void *find(void *library, const char *const *names)
{
    void *found = NULL;
    for (; *names != NULL && found == NULL; names++)
        found = dlsym(library, *names);
    return found;
}

#define FIND(place, ...)                                                                           \
    (*(void **)(void *)&(place) = find(nvml->library, (const char *const[]){__VA_ARGS__, NULL}))

static void find_processes(struct gpu_nvml *nvml, struct nvml_processes *processes,
                           const char *newest, const char *middle, const char *oldest)
{
    processes->with_instances = FIND(processes->function, middle, newest) != NULL;
    if (!processes->with_instances)
        FIND(processes->function, oldest);
}

/* What all drivers since 2013 have must be there; what came later may be missing. */
static bool find_functions(struct gpu_nvml *nvml)
{
    FIND(nvml->error_string, "nvmlErrorString");
    FIND(nvml->name, "nvmlDeviceGetName");
    FIND(nvml->uuid, "nvmlDeviceGetUUID");
    FIND(nvml->utilization, "nvmlDeviceGetUtilizationRates");
    FIND(nvml->temperature, "nvmlDeviceGetTemperature");
    FIND(nvml->power, "nvmlDeviceGetPowerUsage");
    find_processes(nvml, &nvml->compute, "nvmlDeviceGetComputeRunningProcesses_v3",
                   "nvmlDeviceGetComputeRunningProcesses_v2",
                   "nvmlDeviceGetComputeRunningProcesses");
    find_processes(nvml, &nvml->graphics, "nvmlDeviceGetGraphicsRunningProcesses_v3",
                   "nvmlDeviceGetGraphicsRunningProcesses_v2",
                   "nvmlDeviceGetGraphicsRunningProcesses");
    return FIND(nvml->init, "nvmlInit_v2", "nvmlInit") && FIND(nvml->shutdown, "nvmlShutdown") &&
           FIND(nvml->count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount") &&
           FIND(nvml->handle, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex") &&
           FIND(nvml->memory, "nvmlDeviceGetMemoryInfo");
}

int gpu_nvml_open(const char *library, struct gpu_nvml **ret_nvml, char *missing, size_t size)
{
    void *opened = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (opened == NULL) {
        const char *why = dlerror();
        /* Of the library itself; what it needs and lacks is named first in the sentence. */
        if (why == NULL ||
            (strncmp(why, library, strlen(library)) == 0 && strstr(why, "No such file") != NULL))
            return -ENOENT;
        snprintf(missing, size, "NVML cannot be loaded: %s", why);
        return -ELIBBAD;
    }
    struct gpu_nvml *nvml = calloc(1, sizeof *nvml);
    if (nvml == NULL) {
        dlclose(opened);
        return -ENOMEM;
    }
    nvml->library = opened;
    if (!find_functions(nvml)) {
        snprintf(missing, size, "%.120s is not NVIDIA's management library (NVML)", library);
        gpu_nvml_close(nvml);
        return -ELIBBAD;
    }
    *ret_nvml = nvml;
    return 0;
}

static void shut_down(struct gpu_nvml *nvml)
{
    if (nvml->initialised)
        nvml->shutdown();
    nvml->initialised = false;
}

void gpu_nvml_close(struct gpu_nvml *nvml)
{
    if (nvml == NULL)
        return;
    shut_down(nvml);
    dlclose(nvml->library);
    free(nvml);
}

static void say_missing(const struct gpu_nvml *nvml, struct gpu_list *list, const char *what,
                        nvml_return code)
{
    const char *words = nvml->error_string != NULL ? nvml->error_string(code) : NULL;

    if (code == NVML_LIB_RM_VERSION_MISMATCH)
        gpu_list_missing(list,
                         "%s: NVIDIA's driver and its library are of different versions: the "
                         "driver was updated; reboot, or reload its modules and restart the "
                         "supervisor",
                         what);
    else
        gpu_list_missing(list, "%s: NVML says %.80s (%d)", what, words ? words : "an error", code);
}

/* Reads one list of processes into the GPU. What the library cannot tell leaves it as it is. */
static void read_processes(const struct nvml_processes *processes, nvml_device device,
                           struct gpu *gpu)
{
    unsigned room = PROCESSES_ASKED, n = 0;
    void *answer = NULL;
    nvml_return code = processes->function == NULL ? NVML_NOT_SUPPORTED : NVML_INSUFFICIENT_SIZE;

    while (code == NVML_INSUFFICIENT_SIZE && room <= PROCESSES_ASKED_MAX) {
        void *larger = realloc(answer, (size_t)room * PROCESS_ROOM);
        if (larger == NULL)
            break;
        answer = larger;
        n = room;
        code = processes->function(device, &n, answer);
        room = (n > room ? n : room) * 2; /* more may start between two questions */
    }
    for (unsigned i = 0; code == NVML_SUCCESS && i < n; i++) {
        const struct nvml_process_2 *with = answer;
        const struct nvml_process_1 *without = answer;
        unsigned pid = processes->with_instances ? with[i].pid : without[i].pid;
        unsigned long long used = processes->with_instances ? with[i].used : without[i].used;
        gpu_add_process(gpu, pid, used <= INT64_MAX ? (fact)used : FACT_UNKNOWN);
    }
    free(answer);
}

static void read_sensors(const struct gpu_nvml *nvml, nvml_device device, struct gpu *gpu)
{
    struct nvml_utilization utilization;
    unsigned value;

    if (nvml->utilization != NULL && nvml->utilization(device, &utilization) == NVML_SUCCESS &&
        utilization.gpu <= 100)
        gpu->utilisation_percent = utilization.gpu;
    if (nvml->temperature != NULL &&
        nvml->temperature(device, NVML_TEMPERATURE_GPU, &value) == NVML_SUCCESS)
        gpu->temperature_c = value;
    if (nvml->power != NULL && nvml->power(device, &value) == NVML_SUCCESS)
        gpu->power_mw = value;
}

static void read_text(nvml_return (*function)(nvml_device, char *, unsigned), nvml_device device,
                      char *text, size_t size)
{
    char answer[NAME_MAX_BYTES] = "";
    if (function == NULL || function(device, answer, sizeof answer) != NVML_SUCCESS)
        return;
    answer[sizeof answer - 1] = '\0';
    snprintf(text, size, "%s", answer);
}

/* One GPU. false: the driver must be asked anew before the next look. */
static bool read_device(const struct gpu_nvml *nvml, unsigned index, struct gpu_list *list)
{
    char what[32];
    struct nvml_memory memory = {0};
    nvml_device device = NULL;

    snprintf(what, sizeof what, "GPU %u", index);
    nvml_return code = nvml->handle(index, &device);
    if (code == NVML_SUCCESS) {
        code = nvml->memory(device, &memory);
        if (code == NVML_NOT_SUPPORTED || (code == NVML_SUCCESS && memory.total == 0)) {
            list->integrated = true; /* it shares the host's memory, which is counted there */
            return true;
        }
    }
    bool lost = code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED ||
                code == NVML_UNINITIALIZED || code == NVML_DRIVER_NOT_LOADED;
    if (lost || device == NULL) {
        say_missing(nvml, list, what, code);
        return !lost;
    }
    struct gpu *gpu = gpu_list_add(list, GPU_NVIDIA, index);
    if (gpu == NULL)
        return true;
    if (code == NVML_SUCCESS && memory.total <= INT64_MAX && memory.used <= memory.total) {
        gpu->vram_total = (fact)memory.total;
        gpu->vram_used = (fact)memory.used;
    }
    read_text(nvml->name, device, gpu->name, sizeof gpu->name);
    read_text(nvml->uuid, device, gpu->uuid, sizeof gpu->uuid);
    read_sensors(nvml, device, gpu);
    read_processes(&nvml->compute, device, gpu);
    read_processes(&nvml->graphics, device, gpu);
    return true;
}

void gpu_nvml_read(struct gpu_nvml *nvml, struct gpu_list *list)
{
    unsigned count = 0;
    bool whole = true;
    nvml_return code = nvml->initialised ? NVML_SUCCESS : nvml->init();

    if (code == NVML_SUCCESS) {
        nvml->initialised = true;
        code = nvml->count(&count);
    }
    if (code != NVML_SUCCESS) {
        /* The library without a driver: a machine from which the card was taken, a base image. */
        if (code != NVML_DRIVER_NOT_LOADED)
            say_missing(nvml, list, "the GPUs cannot be counted", code);
        shut_down(nvml);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        whole = read_device(nvml, i, list) && whole;
    if (!whole) /* a handle outlives neither a lost GPU nor a reloaded driver */
        shut_down(nvml);
}
