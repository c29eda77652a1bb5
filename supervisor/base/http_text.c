/* Addresses and query strings. */
#include "base/http.h"
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

int http_unix_path(const char *url, char *ret_path, size_t size, struct error *err)
{
    static const char scheme[] = "unix://";
    const size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "the engine's address \"%.200s\" is not a unix socket; only unix:// is "
                         "spoken, as in unix:///var/run/docker.sock",
                         url);
    const char *path = url + sizeof scheme - 1;
    if (path[0] != '/')
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "the engine's address \"%.200s\" has no absolute path; write it as in "
                         "unix:///var/run/docker.sock",
                         url);
    size_t length = strlen(path);
    if (length > longest || length >= size)
        return error_set(err, FAILURE_USAGE, -ENAMETOOLONG,
                         "the socket's path \"%.200s\" has %zu bytes, a unix socket's has at most "
                         "%zu; use a shorter path or a link",
                         path, length, longest < size ? longest : size - 1);
    memcpy(ret_path, path, length + 1);
    return 0;
}

void http_take_head(char *head, size_t size, const char *data, size_t length)
{
    size_t known = strlen(head), room = size - 1 - known;
    if (room > 0 && !memchr(data, '\0', length))
        memcpy(head + known, data, length < room ? length : room);
}

char *http_encode(const char *text)
{
    char *encoded = curl_easy_escape(NULL, text, 0), *copy = encoded ? strdup(encoded) : NULL;
    curl_free(encoded);
    return copy;
}
