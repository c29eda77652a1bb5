#include "cli/loading.h"

static void done(void *userdata, const struct load_report *report)
{
    struct loading *loading = userdata;
    loading->done(loading->userdata, report);
}

static void progress(void *userdata, const struct load_progress *now)
{
    struct loading *loading = userdata;
    load_say_progress(&loading->progress, now);
}

int loading_begin(struct loading *loading, struct task *task)
{
    const char *state = config_settings(task->cli->config)->state;
    keep_history_open_reader(state, &loading->history, NULL);
    struct loader_options options = {.config = task->cli->config,
                                     .sense = flow_sense(task->flow),
                                     .healer = flow_healer(task->flow),
                                     .state = state,
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
