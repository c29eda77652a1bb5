/* One key of a profile: from text, to text. */
#include "base/profile.h"

#include "base/config.h"
#include "base/size.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { SHOWN_MAX = 64 }; /* of a refused value */

#define LIMIT_MIN ((fact)6 << 20) /* the engine takes no less */
#define SIZE_MOST ((fact)1 << 53) /* size_parse takes no more */
#define CPUS_MAX  4096
static const double cpus_min = 0.01; /* the engine takes no less */

enum type {
    TYPE_SERVER,
    TYPE_SIZE,
    TYPE_SWAP,
    TYPE_CPUS,
    TYPE_GPU,
    TYPE_TEXT,
    TYPE_SWITCH,
    TYPE_PRIORITY,
    TYPE_ADDRESS,
    TYPE_PORT,
    TYPE_COUNT,
    TYPE_KEEP_ALIVE
};

struct key {
    enum type type;
    size_t offset, size;
    fact min, max;      /* TYPE_SIZE, TYPE_COUNT */
    bool optional;      /* "" unsets it */
    const char *others; /* TYPE_TEXT: what it may hold beside letters and digits, which begin it */
    size_t least;       /* TYPE_TEXT: so many letters at least */
    const char *what;   /* TYPE_TEXT: what it is no name of */
};

const char *const profile_keys[PROFILE_KEYS_N + 1] = {
    "server",   "memory",     "swap",   "cpus",    "gpu",       "model",      "exclusive",
    "priority", "image",      "volume", "address", "port",      "container",  "context",
    "parallel", "max_loaded", "disk",   "reserve", "cache_ram", "keep_alive", NULL};

#define FIELD(f) .offset = offsetof(struct profile, f), .size = sizeof(((struct profile *)0)->f)

/* In the order of profile_keys. */
static const struct key keys[PROFILE_KEYS_N] = {
    {TYPE_SERVER, FIELD(server)},
    {TYPE_SIZE, FIELD(memory), .min = LIMIT_MIN, .max = SIZE_MOST},
    {TYPE_SWAP, FIELD(swap)},
    {TYPE_CPUS, FIELD(cpus)},
    {TYPE_GPU, FIELD(gpu)},
    {TYPE_TEXT, FIELD(model), .optional = true, .others = "._:/@-", .least = 1, .what = "a model"},
    {TYPE_SWITCH, FIELD(exclusive)},
    {TYPE_PRIORITY, FIELD(priority)},
    {TYPE_TEXT, FIELD(image), .others = "._:/@-", .least = 1, .what = "an image"},
    {TYPE_TEXT, FIELD(volume), .others = "._-", .least = 2, .what = "a volume"},
    {TYPE_ADDRESS, FIELD(address)},
    {TYPE_PORT, FIELD(port)},
    {TYPE_TEXT, FIELD(container), .others = "._-", .least = 2, .what = "a container"},
    {TYPE_COUNT, FIELD(context), .min = 1, .max = 1 << 24},
    {TYPE_COUNT, FIELD(parallel), .min = 1, .max = 256},
    {TYPE_COUNT, FIELD(max_loaded), .min = 1, .max = 64},
    {TYPE_SIZE, FIELD(disk), .max = SIZE_MOST, .optional = true},
    {TYPE_SIZE, FIELD(reserve), .max = SIZE_MOST, .optional = true},
    {TYPE_SIZE, FIELD(cache_ram), .max = SIZE_MOST, .optional = true},
    {TYPE_KEEP_ALIVE, FIELD(keep_alive)},
};

static int refuse(struct error *err, const char *value, const char *why)
{
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s\"%s %s", SHOWN_MAX, value,
                     strlen(value) > SHOWN_MAX ? "..." : "", why);
}

static int set_server(struct profile *profile, const char *value, struct error *err)
{
    enum server_kind server;
    if (server_kind_parse(value, &server) < 0)
        return refuse(err, value, "is none of: ollama localai");
    profile_take_server(profile, server);
    return 0;
}

