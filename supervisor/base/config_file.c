/* The INI file: inih parses, a reader of our own feeds it line by line, so that every refusal has
 * its line number and nothing is cut in silence. */
#include "base/config_layers.h"

#include <ini.h>
#include <stdarg.h>

enum { PROFILE_SECTION_MAX = 64 }; /* of a section's name that is shown; profiles' are shorter */

/* Sections with a name of their own: [profile "33b"]. */
enum kind { KIND_PROFILE, KIND_TIER, KINDS_N };
static const struct {
    const char *word, *example;
    int (*add)(struct config *config, const char *name, struct error *err);
} kinds[KINDS_N] = {{"profile", "33b", config_profile_add}, {"tier", "fast", config_tier_add}};
_Static_assert((int)TIERS_MAX <= (int)PROFILES_MAX, "one size of what counts them");

struct source {
    const char *name, *text;
    size_t length, at;
    int line; /* of the last that was handed out */
    int line_of[SETTINGS_N];
    int begun_at[KINDS_N][PROFILES_MAX], set_at[KINDS_N][PROFILES_MAX][PROFILE_KEYS_N];
    struct config *config;
    struct error *err;
    int code; /* the first refusal */
};

static int __attribute__((format(printf, 2, 3))) refuse(struct source *source, const char *format,
                                                        ...)
{
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof(why), format, arguments);
    va_end(arguments);
    source->code = error_set(source->err, FAILURE_USAGE, -EINVAL, "%s:%d: %s", source->name,
                             source->line, why);
    return source->code;
}

static const char *line_up_to(const char *line, size_t length, char to[static PROFILE_SECTION_MAX])
{
    snprintf(to, PROFILE_SECTION_MAX, "%.*s", (int)length, line);
    return to;
}

/* `profile "33b"`, a section between its brackets -> 33b; the same of another kind (`tier "fast"`).
 * False: it is none of that kind. */
static bool named_of(const char *kind, const char *section, size_t length,
                     char name[static PROFILE_SECTION_MAX])
{
    size_t word = strlen(kind), before = word + 2;
    if (length < before + 1 || length >= PROFILE_SECTION_MAX || strncmp(section, kind, word) != 0 ||
        strncmp(section + word, " \"", 2) != 0 || section[length - 1] != '"')
        return false;
    snprintf(name, PROFILE_SECTION_MAX, "%.*s", (int)(length - before - 1), section + before);
    return true;
}

/* The error is about a key, or about all, of a section with this name. */
static void wrap(struct source *source, enum kind kind, const char *name)
{
    error_wrap(source->err, "%s:%d: [%s \"%s\"]", source->name, source->line, kinds[kind].word,
               name);
}

static void begin_named(struct source *source, enum kind kind, const char *name)
{
    int at = kinds[kind].add(source->config, name, source->err);
    if (at < 0) {
        source->code = at;
        wrap(source, kind, name);
    } else if (source->begun_at[kind][at] > 0) {
        refuse(source, "[%s \"%s\"] begins a second time, after line %d", kinds[kind].word, name,
               source->begun_at[kind][at]);
    } else {
        source->begun_at[kind][at] = source->line;
    }
}

/* `[profile]`, `[tier fast]`: the right word without a name. True: refused. */
static bool names_none(struct source *source, const char *line, size_t length, enum kind kind)
{
    char shown[PROFILE_SECTION_MAX];
    const char *word = kinds[kind].word;
    if (strncmp(line + 1, word, strlen(word)) != 0 || !strchr(" \t\"]", line[1 + strlen(word)]))
        return false;
    refuse(source, "%s names no %s: write it as [%s \"%s\"]", line_up_to(line, length + 2, shown),
           word, word, kinds[kind].example);
    return true;
}

