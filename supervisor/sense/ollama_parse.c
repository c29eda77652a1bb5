#include "sense/ollama_parse.h"
#include "base/size.h"
#include "base/text_clean.h"
#include "sense/json_member.h"
#include <errno.h>
#include <string.h>

enum { HEX_DIGITS = 64 }; /* of a sha256 */
static const char hexadecimal[] = "0123456789abcdef";

fact ollama_parse_parameters(const json_t *item)
{
    fact parameters = FACT_UNKNOWN;
    const char *text = member_string(json_object_get(item, "details"), "parameter_size");
    if (text)
        count_parse(text, &parameters, NULL);
    return parameters;
}

int ollama_parse_ps(const char *body, size_t length, struct ollama *answer)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const json_t *models = json_object_get(parsed, "models");
    if (!json_is_array(models))
        return -EBADMSG;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)models, i, item)
    {
        const char *name = member_string(item, "name");
        if (!name || !name[0] || strlen(name) >= CONTAINER_NAME_SIZE) {
            answer->incomplete = true; /* something is there, whose name cannot be sent back */
            continue;
        }
        answer->incomplete |= !text_harmless(name) ||
                              strlen(name) != json_string_length(json_object_get(item, "name"));
        if (answer->n_models == WORLD_MODELS_MAX) {
            answer->incomplete = true;
            break;
        }
        struct model *model = ollama_add_model(answer);
        if (!model)
            return -ENOMEM;
        member_text(item, "name", model->name, sizeof model->name);
        member_text(item, "digest", model->digest, sizeof model->digest);
        member_text(item, "expires_at", model->expires_at, sizeof model->expires_at);
        model->size = member_fact(item, "size");
        model->size_vram = member_fact(item, "size_vram");
        model->context_length = member_fact(item, "context_length");
        model->parameters = ollama_parse_parameters(item);
    }
    return 0;
}

int ollama_parse_version(const char *body, size_t length, char *ret_version, size_t size)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const char *version = member_string(parsed, "version");
    if (!version || !version[0] || strlen(version) >= size)
        return -EBADMSG;
    member_text(parsed, "version", ret_version, size);
    return 0;
}

/* The last component of a path, if it is sha256- and 64 hexadecimal digits. */
static void blob_of(const char *path, size_t length, char *blob, size_t size)
{
    static const char prefix[] = "sha256-";
    const size_t wanted = sizeof prefix - 1 + HEX_DIGITS;
    while (length > 0 && (path[length - 1] == '\r' || path[length - 1] == ' '))
        length--;
    if (length < wanted || wanted >= size || (length > wanted && path[length - wanted - 1] != '/'))
        return;
    const char *name = path + length - wanted;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        strspn(name + sizeof prefix - 1, hexadecimal) < HEX_DIGITS)
        return;
    memcpy(blob, name, wanted);
    blob[wanted] = '\0';
}

int ollama_parse_show(const char *body, size_t length, char *ret_blob, size_t size)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const char *line = member_string(parsed, "modelfile");
    if (!line)
        return -EBADMSG;
    ret_blob[0] = '\0';
    while (line) {
        size_t line_length = strcspn(line, "\n");
        if (strncmp(line, "FROM ", 5) == 0) {
            blob_of(line + 5, line_length - 5, ret_blob, size);
            break;
        }
        line = line[line_length] ? line + line_length + 1 : NULL;
    }
    return 0;
}

void ollama_parse_error(const char *body, size_t length, char *text, size_t size)
{
    CLEANUP_JSON json_t *parsed = answer_parse(body, length);
    const char *words = member_string(parsed, "error");
    size_t used = 0;
    for (; words && *words && used + 1 < size; words++) {
        unsigned char byte = (unsigned char)*words;
        text[used++] = byte < ' ' || byte == 127 ? ' ' : byte < 128 ? (char)byte : '?';
    }
    text[used] = '\0';
}
