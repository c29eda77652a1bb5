/* Whatever an Ollama, or something in its place, may answer. The first byte chooses the reader. */
#include "base/text_clean.h"
#include "sense/ollama_parse.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void ps(const char *text, size_t length)
{
    struct ollama answer = {0};
    ollama_parse_ps(text, length, &answer);
    check(answer.n_models <= WORLD_MODELS_MAX);
    for (size_t i = 0; i < answer.n_models; i++)
        check(answer.models[i].name[0] && !answer.models[i].blob[0] &&
              text_harmless(answer.models[i].name));
    ollama_clear(&answer);
}

static void show(const char *text, size_t length)
{
    char blob[80];
    if (ollama_parse_show(text, length, blob, sizeof blob) == 0)
        check(!blob[0] || (strlen(blob) == 71 && !strchr(blob, '/')));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char word[32];
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0] % 4) {
    case 0:
        ps(text, size - 1);
        break;
    case 1:
        show(text, size - 1);
        break;
    case 2:
        ollama_parse_version(text, size - 1, word, sizeof word);
        break;
    default:
        ollama_parse_error(text, size - 1, word, sizeof word);
        check(strlen(word) < sizeof word);
    }
    return 0;
}
