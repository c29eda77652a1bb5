/* What is seen of the host without the engine. */
#include "deploy/create_private.h"
#include "sense/host.h"
#include "sense/proc_file.h"
#include "sense/process_parse.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The file as the host has it: by its first process, also from inside a container that sees the
 * host's processes; on the host itself also plainly, for those who may not look there. */
int create_host_path(const struct create *create, const char *path, char *text, size_t size)
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
    return create_host_path(create, path, text, sizeof text) == 0;
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
