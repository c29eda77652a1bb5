/* What a container said. */
#include "sense/docker_private.h"

enum {
    LOGS_MAX = 64 * 1024, /* of text that is given on: the last of it */
    LOGS_LINES_MAX = 10000,
    FRAME_SIZE = 8, /* stream (0 stdin, 1 stdout, 2 stderr), three zeros, length big-endian */
};

struct logs { /* begins with its call */
    struct docker_call call;
    unsigned char frame[FRAME_SIZE]; /* the head of the next frame, as far as it has arrived */
    size_t frame_length;
    size_t left;                 /* bytes of this frame that have not arrived */
    bool plain;                  /* a terminal's: no frames */
    struct buffer text;          /* room for twice LOGS_MAX */
    char head[DOCKER_HEAD_SIZE]; /* the first bytes: a refusal's words */
};
_Static_assert(sizeof(struct logs) <= DOCKER_CALL_MAX, "");

/* false: memory is spent. */
static bool say(struct logs *logs, const char *data, size_t length)
{
    while (length > 0) {
        if (logs->text.length == logs->text.max) {
            memmove(logs->text.data, logs->text.data + LOGS_MAX, LOGS_MAX);
            logs->text.length = LOGS_MAX;
        }
        size_t room = logs->text.max - logs->text.length;
        size_t taken = length < room ? length : room;
        if (buffer_append(&logs->text, data, taken) < 0)
            return false;
        data += taken;
        length -= taken;
    }
    return true;
}

static bool is_frame(const unsigned char *head)
{
    return head[0] <= 2 && head[1] == 0 && head[2] == 0 && head[3] == 0;
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct logs *logs = userdata;
    http_take_head(logs->head, sizeof logs->head, data, length);
    while (length > 0 && !logs->plain) {
        size_t taken;
        if (logs->left > 0) {
            taken = length < logs->left ? length : logs->left;
            if (!say(logs, data, taken))
                return false;
            logs->left -= taken;
        } else {
            taken = FRAME_SIZE - logs->frame_length;
            taken = length < taken ? length : taken;
            memcpy(logs->frame + logs->frame_length, data, taken);
            logs->frame_length += taken;
        }
        data += taken;
        length -= taken;
        if (logs->frame_length < FRAME_SIZE)
            continue;
        const unsigned char *size = logs->frame + 4;
        logs->frame_length = 0;
        if (is_frame(logs->frame)) {
            logs->left = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 |
                         (size_t)size[3];
        } else {
            logs->plain = true;
            if (!say(logs, (const char *)logs->frame, FRAME_SIZE))
                return false;
        }
    }
    return say(logs, data, length);
}

static void forget(struct docker_call *call)
{
    struct logs *logs = (struct logs *)call;
    buffer_clear(&logs->text);
    logs->plain = false;
    logs->frame_length = logs->left = 0;
}

static void logs_ended(struct docker_call *call, int result, const struct http_response *response,
                       const struct error *err)
{
    struct logs *logs = (struct logs *)call;
    (void)response;
    if (result < 0) {
        call->user.said(call->userdata, result, NULL, err);
        return;
    }
    if (logs->frame_length > 0) /* a terminal's few bytes */
        say(logs, (const char *)logs->frame, logs->frame_length);
    const char *text = buffer_text(&logs->text);
    for (size_t i = 0; i < logs->text.length; i++) /* NUL would end the text */
        if (!logs->text.data[i])
            logs->text.data[i] = ' ';
    if (logs->text.length > LOGS_MAX) { /* from the next whole line on */
        text += logs->text.length - LOGS_MAX;
        const char *newline = strchr(text, '\n');
        text = newline && newline[1] ? newline + 1 : text;
    }
    call->user.said(call->userdata, 0, text, NULL);
}

void docker_logs(struct docker *docker, const char *id, int lines, docker_said *done,
                 void *userdata)
{
    char tail[64];
    int wanted = lines < 0 ? 0 : lines > LOGS_LINES_MAX ? LOGS_LINES_MAX : lines;
    snprintf(tail, sizeof tail, "/logs?stdout=1&stderr=1&tail=%d", wanted);
    struct docker_call like =
        docker_question(docker_container_path(id, tail), logs_ended, userdata);
    like.user.said = done;
    like.on_data = piece_arrived;
    like.forget = forget;
    struct logs *logs = (struct logs *)docker_call_new(docker, sizeof *logs, &like);
    if (!logs)
        return;
    logs->call.head = logs->head;
    buffer_init(&logs->text, (size_t)2 * LOGS_MAX);
    docker_call_go(&logs->call);
}
