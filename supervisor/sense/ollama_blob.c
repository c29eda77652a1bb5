/* Which blob and shape a model's digest means: asked once, then known, for the two belong together
 * for ever.
 */
#include "base/grow.h"
#include "sense/ollama_private.h"

const struct known_blob *ollama_blob(const struct ollama_client *client, const char *digest)
{
    for (size_t i = 0; i < client->n_blobs; i++) {
        if (strcmp(client->blobs[i].digest, digest) == 0)
            return &client->blobs[i];
    }
    return NULL;
}

void ollama_remember_blob(struct ollama_client *client, const struct known_blob *known)
{
    if (ollama_blob(client, known->digest))
        return;
    size_t most = 2 * client->models_max;
    if (client->n_blobs >= (most < OLLAMA_BLOBS_LEAST ? OLLAMA_BLOBS_LEAST : most)) {
        client->blobs[client->oldest_blob] = *known;
        client->oldest_blob = (client->oldest_blob + 1) % client->n_blobs;
        return;
    }
    struct known_blob *added =
        array_more(&client->blobs, &client->n_blobs, SIZE_MAX, sizeof *added);
    if (added)
        *added = *known;
}
