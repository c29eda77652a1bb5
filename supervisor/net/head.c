#include "net/head.h"

#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    KEPT_BYTES = 2048, /* what curl, browsers and the SDKs send fits; more goes back at once */
    FIRST_PLACES = 16,
};

void net_head_init(struct net_head *head, size_t max_bytes)
{
    *head = (struct net_head){0};
    buffer_init(&head->text, max_bytes);
}

void net_head_release(struct net_head *head)
{
    buffer_clear(&head->text);
    free(head->places);
    head->places = NULL;
    head->n_fields = head->n_places = 0;
}

void net_head_reset(struct net_head *head)
{
    if (head->text.allocated > KEPT_BYTES || head->n_places > FIRST_PLACES)
        net_head_release(head);
    buffer_reset(&head->text);
    head->n_fields = 0;
    head->method =
        HTTP_GET; /* until it is known: what is refused before has an answer as GET has */
    head->minor = 1;
    head->status = 0;
}

int net_head_append(struct net_head *head, const char *bytes, size_t length)
{
    return buffer_append(&head->text, bytes, length);
}

int net_head_text_ends(struct net_head *head)
{
    return buffer_append(&head->text, "", 1);
}

int net_head_name_begins(struct net_head *head)
{
    if (head->n_fields == head->n_places) {
        unsigned n = head->n_places ? head->n_places * 2 : FIRST_PLACES;
        struct net_head_place *grown = realloc(head->places, n * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        head->places = grown;
        head->n_places = n;
    }
    head->places[head->n_fields++].name = (uint32_t)head->text.length;
    return 0;
}

void net_head_value_begins(struct net_head *head)
{
    head->places[head->n_fields - 1].value = (uint32_t)head->text.length;
}

enum net_method net_head_method_of(const struct net_head *head)
{
    switch (head->method) {
    case HTTP_GET:
        return NET_GET;
    case HTTP_HEAD:
        return NET_HEAD;
    case HTTP_POST:
        return NET_POST;
    case HTTP_PUT:
        return NET_PUT;
    case HTTP_DELETE:
        return NET_DELETE;
    case HTTP_PATCH:
        return NET_PATCH;
    case HTTP_OPTIONS:
        return NET_OPTIONS;
    default:
        return NET_OTHER;
    }
}

const char *net_head_method(const struct net_head *head)
{
    return llhttp_method_name((llhttp_method_t)head->method);
}

const char *net_head_target(const struct net_head *head)
{
    return buffer_text(&head->text);
}

size_t net_head_path_length(const struct net_head *head)
{
    return strcspn(net_head_target(head), "?");
}

const char *net_head_query(const struct net_head *head)
{
    const char *mark = strchr(net_head_target(head), '?');
    return mark ? mark + 1 : "";
}

struct net_field net_head_field(const struct net_head *head, unsigned i)
{
    const char *text = buffer_text(&head->text);
    return (struct net_field){text + head->places[i].name, text + head->places[i].value};
}

const char *net_head_next(const struct net_head *head, const char *name, unsigned *i)
{
    while (*i < head->n_fields) {
        struct net_field field = net_head_field(head, (*i)++);
        if (strcasecmp(field.name, name) == 0)
            return field.value;
    }
    return NULL;
}

const char *net_head_get(const struct net_head *head, const char *name)
{
    unsigned i = 0;
    return net_head_next(head, name, &i);
}

bool net_list_has(const char *list, const char *word)
{
    static const char between[] = ", \t";
    size_t length = strlen(word);
    for (const char *at = list + strspn(list, between); *at; at += strspn(at, between)) {
        size_t one = strcspn(at, between);
        if (one == length && strncasecmp(at, word, one) == 0)
            return true;
        at += one;
    }
    return false;
}
