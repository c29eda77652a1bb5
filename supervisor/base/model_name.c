#include "base/model_name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *without_library(const char *name)
{
    static const char *const prefixes[] = {"registry.ollama.ai/", "library/"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncasecmp(name, prefixes[i], strlen(prefixes[i])))
            name += strlen(prefixes[i]);
    return name;
}

/* Its length without ":latest". */
static size_t own_length(const char *name)
{
    static const char latest[] = ":latest";
    size_t length = strlen(name), n = sizeof latest - 1;
    return length > n && !strcasecmp(name + length - n, latest) ? length - n : length;
}

bool model_same(const char *a, const char *b)
{
    a = without_library(a);
    b = without_library(b);
    size_t n = own_length(a);
    return n > 0 && n == own_length(b) && !strncasecmp(a, b, n);
}

bool model_list_next(const char **cursor, char *name, size_t size)
{
    const char *at = *cursor + strspn(*cursor, ", \t");
    size_t length = strcspn(at, ",");
    *cursor = at + length;
    while (length > 0 && strchr(" \t", at[length - 1]))
        length--;
    if (length == 0)
        return false;
    snprintf(name, size, "%.*s", (int)length, at);
    return true;
}

bool model_in_list(const char *list, const char *model)
{
    char name[MODEL_NAME_SIZE];
    while (model_list_next(&list, name, sizeof name))
        if (model_same(name, model))
            return true;
    return false;
}