static int set_size(const struct key *key, fact *to, const char *value, struct error *err)
{
    fact size;
    int code = size_parse(value, &size, err);
    if (code < 0)
        return code;
    if (size < key->min || size > key->max) {
        char least[32], most[32];
        return error_set(err, FAILURE_USAGE, -ERANGE, "\"%.*s\" is out of bounds: %s to %s",
                         SHOWN_MAX, value, size_exact(key->min, least, sizeof(least)),
                         size_exact(key->max, most, sizeof(most)));
    }
    *to = size;
    return 0;
}

static int set_count(const struct key *key, fact *to, const char *value, struct error *err)
{
    if (value[strspn(value, DIGITS)] != '\0')
        return refuse(err, value, "is not a whole number");
    fact count;
    int code = size_parse(value, &count, err);
    if (code < 0)
        return code;
    if (count < key->min || count > key->max)
        return error_set(err, FAILURE_USAGE, -ERANGE, "\"%.*s\" is out of bounds: %lld to %lld",
                         SHOWN_MAX, value, (long long)key->min, (long long)key->max);
    *to = count;
    return 0;
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
                         "\"%.*s\" is out of bounds: %g to %d, or 0: all", SHOWN_MAX, value,
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

static int set_text(const struct key *key, char *to, const char *value, struct error *err)
{
    if (!is_word(value, key->others, key->least, key->size))
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\"%s is no name of %s: %zu to %zu letters, digits and %s",
                         SHOWN_MAX, value, strlen(value) > SHOWN_MAX ? "..." : "", key->what,
                         key->least, key->size - 1, key->others);
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

static int set_gpu(const struct key *key, char *to, const char *value, struct error *err)
{
    bool word =
        strcmp(value, "auto") == 0 || strcmp(value, "all") == 0 || strcmp(value, "none") == 0;
    if (strlen(value) >= key->size || (!word && !is_gpus(value)))
        return refuse(err, value, "names no GPU: write auto, all, none, or ids as 0,1 or GPU-...");
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int set_address(char *to, size_t size, const char *value, struct error *err)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (strlen(value) >= size ||
        (inet_pton(AF_INET, value, bytes) != 1 && inet_pton(AF_INET6, value, bytes) != 1))
        return refuse(err, value, "is no address: write it as 127.0.0.1, 0.0.0.0 or ::1");
    memcpy(to, value, strlen(value) + 1);
    return 0;
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

static int set_keep_alive(const struct key *key, char *to, const char *value, struct error *err)
{
    if (strlen(value) >= key->size || !is_keep_alive(value))
        return refuse(err, value,
                      "is no time to keep a model: write 30s, 5m, 24h, 0 or -1 (always)");
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

static int set(struct profile *profile, const struct key *key, const char *value, struct error *err)
{
    void *to = (char *)profile + key->offset;
    if (value[0] == '\0') {
        if (!key->optional)
            return error_set(err, FAILURE_USAGE, -EINVAL, "an empty value");
        if (key->type == TYPE_TEXT)
            *(char *)to = '\0';
        else
            *(fact *)to = FACT_UNKNOWN;
        return 0;
    }
    switch (key->type) {
    case TYPE_SERVER:
        return set_server(profile, value, err);
    case TYPE_SWAP:
        if (strcmp(value, "unlimited") == 0) {
            *(fact *)to = FACT_NONE;
            return 0;
        }
        return size_parse(value, to, err);
    case TYPE_SIZE:
        return set_size(key, to, value, err);
    case TYPE_CPUS:
        return set_cpus(to, value, err);
    case TYPE_GPU:
        return set_gpu(key, to, value, err);
    case TYPE_TEXT:
        return set_text(key, to, value, err);
    case TYPE_SWITCH:
        return switch_parse(value, to, err);
    case TYPE_PRIORITY:
        return priority_parse(value, to) == 0 ? 0
                                              : refuse(err, value, "is none of: low normal high");
    case TYPE_ADDRESS:
        return set_address(to, key->size, value, err);
    case TYPE_PORT:
        return set_port(profile, value, err);
    case TYPE_COUNT:
        return set_count(key, to, value, err);
    case TYPE_KEEP_ALIVE:
        return set_keep_alive(key, to, value, err);
    }
    return -EINVAL;
}

int profile_key(const char *key)
{
    for (int i = 0; i < PROFILE_KEYS_N; i++)
        if (strcmp(profile_keys[i], key) == 0)
            return i;
    return -1;
}

int profile_set(struct profile *profile, const char *key, const char *value, struct error *err)
{
    int at = profile_key(key);
    if (at < 0) {
        const char *meant = nearest(key, profile_keys, PROFILE_KEYS_N);
        return error_set(
            err, FAILURE_USAGE, -EINVAL, "unknown key \"%.*s\" of a profile: %s%s%s", SHOWN_MAX,
            key, meant ? "did you mean " : "`supervisor config show` lists all that there are",
            meant ? meant : "", meant ? "?" : "");
    }
    int code = set(profile, &keys[at], value, err);
    if (code < 0)
        error_wrap(err, "%s", key);
    return code;
}

static void format_cpus(double cpus, char *text, size_t size)
{
    int length = snprintf(text, size, "%.9f", cpus);
    if (length < 0 || (size_t)length >= size)
        return;
    while (text[length - 1] == '0')
        length--;
    text[text[length - 1] == '.' ? length - 1 : length] = '\0';
}

void profile_format(const struct profile *profile, const char *key, char *text, size_t size)
{
    int at = profile_key(key);
    text[0] = '\0';
    if (at < 0)
        return;
    const void *from = (const char *)profile + keys[at].offset;
    switch (keys[at].type) {
    case TYPE_SERVER:
        snprintf(text, size, "%s", server_kind_name(profile->server));
        break;
    case TYPE_PRIORITY:
        snprintf(text, size, "%s", priority_name(profile->priority));
        break;
    case TYPE_SWITCH:
        snprintf(text, size, "%s", *(const bool *)from ? "on" : "off");
        break;
    case TYPE_CPUS:
        format_cpus(*(const double *)from, text, size);
        break;
    case TYPE_PORT:
        snprintf(text, size, "%u", profile->port);
        break;
    case TYPE_COUNT:
        snprintf(text, size, "%lld", (long long)*(const fact *)from);
        break;
    case TYPE_SIZE:
    case TYPE_SWAP:
        if (*(const fact *)from == FACT_NONE)
            snprintf(text, size, "unlimited");
        else if (fact_known(*(const fact *)from))
            size_exact(*(const fact *)from, text, size);
        break;
    default:
        snprintf(text, size, "%s", (const char *)from);
    }
}

static json_t *value_json(const struct profile *profile, const struct key *key, const char *text)
{
    const void *from = (const char *)profile + key->offset;
    switch (key->type) {
    case TYPE_SWITCH:
        return json_boolean(*(const bool *)from);
    case TYPE_CPUS:
        return json_real(*(const double *)from);
    case TYPE_PORT:
        return json_integer(profile->port);
    case TYPE_COUNT:
    case TYPE_SIZE:
    case TYPE_SWAP:
        return fact_known(*(const fact *)from) ? json_integer(*(const fact *)from) : json_null();
    default:
        return text[0] == '\0' ? json_null() : json_string(text);
    }
}

json_t *profile_json(const struct profile *profile)
{
    json_t *json = json_object();
    for (size_t i = 0; i < PROFILE_KEYS_N; i++) {
        char text[PROFILE_TEXT_SIZE];
        profile_format(profile, profile_keys[i], text, sizeof(text));
        json_object_set_new(json, profile_keys[i], value_json(profile, &keys[i], text));
    }
    return json;
}
