/* A small HTTP server on a thread of its own, whose answers a test writes byte by byte: what a real
 * server does only when it breaks. */
#ifndef TESTS_HTTP_SERVER_H
#define TESTS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct server;
enum server_next { SERVER_KEEP, SERVER_CLOSE, SERVER_RESET };

/* Answers one request (head and body as a string) on fd; runs on a thread for each connection. */
typedef enum server_next server_answer(void *userdata, int fd, const char *request);

struct server *server_tcp(server_answer *answer, void *userdata); /* on 127.0.0.1 */
struct server *server_unix(const char *path, server_answer *answer, void *userdata);
void server_stop(struct server *server); /* closes all connections, joins all threads */
uint16_t server_port(const struct server *server);
unsigned server_connections(const struct server *server); /* accepted so far */
unsigned server_requests(const struct server *server);    /* read so far */

/* For answers: bytes as they are; a whole reply with Content-Length; a pause. */
void server_say(int fd, const char *bytes);
void server_reply(int fd, int status, const char *headers, const char *body);
void server_wait_ms(unsigned ms);

/* Runs the loop until *counter reaches wanted; false if that takes longer than limit_ms. */
bool loop_until(uv_loop_t *loop, const unsigned *counter, unsigned wanted, unsigned limit_ms);
/* Runs the loop for that long. */
void loop_for(uv_loop_t *loop, unsigned ms);
/* Runs what is left and closes the loop; false if a handle is still open. */
bool loop_end(uv_loop_t *loop);

#endif
