#include "growth_scene.h"
#include <stdio.h>
#include <stdlib.h>

static const double hour_s = 3600;

void growth_begin(struct scene *s, const char *settings, const char *version, const char *cache_ram)
{
    scene_begin(s, settings);
    struct container *c = scene_container(s);
    snprintf(c->ollama.version, sizeof c->ollama.version, "%s", version);
    if (cache_ram) {
        if (pairs_add(&c->env, &c->n_env, "LLAMA_ARG_CACHE_RAM", cache_ram) < 0)
            abort();
    }
    scene_list(s, "a", GROWTH_BLOB);
    scene_add_runner(s, 200, GROWTH_BLOB);
    scene_look(s);
    scene_step(s, 5);
}

void growth_step(struct scene *s, struct process *p, fact bytes)
{
    p->rss_anon += bytes;
    scene_container(s)->cgroup.anon += bytes;
}

void growth_run(struct scene *s, double seconds, fact per_hour)
{
    double owed = 0;
    for (int i = 0; i < (int)seconds; i++) {
        owed += (double)per_hour / hour_s;
        fact noise = (i * 7919 % 13 - 6) * 4096;
        growth_step(s, scene_process(s, 200), (fact)owed + noise);
        owed -= (double)((fact)owed);
        scene_step(s, 1);
        growth_step(s, scene_process(s, 200), -noise);
    }
}

double growth_until(struct scene *s, enum verdict_kind kind, double max_s, fact per_hour)
{
    for (double end_s = s->now_s + max_s; s->now_s < end_s;) {
        growth_run(s, 1, per_hour);
        if (scene_raised(s, kind))
            return s->now_s;
    }
    return -1;
}
