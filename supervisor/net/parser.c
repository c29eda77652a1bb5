#include "net/parser.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum phase { IN_HEAD, IN_LENGTH, UNTIL_END, IN_CHUNKS, IN_TRAILERS, WHOLE, REFUSED };

enum {
    BETWEEN_MAX = 4 * 1024,  /* a chunk's line is a dozen bytes; extensions are read and dropped */
    TRAILERS_MAX = 8 * 1024, /* read and dropped too */
};

static enum net_parsed refuse(struct net_parser *parser, int status, const char *wrong)
{
    parser->phase = REFUSED;
    /* The first reason is the true one. */
    if (parser->status == 0) {
        parser->status = parser->llhttp.type == HTTP_RESPONSE ? 502 : status;
        parser->wrong = wrong;
    }
    return NET_PARSED_REFUSED;
}

/* ---- what llhttp tells */

/* Ends llhttp's reading; 0 goes on. */
static int kept(struct net_parser *parser, int result)
{
    if (result == 0)
        return 0;
    if (result == -EMSGSIZE)
        refuse(parser, 431, "the head is too long");
    else
        refuse(parser, 500, "no memory is left");
    return -1;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t length)
{
    struct net_parser *parser = llhttp->data;
    return kept(parser, net_head_append(&parser->head, at, length));
}

static int on_url_complete(llhttp_t *llhttp)
{
    struct net_parser *parser = llhttp->data;
    return kept(parser, net_head_text_ends(&parser->head));
}

/* The beginning of a trailer's name, which can come in pieces. */
static int trailer_name(struct net_parser *parser, const char *at, size_t length)
{
    size_t room = sizeof parser->trailer - 1 - parser->trailer_bytes;
    size_t taken = length < room ? length : room;
    memcpy(parser->trailer + parser->trailer_bytes, at, taken);
    parser->trailer_bytes = (uint8_t)(parser->trailer_bytes + taken);
    return 0;
}

/* Trailers are dropped; but none may say what only a head can. */
static int trailer_complete(struct net_parser *parser)
{
    static const char *const forbidden[] = {"content-length", "transfer-encoding", "host"};
    parser->trailer[parser->trailer_bytes] = '\0';
    parser->trailer_bytes = 0;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        if (strcasecmp(parser->trailer, forbidden[i]) == 0) {
            refuse(parser, 400, "a trailer says what only a head may say");
            return -1;
        }
    }
    return 0;
}

static int on_name(llhttp_t *llhttp, const char *at, size_t length)
{
    struct net_parser *parser = llhttp->data;
    struct net_head *head = &parser->head;
    if (parser->phase != IN_HEAD)
        return trailer_name(parser, at, length);
    /* A name comes in pieces where a read ends inside it: its value is not begun then. */
    bool goes_on = head->n_fields > 0 && head->places[head->n_fields - 1].value == 0;
    if (!goes_on) {
        if (head->n_fields == parser->limits->headers) {
            refuse(parser, 431, "the head has too many fields");
            return -1;
        }
        /* An answer may have no reason. */
        int result = head->text.length == 0 ? net_head_text_ends(head) : 0;
        if (result == 0)
            result = net_head_name_begins(head);
        if (result < 0)
            return kept(parser, result);
        head->places[head->n_fields - 1].value = 0;
    }
    return kept(parser, net_head_append(head, at, length));
}

static int on_name_complete(llhttp_t *llhttp)
{
    struct net_parser *parser = llhttp->data;
    if (parser->phase != IN_HEAD)
        return trailer_complete(parser);
    int result = net_head_text_ends(&parser->head);
    net_head_value_begins(&parser->head);
    return kept(parser, result);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t length)
{
    struct net_parser *parser = llhttp->data;
    if (parser->phase != IN_HEAD)
        return 0;
    return kept(parser, net_head_append(&parser->head, at, length));
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct net_parser *parser = llhttp->data;
    struct net_head *head = &parser->head;
    if (parser->phase != IN_HEAD)
        return 0;
    uint32_t begin = head->places[head->n_fields - 1].value;
    size_t length = head->text.length;
    while (length > begin && strchr(" \t", head->text.data[length - 1]))
        length--;
    head->text.length = length;
    return kept(parser, net_head_text_ends(head));
}

