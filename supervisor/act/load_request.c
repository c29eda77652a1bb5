/* The load itself: asked for, watched, confirmed. */
#include "act/load_private.h"
#include "base/clock.h"
#include "base/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const double load_timeout_s = 300; /* OLLAMA_LOAD_TIMEOUT's default, of a stall */
static const double margin_s = 30;        /* Ollama gives up first, and says why */
static const fact moving = 1 << 20;       /* bytes */
static const double confirm_s = 10;

fact loader_of_runners(const struct container *c)
{
    fact sum = c->processes_known ? 0 : FACT_UNKNOWN;
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_RUNNER)
            sum = fact_add(sum, process_held(&c->processes[i]));
    return sum;
}

/* What a load changes: what runners hold and what they have read. */
static fact moved_by(const struct container *c)
{
    fact sum = loader_of_runners(c);
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_RUNNER && fact_known(c->processes[i].rss_file))
            sum = fact_add(sum, c->processes[i].rss_file);
    return fact_add(sum, fact_known(c->cgroup.file) ? c->cgroup.file : 0);
}

static double stall_s(const struct container *c)
{
    double timeout_s = load_timeout_s;
    const char *text = container_env(c, "OLLAMA_LOAD_TIMEOUT");
    if (text && text[0] && (duration_parse(text, &timeout_s, NULL) < 0 || timeout_s <= 0))
        timeout_s = 1e9; /* 0 and less: it never gives up, and neither do we */
    return timeout_s + margin_s;
}

void loader_cut_off(struct loader *loader)
{
    loader->load_result = -ECANCELED;
    snprintf(loader->load_error, sizeof loader->load_error,
             "the connection to its Ollama was given up: it was paused, or listens elsewhere now");
    loader->phase = LOAD_CONFIRMING;
    loader->until_s = clock_boottime_s() + confirm_s;
}

static void on_loaded(void *userdata, int result, const struct error *err)
{
    struct loader *loader = userdata;
    bool ours = loader->load_result == -ETIMEDOUT;
    loader->load = NULL;
    if (loader->phase != LOAD_LOADING)
        return;
    if (result == -ECANCELED && !ours) {
        loader_cut_off(loader);
        return;
    }
    loader->load_s = clock_boottime_s() - loader->load_begun_s;
    if (!ours) {
        loader->load_result = result;
        snprintf(loader->load_error, sizeof loader->load_error, "%s", err ? err->message : "");
    }
    loader->phase = LOAD_CONFIRMING;
    loader->until_s = clock_boottime_s() + confirm_s;
    loader_look_afresh(loader);
}

void loader_ask(struct loader *loader)
{
    const struct container *c = loader_container(loader);
    struct ollama_client *client = sense_ollama(loader->act->o.sense, loader->wish.id);
    int r = client ? ollama_load(client, loader->model.name, loader->wish.keep_alive_s, on_loaded,
                                 loader, &loader->load)
                   : -ENOTCONN;
    if (r < 0) {
        loader_end(loader, LOAD_FAILED, "it cannot be asked for: %s", strerror(-r));
        return;
    }
    loader->phase = LOAD_LOADING;
    loader->load_begun_s = loader->moved_s = clock_boottime_s();
    loader->moved = moved_by(c);
    loader->runner_before = loader_of_runners(c);
    loader->oom_before = c->cgroup.oom_kills;
}

void loader_watch(struct loader *loader)
{
    const struct container *c = loader_container(loader);
    double now_s = clock_boottime_s();
    if (!c || !loader->load || loader->load_result == -ETIMEDOUT)
        return;
    fact moved = moved_by(c);
    if (moved > loader->moved + moving || moved < loader->moved - moving) {
        loader->moved = moved;
        loader->moved_s = now_s;
    }
    if (now_s - loader->moved_s < stall_s(c))
        return;
    loader->load_result = -ETIMEDOUT;
    snprintf(loader->load_error, sizeof loader->load_error,
             "nothing has moved for %.0f s: it was given up, and Ollama aborts it",
             now_s - loader->moved_s);
    ollama_load_cancel(loader->load);
}

void loader_confirm(struct loader *loader)
{
    const struct container *c = loader_container(loader);
    bool over = clock_boottime_s() > loader->until_s, failed = loader->load_result < 0;
    bool listable = c && !failed && !loader->model.cloud;
    const struct loaded_model *listed = listable ? loader_listed(loader, c) : NULL;
    bool there = loader->admission.answer == ADMISSION_THERE; /* only its keep-alive was set */
    if (!c)
        loader_end(loader, LOAD_FAILED, "its container is gone");
    else if (failed && fact_known(loader->oom_before) && c->cgroup.oom_kills > loader->oom_before)
        loader_end(loader, LOAD_FAILED,
                   "%.280s; the kernel has killed in its container: the model takes more than was "
                   "expected, and the limit is %s",
                   loader->load_error, SHOWN(cgroup_bound(&c->cgroup)));
    else if (failed)
        loader_end(loader, LOAD_FAILED, "%s", loader->load_error);
    else if (loader->model.cloud)
        loader_end(loader, LOAD_DONE, "it runs elsewhere");
    else if (listed && fact_known(listed->held) && there)
        loader_end(loader, LOAD_THERE, "it is loaded already");
    else if (listed && fact_known(listed->held))
        loader_probe(loader, c);
    else if (over)
        loader_end(loader, LOAD_FAILED, "Ollama says that it is loaded, but %s",
                   listed ? "no runner is known to be its own" : "does not list it");
}
