/* A profile for programs. */
#include "base/profile.h"

static json_t *of_fact(fact value)
{
    return fact_known(value) ? json_integer(value) : json_null();
}

static json_t *of_text(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *profile_json(const struct profile *profile)
{
    json_t *json = json_object();
    const struct {
        const char *key;
        json_t *value;
    } all[] = {
        {"server", json_string(server_kind_name(profile->server))},
        {"memory", of_fact(profile->memory)},
        {"swap", of_fact(profile->swap)},
        {"cpus", json_real(profile->cpus)},
        {"gpu", of_text(profile->gpu)},
        {"model", of_text(profile->model)},
        {"exclusive", json_boolean(profile->exclusive)},
        {"priority", json_string(priority_name(profile->priority))},
        {"image", of_text(profile->image)},
        {"volume", of_text(profile->volume)},
        {"address", of_text(profile->address)},
        {"port", json_integer(profile->port)},
        {"container", of_text(profile->container)},
        {"context", of_fact(profile->context)},
        {"parallel", of_fact(profile->parallel)},
        {"max_loaded", of_fact(profile->max_loaded)},
        {"disk", of_fact(profile->disk)},
        {"reserve", of_fact(profile->reserve)},
        {"cache_ram", of_fact(profile->cache_ram)},
        {"keep_alive", of_text(profile->keep_alive)},
    };
    _Static_assert(sizeof(all) / sizeof(all[0]) == PROFILE_KEYS_N, "one for each key");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        json_object_set_new(json, all[i].key, all[i].value);
    return json;
}
