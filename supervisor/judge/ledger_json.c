#include "judge/ledger_json.h"
#include "sense/json_put.h"

json_t *ledger_part_to_json(const struct ledger_part *p)
{
    json_t *part =
        json_pack("{s:s, s:b}", "part", ledger_kind_name(p->kind), "held", ledger_is_held(p->kind));
    if (p->negative)
        json_object_set_new(part, "bytes", json_integer(-p->bytes));
    else
        put_fact(part, "bytes", p->bytes);
    json_object_set_new(part, "from", json_string(ledger_source_name(p->source)));
    put_text(part, "model", p->model);
    put_fact(part, "pid", p->pid);
    put_fact(part, "bound", p->bound);
    put_fact(part, "seen", p->seen);
    put_text(part, "note", p->note);
    return part;
}
