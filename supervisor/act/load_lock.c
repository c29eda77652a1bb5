/* The lock of the container while a model is loaded there, and the record of that load. */
#include "act/load_private.h"

#include <stdlib.h>
#include <string.h>

void loader_lock_job(uv_work_t *work)
{
    struct loader *loader = work->data;
    loader->lock_result = keep_lock_container(loader->act->o.state, loader->wish.id, &loader->lock,
                                              NULL, &loader->lock_error);
}

/* One that cannot be written down looks like a use: no harm. */
static void record_job(uv_work_t *work)
{
    struct loader *loader = work->data;
    struct keep_now now = keep_now_is(loader->act->boot_id);
    keep_load_begin(loader->act->o.keep, loader->key, loader->model.name, &now, NULL);
}

static void recorded(uv_work_t *work, int status)
{
    struct loader *loader = work->data;
    (void)status;
    if (loader->act->closing)
        return;
    if (loader_container(loader))
        loader_ask(loader);
    else
        loader_end(loader, LOAD_FAILED, "its container is gone");
}

void loader_record(struct loader *loader)
{
    loader->locking.data = loader;
    loader->phase = LOAD_LOCKING;
    if (uv_queue_work(loader->act->o.loop, &loader->locking, record_job, recorded) < 0)
        loader_end(loader, LOAD_FAILED, "not enough memory");
}

/* The disk on which a lock lies may hang: workers take it and give it back. */
struct giving {
    uv_work_t work;
    struct keep_lock *lock;
    struct keep *keep;
    struct keep_now now;
    char key[CONTAINER_NAME_SIZE], model[CONTAINER_NAME_SIZE];
};

static void give_job(uv_work_t *work)
{
    struct giving *giving = work->data;
    keep_load_end(giving->keep, giving->key, giving->model, &giving->now, NULL);
    keep_unlock(giving->lock);
}

static void given(uv_work_t *work, int status)
{
    (void)status;
    free(work->data);
}

void loader_give_back(struct loader *loader)
{
    const struct act *act = loader->act;
    struct giving *giving = !act->closing && loader->lock ? calloc(1, sizeof *giving) : NULL;
    if (giving) {
        giving->work.data = giving;
        giving->lock = loader->lock;
        giving->keep = act->o.keep;
        giving->now = keep_now_is(act->boot_id);
        memcpy(giving->key, loader->key, sizeof giving->key);
        memcpy(giving->model, loader->model.name, sizeof giving->model);
    }
    if (!giving || uv_queue_work(act->o.loop, &giving->work, give_job, given) < 0) {
        free(giving);
        keep_unlock(loader->lock);
    }
    loader->lock = NULL;
}