static int on_headers_complete(llhttp_t *llhttp)
{
    struct net_parser *parser = llhttp->data;
    if (parser->phase != IN_HEAD)
        return 0;
    parser->head.method = llhttp->method;
    parser->head.minor = llhttp->http_minor;
    if (llhttp->type == HTTP_RESPONSE)
        parser->head.status = llhttp->status_code;
    llhttp->upgrade = 0; /* nothing is spoken here but HTTP/1: the wish is not followed */
    return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *llhttp)
{
    struct net_parser *parser = llhttp->data;
    if (llhttp->content_length > 0)
        return 0;
    parser->phase = IN_TRAILERS;
    return HPE_PAUSED;
}

static int on_chunk_data(llhttp_t *llhttp, const char *at, size_t length)
{
    struct net_parser *parser = llhttp->data;
    if (length > parser->body_max - parser->body_bytes) {
        refuse(parser, 413, "the body is too long");
        return -1;
    }
    parser->body_bytes += length;
    if (length > 0)
        parser->on_body(parser->userdata, at, length);
    return 0;
}

static int on_message_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t told = {
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_status = on_url,
    .on_status_complete = on_url_complete,
    .on_header_field = on_name,
    .on_header_field_complete = on_name_complete,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_chunk_data,
    .on_message_complete = on_message_complete,
};

/* ---- reading */

void net_parser_init(struct net_parser *parser, const struct net_limits *limits,
                     void (*on_body)(void *userdata, const char *data, size_t length),
                     void *userdata)
{
    *parser = (struct net_parser){.limits = limits, .on_body = on_body, .userdata = userdata};
    net_head_init(&parser->head, limits->head_bytes * 2); /* with a NUL behind each text */
    net_parser_next(parser);
}

void net_parser_clear(struct net_parser *parser)
{
    net_head_release(&parser->head);
}

static void begin(struct net_parser *parser, llhttp_type_t type)
{
    net_head_reset(&parser->head);
    llhttp_init(&parser->llhttp, type, &told);
    parser->llhttp.data = parser;
    parser->framing = (struct net_framing){0};
    parser->phase = IN_HEAD;
    parser->head_bytes = parser->between = 0;
    parser->body_bytes = 0;
    parser->trailer_bytes = 0;
    parser->status = 0;
    parser->wrong = NULL;
}

void net_parser_next(struct net_parser *parser)
{
    begin(parser, HTTP_REQUEST);
    head_scan_request(&parser->scan);
    parser->body_max = parser->limits->body_bytes;
}

void net_parser_next_answer(struct net_parser *parser, bool bodyless)
{
    begin(parser, HTTP_RESPONSE);
    head_scan_answer(&parser->scan);
    parser->body_max = UINT64_MAX;
    parser->bodyless = bodyless;
}

/* Gives llhttp what the grammar has passed. Both must find the end at the same byte. */
static bool agree(struct net_parser *parser, const char *data, size_t length)
{
    enum llhttp_errno found = llhttp_execute(&parser->llhttp, data, length);
    if (!head_scan_done(&parser->scan))
        return found == HPE_OK;
    return found == HPE_PAUSED && llhttp_get_error_pos(&parser->llhttp) == data + length;
}

/* The head, or the trailers: both end by an empty line. True when they are whole; else refused, or
 * more is needed. */
static bool fields(struct net_parser *parser, const char *data, size_t length, size_t max,
                   size_t *ret_used)
{
    const char *wrong;
    *ret_used = head_scan_feed(&parser->scan, data, length, &wrong);
    parser->head_bytes += *ret_used;
    if (parser->head_bytes > max) {
        refuse(parser, 431, "the head is too long");
    } else if (wrong) {
        refuse(parser, 400, wrong);
    } else if (!agree(parser, data, *ret_used)) {
        bool method = llhttp_get_errno(&parser->llhttp) == HPE_INVALID_METHOD;
        refuse(parser, method ? 405 : 400,
               method ? "the method is not known here" : "the head is no head of HTTP/1.1");
    }
    return parser->phase != REFUSED && head_scan_done(&parser->scan);
}

