/* What is seen of the host without the engine. */
#include "deploy/create_private.h"
#include "sense/host.h"
#include "sense/json_member.h"
#include "sense/proc_file.h"
#include "sense/process_parse.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The file as the host has it: by its first process, also from inside a container that sees the
 * host's processes; on the host itself also plainly, for those who may not look there. */
static int host_path(const struct create *create, const char *path, char *text, size_t size)
{
    struct stat info;
    int n = snprintf(text, size, "%s/1/root%s", create->settings->procfs, path);
    if (n > 0 && (size_t)n < size && stat(text, &info) == 0)
        return 0;
    n = snprintf(text, size, "%s", path);
    if (n > 0 && (size_t)n < size && strcmp(create->settings->procfs, "/proc") == 0 &&
        stat(text, &info) == 0)
        return 0;
    text[0] = '\0';
    return -ENOENT;
}

static bool host_has(const struct create *create, const char *path)
{
    char text[600];
    return host_path(create, path, text, sizeof text) == 0;
}

/* The engine looks for it in its PATH; ours is the nearest that is known of that. */
bool create_gpu_hook(const struct create *create)
{
    static const char hook[] = "nvidia-container-runtime-hook";
    const char *own = getenv("PATH");
    const char *lists[] = {own ? own : "", "/usr/bin:/usr/local/bin"};
    char path[300];
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const char *at = lists[i]; *at; at += *at == ':') {
            size_t length = strcspn(at, ":");
            int n = snprintf(path, sizeof path, "%.*s/%s", (int)length, at, hook);
            if (*at == '/' && n > 0 && (size_t)n < sizeof path && host_has(create, path))
                return true;
            at += length;
        }
    return false;
}

bool create_amd_devices(const struct create *create)
{
    return host_has(create, "/dev/kfd") && host_has(create, "/dev/dri");
}

int create_look_at_host(struct create *create, struct error *err)
{
    struct deploy_facts *facts = &create->seen->facts;
    struct host host;
    int r = host_read_once(create->settings->procfs, &host, err);
    if (r < 0)
        return r;
    facts->memory_total = host.total;
    facts->memory_available = host.available;
    struct gpu_reader *gpus;
    const char *nvml = create->settings->nvml;
    const struct gpu_options options = {.nvml = nvml[0] ? nvml : NULL,
                                        .sysfs = create->settings->sysfs};
    if (gpu_reader_new(&options, &gpus) == 0) {
        gpu_read(gpus, &facts->gpus);
        gpu_reader_free(gpus);
    }
    return 0;
}

/* ---- disk */

/* A volume that is a bind mount lies at its device, whatever is mounted in the engine's directory
 * now (facts on Docker: the local driver mounts it while a container uses it). */
static const char *volume_place(const json_t *volume)
{
    const json_t *options = json_object_get(volume, "Options");
    const char *device = member_string(options, "device"), *o = member_string(options, "o");
    if (device && device[0] == '/' && o && strstr(o, "bind"))
        return device;
    return member_string(volume, "Mountpoint");
}

void create_look_at_disk(struct create *create, const json_t *volume, const char *root_dir)
{
    struct create_seen *seen = create->seen;
    const char *place = volume ? volume_place(volume) : NULL;
    if (place)
        snprintf(seen->volume_path, sizeof seen->volume_path, "%s", place);
    else if (!volume && root_dir && root_dir[0])
        snprintf(seen->volume_path, sizeof seen->volume_path, "%.200s/volumes", root_dir);
    create->volume_root[0] = '\0';
    if (seen->volume_path[0])
        host_path(create, seen->volume_path, create->volume_root, sizeof create->volume_root);
    snprintf(seen->facts.disk_path, sizeof seen->facts.disk_path, "%s", seen->volume_path);
    seen->facts.disk_free = create_disk_free(create);
    seen->facts.model_present = volume && create->plan->profile.model[0] &&
                                create_model_present(create, create->plan->profile.model);
}

