/* One key of a profile: from text, to text. */
#include "base/profile.h"

#include "base/config_table.h"
#include <arpa/inet.h>
#include <stddef.h>

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#define LIMIT_MIN (6.0 * (1 << 20))          /* the engine takes no less */
#define SIZE_MOST (double)(INT64_C(1) << 53) /* size_parse takes no more */
#define CPUS_MAX  4096
#define UNLIMITED "unlimited"
static const double cpus_min = 0.01; /* the engine takes no less */

const char *const profile_keys[PROFILE_KEYS_N + 1] = {
    "server",   "memory",     "swap",   "cpus",    "gpu",       "model",      "exclusive",
    "priority", "image",      "volume", "address", "port",      "container",  "context",
    "parallel", "max_loaded", "disk",   "reserve", "cache_ram", "keep_alive", NULL};

#define FIELD(f)                                                                                   \
    .offset = offsetof(struct profile, f), .size = sizeof(((struct profile *)0)->f),               \
    .unset = FACT_UNKNOWN
/* Letters and digits, at least so many, and then also those others. */
#define NAME(f, least, others, what)                                                               \
    {.type = SETTING_NAME, FIELD(f), .min = (least), .choices = (others), .reason = (what)}
#define NUMBER(type_, f, least, most, may)                                                         \
    {.type = (type_), FIELD(f), .min = (least), .max = (most), .optional = (may)}

/* In the order of profile_keys. */
static const struct setting keys[PROFILE_KEYS_N] = {
    {.type = SETTING_WORD, FIELD(server), .choices = "ollama localai"},
    NUMBER(SETTING_SIZE, memory, LIMIT_MIN, SIZE_MOST, false),
    NUMBER(SETTING_SWAP, swap, 0, SIZE_MOST, false),
    {.type = SETTING_CPUS, FIELD(cpus)},
    {.type = SETTING_GPU, FIELD(gpu)},
    {.type = SETTING_NAME,
     FIELD(model),
     .optional = true,
     .choices = "._:/@-",
     .min = 1,
     .reason = "a model"},
    {.type = SETTING_SWITCH, FIELD(exclusive)},
    {.type = SETTING_WORD, FIELD(priority), .choices = "low normal high"},
    NAME(image, 1, "._:/@-", "an image"),
    NAME(volume, 2, "._-", "a volume"),
    {.type = SETTING_ADDRESS, FIELD(address)},
    {.type = SETTING_PORT, FIELD(port)},
    NAME(container, 2, "._-", "a container"),
    NUMBER(SETTING_WHOLE, context, 1, 1 << 24, false),
    NUMBER(SETTING_WHOLE, parallel, 1, 256, false),
    NUMBER(SETTING_WHOLE, max_loaded, 1, 64, false),
    NUMBER(SETTING_SIZE, disk, 0, SIZE_MOST, true),
    NUMBER(SETTING_SIZE, reserve, 0, SIZE_MOST, true),
    NUMBER(SETTING_SIZE, cache_ram, 0, SIZE_MOST, true),
    {.type = SETTING_KEEP_ALIVE, FIELD(keep_alive)},
};

static int refuse(struct error *err, const char *value, const char *why)
{
    return value_refuse(err, -EINVAL, value, why);
}

static int set_cpus(double *to, const char *value, struct error *err)
{
    size_t whole = strspn(value, DIGITS);
    size_t part = value[whole] == '.' ? strspn(value + whole + 1, DIGITS) : 0;
    size_t length = whole + (part > 0 ? 1 + part : 0);
    if (whole == 0 || whole > 9 || part > 9 || value[length] != '\0')
        return refuse(err, value, "is no number of CPUs: write it as 4 or 1.5; 0: all");
    double cpus = strtod(value, NULL);
    if (cpus > CPUS_MAX || (cpus < cpus_min && cpus > 0))
        return error_set(err, FAILURE_USAGE, -ERANGE,
                         "\"%.*s\" is out of bounds: %g to %d, or 0: all", VALUE_SHOWN_MAX, value,
                         cpus_min, CPUS_MAX);
    *to = cpus;
    return 0;
}

/* Text that fits and holds nothing but letters, digits and `others`, one of the first two first. */
static bool is_word(const char *value, const char *others, size_t least, size_t size)
{
    char all[sizeof(LETTERS DIGITS) + 16];
    snprintf(all, sizeof(all), LETTERS DIGITS "%s", others);
    size_t length = strlen(value);
    return length >= least && length < size && strspn(value, LETTERS DIGITS) > 0 &&
           strspn(value, all) == length;
}

static int set_name(const struct setting *key, char *to, const char *value, struct error *err)
{
    size_t least = (size_t)key->min;
    if (!is_word(value, key->choices, least, key->size))
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\"%s is no name of %s: %zu to %zu letters, digits and %s",
                         VALUE_SHOWN_MAX, value, strlen(value) > VALUE_SHOWN_MAX ? "..." : "",
                         key->reason, least, key->size - 1, key->choices);
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

/* "0,1", "GPU-8a56…,MIG-…". */
static bool is_gpus(const char *value)
{
    for (const char *c = value;; c++) {
        size_t length = strcspn(c, ",");
        bool index = length > 0 && length < 4 && strspn(c, DIGITS) == length;
        bool uuid = length > 4 && (strncmp(c, "GPU-", 4) == 0 || strncmp(c, "MIG-", 4) == 0) &&
                    strspn(c, LETTERS DIGITS "-/") == length;
        if (!index && !uuid)
            return false;
        c += length;
        if (*c == '\0')
            return true;
    }
}

