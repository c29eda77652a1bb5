#include "sense/docker_parse.h"
#include "base/text_clean.h"
#include "sense/docker_private.h"
#include <ctype.h>

enum {
    PAIR_MAX = 8192,         /* a longer label or variable is none of ours */
    PAIRS_BYTES_MAX = 16384, /* of one container's labels, or its environment: a real one has some
                                KiB */
    BEGINNING_MAX = 4096     /* of an entry: the engine writes id and names first */
};

bool docker_is_id(const char *id)
{
    return id && strlen(id) == CONTAINER_ID_SIZE - 1 &&
           strspn(id, "0123456789abcdef") == strlen(id);
}

bool docker_pair_add(struct pair **pairs, size_t *n, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value);
    if (bytes > PAIR_MAX)
        return true;
    for (size_t i = 0; i < *n && bytes <= PAIRS_BYTES_MAX; i++)
        bytes += strlen((*pairs)[i].key) + strlen((*pairs)[i].value);
    if (bytes > PAIRS_BYTES_MAX || pairs_add(pairs, n, key, value) < 0)
        return false;
    text_clean((*pairs)[*n - 1].key);
    text_clean((*pairs)[*n - 1].value);
    return true;
}

bool docker_pairs_from(const json_t *object, const char *first, struct pair **pairs, size_t *n,
                       bool *ret_cut)
{
    const char *key;
    json_t *value;
    bool all = true;
    *ret_cut = false;
    for (int pass = 0; pass < 2; pass++) {
        json_object_foreach((json_t *)object, key, value)
        {
            bool early = strncmp(key, first, strlen(first)) == 0;
            size_t before = *n;
            if (early != (pass == 0) || !json_is_string(value))
                continue;
            bool room = docker_pair_add(pairs, n, key, json_string_value(value));
            *ret_cut |= *n == before;
            all = all && (!early || *n > before);
            if (!room)
                break;
        }
    }
    return all;
}

void docker_entry_clear(struct docker_entry *entry)
{
    pairs_clear(&entry->labels, &entry->n_labels);
}

/* Legacy links add names like "/other/alias"; the container's own has one slash. */
static const char *own_name(const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)names, i, name)
    {
        const char *text = json_string_value(name);
        if (text && text[0] == '/' && !strchr(text + 1, '/') &&
            strlen(text + 1) < CONTAINER_NAME_SIZE)
            return text + 1;
    }
    return "";
}

/* What stands behind `before` up to the next quote, if it fits. */
static bool quoted(const char *text, size_t length, const char *before, char *word, size_t size)
{
    const char *at = memmem(text, length, before, strlen(before));
    if (!at)
        return false;
    at += strlen(before);
    const char *end = memchr(at, '"', (size_t)(text + length - at));
    if (!end || (size_t)(end - at) >= size)
        return false;
    memcpy(word, at, (size_t)(end - at));
    word[end - at] = '\0';
    text_clean(word);
    return true;
}

bool docker_parse_beginning(const char *text, size_t length, struct docker_entry *ret_entry)
{
    struct docker_entry entry = {.unread = true};
    if (length > BEGINNING_MAX)
        length = BEGINNING_MAX;
    if (!quoted(text, length, "\"Id\":\"", entry.id, sizeof entry.id) || !docker_is_id(entry.id))
        return false;
    quoted(text, length, "\"Names\":[\"/", entry.name, sizeof entry.name);
    *ret_entry = entry;
    return true;
}

int docker_parse_entry(const char *text, size_t length, struct docker_entry *ret_entry)
{
    CLEANUP_JSON json_t *item = answer_parse_within(text, length, ANSWER_VALUES_FEW);
    const char *id = member_string(item, "Id");
    if (!docker_is_id(id))
        return -EBADMSG;
    struct docker_entry entry = {0};
    memcpy(entry.id, id, CONTAINER_ID_SIZE);
    const char *name = own_name(json_object_get(item, "Names"));
    memcpy(entry.name, name, strlen(name) + 1);
    text_clean(entry.name);
    member_text(item, "Image", entry.image, sizeof entry.image);
    entry.status = container_status_parse(member_string_or(item, "State", ""));
    bool cut; /* inspect says so too */
    docker_pairs_from(json_object_get(item, "Labels"), "supervisor.", &entry.labels,
                      &entry.n_labels, &cut);
    *ret_entry = entry;
    return 0;
}

static fact number_in(const json_t *attributes, const char *key)
{
    const char *text = member_string(attributes, key);
    if (!text || !isdigit((unsigned char)text[0]))
        return FACT_UNKNOWN;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return *end || errno ? FACT_UNKNOWN : (fact)value;
}

#define HEALTH_ACTION "health_status"

