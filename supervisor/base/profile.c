#include "base/profile.h"

#include "base/size.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GIB(n) (INT64_C(n) << 30)

/* What all profiles of Ollama have in common.
 * - One volume: a model of 19 or 42 GB is downloaded and kept once, whichever serves it.
 * - One port: a large profile takes the place of the others on the hosts that it is meant for, and
 *   clients find it where Ollama always was. Where two of them fit side by side, the second is
 *   refused with the port's name and takes another by --port.
 * - 127.0.0.1: Ollama asks nobody who they are; who wants it on the network says so.
 * - A context of 4096, one request at a time, one model: the KV cache grows with each of them, and
 *   these are what Ollama itself takes on a host without a large GPU. Its 3 models at once are not:
 *   the limit is made for one. */
#define ANY                                                                                        \
    .address = "127.0.0.1", .context = 4096, .parallel = 1, .max_loaded = 1, .keep_alive = "5m",   \
    .cache_ram = FACT_UNKNOWN, .disk = FACT_UNKNOWN, .reserve = FACT_UNKNOWN
#define OLLAMA                                                                                     \
    .server = SERVER_OLLAMA, .image = "ollama/ollama:latest", .volume = "ollama", .gpu = "auto",   \
    .port = 11434, ANY

/* Large ones for a host of 32 GB: alone, and the others give way. */
#define EXCLUSIVE .exclusive = true, .priority = PRIORITY_HIGH

const struct profile profiles_builtin_table[PROFILES_BUILTIN_N] = {
    {.name = "standard",
     .memory = GIB(8), /* several beside each other: 6 to 8 GB each; an 8B model with its cache */
     .priority = PRIORITY_NORMAL,
     .container = "ollama",
     OLLAMA},
    {.name = "33b",
     .memory = GIB(28), /* 27.3 GB were measured for it without a GPU */
     .model = "deepseek-coder:33b",
     .container = "ollama-33b",
     EXCLUSIVE,
     OLLAMA},
    {.name = "70b",
     .memory = GIB(30), /* all that a host of 32 GB can give; the rest of its 42 GB is VRAM's */
     .model = "llama3.1:70b",
     .container = "ollama-70b",
     EXCLUSIVE,
     OLLAMA},
    {.name = "localai",
     .server = SERVER_LOCALAI,
     .memory = GIB(12), /* the GPU holds the weights; this is for its many backends */
     .gpu = "all",      /* the image is the one for CUDA: without a GPU it is the wrong one */
     .priority = PRIORITY_NORMAL,
     .container = "localai",
     .image = "localai/localai:latest-gpu-nvidia-cuda-12",
     .volume = "localai-models",
     .port = 8080, /* LocalAI's own */
     ANY},
};

static const char *const priorities[] = {"low", "normal", "high"};
static const char *const servers[] = {"ollama", "localai"};

const char *priority_name(enum priority priority)
{
    return priorities[priority];
}

int priority_parse(const char *text, enum priority *ret_priority)
{
    int at = word_find(priorities, sizeof(priorities) / sizeof(priorities[0]), text);
    if (at >= 0)
        *ret_priority = (enum priority)at;
    return at < 0 ? -EINVAL : 0;
}

const char *server_kind_name(enum server_kind server)
{
    return servers[server];
}

int server_kind_parse(const char *text, enum server_kind *ret_server)
{
    int at = word_find(servers, sizeof(servers) / sizeof(servers[0]), text);
    if (at >= 0)
        *ret_server = (enum server_kind)at;
    return at < 0 ? -EINVAL : 0;
}

bool profile_name_good(const char *name)
{
    static const char all[] = "._-abcdefghijklmnopqrstuvwxyz0123456789", *const first = all + 3;
    return strspn(name, first) > 0 && name[strspn(name, all)] == '\0';
}

int profile_init(struct profile *profile, const char *name, struct error *err)
{
    if (!profile_name_good(name))
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\" is no name for a profile: small letters and digits, then also "
                         ". _ and -",
                         PROFILE_NAME_SIZE, name);
    if (strlen(name) >= PROFILE_NAME_SIZE)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s...\" is no name for a profile: longer than %d characters",
                         PROFILE_NAME_SIZE, name, PROFILE_NAME_SIZE - 1);
    *profile = profiles_builtin_table[0];
    snprintf(profile->name, sizeof(profile->name), "%s", name);
    snprintf(profile->container, sizeof(profile->container), "ollama-%s", name);
    return 0;
}

void profile_take_server(struct profile *profile, enum server_kind server)
{
    const struct profile *from = NULL, *to = NULL;
    for (size_t i = PROFILES_BUILTIN_N; i-- > 0;) { /* the first of each kind is its example */
        if (profiles_builtin_table[i].server == profile->server)
            from = &profiles_builtin_table[i];
        if (profiles_builtin_table[i].server == server)
            to = &profiles_builtin_table[i];
    }
    profile->server = server;
    if (!from || !to || from == to)
        return;
    char own[PROFILE_TEXT_SIZE];
    snprintf(own, sizeof(own), "%s-%s", servers[from->server], profile->name);
    if (strcmp(profile->container, own) == 0)
        snprintf(profile->container, sizeof(profile->container), "%s-%s", servers[server],
                 profile->name);
    if (strcmp(profile->image, from->image) == 0)
        memcpy(profile->image, to->image, sizeof(profile->image));
    if (strcmp(profile->volume, from->volume) == 0)
        memcpy(profile->volume, to->volume, sizeof(profile->volume));
    if (strcmp(profile->gpu, from->gpu) == 0)
        memcpy(profile->gpu, to->gpu, sizeof(profile->gpu));
    if (profile->port == from->port)
        profile->port = to->port;
}
