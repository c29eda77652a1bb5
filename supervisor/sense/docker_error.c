/* What went wrong with the engine, in words that say what to do. */
#include "sense/docker_private.h"
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

static void not_permitted(const char *path, char *why, size_t size)
{
    struct stat info;
    char uid[16], gid[16];
    if (stat(path, &info) < 0) {
        snprintf(why, size, "permission denied for a directory on the way; run as root");
        return;
    }
    const struct passwd *owner = getpwuid(info.st_uid);
    const struct group *owners = getgrgid(info.st_gid);
    const char *user = owner ? owner->pw_name : uid, *group = owners ? owners->gr_name : gid;
    bool for_group = info.st_mode & S_IWGRP;
    snprintf(uid, sizeof uid, "%u", info.st_uid);
    snprintf(gid, sizeof gid, "%u", info.st_gid);
    snprintf(why, size, "permission denied (owner %s:%s, mode %04o); run as root%s%s", user, group,
             info.st_mode & 07777u, for_group ? " or join the group " : "", for_group ? group : "");
}

static const char *refused(const char *path)
{
    struct stat info;
    bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode))
        return "that is a directory, as an engine makes for a bind mount of a missing file; remove "
               "it and start the engine";
    if (there && !S_ISSOCK(info.st_mode))
        return "that is not a socket; name the engine's with --host or DOCKER_HOST";
    return "connection refused; the engine that made the socket no longer runs: start it "
           "(systemctl start docker)";
}

/* Nobody is there: why, and what to do; "" for another reason. */
static void unreached(const char *path, int code, char *why, size_t size)
{
    why[0] = '\0';
    if (code == -EACCES || code == -EPERM)
        not_permitted(path, why, size);
    else if (code == -ECONNREFUSED)
        snprintf(why, size, "%s", refused(path));
    else if (code == -ENOENT || code == -ENOTDIR)
        snprintf(why, size,
                 "no such file; is the engine running? Start it (systemctl start docker) or name "
                 "its socket with --host or DOCKER_HOST");
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
    char name[160], why[320] = "";
    name_call(call, name, sizeof name);
    if (!response->sent)
        unreached(path, code, why, sizeof why);
    if (why[0] != '\0')
        return error_set(err, FAILURE_UNREACHABLE, code, "cannot reach the Docker Engine at %s: %s",
                         path, why);
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
    bool container = strncmp(call->path, "/containers/", 12) == 0;
    if (response->status == 301 && (container || strncmp(call->path, "/_ping", 6) != 0))
        return error_set(err, FAILURE_JOB, -ENOENT, /* an empty name, or one with slashes or dots */
                         "the Docker Engine at %s knows no such path as %s: that is no %sname",
                         call->docker->socket_path, name, container ? "container's " : "");
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