/* Text that is as it should be, and fits. */
static int set_text(char *to, size_t size, const char *value, bool good, const char *why,
                    struct error *err)
{
    if (!good || strlen(value) >= size)
        return refuse(err, value, why);
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int set_gpu(const struct setting *key, char *to, const char *value, struct error *err)
{
    static const char *const words[] = {"auto", "all", "none"};
    return set_text(to, key->size, value, word_find(words, 3, value) >= 0 || is_gpus(value),
                    "names no GPU: write auto, all, none, or ids as 0,1 or GPU-...", err);
}

static int set_address(char *to, size_t size, const char *value, struct error *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    bool good = inet_pton(AF_INET, value, bytes) == 1 || inet_pton(AF_INET6, value, bytes) == 1;
    return set_text(to, size, value, good, "is no address: write it as 127.0.0.1, 0.0.0.0 or ::1",
                    err);
}

/* "11434", "0.0.0.0:11434", "[::1]:11434". */
static int set_port(struct profile *profile, const char *value, struct error *err)
{
    const char *colon = strrchr(value, ':'), *digits = colon ? colon + 1 : value;
    size_t length = strlen(digits);
    long port = length > 0 && length <= 5 && strspn(digits, DIGITS) == length
                    ? strtol(digits, NULL, 10)
                    : -1;
    if (port < 0 || port > UINT16_MAX)
        return refuse(err, value, "is no port: write 0 (not published) to 65535, or ADDRESS:PORT");
    if (colon) {
        char address[sizeof(profile->address)];
        bool brackets = value[0] == '[' && colon > value && colon[-1] == ']';
        snprintf(address, sizeof(address), "%.*s", (int)(colon - value) - (brackets ? 2 : 0),
                 value + (brackets ? 1 : 0));
        int code = set_address(profile->address, sizeof(profile->address), address, err);
        if (code < 0)
            return code;
    }
    profile->port = (uint16_t)port;
    return 0;
}

/* As Ollama reads OLLAMA_KEEP_ALIVE: Go's durations (no days), or whole seconds; below 0: always.
 */
static bool is_keep_alive(const char *value)
{
    static const char *const units[] = {"ms", "h", "m", "s"};
    const char *c = value + (value[0] == '-');
    if (c[strspn(c, DIGITS)] == '\0')
        return *c != '\0';
    while (*c != '\0') {
        size_t whole = strspn(c, DIGITS), unit = 0;
        c += whole;
        if (*c == '.')
            c += 1 + strspn(c + 1, DIGITS);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && unit == 0; i++)
            if (strncmp(c, units[i], strlen(units[i])) == 0)
                unit = strlen(units[i]);
        if (whole == 0 || unit == 0)
            return false;
        c += unit;
    }
    return true;
}

static int set(struct profile *profile, const struct setting *key, const char *value,
               struct error *err)
{
    void *to = (char *)profile + key->offset;
    switch (value[0] == '\0' ? SETTING_TEXT : key->type) {
    case SETTING_CPUS:
        return set_cpus(to, value, err);
    case SETTING_GPU:
        return set_gpu(key, to, value, err);
    case SETTING_NAME:
        return set_name(key, to, value, err);
    case SETTING_ADDRESS:
        return set_address(to, key->size, value, err);
    case SETTING_PORT:
        return set_port(profile, value, err);
    case SETTING_KEEP_ALIVE:
        return set_text(to, key->size, value, is_keep_alive(value),
                        "is no time to keep a model: write 30s, 5m, 24h, 0 or -1 (always)", err);
    case SETTING_SWAP:
        if (strcmp(value, UNLIMITED) != 0)
            return setting_parse(key, value, profile, err);
        profile->swap = FACT_NONE;
        return 0;
    default: {
        struct profile fresh = *profile;
        int code = setting_parse(key, value, &fresh, err);
        if (code < 0)
            return code;
        if (to == &profile->server)
            profile_take_server(profile, fresh.server);
        else
            *profile = fresh;
        return 0;
    }
    }
}

int profile_key(const char *key)
{
    return word_find(profile_keys, PROFILE_KEYS_N, key);
}

int profile_set(struct profile *profile, const char *key, const char *value, struct error *err)
{
    int at = profile_key(key);
    if (at < 0)
        return error_set(err, FAILURE_USAGE, -EINVAL, "unknown key \"%.*s\" of a profile: %s",
                         VALUE_SHOWN_MAX, key,
                         MEANT(key, profile_keys, PROFILE_KEYS_N, "did you mean ",
                               "`supervisor config show` lists all that there are"));
    int code = set(profile, &keys[at], value, err);
    if (code < 0)
        error_wrap(err, "%s", key);
    return code;
}

void profile_format(const struct profile *profile, const char *key, char *text, size_t size)
{
    int at = profile_key(key);
    text[0] = '\0';
    if (at >= 0 && keys[at].type == SETTING_SWAP && profile->swap == FACT_NONE)
        snprintf(text, size, UNLIMITED);
    else if (at >= 0)
        setting_format(&keys[at], profile, text, size);
}

json_t *profile_json(const struct profile *profile)
{
    json_t *json = json_object();
    for (size_t i = 0; i < PROFILE_KEYS_N; i++)
        json_object_set_new(json, profile_keys[i], setting_json(&keys[i], profile));
    return json;
}
