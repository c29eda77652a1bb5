/* The tokens of [http]: from the settings and from files that only their owner can read. */
#ifndef SUPERVISOR_TELL_SERVE_TOKENS_H
#define SUPERVISOR_TELL_SERVE_TOKENS_H

#include "base/config.h"
#include "tell/api/access.h"

enum { TOKENS_MAX = 32, TOKENS_FILE_MAX = 16 * 1024 };

struct tokens {
    struct access_token list[TOKENS_MAX];
    size_t n;
};

/* http.token, http.read_token and their files, all together. A token is SECRET or NAME:SECRET;
 * without a name it is called after its setting. FAILURE_USAGE, with the sentence: a file that is
 * not there, that others can read, or a secret that is too short; *ret_tokens is as it was. */
int tokens_read(const struct settings *settings, struct tokens *ret_tokens, struct error *err);

#endif
