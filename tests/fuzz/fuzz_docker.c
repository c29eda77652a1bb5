/* Whatever an engine, or something in its place, may answer. The first byte chooses the reader. */
#include "base/text_clean.h"
#include "deploy/probe_private.h"
#include "sense/docker_parse.h"
#include "sense/json_stream.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST_LINE = 512 };

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool entry(void *userdata, const char *text, size_t length)
{
    struct docker_entry one;
    (void)userdata;
    if (docker_parse_entry(text, length, &one) < 0)
        return true;
    check(strlen(one.id) == 64 && one.n_labels <= WORLD_PAIRS_MAX);
    docker_entry_clear(&one);
    return true;
}

static void left_out(void *userdata, const char *text, size_t length)
{
    struct docker_entry one;
    (void)userdata;
    check(length <= LONGEST_LINE);
    if (docker_parse_beginning(text, length, &one))
        check(one.unread && strlen(one.id) == 64 && text_harmless(one.name));
}

/* The cap is a small one, so that there are entries beyond it. */
static void list(const char *text, size_t length)
{
    struct json_stream stream;
    json_stream_init(&stream, LONGEST_LINE, 1);
    stream.left_out = left_out;
    check(json_stream_feed(&stream, text, length, entry, NULL) == 0);
    json_stream_is_whole(&stream);
    json_stream_clear(&stream);
}

static void inspect(const char *text, size_t length)
{
    struct container container;
    struct docker_details details;
    if (docker_parse_inspect(text, length, &container, &details) < 0)
        return;
    check(strlen(container.id) == 64 && container.n_env <= WORLD_PAIRS_MAX);
    check(container.pid == FACT_UNKNOWN || container.pid > 0);
    check(text_harmless(container.name) && text_harmless(container.image));
    for (size_t i = 0; i < container.n_labels; i++)
        check(text_harmless(container.labels[i].key) && text_harmless(container.labels[i].value));
    container_clear(&container);
}

static bool event(void *userdata, const char *text, size_t length)
{
    struct docker_event one;
    (void)userdata;
    check(length <= LONGEST_LINE);
    if (docker_parse_event(text, length, &one))
        check(strlen(one.id) == 64 && one.action[0] && one.time_ns >= 0);
    return true;
}

/* The stream in pieces whose size is its first byte. */
static void events(const char *text, size_t length)
{
    size_t piece = length > 0 && text[0] > 0 ? (size_t)text[0] : 1;
    struct json_stream stream;
    json_stream_init(&stream, LONGEST_LINE, 0);
    for (size_t at = 0; at < length; at += piece)
        check(json_stream_feed(&stream, text + at, length - at < piece ? length - at : piece, event,
                               NULL) == 0);
    json_stream_clear(&stream);
}

static void words(const char *text, size_t length)
{
    char message[100], host[32];
    uint16_t port;
    docker_parse_message(text, length, message, sizeof message);
    check(strlen(message) < sizeof message && !strpbrk(message, "\r\n\t\x1b"));
    docker_parse_version(text);
    docker_parse_ollama_host(text, host, sizeof host, &port);
    check(strlen(host) < sizeof host);
}

static bool object(void *userdata, const char *text, size_t length)
{
    struct buffer *all = userdata;
    check(length >= 2 && length <= LONGEST_LINE && strchr("{[", text[0]));
    check(buffer_append(all, text, length) == 0 && buffer_append(all, "\n", 1) == 0);
    return true;
}

/* The same objects, however the stream is cut. */
static void objects(const char *text, size_t length)
{
    size_t piece = length > 0 && text[0] > 0 ? (size_t)text[0] : 1;
    struct json_stream whole, cut;
    struct buffer from_whole, from_cut;
    buffer_init(&from_whole, 2 * length + 2);
    buffer_init(&from_cut, 2 * length + 2);
    json_stream_init(&whole, LONGEST_LINE, 0);
    json_stream_init(&cut, LONGEST_LINE, 0);
    check(json_stream_feed(&whole, text, length, object, &from_whole) == 0);
    for (size_t at = 0; at < length; at += piece)
        check(json_stream_feed(&cut, text + at, length - at < piece ? length - at : piece, object,
                               &from_cut) == 0);
    check(from_whole.length == from_cut.length &&
          memcmp(buffer_text(&from_whole), buffer_text(&from_cut), from_cut.length) == 0);
    check(whole.skipped == cut.skipped && whole.depth == cut.depth);
    json_stream_clear(&whole);
    json_stream_clear(&cut);
    buffer_clear(&from_whole);
    buffer_clear(&from_cut);
}

static void probe(const char *text)
{
    struct probe_answer answer;
    check(probe_answer_read(text, &answer) == answer.spoke);
    check(answer.touched >= 0 || answer.touched == FACT_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cgroup_memory memory;
    if (size == 0)
        return 0;
    size_t length = size - 1;
    char *text = malloc(length + 1);
    memcpy(text, data + 1, length);
    text[length] = '\0';
    switch (data[0] >= 254 ? data[0] : data[0] % 6) {
    case 255:
        objects(text, length);
        break;
    case 254:
        probe(text);
        break;
    case 0:
        list(text, length);
        break;
    case 1:
        inspect(text, length);
        break;
    case 2:
        events(text, length);
        break;
    case 3:
        docker_parse_stats(text, length, &memory);
        break;
    case 4:
        break;
    default:
        words(text, length);
    }
    free(text);
    return 0;
}