static enum net_parsed head(struct net_parser *parser, const char *data, size_t length,
                            size_t *ret_used)
{
    if (!fields(parser, data, length, parser->limits->head_bytes, ret_used))
        return parser->phase == REFUSED ? NET_PARSED_REFUSED : NET_PARSED_MORE;
    const char *wrong;
    bool answer = parser->llhttp.type == HTTP_RESPONSE;
    int status =
        answer ? net_head_check_answer(&parser->head, parser->bodyless, &parser->framing, &wrong)
               : net_head_check(&parser->head, &parser->framing, &wrong);
    if (status != 0)
        return refuse(parser, status, wrong);
    bool chunked = (parser->llhttp.flags & F_CHUNKED) != 0;
    if (answer ? parser->framing.chunked && !chunked : parser->framing.chunked != chunked)
        return refuse(parser, 400, "Transfer-Encoding can be read in two ways");
    if (parser->framing.chunked) {
        parser->phase = IN_CHUNKS;
        llhttp_resume(&parser->llhttp);
    } else {
        parser->phase = parser->framing.until_end ? UNTIL_END : IN_LENGTH;
    }
    return NET_PARSED_HEAD;
}

static enum net_parsed counted(struct net_parser *parser, const char *data, size_t length,
                               size_t *ret_used)
{
    uint64_t left = parser->framing.length - parser->body_bytes;
    if (parser->framing.length > parser->body_max)
        return refuse(parser, 413, "the body is too long");
    *ret_used = length < left ? length : (size_t)left;
    parser->body_bytes += *ret_used;
    if (*ret_used > 0)
        parser->on_body(parser->userdata, data, *ret_used);
    if (*ret_used < left)
        return NET_PARSED_MORE;
    parser->phase = WHOLE;
    return NET_PARSED_DONE;
}

static enum net_parsed until_end(struct net_parser *parser, const char *data, size_t length,
                                 size_t *ret_used)
{
    *ret_used = length;
    parser->body_bytes += length;
    if (length > 0)
        parser->on_body(parser->userdata, data, length);
    return NET_PARSED_MORE;
}

static enum net_parsed trailers(struct net_parser *parser, const char *data, size_t length,
                                size_t *ret_used)
{
    if (!fields(parser, data, length, TRAILERS_MAX, ret_used))
        return parser->phase == REFUSED ? NET_PARSED_REFUSED : NET_PARSED_MORE;
    parser->phase = WHOLE;
    return NET_PARSED_DONE;
}

static enum net_parsed chunks(struct net_parser *parser, const char *data, size_t length,
                              size_t *ret_used)
{
    uint64_t before = parser->body_bytes;
    enum llhttp_errno found = llhttp_execute(&parser->llhttp, data, length);
    bool last = parser->phase == IN_TRAILERS && found == HPE_PAUSED;
    if (parser->phase == REFUSED)
        return NET_PARSED_REFUSED;
    if (found != HPE_OK && !last)
        return refuse(parser, 400, "a chunk of the body is no chunk");
    *ret_used = last ? (size_t)(llhttp_get_error_pos(&parser->llhttp) - data) : length;
    parser->between = parser->body_bytes == before ? parser->between + *ret_used : 0;
    if (parser->between > BETWEEN_MAX)
        return refuse(parser, 400, "a chunk's extensions are too long");
    if (!last)
        return NET_PARSED_MORE;
    llhttp_resume(&parser->llhttp);
    head_scan_trailers(&parser->scan);
    parser->head_bytes = 0;
    size_t used = 0;
    enum net_parsed parsed = trailers(parser, data + *ret_used, length - *ret_used, &used);
    *ret_used += used;
    return parsed;
}

enum net_parsed net_parser_feed(struct net_parser *parser, const char *data, size_t length,
                                size_t *ret_used)
{
    *ret_used = 0;
    switch (parser->phase) {
    case IN_HEAD:
        return head(parser, data, length, ret_used);
    case IN_LENGTH:
        return counted(parser, data, length, ret_used);
    case UNTIL_END:
        return until_end(parser, data, length, ret_used);
    case IN_CHUNKS:
        return chunks(parser, data, length, ret_used);
    case IN_TRAILERS:
        return trailers(parser, data, length, ret_used);
    case WHOLE:
        return NET_PARSED_DONE;
    default:
        return NET_PARSED_REFUSED;
    }
}

bool net_parser_inside_head(const struct net_parser *parser)
{
    return parser->phase == IN_HEAD && head_scan_begun(&parser->scan);
}

uint64_t net_parser_left(const struct net_parser *parser)
{
    if (parser->phase == WHOLE)
        return 0;
    if (parser->phase == IN_LENGTH)
        return parser->framing.length - parser->body_bytes;
    return UINT64_MAX;
}

bool net_parser_is_whole(const struct net_parser *parser)
{
    return parser->phase == UNTIL_END || parser->phase == WHOLE;
}
