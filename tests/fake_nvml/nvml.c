/* A library with NVML's names and layouts, for machines without an NVIDIA driver. What it answers
 * stands in the text file that FAKE_NVML names, read anew at every call, one value a line:
 *
 *   init 0                  what nvmlInit returns; 0 where a line is missing, as everywhere
 *   count 2
 *   handle0 15              GPU 0 is lost
 *   name0 NVIDIA L4         uuid0 GPU-1234
 *   total0 24152899584      used0 1000000
 *   memory0 3               nvmlDeviceGetMemoryInfo returns 3: not supported
 *   gpu0 42                 celsius0 55, milliwatts0 31000; no line: not supported
 *   compute0 100:1000 101:- processes, pid:bytes ("-": not available); graphics0 the same
 *
 * NVML_PROCESSES says which functions for processes it has beside the first ones: 1 = none; 2 =
 * _v2, and _v3 with the 32 bytes for each that some drivers wrote; 3 = _v3 alone, with 24. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { TEXT_MAX = 4096, GPUS = 32 };

struct device {
    unsigned index;
};
static struct device devices[GPUS];
static bool initialised;

/* The rest of the line that begins with this word; NULL. */
static const char *value(const char *word, const unsigned *index)
{
    static char line[TEXT_MAX];
    char wanted[64];
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "re") : NULL;
    const char *found = NULL;

    if (index)
        snprintf(wanted, sizeof wanted, "%s%u ", word, *index);
    else
        snprintf(wanted, sizeof wanted, "%s ", word);
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, wanted, strlen(wanted)) == 0)
            found = line + strlen(wanted);
    }
    if (file)
        fclose(file);
    return found;
}

static unsigned long long number(const char *word, const unsigned *index, unsigned long long other)
{
    const char *text = value(word, index);
    return text ? strtoull(text, NULL, 10) : other;
}

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlInit_v2(void)
{
    int code = (int)number("init", NULL, 0);
    initialised = code == 0;
    return code;
}

EXPORT int nvmlShutdown(void);
EXPORT int nvmlShutdown(void)
{
    initialised = false;
    return SUCCESS;
}

EXPORT const char *nvmlErrorString(int code);
EXPORT const char *nvmlErrorString(int code)
{
    return code == 15 ? "GPU is lost" : code == 18 ? "Driver/library version mismatch" : "failed";
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
EXPORT int nvmlDeviceGetCount_v2(unsigned *count)
{
    if (!initialised)
        return UNINITIALIZED;
    *count = (unsigned)number("count", NULL, 0);
    return (int)number("counting", NULL, 0);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **device);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **device)
{
    int code = (int)number("handle", &index, 0);
    if (!initialised || code != 0 || index >= GPUS)
        return code ? code : UNINITIALIZED;
    devices[index].index = index;
    *device = &devices[index];
    return SUCCESS;
}

static int text(const char *word, const struct device *device, char *text, unsigned size)
{
    const char *found = value(word, &device->index);
    if (!found)
        return NOT_SUPPORTED;
    if (strlen(found) >= size)
        return INSUFFICIENT_SIZE;
    memcpy(text, found, strlen(found) + 1);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetName(struct device *device, char *name, unsigned size);
EXPORT int nvmlDeviceGetName(struct device *device, char *name, unsigned size)
{
    return text("name", device, name, size);
}

EXPORT int nvmlDeviceGetUUID(struct device *device, char *uuid, unsigned size);
EXPORT int nvmlDeviceGetUUID(struct device *device, char *uuid, unsigned size)
{
    return text("uuid", device, uuid, size);
}

struct memory {
    unsigned long long total, free, used;
};

EXPORT int nvmlDeviceGetMemoryInfo(struct device *device, struct memory *memory);
EXPORT int nvmlDeviceGetMemoryInfo(struct device *device, struct memory *memory)
{
    memory->total = number("total", &device->index, 0);
    memory->used = number("used", &device->index, 0);
    memory->free = memory->total - memory->used;
    return (int)number("memory", &device->index, 0);
}

struct utilization {
    unsigned gpu, memory;
};

static int sensor(const char *word, const struct device *device, unsigned *ret_value)
{
    if (!value(word, &device->index))
        return NOT_SUPPORTED;
    *ret_value = (unsigned)number(word, &device->index, 0);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetUtilizationRates(struct device *device, struct utilization *utilization);
EXPORT int nvmlDeviceGetUtilizationRates(struct device *device, struct utilization *utilization)
{
    utilization->memory = 0;
    return sensor("gpu", device, &utilization->gpu);
}

EXPORT int nvmlDeviceGetTemperature(struct device *device, int which, unsigned *celsius);
EXPORT int nvmlDeviceGetTemperature(struct device *device, int which, unsigned *celsius)
{
    return which == 0 ? sensor("celsius", device, celsius) : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetPowerUsage(struct device *device, unsigned *milliwatts);
EXPORT int nvmlDeviceGetPowerUsage(struct device *device, unsigned *milliwatts)
{
    return sensor("milliwatts", device, milliwatts);
}

/* Writes each process in `size` bytes: pid, 8-aligned bytes, and what more there is as ones. */
static int processes(const char *word, const struct device *device, unsigned *count, char *places,
                     size_t size)
{
    const char *at = value(word, &device->index);
    unsigned n = 0, room = *count;

    for (; at && *at; n++) {
        char *end;
        unsigned pid = (unsigned)strtoul(at, &end, 10);
        unsigned long long used = ~0ULL;
        if (*end == ':' && end[1] != '-')
            used = strtoull(end + 1, &end, 10);
        else if (*end == ':')
            end += 2;
        if (n < room) {
            char *place = places + n * size;
            memset(place, 0xff, size);
            memcpy(place, &pid, sizeof pid);
            memcpy(place + 8, &used, sizeof used);
        }
        at = end + strspn(end, " ");
    }
    *count = n;
    return n > room ? INSUFFICIENT_SIZE : SUCCESS;
}

#define PROCESSES(function, word, size)                                                            \
    EXPORT int function(struct device *device, unsigned *count, void *places);                     \
    EXPORT int function(struct device *device, unsigned *count, void *places)                      \
    {                                                                                              \
        return processes(word, device, count, places, size);                                       \
    }

PROCESSES(nvmlDeviceGetComputeRunningProcesses, "compute", 16)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, "graphics", 16)
#if NVML_PROCESSES == 2
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "compute", 24)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics", 24)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "compute", 32)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics", 32)
#elif NVML_PROCESSES == 3
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "compute", 24)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics", 24)
#endif
