/* AMD's GPUs as the kernel shows them (its documentation: gpu/amdgpu/driver-misc.rst, thermal.rst;
 * the processes: drivers/gpu/drm/amd/amdkfd/kfd_process.c, "vram_<gpu_id>" in bytes). */
#include "sense/gpu_private.h"
#include "sense/proc_file.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUE_SIZE = 256,
    PROPERTIES_SIZE = 4096, /* of a node of the topology: 1 KiB on 6.18 */
    CARDS_MAX = 64,
    AMD_VENDOR = 0x1002,
};

/* The file's one number; unknown. */
static fact read_number(int directory, const char *path)
{
    char buffer[VALUE_SIZE];
    struct text text;
    int64_t number;

    if (proc_file_read_at(directory, path, buffer, sizeof buffer, &text) < 0 ||
        !text_number(&text, &number))
        return FACT_UNKNOWN;
    return number;
}

static fact read_hex(int directory, const char *path)
{
    char buffer[VALUE_SIZE];
    struct text text;
    uint64_t number;

    if (proc_file_read_at(directory, path, buffer, sizeof buffer, &text) < 0)
        return FACT_UNKNOWN;
    text_take(&text, "0x");
    return text_hex(&text, &number) && number <= INT64_MAX ? (fact)number : FACT_UNKNOWN;
}

/* The first line; "" where it cannot be read. */
static void read_line(int directory, const char *path, char *ret_text, size_t size)
{
    char buffer[VALUE_SIZE];
    struct text text, line;

    ret_text[0] = '\0';
    if (proc_file_read_at(directory, path, buffer, sizeof buffer, &text) == 0 &&
        text_line(&text, &line))
        snprintf(ret_text, size, "%.*s", (int)text_left(&line), line.at);
}

/* The number behind a prefix, as in "card0" and "renderD128"; -1 for any other name. */
static int number_of(const char *name, const char *prefix)
{
    char ended[64];
    int n = snprintf(ended, sizeof ended, "%s\n", name);
    struct text text = text_of(ended, n > 0 && (size_t)n < sizeof ended ? (size_t)n : 0);
    int64_t number;

    if (!text_take(&text, prefix) || text_left(&text) == 0 || *text.at == ' ' ||
        !text_number(&text, &number) || !text_is(text, "\n") || number > INT32_MAX)
        return -1;
    return (int)number;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

/* The minor number of the card's render node, by which the topology knows it; -1. */
static int render_minor(int device)
{
    CLOSE_LIST DIR *list = proc_list(device, "drm");
    const struct dirent *entry;
    int minor = -1;

    while (list != NULL && minor < 0 && (entry = readdir(list)) != NULL)
        minor = number_of(entry->d_name, "renderD");
    return minor;
}

/* The compute driver's number of the GPU with this render node; 0: none (no ROCm there). */
static fact compute_id(int kfd, int minor)
{
    CLOSE_LIST DIR *nodes = proc_list(kfd, "topology/nodes");
    const struct dirent *entry;

    while (nodes != NULL && minor >= 0 && (entry = readdir(nodes)) != NULL) {
        CLOSE_FD int node = number_of(entry->d_name, "") < 0
                                ? -1
                                : proc_directory_open(dirfd(nodes), entry->d_name);
        char buffer[PROPERTIES_SIZE];
        struct text text, line;
        int64_t number;
        if (node < 0 || proc_file_read_at(node, "properties", buffer, sizeof buffer, &text) < 0)
            continue;
        while (text_line(&text, &line)) {
            line.end++; /* the newline ends the number */
            if (text_take(&line, "drm_render_minor ") && text_number(&line, &number) &&
                number == minor)
                return read_number(node, "gpu_id");
        }
    }
    return 0;
}

/* Those that compute on it: KFD/proc/PID/vram_ID. */
static void read_processes(const char *sysfs, int device, struct gpu *gpu)
{
    char path[300], file[32];
    const struct dirent *entry;

    snprintf(path, sizeof path, "%s/class/kfd/kfd", sysfs);
    CLOSE_FD int kfd = proc_directory_open(AT_FDCWD, path);
    fact id = kfd < 0 ? 0 : compute_id(kfd, render_minor(device));
    CLOSE_LIST DIR *list = id > 0 ? proc_list(kfd, "proc") : NULL;
    snprintf(file, sizeof file, "vram_%lld", (long long)id);
    while (list != NULL && (entry = readdir(list)) != NULL) {
        int pid = number_of(entry->d_name, "");
        CLOSE_FD int process = pid > 0 ? proc_directory_open(dirfd(list), entry->d_name) : -1;
        fact vram = process < 0 ? FACT_UNKNOWN : read_number(process, file);
        if (vram > 0) /* the file is there for every GPU, also for those that it does not use */
            gpu_add_process(gpu, pid, vram);
    }
}

static fact scaled(fact value, int64_t divisor)
{
    return fact_known(value) ? value / divisor : value;
}

/* m°C and µW; the first hwmon that tells. */
static void read_sensors(int device, struct gpu *gpu)
{
    CLOSE_LIST DIR *list = proc_list(device, "hwmon");
    const struct dirent *entry;

    gpu->utilisation_percent = read_number(device, "gpu_busy_percent");
    if (gpu->utilisation_percent > 100)
        gpu->utilisation_percent = FACT_UNKNOWN;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        CLOSE_FD int hwmon = number_of(entry->d_name, "hwmon") < 0
                                 ? -1
                                 : proc_directory_open(dirfd(list), entry->d_name);
        if (hwmon < 0)
            continue;
        if (gpu->temperature_c < 0)
            gpu->temperature_c = scaled(read_number(hwmon, "temp1_input"), 1000);
        if (gpu->power_mw < 0)
            gpu->power_mw = scaled(read_number(hwmon, "power1_average"), 1000);
        if (gpu->power_mw < 0) /* since 6.4 on newer cards */
            gpu->power_mw = scaled(read_number(hwmon, "power1_input"), 1000);
    }
}

