/* What a container has in its own layer, where its models are kept: no volume has it, and it would
 * be without it who comes in its place. */
#include "deploy/create_private.h"

struct layer {
    const struct create *create;
    const json_t *container;
    const char *roots[5]; /* the directories of models */
    size_t n_roots;
    char home[300];             /* one of them: HOME/.ollama */
    bool home_known;            /* else it may be any ".ollama" */
    size_t found, others;       /* others: added elsewhere */
    char first[128], root[200]; /* the first path, and the directory that it is in */
    char other[128];            /* the first of the others */
};

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/')
        length--;
    return length > 1 && strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* A directory that is there for what is mounted on it, or below it. */
static bool leads_to_mount(const json_t *container, const char *path)
{
    json_t *mount;
    size_t i;
    json_array_foreach(json_object_get(container, "Mounts"), i, mount)
    {
        const char *at = member_string_or(mount, "Destination", "");
        if (strcmp(at, path) == 0 || is_below(at, path))
            return true;
    }
    return create_is_mounted(container, path);
}

/* The directory of models that it is in; 0: none. Its length. */
static size_t root_of(const struct layer *layer, const char *path)
{
    for (size_t i = 0; i < layer->n_roots; i++)
        if (is_below(path, layer->roots[i]))
            return strlen(path) - strlen(create_below(path, layer->roots[i]));
    const char *home = layer->home_known ? NULL : strstr(path, "/.ollama/");
    return home ? (size_t)(home - path) + strlen("/.ollama") : 0;
}

/* Where programs keep what they can do without. */
static bool is_passing(const char *path)
{
    static const char *const places[] = {"/tmp", "/var", "/run", "/dev", "/root/.cache"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (create_below(path, places[i]))
            return true;
    return false;
}

/* One where the new one's volume comes is told first: by it the rest is saved. */
static void on_change(void *userdata, const char *path, fact kind)
{
    static const fact added = 1, removed = 2;
    struct layer *layer = userdata;
    size_t length = root_of(layer, path);
    if (kind == added && length == 0 && !is_passing(path) &&
        !leads_to_mount(layer->container, path) && layer->others++ == 0)
        snprintf(layer->other, sizeof layer->other, "%s", path);
    if (kind == removed || length == 0 || leads_to_mount(layer->container, path))
        return;
    bool better = strcmp(layer->root, layer->create->models) != 0 &&
                  create_below(path, layer->create->models);
    if (layer->found++ > 0 && !better)
        return;
    snprintf(layer->first, sizeof layer->first, "%s", path);
    snprintf(layer->root, sizeof layer->root, "%.*s", (int)length, path);
}

static bool is_root(const json_t *container)
{
    const char *user = member_string_or(json_object_get(container, "Config"), "User", "");
    return !user[0] || strcmp(user, "0") == 0 || strcmp(user, "root") == 0 ||
           strncmp(user, "0:", 2) == 0 || strncmp(user, "root:", 5) == 0;
}

static void find_roots(struct layer *layer)
{
    static const char *const names[] = {"OLLAMA_MODELS", "LOCALAI_MODELS_PATH", "MODELS_PATH"};
    const char *home = create_env(layer->container, "HOME");
    layer->roots[layer->n_roots++] = create_models_path(layer->create->plan->profile.server);
    if (create_home(home, layer->home, sizeof layer->home))
        layer->roots[layer->n_roots++] = layer->home;
    layer->home_known = home || is_root(layer->container);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = create_env(layer->container, names[i]);
        if (path && path[0] == '/')
            layer->roots[layer->n_roots++] = path;
    }
}

int create_look_at_layer(struct create *create, const struct create_container *container,
                         struct create_layer *ret_layer, struct error *err)
{
    struct layer layer = {.create = create, .container = container->json};
    find_roots(&layer);
    bool mounted = layer.home_known;
    for (size_t i = 0; i < layer.n_roots; i++)
        mounted = mounted && create_is_mounted(container->json, layer.roots[i]);
    if (mounted && !create->wish->discard)
        return 0;
    int r = await_changes(create->await, container->id, on_change, &layer, err);
    if (r < 0)
        return r;
    ret_layer->found = layer.found;
    ret_layer->others = layer.others;
    memcpy(ret_layer->other, layer.other, sizeof layer.other);
    memcpy(ret_layer->first, layer.first, sizeof layer.first);
    memcpy(ret_layer->root, layer.root, sizeof layer.root);
    return 0;
}

/* As one word of a shell. -ENAMETOOLONG: it has no room. */
static int add_word(char *command, size_t size, const char *before, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_@%+=:,./-";
    size_t at = strlen(command);
    bool quoted = word[strspn(word, plain)] != '\0';
    at += (size_t)snprintf(command + at, size - at, "%s%s", before, quoted ? "'" : "");
    for (; *word && at + 6 < size; word++)
        at += (size_t)snprintf(command + at, size - at, *word == '\'' ? "'\\''" : "%c", *word);
    if (quoted && at + 2 < size)
        snprintf(command + at, size - at, "'");
    return *word || at + 6 >= size ? -ENAMETOOLONG : 0;
}

/* What saves the models of the layer into the volume; "" where it is too long to be printed. */
static void save_command(const struct create *create, const char *name, const char *volume,
                         const char *root, char command[1000])
{
    char mount[320], from[300], to[300], saver[80];
    const struct {
        const char *before, *word;
    } parts[] = {{"docker create --name ", saver},   {" -v ", mount},
                 {" ", create->plan->profile.image}, {" && docker cp ", from},
                 {" - | docker cp - ", to},          {" && docker rm ", saver}};
    snprintf(saver, sizeof saver, "%.64s-save", create->name);
    snprintf(mount, sizeof mount, "%.100s:%s", volume, root);
    snprintf(from, sizeof from, "%.64s:%s/.", name, root);
    snprintf(to, sizeof to, "%s:%s", saver, root);
    command[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (add_word(command, 1000, parts[i].before, parts[i].word) < 0) {
            command[0] = '\0';
            return;
        }
}

static void judge_others(struct create *create, const char *name, const struct create_layer *layer)
{
    deploy_find(create->plan, DEPLOY_WARNING, "name", FACT_UNKNOWN,
                "%.64s has %zu files and directories in its own layer that are no models (%s): "
                "they go with it. `docker cp` saves them, and without --discard it is kept",
                name, layer->others, layer->other);
}

void create_judge_layer(struct create *create, const char *name, const struct create_layer *layer,
                        bool discarded)
{
    const struct profile *profile = &create->plan->profile;
    const char *volume =
        profile->volume[0] == '/' ? create->wish->deploy.profile.volume : profile->volume;
    char command[1000];
    if (discarded && layer->others > 0)
        judge_others(create, name, layer);
    if (layer->found == 0)
        return;
    if (create->wish->volume_given && !discarded) {
        deploy_find(create->plan, DEPLOY_WARNING, "name", FACT_UNKNOWN,
                    "%.64s has %zu files and directories in its own layer below %s: they stay in "
                    "it, and %.100s is used",
                    name, layer->found, layer->root, volume);
        return;
    }
    save_command(create, name, volume, layer->root, command);
    deploy_find(create->plan, DEPLOY_REFUSAL, "name", FACT_UNKNOWN,
                "%.64s has %zu files and directories in its own layer below %s, in no volume (%s): "
                "they would be %s. Save them%s%s; then %s",
                name, layer->found, layer->root, layer->first, discarded ? "gone" : "missing",
                command[0] ? ": " : " by docker cp into a volume", command,
                discarded ? "remove it by docker rm" : "name that volume: --volume");
}
