#include "base/text_clean.h"
#include "net/answer_head.h"
#include "net/exchange.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 16 };

int net_answer_problem(struct net_exchange *exchange, int status, const struct net_field *fields,
                       size_t n_fields, const char *detail)
{
    char clean[512];
    struct net_field all[FIELDS_MAX + 1] = {{"Content-Type", "application/problem+json"}};
    if (n_fields > FIELDS_MAX)
        return -EINVAL;
    if (n_fields > 0)
        memcpy(all + 1, fields, n_fields * sizeof *fields);
    text_copy(clean, sizeof clean, detail);
    text_clean(clean); /* it may quote what somebody sent */
    json_t *problem = json_pack("{s:s, s:i, s:s}", "title", net_status_phrase(status), "status",
                                status, "detail", clean);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    /* Without memory the status says enough. */
    int result = net_answer(exchange, status, all, n_fields + 1, text ? text : "{}",
                            text ? strlen(text) : 2);
    free(text);
    return result;
}
