/* The head of a request: method, target and header fields, as they came; or of an answer. All texts
 * are strings of harmless bytes: no NUL, CR or LF is in them; bytes from 0x80 on may be in values.
 */
#ifndef SUPERVISOR_NET_HEAD_H
#define SUPERVISOR_NET_HEAD_H

#include "base/buffer.h"
#include <stdbool.h>
#include <stdint.h>

enum net_method {
    NET_GET,
    NET_HEAD,
    NET_POST,
    NET_PUT,
    NET_DELETE,
    NET_PATCH,
    NET_OPTIONS,
    NET_OTHER /* net_head_method has its name */
};

struct net_field {
    const char *name, *value;
};

struct net_head_place { /* of a field in `text` */
    uint32_t name, value;
};

struct net_head {
    struct buffer text; /* each with its NUL: the target, then name and value of each field */
    struct net_head_place *places;
    unsigned n_fields, n_places;
    uint8_t method;  /* as llhttp numbers it */
    uint8_t minor;   /* 1, or 0 for HTTP/1.0 */
    uint16_t status; /* of an answer, whose reason is in place of a target; 0 for a request */
};

/* Empty, for a head of at most max_bytes; allocates nothing. */
void net_head_init(struct net_head *head, size_t max_bytes);
/* Forgets what is there; keeps the memory of a small one for the next. */
void net_head_reset(struct net_head *head);
/* Gives all memory back: a request that only waits needs no head any more. */
void net_head_release(struct net_head *head);

/* While reading: bytes of the target, or of the last field's name or value; a new field. 0,
 * -ENOMEM, -EMSGSIZE. */
int net_head_append(struct net_head *head, const char *bytes, size_t length);
int net_head_name_begins(struct net_head *head);
void net_head_value_begins(struct net_head *head);
/* Ends the text that was appended last. */
int net_head_text_ends(struct net_head *head);

enum net_method net_head_method_of(const struct net_head *head);
const char *net_head_method(const struct net_head *head); /* "GET"; static */
/* "/api/tags?x=1": begins with '/', or is "*". Valid, as all that follows, until the head changes.
 */
const char *net_head_target(const struct net_head *head);
/* How many bytes of the target are its path, as it came (not decoded). */
size_t net_head_path_length(const struct net_head *head);
/* Behind the '?', "" for none. */
const char *net_head_query(const struct net_head *head);

/* Field i < n_fields, in the order in which they came. */
struct net_field net_head_field(const struct net_head *head, unsigned i);
/* The first field of that name (any case) from *i on, with *i behind it; NULL: none. */
const char *net_head_next(const struct net_head *head, const char *name, unsigned *i);
/* The value of the first field of that name; NULL: none. */
const char *net_head_get(const struct net_head *head, const char *name);

/* Whether a comma-separated list has that word, in any case. */
bool net_list_has(const char *list, const char *word);

#endif
