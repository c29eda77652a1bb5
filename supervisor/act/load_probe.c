/* Readiness that is shown: one token of what was just loaded. It is no use of the model, and
 * nothing is loaded for it: the list has just named it. */
#include "act/load_private.h"
#include "base/clock.h"
#include "sense/ollama_probe.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first token of a model of 42 GB on a CPU takes 20 s. Others wait for the lock as long. */
static const long probe_ms = 60000;

static void tell_judge(const struct loader *loader, const char *blob)
{
    if (loader->act->o.judge)
        judge_tell_probed(loader->act->o.judge, loader->wish.id, blob);
}

/* The list that a token leaves behind is looked at as ours too. */
static void on_token(void *userdata, int result, const struct error *err)
{
    struct loader *loader = userdata;
    if (loader->act->closing)
        return;
    loader->probe_s = clock_boottime_s() - loader->probe_begun_s;
    loader->load_result = result;
    if (result == -ETIMEDOUT)
        snprintf(loader->load_error, sizeof loader->load_error,
                 "it is loaded, but generated no token within %ld s", probe_ms / 1000);
    else
        snprintf(loader->load_error, sizeof loader->load_error, "it is loaded, but %.400s",
                 err ? err->message : "");
    if (result == -ECANCELED) /* in the midst of whatever ended the client: the next look tells */
        return;
    loader_look_afresh(loader);
}

void loader_probe(struct loader *loader, const struct container *c)
{
    const struct model *m = ollama_model(&c->ollama, loader->model.name);
    struct ollama_client *client = sense_ollama(loader->act->o.sense, loader->wish.id);
    struct settings s;
    policy_for(loader->act->o.config, c, &s, NULL);
    if (!s.models_probe || !m || !client) {
        loader_end(loader, LOAD_DONE, "%s", "");
        return;
    }
    loader->phase = LOAD_PROBING;
    loader->probe_begun_s = clock_boottime_s();
    snprintf(loader->text, sizeof loader->text, "loaded; asked for a token");
    tell_judge(loader, m->blob);
    ollama_probe(client, m->name, probe_ms, on_token, loader);
}

void loader_probed(struct loader *loader)
{
    if (loader->probe_s < 0)
        return; /* it is under way */
    tell_judge(loader, "");
    if (loader->load_result < 0)
        loader_end(loader, LOAD_FAILED, "%s", loader->load_error);
    else
        loader_end(loader, LOAD_DONE, "%s", "");
}
