/* What the files of Ollama's client share, the headers that they need among it; nobody else
 * includes it. */
#ifndef SUPERVISOR_SENSE_OLLAMA_PRIVATE_H
#define SUPERVISOR_SENSE_OLLAMA_PRIVATE_H

#include "sense/ollama.h"
#include "sense/ollama_parse.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
    OLLAMA_BLOBS_LEAST = 32,  /* digests whose blob is remembered; the oldest goes */
    OLLAMA_SHOWS_MAX = 16,    /* models asked about in one poll; the others in the next one */
    OLLAMA_SHOWS_AT_ONCE = 1, /* an answer may have a megabyte */
    OLLAMA_ASIDE_MS =
        2000, /* for version and show, which take 2 ms: they must not hold a poll up */
    OLLAMA_URL_SIZE = 96,
};

struct ask; /* one HTTP request */
typedef void ask_answered(struct ask *ask, const struct http_response *response);

struct ask {
    struct ollama_client *client; /* NULL: given up, the report only frees it */
    struct http_request *request;
    ask_answered *answered;
    http_data *on_data; /* the answer is a stream, handed over with the ask; NULL: it is not */
    bool of_poll;
    char digest[65];   /* of a show */
    ollama_done *done; /* called too when the client is freed; NULL: nobody is to be told */
    long timeout_ms;
    void *userdata;
    LIST_ENTRY(ask) link;
};

struct known_blob {
    char digest[65];
    char blob[80]; /* "": the model has none */
    struct model_shape shape;
};

struct ollama_client {
    struct http *http;
    int netns; /* owned; 0: none */
    ollama_is_its *is_its;
    void *met_userdata;
    bool proven, met;          /* is_its was true; and of a connection of the last poll */
    char url[OLLAMA_URL_SIZE]; /* "http://172.17.0.2:11434" */
    char version[32];          /* "" = to be asked for */
    struct known_blob *blobs;
    size_t n_blobs, oldest_blob, models_max;
    LIST_HEAD(asks, ask) asks;
    bool polling;
    bool too_old;             /* this poll's answer is that there is no /api/ps */
    unsigned poll_asks;       /* requests of this poll under way */
    unsigned shows;           /* asked for in this poll, */
    struct known_blob *shown; /* and answered (owned): believed when the names still have */
    size_t n_shown;           /* these digests */
    uint64_t sent_ns;
    struct ollama answer;
    ollama_polled *polled;
    void *polled_userdata;
};

/* http://ADDRESS:PORT. 0; -ENAMETOOLONG. */
int ollama_url(const char *address, uint16_t port, char url[static OLLAMA_URL_SIZE]);
/* ollama.c. Sends METHOD URL+path over a connection of its own, as `like` says what comes of it.
 * body: of a POST, taken over; -EINVAL without one (a name that is not UTF-8 cannot be asked for).
 * 0 or -errno; on success the ask is freed after it was answered. */
int ollama_ask(struct ollama_client *client, const char *method, const char *path, json_t *body,
               const struct ask *like, struct ask **ret_ask);
/* Why no answer came, as a sentence about the server. */
void ollama_describe(const struct ollama_client *client, const char *what, long timeout_ms,
                     const struct http_response *response, char *text, size_t size);
/* The same as an error about `model`, which may be missing there (-ENOENT). Returns its code. */
int ollama_refused(const struct ask *ask, const char *what, const char *model,
                   const struct http_response *response, struct error *err);

/* ollama_poll.c. What was shown and is not believed yet. */
void ollama_forget_shown(struct ollama_client *client);

/* ollama_load.c. Whether the model cannot generate, which /api/generate has answered. */
bool ollama_only_embeds(const struct http_response *response);

/* ollama_blob.c. What is remembered of a digest, NULL for one not met. */
const struct known_blob *ollama_blob(const struct ollama_client *client, const char *digest);
/* Remembers it; without memory it is asked for again. */
void ollama_remember_blob(struct ollama_client *client, const struct known_blob *known);

#endif