bool docker_parse_event(const char *line, size_t length, struct docker_event *ret_event)
{
    CLEANUP_JSON json_t *event = answer_parse_within(line, length, ANSWER_VALUES_FEW);
    const char *type = member_string(event, "Type");
    const json_t *actor = json_object_get(event, "Actor");
    const char *id = member_string(actor, "ID");
    struct docker_event seen = {0};
    member_text(event, "Action", seen.action, sizeof seen.action);
    bool health = strncmp(seen.action, HEALTH_ACTION ":", sizeof HEALTH_ACTION) == 0;
    if (!type || strcmp(type, "container") != 0 || !docker_is_id(id) || !seen.action[0] ||
        (strchr(seen.action, ':') && !health) || strncmp(seen.action, "exec_", 5) == 0)
        return false;
    if (health) /* what it became, inspect tells, with the check's last words */
        snprintf(seen.action, sizeof seen.action, HEALTH_ACTION);
    memcpy(seen.id, id, CONTAINER_ID_SIZE);
    seen.time_ns = member_fact(event, "timeNano");
    if (seen.time_ns < 0)
        return false;
    const json_t *attributes = json_object_get(actor, "Attributes");
    seen.exit_code = number_in(attributes, "exitCode");
    seen.signal = number_in(attributes, "signal");
    *ret_event = seen;
    return true;
}

int64_t docker_parse_event_time(const char *line, size_t length)
{
    CLEANUP_JSON json_t *event = answer_parse_within(line, length, ANSWER_VALUES_FEW);
    int64_t time_ns = member_fact(event, "timeNano");
    return time_ns > 0 ? time_ns : 0;
}

int docker_parse_stats(const char *body, size_t length, struct cgroup_memory *ret_memory)
{
    CLEANUP_JSON json_t *answer = answer_parse(body, length);
    if (!json_is_object(answer))
        return -EBADMSG;
    const json_t *memory = json_object_get(answer, "memory_stats");
    const json_t *stats = json_object_get(memory, "stats");
    struct cgroup_memory seen;
    cgroup_memory_init(&seen);
    seen.version = json_object_get(stats, "total_rss") ? 1 : json_object_get(stats, "anon") ? 2 : 0;
    if (seen.version == 0) {
        *ret_memory = seen;
        return 0;
    }
    static const char *const keys[][4] = {
        {"total_rss", "total_shmem", "total_cache", "total_inactive_file"},
        {"anon", "shmem", "file", "inactive_file"}};
    const char *const *key = keys[seen.version - 1];
    seen.anon = member_fact(stats, key[0]);
    seen.shmem = member_fact(stats, key[1]);
    seen.file = fact_less(member_fact(stats, key[2]), seen.shmem);
    seen.inactive_file = member_fact(stats, key[3]);
    if (seen.version == 1)
        seen.peak = member_fact(memory, "max_usage");
    else
        seen.kernel = member_fact(stats, "kernel");
    seen.usage = member_fact(memory, "usage");
    const json_t *cpu = json_object_get(json_object_get(answer, "cpu_stats"), "cpu_usage");
    fact cpu_ns = member_fact(cpu, "total_usage");
    seen.cpu_us = cpu_ns < 0 ? FACT_UNKNOWN : cpu_ns / 1000;
    *ret_memory = seen;
    return 0;
}

/* One printable line: runs of white space and control characters become one blank. */
static void flatten(const char *from, size_t length, bool html, char *text, size_t size)
{
    size_t used = 0;
    bool in_tag = false, gap = false;
    for (size_t i = 0; i < length && used + 2 < size; i++) {
        unsigned char byte = (unsigned char)from[i];
        if (html && (byte == '<' || in_tag)) {
            in_tag = byte != '>';
            gap = true;
        } else if (byte <= ' ' || byte == 127) {
            gap = true;
        } else {
            if (gap && used > 0)
                text[used++] = ' ';
            gap = false;
            text[used++] = byte < 128 ? (char)byte : '?';
        }
    }
    text[used] = '\0';
}

void docker_parse_message(const char *body, size_t length, char *text, size_t size)
{
    CLEANUP_JSON json_t *answer = answer_parse(body, length);
    const char *message = member_string(answer, "message");
    if (message)
        flatten(message, strlen(message), false, text, size);
    else
        flatten(body, length, length > 0 && memchr(body, '<', length), text, size);
}

int docker_parse_version(const char *text)
{
    if (strncmp(text, "1.", 2) != 0 || !isdigit((unsigned char)text[2]))
        return -1;
    char *end;
    long minor = strtol(text + 2, &end, 10);
    return *end || minor > 9999 ? -1 : (int)minor;
}
