/* Which blob a model's digest means: asked once, then known, for the two belong together for ever.
 */
#include "sense/ollama_private.h"
#include <stdlib.h>
#include <string.h>

const char *ollama_blob(const struct ollama_client *client, const char *digest)
{
    for (size_t i = 0; i < client->n_blobs; i++) {
        if (strcmp(client->blobs[i].digest, digest) == 0)
            return client->blobs[i].blob;
    }
    return NULL;
}

void ollama_remember_blob(struct ollama_client *client, const char *digest, const char *blob)
{
    struct known_blob known = {0};
    memcpy(known.digest, digest, strnlen(digest, sizeof known.digest - 1));
    memcpy(known.blob, blob, strnlen(blob, sizeof known.blob - 1));
    if (ollama_blob(client, digest))
        return;
    size_t most = 2 * client->models_max;
    if (client->n_blobs >= (most < OLLAMA_BLOBS_LEAST ? OLLAMA_BLOBS_LEAST : most)) {
        client->blobs[client->oldest_blob] = known;
        client->oldest_blob = (client->oldest_blob + 1) % client->n_blobs;
        return;
    }
    struct known_blob *grown =
        realloc(client->blobs, (client->n_blobs + 1) * sizeof *client->blobs);
    if (!grown)
        return;
    client->blobs = grown;
    client->blobs[client->n_blobs++] = known;
}
