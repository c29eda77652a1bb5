#include "room_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct room room_case(void)
{
    struct config *config;
    assert_int_equal(config_new(&config, NULL), 0);
    struct room room = {.limit = 16 * GIB,
                        .held = GIB,
                        .kernel = FACT_UNKNOWN,
                        .budget = FACT_NONE,
                        .budget_held = 0,
                        .own_budget = FACT_NONE,
                        .own_held = 0,
                        .host_total = 64 * GIB,
                        .host_available = 32 * GIB,
                        .settings = *config_settings(config)};
    config_free(config);
    return room;
}

struct loaded_model *room_add(struct room *room, const char *name, fact held, double used_s)
{
    struct loaded_model *m = &room->models[room->n_models++];
    *m = (struct loaded_model){.held = held,
                               .size = held,
                               .tier = TIER_NONE,
                               .rest = REST_IDLE,
                               .idle_s = 3600,
                               .used_s = used_s};
    snprintf(m->name, sizeof m->name, "%s", name);
    room->held += held;
    room->budget_held += held;
    room->own_held += held;
    room->host_available -= held;
    return m;
}
