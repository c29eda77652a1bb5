/* GET /containers/{id}/json (facts/docker.md 1.4). */
#include "sense/docker_parse.h"
#include "sense/docker_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { OLLAMA_PORT = 11434 }; /* Ollama's default (facts/ollama.md 5) */

/* After the colon of "host:port", "[v6]:port" or ":port"; NULL where there is none, as in a bare
 * IPv6 address. */
static const char *port_of(const char *address, size_t length)
{
    const char *colon = memrchr(address, ':', length);
    if (!colon)
        return NULL;
    bool bracketed = colon > address && colon[-1] == ']';
    if (!bracketed && memchr(address, ':', (size_t)(colon - address)))
        return NULL;
    return colon + 1;
}

static uint16_t port_or(const char *text, size_t length, uint16_t fallback)
{
    long port = 0;
    if (length == 0 || length > 5)
        return fallback;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return fallback;
        port = port * 10 + (text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : fallback;
}

void docker_parse_ollama_host(const char *value, char *host, size_t size, uint16_t *ret_port)
{
    uint16_t fallback = OLLAMA_PORT;
    const char *address = value ? value + strspn(value, " \t\"'") : "";
    size_t length = strlen(address);
    while (length > 0 && strchr(" \t\"'", address[length - 1]))
        length--;
    const char *scheme_end = memmem(address, length, "://", 3);
    if (scheme_end) {
        size_t scheme = (size_t)(scheme_end - address);
        if (scheme == 4 && memcmp(address, "http", 4) == 0)
            fallback = 80;
        else if (scheme == 5 && memcmp(address, "https", 5) == 0)
            fallback = 443;
        address += scheme + 3;
        length -= scheme + 3;
    }
    const char *path = memchr(address, '/', length);
    if (path)
        length = (size_t)(path - address);
    const char *port = port_of(address, length);
    size_t host_length = port ? (size_t)(port - 1 - address) : length;
    *ret_port = port ? port_or(port, (size_t)(address + length - port), fallback) : fallback;
    if (host_length >= 2 && address[0] == '[' && address[host_length - 1] == ']') {
        address++;
        host_length -= 2;
    }
    static const char local[] = "127.0.0.1";
    if (length == 0) {
        address = local;
        host_length = sizeof local - 1;
    }
    host[0] = '\0';
    bool everywhere = (host_length == 7 && memcmp(address, "0.0.0.0", 7) == 0) ||
                      (host_length == 2 && memcmp(address, "::", 2) == 0);
    if (everywhere || host_length >= size)
        return;
    memcpy(host, address, host_length);
    host[host_length] = '\0';
}

/* The newest of the runs that the engine keeps; their output is text of a program in the container.
 */
static void read_probe(const json_t *health, struct container *container)
{
    const json_t *log = json_object_get(health, "Log"),
                 *last = json_array_get(log, json_array_size(log) - 1),
                 *code = json_object_get(last, "ExitCode");
    const char *output = member_string(last, "Output");
    if (!json_is_integer(code) || llabs(json_integer_value(code)) > INT_MAX)
        return;
    container->health_probed = true;
    container->health_exit = (int)json_integer_value(code);
    size_t n = 0;
    for (; output && output[n] && n < sizeof container->health_output - 1; n++)
        container->health_output[n] =
            output[n] < ' ' || output[n] > '~' ? '?' : output[n]; /* one printable line */
}

static void read_state(const json_t *state, struct container *container)
{
    container->status = container_status_parse(member_string_or(state, "Status", ""));
    const json_t *health = json_object_get(state, "Health");
    if (json_is_object(health)) {
        container->health = container_health_parse(member_string_or(health, "Status", ""));
        read_probe(health, container);
    } else if (state) {
        container->health = HEALTH_NONE; /* the engine leaves it out where no check is configured */
    }
    member_text(state, "StartedAt", container->started_at, sizeof container->started_at);
    container->exit_code = member_fact(state, "ExitCode");
    container->oom_killed = member_truth(state, "OOMKilled");
    fact pid = member_fact(state, "Pid");
    container->pid = pid > 0 ? pid : FACT_UNKNOWN; /* 0: not running, or between two runs */
}

static void read_environment(const json_t *config, struct container *container)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(config, "Env"), i, entry)
    {
        const char *text = json_string_value(entry);
        const char *equals = text ? strchr(text, '=') : NULL;
        if (!equals || (strncmp(text, "OLLAMA_", 7) != 0 && strncmp(text, "LLAMA_ARG_", 10) != 0))
            continue;
        char *key = strndup(text, (size_t)(equals - text));
        bool room = key && docker_pair_add(&container->env, &container->n_env, key, equals + 1);
        free(key);
        if (!room)
            break;
    }
}