static void read_names(int device, struct gpu *gpu)
{
    char id[32];

    read_line(device, "product_name", gpu->name, sizeof gpu->name);
    fact number = read_hex(device, "device");
    if (gpu->name[0] == '\0' && fact_known(number)) /* most cards carry no name */
        snprintf(gpu->name, sizeof gpu->name, "AMD 1002:%04llx", (unsigned long long)number);
    read_line(device, "unique_id", id, sizeof id);
    if (id[0] != '\0') /* as ROCm writes it */
        snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%s", id);
}

static void read_card(const char *sysfs, int device, struct gpu *gpu)
{
    char asleep[32];

    int minor = render_minor(device);
    gpu->render = minor < 0 ? FACT_UNKNOWN : minor;
    read_names(device, gpu);
    gpu->vram_total = read_number(device, "mem_info_vram_total");
    gpu->vram_used = read_number(device, "mem_info_vram_used");
    gpu->gtt_total = read_number(device, "mem_info_gtt_total");
    gpu->gtt_used = read_number(device, "mem_info_gtt_used");
    read_line(device, "power/runtime_status", asleep, sizeof asleep);
    if (strcmp(asleep, "suspended") == 0)
        return; /* to ask its sensors would wake it up */
    read_sensors(device, gpu);
    read_processes(sysfs, device, gpu);
}

void gpu_amd_read(const char *sysfs, struct gpu_list *list)
{
    int numbers[CARDS_MAX];
    size_t n = 0;
    unsigned index = 0;
    char path[300];
    const struct dirent *entry;

    snprintf(path, sizeof path, "%s/class/drm", sysfs);
    CLOSE_LIST DIR *cards = proc_list(AT_FDCWD, path);
    while (cards != NULL && n < CARDS_MAX && (entry = readdir(cards)) != NULL) {
        numbers[n] = number_of(entry->d_name, "card"); /* "card0-DP-1" is a connector */
        n += numbers[n] >= 0;
    }
    qsort(numbers, n, sizeof numbers[0], by_number);
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "card%d/device", numbers[i]);
        CLOSE_FD int device = proc_directory_open(dirfd(cards), path);
        if (device < 0 || read_hex(device, "vendor") != AMD_VENDOR)
            continue;
        struct gpu *gpu = gpu_list_add(list, GPU_AMD, index);
        if (gpu == NULL)
            return;
        index++;
        read_card(sysfs, device, gpu);
    }
}
