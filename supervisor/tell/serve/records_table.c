/* The table of what is asked of the history. */
#include "tell/serve/records.h"

static const struct api_member events_parameters[] = {
    {.name = "container",
     .type = API_STRING,
     .about = "of this one: its name, or how its id begins (12 digits or more)",
     .filled = true,
     .optional = true},
    {.name = "since",
     .type = API_STRING,
     .about = "since this time, RFC 3339",
     .filled = true,
     .optional = true},
    {.name = "after",
     .type = API_INTEGER,
     .about =
         "the next ones behind the event of that id: `last` of the answer before; 0: the first",
     .bounded = true,
     .max = 9e15,
     .optional = true},
    {.name = "limit",
     .type = API_INTEGER,
     .about = "the newest so many, with `after` the next so many; 50",
     .bounded = true,
     .min = 1,
     .max = EVENTS_MAX,
     .optional = true},
    {0}};

static const struct api_member event_members[] = {
    {.name = "id", .type = API_INTEGER, .about = "they come in the order of their ids"},
    {.name = "time", .type = API_STRING, .about = "wall clock, RFC 3339"},
    {.name = "boot", .type = API_STRING, .about = "the machine's boot", .optional = true},
    {.name = "boottime", .type = API_NUMBER, .about = "seconds since that boot"},
    {.name = "container",
     .type = API_STRING,
     .about = "absent: the host, the engine or the supervisor itself",
     .optional = true},
    {.name = "container_id", .type = API_STRING, .about = "64 digits", .optional = true},
    {.name = "event", .type = API_STRING, .about = "raised, cleared, acting, healed, died …"},
    {.name = "verdict", .type = API_STRING, .about = "its kind", .optional = true},
    {.name = "step", .type = API_STRING, .about = "the remedy", .optional = true},
    {.name = "text", .type = API_STRING, .about = "one sentence", .optional = true},
    {.name = "numbers", .type = API_OBJECT, .about = "bytes and seconds, by name"},
    {0}};
static const struct api_schema event_schema = {"Event", "Something that happened.", event_members,
                                               false};
static const struct api_member event_list_members[] = {
    {.name = "events",
     .type = API_OBJECT,
     .about = "the oldest first",
     .schema = &event_schema,
     .list = true},
    {.name = "last", .type = API_INTEGER, .about = "the newest id that there is: for `after`"},
    {0}};
static const struct api_schema event_list = {"Events", "What happened.", event_list_members, false};
static const struct api_answer events_answers[] = {
    {.status = 200, .about = "those that pass", .schema = &event_list}, {0}};

static const struct api_member samples_parameters[] = {
    {.name = "container",
     .type = API_STRING,
     .about = "of this one: its name, or how its id begins (12 digits or more)",
     .filled = true},
    {.name = "from",
     .type = API_STRING,
     .about = "RFC 3339; an hour before `to`",
     .filled = true,
     .optional = true},
    {.name = "to", .type = API_STRING, .about = "RFC 3339; now", .filled = true, .optional = true},
    {.name = "points",
     .type = API_INTEGER,
     .about = "at most so many, each of an equal stretch of time; 300",
     .bounded = true,
     .min = 1,
     .max = POINTS_MAX,
     .optional = true},
    {0}};

static const struct api_member point_members[] = {
    {.name = "time", .type = API_STRING, .about = "when its stretch begins, RFC 3339"},
    {.name = "samples", .type = API_INTEGER, .about = "how many it is made of"},
    {.name = "held", .type = API_INTEGER, .about = "bytes, average", .optional = true},
    {.name = "held_max", .type = API_INTEGER, .about = "bytes, the most", .optional = true},
    {.name = "page_cache", .type = API_INTEGER, .about = "bytes, average", .optional = true},
    {.name = "cpu_percent", .type = API_NUMBER, .about = "of a core, average", .optional = true},
    {.name = "limit",
     .type = API_INTEGER,
     .about = "bytes, the last one; null: none",
     .nullable = true,
     .optional = true},
    {.name = "models", .type = API_INTEGER, .about = "loaded at its end", .optional = true},
    {0}};
static const struct api_schema point_schema = {"Point", "A stretch of time of a container.",
                                               point_members, false};
static const struct api_answer samples_answers[] = {
    {.status = 200, .about = "the oldest first", .schema = &point_schema, .list = true}, {0}};

const struct api_route routes_records[] = {
    {NET_GET, "/api/v1/events", "events", "events", "What happened, the oldest first.", API_READS,
     events_parameters, NULL, events_answers, records_events},
    {NET_GET, "/api/v1/samples", "samples", "events",
     "What a container held over time: by the second for an hour, by the minute for a month.",
     API_READS, samples_parameters, NULL, samples_answers, records_samples},
    {0}};