static void read_limits(const json_t *host, struct docker_details *details)
{
    details->memory = member_fact(host, "Memory");
    details->memory_reservation = member_fact(host, "MemoryReservation");
    const json_t *swap = json_object_get(host, "MemorySwap");
    details->memory_swap = json_is_integer(swap) && json_integer_value(swap) == -1
                               ? FACT_NONE
                               : member_fact(host, "MemorySwap");
    const json_t *policy = json_object_get(host, "RestartPolicy");
    member_text(policy, "Name", details->restart_policy, sizeof details->restart_policy);
    details->restart_max_retries = member_fact(policy, "MaximumRetryCount");
}

/* The network whose name sorts first, so that the answer does not change from look to look. */
static void read_address(const json_t *settings, char *address, size_t size)
{
    const char *name, *first = NULL;
    json_t *network;
    json_object_foreach(json_object_get(settings, "Networks"), name, network)
    {
        const char *ip = member_string(network, "IPAddress");
        if (!ip || !ip[0] || strlen(ip) >= size || (first && strcmp(name, first) > 0))
            continue;
        first = name;
        memcpy(address, ip, strlen(ip) + 1);
    }
    if (!first)
        member_text(settings, "IPAddress", address, size);
}

static bool read_gpu(const json_t *host)
{
    size_t i;
    json_t *device;
    if (json_array_size(json_object_get(host, "DeviceRequests")) > 0 ||
        strcmp(member_string_or(host, "Runtime", ""), "nvidia") == 0)
        return true;
    json_array_foreach(json_object_get(host, "Devices"), i, device)
    {
        if (strcmp(member_string_or(device, "PathOnHost", ""), "/dev/kfd") == 0)
            return true;
    }
    return false;
}

static void read_details(const json_t *answer, const struct container *container,
                         struct docker_details *details)
{
    const json_t *host = json_object_get(answer, "HostConfig");
    read_limits(host, details);
    details->gpu = read_gpu(host);
    const json_t *config = json_object_get(answer, "Config");
    const json_t *stop = json_object_get(config, "StopTimeout");
    details->stop_timeout_s = json_is_integer(stop) && json_integer_value(stop) < 0
                                  ? FACT_NONE /* the engine waits for ever */
                                  : member_fact(config, "StopTimeout");
    char bound[sizeof details->address];
    const char *listen = container_env(container, "OLLAMA_HOST");
    docker_parse_ollama_host(listen, bound, sizeof bound, &details->port);
    details->host_network = strcmp(member_string_or(host, "NetworkMode", ""), "host") == 0;
    if (details->host_network)
        memcpy(details->address, "127.0.0.1", sizeof "127.0.0.1"); /* never what it names */
    else
        read_address(json_object_get(answer, "NetworkSettings"), details->address,
                     sizeof details->address);
}

int docker_parse_inspect(const char *body, size_t length, struct container *ret_container,
                         struct docker_details *ret_details)
{
    CLEANUP_JSON json_t *answer = answer_parse_within(body, length, ANSWER_VALUES_FEW);
    const char *id = member_string(answer, "Id");
    if (!docker_is_id(id))
        return -EBADMSG;
    struct container container;
    container_init(&container);
    memcpy(container.id, id, CONTAINER_ID_SIZE);
    member_text(answer, "Name", container.name, sizeof container.name);
    if (container.name[0] == '/')
        memmove(container.name, container.name + 1, strlen(container.name));
    const json_t *config = json_object_get(answer, "Config");
    member_text(config, "Image", container.image, sizeof container.image);
    const json_t *labels = json_object_get(config, "Labels");
    docker_pairs_from(labels, "supervisor.", &container.labels, &container.n_labels);
    if (config)
        container.swarm_task = json_object_get(labels, "com.docker.swarm.task.id") ? 1 : 0;
    read_environment(config, &container);
    read_state(json_object_get(answer, "State"), &container);
    container.restart_count = member_fact(answer, "RestartCount");
    container.auto_remove = member_truth(json_object_get(answer, "HostConfig"), "AutoRemove");
    struct docker_details details = {0};
    read_details(answer, &container, &details);
    *ret_container = container;
    *ret_details = details;
    return 0;
}
