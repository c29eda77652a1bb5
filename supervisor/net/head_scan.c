#include "net/head_scan.h"

enum state {
    SCAN_START,    /* empty lines before a request, which some clients send after a body */
    SCAN_START_LF, /* the rest of one */
    SCAN_METHOD,
    SCAN_TARGET,
    SCAN_VERSION,
    SCAN_STATUS, /* version and status of an answer */
    SCAN_REASON,
    SCAN_REQUEST_LF,
    SCAN_FIELD, /* the first byte of a line */
    SCAN_NAME,
    SCAN_VALUE,
    SCAN_VALUE_LF,
    SCAN_END_LF,
    SCAN_DONE,
    SCAN_WRONG,
};

enum { EMPTY_LINES_MAX = 2 };

/* "HTTP/1.0" or "HTTP/1.1": its last byte is looked at by itself. */
static const char version[] = "HTTP/1.";
enum { VERSION_BYTES = sizeof version - 1 };

void head_scan_request(struct head_scan *scan)
{
    *scan = (struct head_scan){.state = SCAN_START};
}

void head_scan_answer(struct head_scan *scan)
{
    *scan = (struct head_scan){.state = SCAN_STATUS};
}

void head_scan_trailers(struct head_scan *scan)
{
    *scan = (struct head_scan){.state = SCAN_FIELD};
}

bool head_scan_begun(const struct head_scan *scan)
{
    return scan->state > SCAN_START_LF;
}

bool head_scan_done(const struct head_scan *scan)
{
    return scan->state == SCAN_DONE;
}

/* A byte of a token: RFC 9110 5.6.2. */
static bool is_token(unsigned char c)
{
    static const char other[256] = {
        ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
        ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,  ['~'] = 1,
    };
    unsigned char letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || other[c];
}

/* What a target may have: visible ASCII, but nothing that others read as its end. */
static bool is_target(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '#' && c != '\\';
}

static bool is_value(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static const char *refuse(struct head_scan *scan, const char *wrong)
{
    scan->state = SCAN_WRONG;
    return wrong;
}

static const char *request_line(struct head_scan *scan, unsigned char c)
{
    switch (scan->state) {
    case SCAN_START:
        if (c == '\r' && scan->empty_lines++ < EMPTY_LINES_MAX)
            scan->state = SCAN_START_LF;
        else if (is_token(c))
            scan->state = SCAN_METHOD;
        else
            return refuse(scan, "the request does not begin with a method");
        return NULL;
    case SCAN_START_LF:
        if (c != '\n')
            return refuse(scan, "a line ends by CR alone");
        scan->state = SCAN_START;
        return NULL;
    case SCAN_METHOD:
        if (c == ' ')
            scan->state = SCAN_TARGET;
        else if (!is_token(c))
            return refuse(scan, "the method has a byte that no method has");
        return NULL;
    case SCAN_TARGET:
        if (c == ' ')
            scan->state = SCAN_VERSION;
        else if (!is_target(c))
            return refuse(scan, "the target has a byte that must be percent-encoded");
        return NULL;
    default:
        break;
    }
    if (scan->at == VERSION_BYTES + 1) {
        if (c != '\r')
            return refuse(scan, "the request line goes on behind the version");
        scan->state = SCAN_REQUEST_LF;
        return NULL;
    }
    bool fits =
        scan->at < VERSION_BYTES ? c == (unsigned char)version[scan->at] : c == '0' || c == '1';
    scan->at++;
    return fits ? NULL : refuse(scan, "the version is neither HTTP/1.1 nor HTTP/1.0");
}

static const char *status_line(struct head_scan *scan, unsigned char c)
{
    enum { AT_MINOR = VERSION_BYTES, AT_BLANK, AT_STATUS, AT_END = AT_STATUS + 3 };
    static const char wrong[] = "the answer does not begin with HTTP/1.1 and a status";
    bool fits = true;
    if (scan->state == SCAN_REASON) {
        if (c == '\r')
            scan->state = SCAN_REQUEST_LF;
        return c == '\r' || is_value(c) ? NULL : refuse(scan, "the reason has a control byte");
    }
    switch (scan->at) {
    case AT_MINOR:
        fits = c == '0' || c == '1';
        break;
    case AT_BLANK:
        fits = c == ' ';
        break;
    case AT_END:
        scan->state = c == ' ' ? SCAN_REASON : SCAN_REQUEST_LF;
        return c == ' ' || c == '\r' ? NULL : refuse(scan, wrong);
    default:
        fits = scan->at < AT_MINOR ? c == (unsigned char)version[scan->at] : c >= '0' && c <= '9';
        break;
    }
    scan->at++;
    return fits ? NULL : refuse(scan, wrong);
}

static const char *field_line(struct head_scan *scan, unsigned char c)
{
    switch (scan->state) {
    case SCAN_FIELD:
        if (c == '\r')
            scan->state = SCAN_END_LF;
        else if (is_token(c))
            scan->state = SCAN_NAME;
        else
            return refuse(scan, c == ' ' || c == '\t' ? "a header is folded over lines"
                                                      : "a header has no name");
        return NULL;
    case SCAN_NAME:
        if (c == ':')
            scan->state = SCAN_VALUE;
        else if (!is_token(c))
            return refuse(scan, "a header's name has a byte that no name has");
        return NULL;
    case SCAN_VALUE:
        if (c == '\r')
            scan->state = SCAN_VALUE_LF;
        else if (!is_value(c))
            return refuse(scan, "a header's value has a control byte");
        return NULL;
    default: /* the LF of a line */
        if (c != '\n')
            return refuse(scan, "a line ends by CR alone");
        scan->state = scan->state == SCAN_END_LF ? SCAN_DONE : SCAN_FIELD;
        return NULL;
    }
}

size_t head_scan_feed(struct head_scan *scan, const char *data, size_t length,
                      const char **ret_wrong)
{
    size_t i = 0;
    *ret_wrong = NULL;
    if (scan->state == SCAN_WRONG)
        *ret_wrong = "the head was refused before";
    for (; i < length && scan->state != SCAN_DONE && !*ret_wrong; i++) {
        unsigned char c = (unsigned char)data[i];
        /* Most bytes of a head are of values. */
        if (scan->state == SCAN_VALUE && is_value(c))
            continue;
        *ret_wrong = scan->state < SCAN_STATUS       ? request_line(scan, c)
                     : scan->state < SCAN_REQUEST_LF ? status_line(scan, c)
                                                     : field_line(scan, c);
        if (*ret_wrong)
            break;
    }
    return i;
}
