/* The host's GPUs: NVIDIA's by NVML, loaded at run time; AMD's from sysfs. A machine
 * without either has none, and that is no error. */
#ifndef SUPERVISOR_SENSE_GPU_H
#define SUPERVISOR_SENSE_GPU_H

#include "base/error.h"
#include "base/fact.h"
#include <stdbool.h>
#include <stddef.h>

enum { GPUS_MAX = 16, GPU_PROCESSES_MAX = 64 };
enum gpu_vendor { GPU_NVIDIA, GPU_AMD };

struct gpu {
    enum gpu_vendor vendor;
    unsigned index; /* among those of its vendor: NVML's; AMD's in the order of the cards */
    char name[96], uuid[96];    /* "" unknown */
    fact render;                /* AMD: N of /dev/dri/renderDN; unknown elsewhere */
    fact vram_total, vram_used; /* bytes; used: with what the driver keeps for itself */
    fact gtt_total, gtt_used;   /* AMD: system memory that the GPU maps; unknown elsewhere */
    fact utilisation_percent, temperature_c, power_mw;
    struct gpu_process {
        fact pid, vram;
    } processes[GPU_PROCESSES_MAX]; /* host pids */
    size_t n_processes;
};

/* All of it unknown, no process. */
void gpu_init(struct gpu *gpu);
const char *gpu_vendor_name(enum gpu_vendor vendor); /* "nvidia", "amd" */

struct gpu_list {
    struct gpu gpus[GPUS_MAX];
    size_t n;
    bool integrated;   /* an NVIDIA GPU without memory of its own (unified) was left out */
    char missing[200]; /* why a driver that is there could not be asked; "" */
};

struct gpu_reader; /* keeps the library loaded and initialised between looks */

struct gpu_options {
    const char *nvml;  /* the library: NULL = libnvidia-ml.so.1; "" = do not look for it */
    const char *sysfs; /* root of sysfs, "/sys" */
};

/* Finds what there is; the library is opened here, never at another time. 0 also with no GPU. */
int gpu_reader_new(const struct gpu_options *options, struct gpu_reader **ret_reader);
void gpu_reader_free(struct gpu_reader *reader);
bool gpu_reader_any(const struct gpu_reader *reader); /* was one found? */
/* Reads all of them; a fact that cannot be read is unknown. A driver that goes away under it
 * (NVML_ERROR_GPU_IS_LOST, a reload) is looked for again at the next read. */
void gpu_read(struct gpu_reader *reader, struct gpu_list *ret_list);

#endif
