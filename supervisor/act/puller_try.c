/* One try: what is there, the disk, the pull, how it ends. */
#include "act/puller_private.h"

#include "base/clock.h"
#include "base/size.h"
#include "judge/footprint.h"
#include "sense/ollama_model.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRIES_MAX = 5 };

static const long ask_ms = 10000;    /* /api/tags blocks until its cache is filled */
static const double stall_s = 900;   /* checking 42 GB on a slow disk says nothing for minutes */
static const double progress_s = 30; /* between two lines */
static const double disk_s = 30;     /* then it hangs */
static const fact margin = (fact)1 << 30; /* left free: the engine's and other programs' files */

static void tell(const struct puller *puller, const struct wanted_pull *pull,
                 enum heal_event_kind kind, const char *text)
{
    struct heal_event event =
        heal_event_of(kind, pull->id, pull->container, "startup", "pull", text);
    event.model = pull->model;
    event.attempt = pull->tries + 1;
    event.took_s = clock_boottime_s() - puller->began_s;
    puller->act->o.tell(puller->act->o.userdata, &event);
}

/* ---- how a try ends */

static void over(struct puller *puller, enum wanted_pull_state state)
{
    puller_under_way(puller)->state = state;
    puller->at = PULLS_MAX;
    puller->request = NULL;
    disk_look_end(puller->disk);
    puller->disk = NULL;
}