/* "[leak]": inih tells of a section only when a key follows, and reads "[leak" and "[leak] x". */
static void check_section(struct source *source, const char *line)
{
    const char *end = strchr(line, ']');
    if (!end) {
        refuse(source, "\"%.*s\" begins a section without an end: write [leak]",
               (int)strcspn(line, "\r\n"), line);
        return;
    }
    size_t length = (size_t)(end - line - 1), n = 0;
    char name[PROFILE_SECTION_MAX];
    for (enum kind kind = 0; kind < KINDS_N; kind++)
        if (named_of(kinds[kind].word, line + 1, length, name)) {
            begin_named(source, kind, name);
            return;
        }
    for (enum kind kind = 0; kind < KINDS_N; kind++)
        if (names_none(source, line, length, kind))
            return;
    const char *sections[SETTINGS_N + KINDS_N];
    for (int i = 0; i < SETTINGS_N; i++) {
        const char *section = settings_table[i].section;
        if (strlen(section) == length && strncmp(section, line + 1, length) == 0)
            return;
        if (n == 0 || strcmp(sections[n - 1], section) != 0)
            sections[n++] = section;
    }
    for (enum kind kind = 0; kind < KINDS_N; kind++)
        sections[n++] = kinds[kind].word;
    line_up_to(line + 1, length, name);
    char word[PROFILE_SECTION_MAX]; /* of [profil "33b"] */
    line_up_to(name, strcspn(name, " "), word);
    const char *meant = nearest(word, sections, n);
    refuse(source, "unknown section [%s]%s%s%s", name, meant ? ": did you mean [" : "",
           meant ? meant : "", meant ? "]?" : "");
}

/* ini_reader: the next line without its indentation (to inih an indented line goes on with the one
 * before; here it is a line like others); NULL at the end and after a refusal. */
static char *next_line(char *to, int size, void *userdata)
{
    struct source *source = userdata;
    if (source->code < 0 || source->at >= source->length || size <= 2)
        return NULL;
    const char *line = source->text + source->at;
    const char *newline = memchr(line, '\n', source->length - source->at);
    size_t length = newline ? (size_t)(newline - line) : source->length - source->at;
    source->at += length + (newline ? 1 : 0);
    source->line++;
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    if (length > 0 && (*line == ';' || *line == '#'))
        length = 0; /* a comment may be as long as it likes */
    if (length > (size_t)size - 2) {
        refuse(source, "a line longer than %d characters", size - 2);
        return NULL;
    }
    memcpy(to, line, length);
    memcpy(to + length, "\n", 2);
    if (to[0] == '[') {
        check_section(source, to);
        if (source->code < 0)
            return NULL;
    }
    return to;
}

/* Another server brings its own image, volume and port, but for those that the file has named: in
 * which order they stand does not matter. */
static int set_profile(struct file_profiles *all, int at, const char *key, const char *value,
                       struct error *err)
{
    struct profile before = all->profiles[at];
    int code = profile_set(&all->profiles[at], key, value, err);
    for (int row = 0; code == 0 && row < PROFILE_KEYS_N; row++) {
        char text[PROFILE_TEXT_SIZE];
        if ((all->given[at] >> row & 1) == 0 || strcmp(profile_keys[row], key) == 0)
            continue;
        profile_format(&before, profile_keys[row], text, sizeof(text));
        code = profile_set(&all->profiles[at], profile_keys[row], text, err);
    }
    return code;
}

static int take_named(struct source *source, enum kind kind, const char *name, const char *key,
                      const char *value)
{
    struct config *config = source->config;
    int at = kinds[kind].add(config, name, source->err);
    int row = kind == KIND_PROFILE ? profile_key(key) : strcmp(key, "models") == 0 ? 0 : -1;
    int *set_at = at >= 0 && row >= 0 ? &source->set_at[kind][at][row] : NULL;
    if (set_at && *set_at > 0)
        return refuse(source, "[%s \"%s\"]: %s is set a second time, after line %d",
                      kinds[kind].word, name, key, *set_at) == 0;
    if (at < 0)
        source->code = at;
    else if (kind == KIND_PROFILE)
        source->code = set_profile(config->profiles, at, key, value, source->err);
    else
        source->code = tier_set(&config->tiers->tiers[at], key, value, source->err);
    if (source->code < 0 || !set_at) {
        wrap(source, kind, name);
        return 0;
    }
    *set_at = source->line;
    if (kind == KIND_PROFILE)
        config->profiles->given[at] |= UINT32_C(1) << row;
    return 1;
}

