/* The daemon's HTTP API: where it listens, who may, what it answers. All that it reads is the
 * daemon's own last look or its history; only what is to be done asks Ollama. docs/api.md. */
#ifndef SUPERVISOR_TELL_SERVE_H
#define SUPERVISOR_TELL_SERVE_H

#include "act/healer.h"
#include "tell/api/route.h"
#include "tell/state_json.h"
#include <uv.h>

struct serve;

struct serve_options {
    uv_loop_t *loop;
    const struct config *config; /* a reload changes it in place */
    const char *state;           /* the state directory; outlives it */
    struct sense *sense;         /* asked anew before models are chosen */
    struct healer *healer;       /* for what is asked to be done */
    struct historian *historian; /* where that is written down; NULL: nowhere */
    /* What was last seen; false: nothing yet. */
    bool (*look)(void *userdata, struct state *ret_state);
    const char *(*forgets)(void *userdata); /* why nothing can be remembered; "" */
    bool (*engine_up)(void *userdata);
    void *userdata;
};

/* Listens as [http] says and on STATE/http.sock (root and the daemon's own user may do everything
 * there). A place that is taken is told and tried again. FAILURE_USAGE: what no setting can mean; 0
 * with *ret_serve NULL: http.listen is off. */
int serve_new(const struct serve_options *options, struct serve **ret_serve, struct error *err);
/* Ends all answers. Then the healer is freed and the loop turned until its workers are done, then
 * serve_free. Both take NULL, as all that follow. */
void serve_stop(struct serve *serve);
void serve_free(struct serve *serve);

/* After each look, with each event of the healer, and when the settings changed. */
void serve_look(struct serve *serve, const struct world *world, const struct judgement *judgement);
void serve_heal(struct serve *serve, const struct heal_event *event);
void serve_settings_changed(struct serve *serve);

/* ---- the table, for whoever tells of it */

enum { SERVE_ROUTES_MAX = 64 };
/* All routes there are; returns how many. */
size_t serve_routes(struct api_route routes[static SERVE_ROUTES_MAX]);
/* OpenAPI of them; families as in api_match. A new reference. */
json_t *serve_describe(const struct api_route *routes, size_t n, const char *families);

#endif
