#include "tell/serve/tokens.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From where the tokens of one setting are, for names and for what is told. */
struct source {
    const char *name; /* "http.token" */
    bool admin;
    struct tokens *tokens;
    size_t n; /* of this source so far */
};

static int add(struct source *source, const char *text, size_t length, struct error *err)
{
    struct tokens *all = source->tokens;
    const char *colon = memchr(text, ':', length);
    size_t named = colon ? (size_t)(colon - text) : 0;
    size_t secret = colon ? length - named - 1 : length;
    struct access_token *token = &all->list[all->n];
    source->n++;
    if (all->n == TOKENS_MAX)
        return error_set(err, FAILURE_USAGE, -E2BIG, "%s: there are more than %d tokens",
                         source->name, TOKENS_MAX);
    if (secret < ACCESS_SECRET_MIN || secret >= sizeof token->secret)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "%s: the secret of token %zu has %zu characters; it must have %d to %zu, "
                         "as `openssl rand -hex 24` makes them",
                         source->name, source->n, secret, ACCESS_SECRET_MIN,
                         sizeof token->secret - 1);
    if (named >= sizeof token->name)
        return error_set(err, FAILURE_USAGE, -EINVAL, "%s: the name of token %zu is too long",
                         source->name, source->n);
    *token = (struct access_token){.admin = source->admin};
    if (named > 0)
        snprintf(token->name, sizeof token->name, "%.*s", (int)named, text);
    else
        snprintf(token->name, sizeof token->name, "%s %zu", source->name, source->n);
    memcpy(token->secret, text + length - secret, secret);
    all->n++;
    return 0;
}

/* Tokens that are separated by these; blanks around them are not theirs. */
static int add_all(struct source *source, const char *text, const char *separators,
                   struct error *err)
{
    int r = 0;
    while (r == 0 && *text) {
        const char *next = text + strcspn(text, separators), *end = next;
        text += strspn(text, " \t\r");
        while (end > text && strchr(" \t\r", end[-1]))
            end--;
        if (end > text && *text != '#')
            r = add(source, text, (size_t)(end - text), err);
        text = next + (*next != '\0');
    }
    return r;
}

static int refuse(const struct source *source, const char *path, int code, const char *why,
                  struct error *err)
{
    return error_set(err, FAILURE_USAGE, code, "%s: %s %s", source->name, path, why);
}

static int add_file(struct source *source, const char *path, struct error *err)
{
    char text[TOKENS_FILE_MAX + 1];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return refuse(source, path, -errno, strerror(errno), err);
    ssize_t n = fstat(fd, &info) == 0 ? read(fd, text, sizeof text) : -1;
    close(fd);
    if (n < 0 || !S_ISREG(info.st_mode))
        return refuse(source, path, -EINVAL, "is no file that can be read", err);
    if (info.st_mode & 077)
        return refuse(source, path, -EPERM,
                      "can be read by others: `chmod 600` it, and make new tokens", err);
    if (n > TOKENS_FILE_MAX)
        return refuse(source, path, -EFBIG, "has more than 16 KiB", err);
    text[n] = '\0';
    return add_all(source, text, "\n", err);
}

int tokens_read(const struct settings *settings, struct tokens *ret_tokens, struct error *err)
{
    struct tokens tokens = {.n = 0};
    const struct {
        const char *name, *text, *file;
        bool admin;
    } all[] = {
        {"http.token", settings->http_token, settings->http_token_file, true},
        {"http.read_token", settings->http_read_token, settings->http_read_token_file, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct source source = {.name = all[i].name, .admin = all[i].admin, .tokens = &tokens};
        int r = add_all(&source, all[i].text, ",", err);
        if (r == 0 && all[i].file[0])
            r = add_file(&source, all[i].file, err);
        if (r < 0)
            return r;
    }
    *ret_tokens = tokens;
    return 0;
}
