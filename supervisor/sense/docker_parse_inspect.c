/* GET /containers/{id}/json. */
#include "base/clock.h"
#include "sense/docker_private.h"
#include <limits.h>

enum { OLLAMA_PORT = 11434 }; /* Ollama's default */

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
    bool digits = length > 0 && length <= 5 && strspn(text, "0123456789") >= length;
    long port = digits ? strtol(text, NULL, 10) : -1;
    return port >= 0 && port <= UINT16_MAX ? (uint16_t)port : fallback;
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

/* The engine forgets the error with the next start that succeeds. What never ended has the year 1.
 */
static void read_end(const json_t *state, const struct container *container,
                     struct docker_details *details)
{
    bool runs = container->status == STATUS_RUNNING || container->status == STATUS_PAUSED;
    const char *finished = member_string(state, "FinishedAt");
    details->start_failed = !runs && *member_string_or(state, "Error", "");
    if (clock_parse(finished, &details->finished_ms) < 0 || details->finished_ms <= 0)
        details->finished_ms = FACT_UNKNOWN;
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

/* "11434/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}] */
static void read_published(const json_t *ports, struct docker_details *details)
{
    const char *name;
    json_t *bindings, *binding;
    size_t i;
    json_object_foreach((json_t *)ports, name, bindings)
    {
        const char *slash = strchr(name, '/');
        uint16_t inside =
            slash && !strcmp(slash, "/tcp") ? port_or(name, (size_t)(slash - name), 0) : 0;
        json_array_foreach(bindings, i, binding)
        {
            const char *ip = member_string(binding, "HostIp"),
                       *port = member_string(binding, "HostPort");
            uint16_t outside = port ? port_or(port, strlen(port), 0) : 0;
            if (!inside || !outside || details->n_published == DOCKER_PUBLISHED_MAX ||
                (ip && strlen(ip) >= sizeof details->published->address))
                continue;
            bool any = !ip || !ip[0] || !strcmp(ip, "0.0.0.0"), any6 = ip && !strcmp(ip, "::");
            details->published[details->n_published].inside = inside;
            details->published[details->n_published].outside = outside;
            snprintf(details->published[details->n_published++].address,
                     sizeof details->published->address, "%s",
                     any    ? "127.0.0.1"
                     : any6 ? "::1"
                            : ip);
        }
    }
}

static bool read_gpu(const json_t *host)
{
    return json_array_size(json_object_get(host, "DeviceRequests")) > 0 ||
           strcmp(member_string_or(host, "Runtime", ""), "nvidia") == 0 ||
           member_find(json_object_get(host, "Devices"), "PathOnHost", "/dev/kfd");
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
    const char *mode = member_string_or(host, "NetworkMode", "");
    details->host_network = strcmp(mode, "host") == 0;
    if (details->host_network)
        memcpy(details->address, "127.0.0.1", sizeof "127.0.0.1"); /* never what it names */
    else
        read_address(json_object_get(answer, "NetworkSettings"), details->address,
                     sizeof details->address);
    details->joined = !strncmp(mode, "container:", 10) || !strncmp(mode, "ns:", 3);
    read_published(json_object_get(json_object_get(answer, "NetworkSettings"), "Ports"), details);
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
    struct docker_details details = {0};
    container.labels_cut = !docker_pairs_from(labels, "supervisor.", &container.labels,
                                              &container.n_labels, &details.labels_cut);
    if (config)
        container.swarm_task = json_object_get(labels, "com.docker.swarm.task.id") ? 1 : 0;
    read_environment(config, &container);
    read_state(json_object_get(answer, "State"), &container);
    read_end(json_object_get(answer, "State"), &container, &details);
    container.restart_count = member_fact(answer, "RestartCount");
    container.auto_remove = member_truth(json_object_get(answer, "HostConfig"), "AutoRemove");
    read_details(answer, &container, &details);
    *ret_container = container;
    *ret_details = details;
    return 0;
}
