/* Whatever a client may send, or a server answer. It is read whole and in pieces: both readings
 * must be one. The first byte says which of them, and how long the pieces are. */
#include "net/address.h"
#include "net/parser.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

struct reading {
    struct buffer text; /* what was seen, in order */
    int status;
};

static void put(struct reading *reading, const char *bytes, size_t length)
{
    check(buffer_append(&reading->text, bytes, length) == 0);
}

static void on_body(void *userdata, const char *bytes, size_t length)
{
    check(length > 0);
    put(userdata, bytes, length);
}

static void see_head(struct reading *reading, const struct net_parser *parser)
{
    const struct net_head *head = &parser->head;
    const char *target = net_head_target(head);
    unsigned hosts = 0, lengths = 0;
    check(*target == '/' || strcmp(target, "*") == 0);
    check(strlen(net_head_method(head)) > 0 && net_head_path_length(head) <= strlen(target));
    put(reading, target, strlen(target) + 1);
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct net_field field = net_head_field(head, i);
        check(*field.name && !strpbrk(field.name, " \t\r\n:") && !strpbrk(field.value, "\r\n"));
        hosts += strcasecmp(field.name, "host") == 0;
        lengths += strcasecmp(field.name, "content-length") == 0 ||
                   strcasecmp(field.name, "transfer-encoding") == 0;
        put(reading, field.name, strlen(field.name) + 1);
        put(reading, field.value, strlen(field.value) + 1);
    }
    check(hosts == 1 || (hosts == 0 && head->minor == 0));
    check(lengths <= 1 && head->n_fields <= parser->limits->headers);
}

static void see_answer(struct reading *reading, const struct net_parser *parser)
{
    const struct net_head *head = &parser->head;
    const char *reason = net_head_target(head);
    check(head->status <= 999 && !strpbrk(reason, "\r\n"));
    put(reading, reason, strlen(reason) + 1);
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct net_field field = net_head_field(head, i);
        check(*field.name && !strpbrk(field.name, " \t\r\n:") && !strpbrk(field.value, "\r\n"));
        put(reading, field.value, strlen(field.value) + 1);
    }
}

static struct reading read_by(const char *data, size_t size, size_t step, bool answers)
{
    struct net_limits limits = net_limits;
    struct net_parser parser;
    struct reading reading = {.status = 0};
    limits.head_bytes = 2048;
    limits.headers = 8;
    limits.body_bytes = 512;
    buffer_init(&reading.text, 1 << 20);
    net_parser_init(&parser, &limits, on_body, &reading);
    if (answers)
        net_parser_next_answer(&parser, false);
    for (size_t at = 0; at < size && reading.status == 0;) {
        size_t left = size - at < step ? size - at : step, used;
        char *piece = malloc(left), *now = piece;
        memcpy(piece, data + at, left);
        at += left;
        for (bool more = true; more;) {
            enum net_parsed parsed = net_parser_feed(&parser, now, left, &used);
            check(used <= left);
            now += used;
            left -= used;
            if (parsed == NET_PARSED_HEAD) {
                (answers ? see_answer : see_head)(&reading, &parser);
                continue;
            }
            if (parsed == NET_PARSED_DONE) {
                put(&reading, "\n", 1);
                if (answers)
                    net_parser_next_answer(&parser, false);
                else
                    net_parser_next(&parser);
            }
            if (parsed == NET_PARSED_REFUSED)
                reading.status = parser.status;
            more = parsed == NET_PARSED_DONE && left > 0;
        }
        free(piece);
    }
    check(reading.status == 0 ||
          (answers ? reading.status == 502 : reading.status >= 400 && reading.status < 500));
    net_parser_clear(&parser);
    return reading;
}

static void addresses(const char *text)
{
    struct net_address address;
    struct error err;
    while (net_address_next(&text, &address, &err) > 0)
        check(strlen(address.text) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    size_t length = size - 1;
    if (data[0] == 255) {
        char *copy = strndup(text, length);
        addresses(copy);
        free(copy);
        return 0;
    }
    bool answers = data[0] & 1;
    struct reading whole = read_by(text, length, length ? length : 1, answers);
    struct reading pieces = read_by(text, length, 1 + data[0] / 2, answers);
    /* Which of two reasons is told depends on where the reads end. */
    check((whole.status == 0) == (pieces.status == 0));
    /* A body that is refused half-way was handed on as far as it was read. */
    check(whole.status != 0 ||
          (whole.text.length == pieces.text.length &&
           memcmp(buffer_text(&whole.text), buffer_text(&pieces.text), whole.text.length) == 0));
    buffer_clear(&whole.text);
    buffer_clear(&pieces.text);
    return 0;
}
