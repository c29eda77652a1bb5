/* Lines of a recording. What was read as a world is written, read again and must be the same. */
#include "sense/world_json.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads and writes; NULL where it is no world. */
static char *through(const char *line, size_t length, struct world *world)
{
    char event[16];

    if (world_from_json(line, length, world, event, sizeof event) != WORLD_LINE_WORLD)
        return NULL;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        fact held = container_held(c, &world->host);
        if (held < 0 && held != FACT_UNKNOWN)
            abort();
        container_serve(c);
    }
    json_t *json = world_to_json(world);
    char *text = json_dumps(json, WORLD_JSON_FLAGS);
    json_decref(json);
    if (text == NULL)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world; /* its memory is used again, as replay does */
    struct world fresh;

    world_init(&fresh);
    char *once = through((const char *)data, size, &world);
    char *twice = once != NULL ? through(once, strlen(once), &fresh) : NULL;
    if (once != NULL && (twice == NULL || strcmp(once, twice) != 0))
        abort();
    world_clear(&fresh);
    free(once);
    free(twice);
    return 0;
}
