#include "cli/loading.h"
#include "base/size.h"
#include "cli/say.h"
#include "sense/json_put.h"
#include "sense/ollama_load.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static void say_loaded(const struct load_report *r, char *text, size_t size)
{
    snprintf(text, size, "loaded in %s", SHOWN_S(r->load_s));
    if (r->unloaded)
        text_append(text, size, ", after %zu other%s had gone", r->unloaded,
                    r->unloaded > 1 ? "s" : "");
    if (r->text[0])
        text_append(text, size, "; %s", r->text);
    else
        text_append(text, size, "; held %s; its runner holds %s", SHOWN_CHANGE(r->before, r->after),
                    SHOWN(r->runner));
    if (r->probe_s >= 0)
        text_append(text, size, "; a token after %s", SHOWN_S(r->probe_s));
    if (fact_known(r->context) && r->context > 0)
        text_append(text, size, "; context %lld", (long long)r->context);
    if (fact_known(r->size_vram) && r->size_vram > 0)
        text_append(text, size, "; %s in VRAM", SHOWN(r->size_vram));
}

const char *load_say(const struct load_report *r, char *text, size_t size)
{
    switch (r->end) {
    case LOAD_DONE:
        say_loaded(r, text, size);
        break;
    case LOAD_THERE:
        snprintf(text, size, "%s", r->text);
        if (fact_known(r->runner))
            text_append(text, size, "; its runner holds %s", SHOWN(r->runner));
        break;
    case LOAD_WOULD:
        snprintf(text, size, "would be loaded: %s", r->text);
        break;
    case LOAD_REFUSED:
    case LOAD_FAILED:
        snprintf(text, size, "not loaded: %s", r->text);
        break;
    }
    return text;
}

static json_t *need_json(const struct need *need)
{
    json_t *json = json_pack("{s:s}", "source", need_source_name(need->source));
    put_known(json, "bytes", need->bytes);
    put_known(json, "wanted", need->wanted);
    put_known(json, "weights", need->weights);
    put_known(json, "kv", need->kv);
    put_known(json, "compute", need->compute);
    put_known(json, "vram", need->vram);
    put_known(json, "context", need->context);
    put_known(json, "parallel", need->parallel);
    put_known(json, "parameters", need->parameters);
    json_object_set_new(json, "margin_percent", json_real(need->margin_percent));
    return json;
}

static json_t *bounds_json(const struct admission *admission)
{
    json_t *all = json_array();
    for (int i = 0; i < BOUNDS; i++) {
        const struct bound *bound = &admission->bounds[i];
        if (!bound->bounded || !bound->name)
            continue;
        json_t *json = json_pack("{s:s}", "name", bound->name);
        put_known(json, "of", bound->of);
        put_known(json, "used", bound->used);
        if (bound->known)
            json_object_set_new(json, "free", json_integer(bound->free));
        if (i == BOUND_HOST) {
            json_object_set_new(json, "cut_percent", json_integer(bound->cut_percent));
            put_known(json, "reserve", bound->reserve);
        }
        json_array_append_new(all, json);
    }
    return all;
}

json_t *load_json(const struct load_report *r)
{
    static const char *const results[] = {"loaded", "there", "would", "refused", "failed"};
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "container", r->container, "model", r->model,
                             "result", results[r->end], "text", r->text);
    if (!json)
        return NULL;
    if (r->admission) {
        const struct admission *a = r->admission;
        json_object_set_new(json, "need", need_json(&a->need));
        json_object_set_new(json, "bounds", bounds_json(a));
        put_known(json, "missing", a->missing);
        json_t *go = json_array();
        for (size_t i = 0; i < a->n_go; i++)
            json_array_append_new(go, json_string(r->room->models[a->go[i]].name));
        json_object_set_new(json, "unload", go);
    }
    put_known(json, "before", r->before);
    put_known(json, "after", r->after);
    put_known(json, "runner", r->runner);
    put_known(json, "context_length", r->context);
    put_known(json, "size", r->size);
    put_known(json, "size_vram", r->size_vram);
    json_object_set_new(json, "unloaded", json_integer((json_int_t)r->unloaded));
    json_object_set_new(json, "took_s", json_real(r->took_s));
    if (r->load_s > 0)
        json_object_set_new(json, "load_s", json_real(r->load_s));
    if (r->probe_s >= 0)
        json_object_set_new(json, "probe_s", json_real(r->probe_s));
    return json;
}

/* A line or a bar on the terminal; in a log a line every few seconds while the load is under way.
 */
static void progress(void *userdata, const struct load_progress *now)
{
    struct progress *bar = &((struct loading *)userdata)->progress;
    char what[128];
    if (now->phase == LOAD_LOADING) {
        snprintf(what, sizeof what, "loading %.100s", now->model);
        progress_show(bar, what, now->grown, now->expected);
        return;
    }
    progress_end(bar);
    if (now->text[0])
        say_progress("%s", now->text);
}

int load_keep_alive(const char *text, int64_t *ret_keep_alive_s, struct error *err)
{
    double seconds;
    *ret_keep_alive_s = OLLAMA_KEEP_DEFAULT;
    if (!text)
        return 0;
    if (!strcmp(text, "-1") || !strcmp(text, "forever")) {
        *ret_keep_alive_s = OLLAMA_KEEP_FOREVER;
        return 0;
    }
    int r = duration_parse(text, &seconds, err);
    if (r < 0) {
        error_wrap(err, "--keep-alive");
        return r;
    }
    if (seconds < 1)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--keep-alive %.40s would unload the model at once: take 1s or more, or "
                         "forever",
                         text);
    *ret_keep_alive_s = (int64_t)ceil(seconds);
    return 0;
}

static void done(void *userdata, const struct load_report *report)
{
    struct loading *loading = userdata;
    loading->done(loading->userdata, report);
}

int loading_begin(struct loading *loading, struct task *task)
{
    keep_history_read(config_settings(task->cli->config)->state, false, &loading->history, NULL);
    struct loader_options options = {.healer = flow_healer(task->flow),
                                     .history = loading->history,
                                     .progress = progress,
                                     .done = done,
                                     .userdata = loading};
    return loader_new(&options, &loading->loader);
}

void loading_heal(struct loading *loading, const struct heal_event *event)
{
    if (loading->loader)
        loader_heal(loading->loader, event);
}

void loading_interrupted(struct loading *loading)
{
    const char *model = loading->loader ? loader_loading(loading->loader) : NULL;
    progress_end(&loading->progress);
    if (model)
        fprintf(stderr, "supervisor: interrupted: Ollama aborts the load of %s\n", model);
}

void loading_end(struct loading *loading)
{
    loader_free(loading->loader);
    keep_history_close(loading->history);
}
