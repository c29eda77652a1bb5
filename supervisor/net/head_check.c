#include "net/head_check.h"

#include <ctype.h>
#include <llhttp.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 18 }; /* more is no size of anything, and could overflow */

static int target(const struct net_head *head, const char **ret_wrong)
{
    const char *text = net_head_target(head);
    if (strcmp(text, "*") == 0 && head->method == HTTP_OPTIONS)
        return 0;
    *ret_wrong = "the target is not a path of this server";
    if (*text != '/')
        return 400;
    *ret_wrong = "the target has a percent sign without two hexadecimal digits, or a NUL";
    for (const char *at = strchr(text, '%'); at; at = strchr(at + 1, '%')) {
        if (!isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]) ||
            (at[1] == '0' && at[2] == '0'))
            return 400;
    }
    return 0;
}

/* A host name, an IPv4 address or one of IPv6 in brackets, with or without a port: no byte that
 * ends or begins something else in a URL, a header or a log. */
static bool is_host(const char *value)
{
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "-._~!$&'()+;=%:[]");
    return n > 0 && value[n] == '\0';
}

static bool read_length(const char *value, uint64_t *ret_length)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > LENGTH_DIGITS_MAX || value[digits] != '\0')
        return false;
    *ret_length = 0;
    for (; *value; value++)
        *ret_length = *ret_length * 10 + (uint64_t)(*value - '0');
    return true;
}

static int framing(const struct net_head *head, struct net_framing *to, const char **ret_wrong)
{
    unsigned lengths = 0, codings = 0;
    for (unsigned i = 0; i < head->n_fields; i++) {
        struct net_field field = net_head_field(head, i);
        if (strcasecmp(field.name, "content-length") == 0) {
            lengths++;
            *ret_wrong = "Content-Length is not one number";
            if (!read_length(field.value, &to->length))
                return 400;
        } else if (strcasecmp(field.name, "transfer-encoding") == 0) {
            codings++;
            *ret_wrong = "Transfer-Encoding is something else than chunked";
            if (strcasecmp(field.value, "chunked") != 0)
                return 400;
        }
    }
    *ret_wrong = "there is more than one of Content-Length and Transfer-Encoding";
    if (lengths + codings > 1)
        return 400;
    *ret_wrong = "HTTP/1.0 has no Transfer-Encoding";
    if (codings > 0 && head->minor == 0)
        return 400;
    to->chunked = codings > 0;
    return 0;
}

static int host(const struct net_head *head, const char **ret_wrong)
{
    unsigned i = 0;
    const char *value = net_head_next(head, "host", &i);
    *ret_wrong = "Host is missing";
    if (!value)
        return head->minor == 0 ? 0 : 400;
    *ret_wrong = "Host is not one host";
    return is_host(value) && !net_head_next(head, "host", &i) ? 0 : 400;
}

static void connection(const struct net_head *head, struct net_framing *to)
{
    const char *value;
    to->keep_alive = head->minor > 0;
    for (unsigned i = 0; (value = net_head_next(head, "connection", &i));) {
        if (head->minor == 0 && net_list_has(value, "keep-alive"))
            to->keep_alive = true;
    }
    for (unsigned i = 0; (value = net_head_next(head, "connection", &i));) {
        if (net_list_has(value, "close"))
            to->keep_alive = false;
    }
}

static int expectation(const struct net_head *head, struct net_framing *to, const char **ret_wrong)
{
    const char *value = net_head_get(head, "expect");
    if (!value || head->minor == 0) /* RFC 9110 10.1.1: from HTTP/1.0 it is ignored */
        return 0;
    *ret_wrong = "Expect is something else than 100-continue";
    if (strcasecmp(value, "100-continue") != 0)
        return 417;
    to->expects = to->chunked || to->length > 0;
    return 0;
}

int net_head_check(const struct net_head *head, struct net_framing *ret_framing,
                   const char **ret_wrong)
{
    struct net_framing found = {0};
    *ret_wrong = "this server is no proxy";
    if (head->method == HTTP_CONNECT)
        return 405;
    int status = target(head, ret_wrong);
    if (status == 0)
        status = framing(head, &found, ret_wrong);
    if (status == 0)
        status = host(head, ret_wrong);
    if (status == 0)
        status = expectation(head, &found, ret_wrong);
    if (status != 0)
        return status;
    connection(head, &found);
    *ret_framing = found;
    *ret_wrong = NULL;
    return 0;
}

int net_head_check_answer(const struct net_head *head, bool bodyless,
                          struct net_framing *ret_framing, const char **ret_wrong)
{
    struct net_framing found = {0};
    bool none = bodyless || head->status < 200 || head->status == 204 || head->status == 304;
    if (framing(head, &found, ret_wrong) != 0)
        return 502;
    connection(head, &found);
    if (none) {
        found.chunked = false;
        found.length = 0;
    } else if (!found.chunked && !net_head_get(head, "content-length")) {
        found.until_end = true;
        found.keep_alive = false;
    }
    *ret_framing = found;
    *ret_wrong = NULL;
    return 0;
}
