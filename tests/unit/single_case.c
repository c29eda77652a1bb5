#include "single_case.h"

const char *single_surplus(const struct scene *s)
{
    static char text[8];
    size_t n = 0;
    for (const char *name = "abc"; *name; name++)
        for (size_t i = 0; i < s->judgement.n_verdicts; i++) {
            const struct verdict *v = &s->judgement.verdicts[i];
            if (v->kind == VERDICT_TOO_MANY_MODELS && v->state == VERDICT_RAISED &&
                v->model[0] == *name)
                text[n++] = *name;
        }
    text[n] = 0;
    return text;
}

void single_begin(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_list(s, "a", SINGLE_A);
    scene_add_runner(s, 200, SINGLE_A);
    scene_look(s);
    scene_pass(s, 1);
    scene_list(s, "b", SINGLE_B);
    scene_add_runner(s, 201, SINGLE_B);
    scene_look(s);
}