fact create_disk_free(const struct create *create)
{
    struct statvfs info;
    if (!create->volume_root[0] || statvfs(create->volume_root, &info) < 0)
        return FACT_UNKNOWN;
    return (fact)info.f_bavail * (fact)info.f_frsize;
}

/* models/manifests/REGISTRY/NAMESPACE/MODEL/TAG, each with its usual value where the name has none
 * (facts on Ollama, 1: name equivalence). */
bool create_model_present(const struct create *create, const char *model)
{
    static const char *const prefixes[] = {"registry.ollama.ai/library/", "registry.ollama.ai/",
                                           ""};
    char path[1024], name[PROFILE_TEXT_SIZE];
    struct stat info;
    size_t slashes = 0;
    snprintf(name, sizeof name, "%s", model);
    for (const char *c = name; *c; c++)
        slashes += *c == '/' && slashes < 2;
    char *tag = strrchr(name, ':');
    if (tag && strchr(tag, '/')) /* a registry's port */
        tag = NULL;
    if (tag)
        *tag++ = '\0';
    snprintf(path, sizeof path, "%s/models/manifests/%s%s/%s", create->volume_root,
             prefixes[slashes], name, tag ? tag : "latest");
    return create->volume_root[0] && stat(path, &info) == 0;
}

bool create_volume_used(const struct create *create)
{
    char path[700];
    if (!create->volume_root[0])
        return true;
    snprintf(path, sizeof path, "%s/models/blobs", create->volume_root);
    DIR *directory = opendir(path);
    if (!directory)
        return errno != ENOENT;
    const struct dirent *entry;
    bool used = false;
    while (!used && (entry = readdir(directory)))
        used = entry->d_name[0] != '.';
    closedir(directory);
    return used;
}

/* ---- ports */

/* The address of a row of /proc/net/tcp or tcp6: 32-bit words in the host's byte order. */
static bool same_address(const char *hex, const char *address)
{
    unsigned char wanted[16] = {0}, theirs[16] = {0};
    size_t words = strspn(hex, "0123456789ABCDEFabcdef") / 8;
    bool six = strchr(address, ':') != NULL, any = true;
    for (size_t i = 0; i < words && i < 4; i++) {
        uint64_t word;
        struct text text = text_of(hex + 8 * i, 8);
        if (!text_hex(&text, &word))
            return false;
        uint32_t bytes = (uint32_t)word;
        memcpy(theirs + 4 * i, &bytes, sizeof bytes);
        any = any && bytes == 0;
    }
    inet_pton(six ? AF_INET6 : AF_INET, address, wanted);
    static const unsigned char zero[16];
    if (any || memcmp(wanted, zero, sizeof zero) == 0) /* every address: also this one */
        return true;
    return words == (six ? 4 : 1) && memcmp(wanted, theirs, sizeof theirs) == 0;
}

struct listening {
    const char *address;
    uint16_t port;
    bool taken;
};

static int take_row(struct text line, void *userdata)
{
    struct listening *search = userdata;
    struct tcp_row row;
    struct text slot, local;
    if (tcp_row_parse(line, &row) && row.state == TCP_LISTEN_STATE &&
        row.local_port == search->port && text_word(&line, &slot) && text_word(&line, &local))
        search->taken |= same_address(local.at, search->address);
    return 0;
}

/* 1, 0, -errno. */
static int listens_in(const struct create *create, const char *file, const char *address,
                      uint16_t port)
{
    char path[300];
    struct listening search = {address, port, false};
    snprintf(path, sizeof path, "%s/1/net/%s", create->settings->procfs, file);
    int r = proc_file_lines(AT_FDCWD, path, take_row, &search);
    return r < 0 ? r : search.taken;
}

int create_port_taken(const struct create *create, const char *address, uint16_t port)
{
    int four = listens_in(create, "tcp", address, port);
    int six = listens_in(create, "tcp6", address, port); /* missing where IPv6 is off */
    return four == 1 || six == 1 ? 1 : four;
}
