/* What went wrong with the engine, in words that say what to do. */
#include "sense/docker_parse.h"
#include "sense/docker_private.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOKUP_BYTES = 2048, OWNER_NAME_SIZE = 64 }; /* a passwd or group entry; a name of it */

static void user_name(uid_t uid, char *text, size_t size)
{
    struct passwd entry, *found = NULL;
    char memory[LOOKUP_BYTES];
    if (getpwuid_r(uid, &entry, memory, sizeof memory, &found) == 0 && found)
        snprintf(text, size, "%s", found->pw_name);
    else
        snprintf(text, size, "%u", uid);
}

static void group_name(gid_t gid, char *text, size_t size)
{
    struct group entry, *found = NULL;
    char memory[LOOKUP_BYTES];
    if (getgrgid_r(gid, &entry, memory, sizeof memory, &found) == 0 && found)
        snprintf(text, size, "%s", found->gr_name);
    else
        snprintf(text, size, "%u", gid);
}

static int not_permitted(const char *path, int code, struct error *err)
{
    struct stat info;
    if (stat(path, &info) < 0)
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "cannot reach the Docker Engine at %s: permission denied for a directory "
                         "on the way; run as root",
                         path);
    char user[OWNER_NAME_SIZE], group[OWNER_NAME_SIZE];
    user_name(info.st_uid, user, sizeof user);
    group_name(info.st_gid, group, sizeof group);
    bool for_group = info.st_mode & S_IWGRP;
    return error_set(err, FAILURE_UNREACHABLE, code,
                     "cannot reach the Docker Engine at %s: permission denied (owner %s:%s, mode "
                     "%04o); run as root%s%s",
                     path, user, group, info.st_mode & 07777u,
                     for_group ? " or join the group " : "", for_group ? group : "");
}

static int refused(const char *path, int code, struct error *err)
{
    struct stat info;
    bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode))
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "cannot reach the Docker Engine at %s: that is a directory, as an engine "
                         "makes for a bind mount of a missing file; remove it and start the engine",
                         path);
    if (there && !S_ISSOCK(info.st_mode))
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "cannot reach the Docker Engine at %s: that is not a socket; name the "
                         "engine's with --host or DOCKER_HOST",
                         path);
    return error_set(err, FAILURE_UNREACHABLE, code,
                     "cannot reach the Docker Engine at %s: connection refused; the engine that "
                     "made the socket no longer runs: start it (systemctl start docker)",
                     path);
}

/* "GET /containers/json", without the query. */
static void name_call(const struct docker_call *call, char *text, size_t size)
{
    snprintf(text, size, "%s %.*s", call->method, (int)strcspn(call->path, "?"), call->path);
}

/* Not sent: the engine is unreachable. Sent, and it was a question: the same for the one who asks.
 * Sent, and it was to change something: that job failed, or its answer was lost. */
static enum failure failure_of(const struct docker_call *call, const struct http_response *response)
{
    bool question = strcmp(call->method, "GET") == 0 || strcmp(call->method, "HEAD") == 0;
    /* One whose answer was too long is there. */
    return response->sent && (!question || response->result == -EMSGSIZE) ? FAILURE_JOB
                                                                          : FAILURE_UNREACHABLE;
}

int docker_error_transport(const struct docker_call *call, const struct http_response *response,
                           struct error *err)
{
    const char *path = call->docker->socket_path;
    int code = response->result;
    char name[160];
    name_call(call, name, sizeof name);
    if (!response->sent && (code == -EACCES || code == -EPERM))
        return not_permitted(path, code, err);
    if (!response->sent && code == -ECONNREFUSED)
        return refused(path, code, err);
    if (!response->sent && (code == -ENOENT || code == -ENOTDIR))
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "cannot reach the Docker Engine at %s: no such file; is the engine "
                         "running? Start it (systemctl start docker) or name its socket with "
                         "--host or DOCKER_HOST",
                         path);
    enum failure failure = failure_of(call, response);
    if (code == -ETIMEDOUT)
        return error_set(err, failure, code,
                         "the Docker Engine at %s did not answer %s within %.1f s", path, name,
                         (double)call->timeout_ms / 1000);
    if (code == -ECONNRESET)
        return error_set(err, failure, code,
                         "the Docker Engine at %s closed the connection before %s was answered",
                         path, name);
    return error_set(err, failure, code, "the Docker Engine at %s: %s failed: %.200s", path, name,
                     response->message);
}

int docker_error_status(const struct docker_call *call, const struct http_response *response,
                        struct error *err)
{
    char words[DOCKER_WORDS_MAX], name[160];
    docker_parse_message(response->body, response->length, words, sizeof words);
    if (response->status == 404 && response->body[0] == '{' && strcmp(words, "page not found") != 0)
        return error_set(err, FAILURE_JOB, -ENOENT, "the Docker Engine at %s: %s",
                         call->docker->socket_path, words);
    name_call(call, name, sizeof name);
    if (response->status == 301 && strncmp(call->path, "/containers/", 12) != 0 &&
        strncmp(call->path, "/_ping", 6) != 0)
        return error_set(err, FAILURE_JOB, -ENOENT,
                         "the Docker Engine at %s knows no such path as %s: that is no name",
                         call->docker->socket_path, name);
    if (response->status == 301 && strncmp(call->path, "/containers/", 12) == 0)
        return error_set(err, FAILURE_JOB, -ENOENT, /* an empty name, or one with slashes or dots */
                         "the Docker Engine at %s knows no such path as %s: that is no container's "
                         "name",
                         call->docker->socket_path, name);
    int code = response->status == 409 && call->conflict  ? call->conflict
               : response->status == 400 && call->refused ? call->refused
                                                          : -EIO;
    if (code != -EIO && words[0])
        return error_set(err, FAILURE_JOB, code, "the Docker Engine at %s: %s",
                         call->docker->socket_path, words);
    return error_set(err, call->unversioned ? FAILURE_UNREACHABLE : FAILURE_JOB, code,
                     "the Docker Engine at %s refused %s with HTTP %ld%s%s",
                     call->docker->socket_path, name, response->status, words[0] ? ": " : "",
                     words);
}

bool docker_version_refused(const struct http_response *response)
{
    if (response->status != 400)
        return false;
    char words[DOCKER_WORDS_MAX];
    docker_parse_message(response->body, response->length, words, sizeof words);
    return strstr(words, "client version") &&
           (strstr(words, "is too old") || strstr(words, "is too new"));
}
