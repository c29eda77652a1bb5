/* The two ways to GPUs, as gpu.c uses them. */
#ifndef SUPERVISOR_SENSE_GPU_PRIVATE_H
#define SUPERVISOR_SENSE_GPU_PRIVATE_H

#include "sense/gpu.h"

/* One GPU more in the list, all of it unknown; NULL at the cap. */
struct gpu *gpu_list_add(struct gpu_list *list, enum gpu_vendor vendor, unsigned index);

/* A process of the GPU; one that is there already keeps the larger amount (compute and graphics
 * name a process twice, with the same memory). At the cap the one that holds least is left out. */
void gpu_add_process(struct gpu *gpu, fact pid, fact vram);

/* Keeps the first reason. */
void gpu_list_missing(struct gpu_list *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct gpu_nvml;

/* Loads the library. 0; -ENOENT: there is none; -ELIBBAD: it is no NVML (missing says why);
 * -ENOMEM. */
int gpu_nvml_open(const char *library, struct gpu_nvml **ret_nvml, char *missing, size_t size);
void gpu_nvml_close(struct gpu_nvml *nvml);
/* Appends the GPUs that the driver has. */
void gpu_nvml_read(struct gpu_nvml *nvml, struct gpu_list *list);

/* Appends the GPUs with AMD's vendor number below SYSFS/class/drm. */
void gpu_amd_read(const char *sysfs, struct gpu_list *list);

#endif