/* ini_handler. */
static int take(void *userdata, const char *section, const char *key, const char *value)
{
    struct source *source = userdata;
    if (source->code < 0)
        return 0;
    if (section[0] == '\0')
        return refuse(source, "\"%.40s\" stands before any section: begin with one, as [leak]",
                      key) == 0;
    char own[PROFILE_SECTION_MAX];
    for (enum kind kind = 0; kind < KINDS_N; kind++)
        if (named_of(kinds[kind].word, section, strlen(section), own))
            return take_named(source, kind, own, key, value ? value : "");
    char name[SETTING_NAME_MAX * 2];
    snprintf(name, sizeof(name), "%s.%s", section, key);
    int row = setting_find(section, key);
    if (row < 0) {
        source->code = setting_unknown(name, source->err);
        error_wrap(source->err, "%s:%d", source->name, source->line);
        return 0;
    }
    if (source->line_of[row] > 0)
        return refuse(source, "%s is set a second time, after line %d", name,
                      source->line_of[row]) == 0;
    source->line_of[row] = source->line;
    struct layer *layer = &source->config->layers[ORIGIN_FILE];
    source->code =
        setting_parse(&settings_table[row], value ? value : "", &layer->values, source->err);
    if (source->code < 0)
        error_wrap(source->err, "%s:%d: %s", source->name, source->line, name);
    layer->given[row] = true;
    return source->code == 0;
}

int config_read_text(struct config *config, const char *name, const char *text, size_t length,
                     struct error *err)
{
    if (length > CONFIG_FILE_MAX)
        return error_set(err, FAILURE_USAGE, -EFBIG, "%s is larger than %d KiB: no configuration",
                         name, CONFIG_FILE_MAX / 1024);
    if (text && memchr(text, '\0', length))
        return error_set(err, FAILURE_USAGE, -EINVAL, "%s is not a text file", name);
    struct config *wanted = malloc(sizeof(*wanted));
    if (!wanted)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory for the configuration");
    *wanted = *config;
    wanted->profiles = NULL;
    wanted->tiers = NULL;
    memset(wanted->layers[ORIGIN_FILE].given, 0, sizeof(wanted->layers[ORIGIN_FILE].given));

    struct source source = {
        .name = name, .text = text, .length = length, .config = wanted, .err = err};
    int bad_line = ini_parse_stream(next_line, &source, take, &source);
    if (bad_line > 0 && source.code == 0) {
        source.line = bad_line;
        refuse(&source, "no setting and no comment: write key = value");
    } else if (bad_line < 0 && source.code == 0) {
        source.code = error_set(err, FAILURE_JOB, -ENOMEM, "no memory to read %s", name);
    }
    if (source.code == 0) {
        int rows[2];
        const bool *given = wanted->layers[ORIGIN_FILE].given;
        config_resolve(wanted);
        source.code = config_misfit(&wanted->settings, rows, err);
        if (source.code < 0 && (given[rows[0]] || given[rows[1]]))
            error_wrap(err, "%s", name);
    }
    free(source.code == 0 ? config->profiles : wanted->profiles);
    free(source.code == 0 ? config->tiers : wanted->tiers);
    if (source.code == 0)
        *config = *wanted;
    free(wanted);
    return source.code;
}

int config_read_file(struct config *config, const char *path, struct error *err)
{
    int code = 0;
    FILE *file = fopen(path, "re");
    char *text = malloc(CONFIG_FILE_MAX + 1);
    size_t length = file && text ? fread(text, 1, CONFIG_FILE_MAX + 1, file) : 0;
    if (!file || ferror(file))
        code = error_set(err, FAILURE_USAGE, -errno, "%s cannot be read: %s", path,
                         error_of_file(errno));
    else if (!text)
        code = error_set(err, FAILURE_JOB, -ENOMEM, "no memory to read %s", path);
    else
        code = config_read_text(config, path, text, length, err);
    free(text);
    if (file)
        fclose(file);
    return code;
}
