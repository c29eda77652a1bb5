#include "sense/gpu.h"
#include "sense/gpu_private.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The loader's name of it. The one without a number belongs to the development package. */
static const char nvml_default[] = "libnvidia-ml.so.1";

struct gpu_reader {
    struct gpu_nvml *nvml; /* NULL: not loaded */
    char missing[200];     /* why not, where a driver is there */
    char sysfs[256];
    bool any;
};

struct gpu *gpu_list_add(struct gpu_list *list, enum gpu_vendor vendor, unsigned index)
{
    if (list->n == GPUS_MAX)
        return NULL;
    struct gpu *gpu = &list->gpus[list->n++];
    gpu_init(gpu);
    gpu->vendor = vendor;
    gpu->index = index;
    return gpu;
}

void gpu_init(struct gpu *gpu)
{
    memset(gpu, 0, sizeof *gpu);
    gpu->vram_total = gpu->vram_used = gpu->gtt_total = gpu->gtt_used = FACT_UNKNOWN;
    gpu->utilisation_percent = gpu->temperature_c = gpu->power_mw = FACT_UNKNOWN;
    gpu->render = FACT_UNKNOWN;
}

const char *gpu_vendor_name(enum gpu_vendor vendor)
{
    return vendor == GPU_AMD ? "amd" : "nvidia";
}

void gpu_add_process(struct gpu *gpu, fact pid, fact vram)
{
    struct gpu_process *least = NULL;

    for (size_t i = 0; i < gpu->n_processes; i++) {
        struct gpu_process *p = &gpu->processes[i];
        if (p->pid == pid) {
            if (vram > p->vram)
                p->vram = vram;
            return;
        }
        if (least == NULL || p->vram < least->vram)
            least = p;
    }
    if (gpu->n_processes < GPU_PROCESSES_MAX)
        gpu->processes[gpu->n_processes++] = (struct gpu_process){pid, vram};
    else if (least != NULL && vram > least->vram)
        *least = (struct gpu_process){pid, vram};
}

void gpu_list_missing(struct gpu_list *list, const char *format, ...)
{
    va_list arguments;

    if (list->missing[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(list->missing, sizeof list->missing, format, arguments);
    va_end(arguments);
}

/* The kernel's side of NVIDIA's driver: a library that is not there is missed only then. */
static bool nvidia_loaded(const char *sysfs)
{
    char path[300];
    struct stat status;

    snprintf(path, sizeof path, "%s/module/nvidia", sysfs);
    return stat(path, &status) == 0;
}

int gpu_reader_new(const struct gpu_options *options, struct gpu_reader **ret_reader)
{
    struct gpu_reader *reader = calloc(1, sizeof *reader);
    struct gpu_list *list = calloc(1, sizeof *list);
    const char *library = options->nvml != NULL ? options->nvml : nvml_default;
    int r = reader == NULL || list == NULL ? -ENOMEM : 0;

    if (r == 0 && library[0] != '\0')
        r = gpu_nvml_open(library, &reader->nvml, reader->missing, sizeof reader->missing);
    if (r == -ENOMEM) {
        free(list);
        gpu_reader_free(reader);
        return r;
    }
    snprintf(reader->sysfs, sizeof reader->sysfs, "%s", options->sysfs);
    if (r == -ENOENT && nvidia_loaded(options->sysfs))
        snprintf(reader->missing, sizeof reader->missing,
                 "NVIDIA's driver is loaded but %.80s is not there: a container needs "
                 "NVIDIA's runtime with the capability utility",
                 library);
    gpu_read(reader, list);
    reader->any = list->n > 0;
    free(list);
    *ret_reader = reader;
    return 0;
}

void gpu_reader_free(struct gpu_reader *reader)
{
    if (reader == NULL)
        return;
    gpu_nvml_close(reader->nvml);
    free(reader);
}

bool gpu_reader_any(const struct gpu_reader *reader)
{
    return reader->any;
}

void gpu_read(struct gpu_reader *reader, struct gpu_list *ret_list)
{
    memset(ret_list, 0, sizeof *ret_list);
    if (reader->missing[0] != '\0')
        gpu_list_missing(ret_list, "%s", reader->missing);
    if (reader->nvml != NULL)
        gpu_nvml_read(reader->nvml, ret_list);
    gpu_amd_read(reader->sysfs, ret_list);
    reader->any = reader->any || ret_list->n > 0;
}