/* for_good: another try would end like this one. */
static void failed(struct puller *puller, bool for_good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void failed(struct puller *puller, bool for_good, const char *format, ...)
{
    struct wanted_pull *pull = puller_under_way(puller);
    const struct container *c = sense_container(puller->act->o.sense, pull->id);
    struct settings s = *config_settings(puller->act->o.config);
    char text[sizeof pull->text + 80];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(pull->text, sizeof pull->text, format, arguments);
    va_end(arguments);
    if (c)
        policy_for(puller->act->o.config, c, &s, NULL);
    double wait_s = s.remedy_backoff_s;
    for (int i = 0; i < pull->tries && wait_s < s.remedy_backoff_cap_s; i++)
        wait_s *= 2;
    if (wait_s > s.remedy_backoff_cap_s)
        wait_s = s.remedy_backoff_cap_s;
    pull->due_s = clock_boottime_s() + wait_s;
    pull->current = pull->total = FACT_UNKNOWN;
    if (for_good || pull->tries + 1 == TRIES_MAX) {
        snprintf(text, sizeof text, "%s; given up after %d %s", pull->text, pull->tries + 1,
                 pull->tries ? "tries" : "try");
        tell(puller, pull, HEAL_NOT_DONE, text);
        pull->tries++;
        over(puller, WANTED_PULL_GIVEN_UP);
        return;
    }
    snprintf(text, sizeof text, "%s; attempt %d of %d in %.0f s", pull->text, pull->tries + 2,
             TRIES_MAX, wait_s);
    tell(puller, pull, HEAL_WAITING, text);
    pull->tries++;
    over(puller, WANTED_PULL_WAITS);
}

static void no_room(struct puller *puller, fact missing, fact of)
{
    failed(puller, false,
           "%s more are needed where its models lie: it is a download of %s, %s are free, and %s "
           "are left to others; remove a model that is not used (docker exec -it %.60s ollama rm "
           "MODEL)",
           SHOWN(missing), SHOWN(of), SHOWN(puller->available), SHOWN(margin),
           puller_under_way(puller)->container);
}

/* Given up with its container's client, in the midst of whatever ended that: the next look tells.
 */
static bool is_cut_off(struct puller *puller, int result)
{
    bool ours = puller->ending || puller->stalled || fact_known(puller->missing) ||
                puller_under_way(puller)->unwanted;
    puller->cut_off = result == -ECANCELED && !ours;
    return puller->cut_off;
}

static void on_pulled(void *userdata, int result, const struct error *err)
{
    struct puller *puller = userdata;
    struct wanted_pull *pull = puller_under_way(puller);
    puller->request = NULL;
    if (puller->act->closing || is_cut_off(puller, result))
        return;
    if (result == 0) {
        pull->text[0] = '\0';
        tell(puller, pull, HEAL_DONE, "");
        over(puller, WANTED_PULL_DONE);
    } else if (puller->ending) {
        tell(puller, pull, HEAL_DROPPED,
             "the supervisor ends; what is there stays, and the next one goes on");
        over(puller, WANTED_PULL_WAITS);
    } else if (pull->unwanted) {
        tell(puller, pull, HEAL_DROPPED, "it is not wanted any more");
        over(puller, WANTED_PULL_GIVEN_UP);
    } else if (fact_known(puller->missing)) {
        no_room(puller, puller->missing, pull->total);
    } else if (puller->stalled) {
        failed(puller, false, "nothing came for %.0f minutes", stall_s / 60);
    } else {
        failed(puller, strstr(err->message, "file does not exist") != NULL, "%.280s", err->message);
    }
}

/* ---- the disk, by a process of its own: it may hang */

static int look_at_disk(struct puller *puller)
{
    const struct container *c = sense_container(puller->act->o.sense, puller_under_way(puller)->id);
    return c ? disk_look_begin(config_settings(puller->act->o.config)->procfs, c->pid,
                               container_env(c, "OLLAMA_MODELS"), &puller->disk)
             : -ENOENT;
}

/* Bytes that are missing for so many more. */
static fact missing_for(const struct puller *puller, fact more)
{
    if (!fact_known(puller->available) || !fact_known(more) || puller->available >= more + margin)
        return FACT_UNKNOWN;
    return more + margin - puller->available;
}

static fact left_of(const struct wanted_pull *pull)
{
    return fact_known(pull->total) ? pull->total - pull->current : FACT_UNKNOWN;
}

/* While it is pulled: what others write counts too. */
static void disk_seen_again(struct puller *puller)
{
    puller->missing = missing_for(puller, left_of(puller_under_way(puller)));
    if (fact_known(puller->missing))
        ollama_pull_stop(puller->request);
}

/* ---- a try */

static bool on_progress(void *userdata, const struct pull_progress *progress)
{
    struct puller *puller = userdata;
    struct wanted_pull *pull = puller_under_way(puller);
    double now_s = clock_boottime_s();
    if (pull->current != progress->current || pull->total != progress->total)
        puller->moved_s = now_s;
    pull->current = progress->current;
    pull->total = progress->total;
    if (puller->progress && fact_known(pull->total) && now_s - puller->told_s >= progress_s) {
        puller->told_s = now_s;
        puller->progress(puller->userdata, pull);
    }
    return true;
}

static void begin(struct puller *puller)
{
    struct wanted_pull *pull = puller_under_way(puller);
    struct ollama_client *client = sense_ollama(puller->act->o.sense, pull->id);
    puller->moved_s = clock_boottime_s();
    puller->told_s = 0;
    tell(puller, pull, HEAL_ACTING, "");
    int r = client
                ? ollama_pull(client, pull->model, on_progress, on_pulled, puller, &puller->request)
                : -ENOTCONN;
    if (r < 0)
        failed(puller, false, "it cannot be asked for: %s", strerror(-r));
}

/* result: of disk_free_of_models. */
static void disk_seen(struct puller *puller, int result)
{
    struct wanted_pull *pull = puller_under_way(puller);
    struct footprint known = footprint_of(pull->model);
    fact download = known.source == FOOTPRINT_KNOWN ? known.download : FACT_UNKNOWN;
    fact missing = missing_for(puller, fact_known(download) ? download : 0);
    if (pull->unwanted)
        over(puller, WANTED_PULL_WAITS);
    else if (result < 0 && result != -ENXIO)
        failed(puller, false, "the mounts of its container cannot be read: %s", strerror(-result));
    else if (result < 0)
        failed(puller, true,
               "the free space where its models lie cannot be seen from here; bind that disk into "
               "the supervisor's container, or pull it yourself: docker exec -it %.60s ollama pull "
               "%.60s",
               pull->container, pull->model);
    else if (fact_known(missing))
        no_room(puller, missing, fact_known(download) ? download : 0);
    else
        begin(puller);
}

static void on_model(void *userdata, int result, const struct ollama_model *model,
                     const struct error *err)
{
    struct puller *puller = userdata;
    (void)model;
    if (puller->act->closing || is_cut_off(puller, result))
        return;
    if (puller->ending)
        over(puller, WANTED_PULL_WAITS);
    else if (result == 0)
        over(puller, WANTED_PULL_THERE);
    else if (result != -ENOENT)
        failed(puller, false, "%.280s", err->message);
    else if ((result = look_at_disk(puller)) < 0)
        failed(puller, false, "nobody can look at its disk: %s", strerror(-result));
    else
        puller->moved_s = clock_boottime_s();
}

static void watch_disk(struct puller *puller)
{
    fact available = FACT_UNKNOWN;
    int r = disk_look_result(puller->disk, &available);
    if (r != -EAGAIN) {
        disk_look_end(puller->disk);
        puller->disk = NULL;
        puller->available = available;
    }
    if (r != -EAGAIN && puller->request && !fact_known(puller->missing))
        disk_seen_again(puller);
    else if (r != -EAGAIN && !puller->request)
        disk_seen(puller, r);
    else if (!puller->request && clock_boottime_s() - puller->moved_s > disk_s)
        failed(puller, false, "the disk on which its models lie does not answer");
}

void puller_try(struct puller *puller, size_t at)
{
    puller->at = at;
    struct wanted_pull *pull = puller_under_way(puller);
    struct ollama_client *client = pull ? sense_ollama(puller->act->o.sense, pull->id) : NULL;
    puller->began_s = clock_boottime_s();
    puller->stalled = puller->cut_off = false;
    puller->missing = FACT_UNKNOWN;
    if (!client) {
        puller->at = PULLS_MAX;
        return; /* with a later look */
    }
    pull->state = WANTED_PULL_RUNS;
    ollama_ask_model(client, pull->model, ask_ms, on_model, puller);
}

void puller_watch(struct puller *puller)
{
    if (puller->disk)
        watch_disk(puller);
    if (!puller_under_way(puller))
        return;
    if (puller->cut_off) {
        failed(puller, false,
               "its Ollama is not asked any more: it was stopped or paused, or listens elsewhere");
    } else if (puller->request && puller_under_way(puller)->unwanted) {
        ollama_pull_stop(puller->request);
    } else if (puller->request && clock_boottime_s() - puller->moved_s > stall_s) {
        puller->stalled = true;
        ollama_pull_stop(puller->request);
    } else if (puller->request && !puller->disk) {
        look_at_disk(puller);
    }
}
