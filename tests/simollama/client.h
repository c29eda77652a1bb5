/* The commands beside `serve`: list and ps (health checks), and the foreign work of `sim`. */
#ifndef SIMOLLAMA_CLIENT_H
#define SIMOLLAMA_CLIENT_H

/* Each gives the exit status. */
int client_list(void);
int client_ps(void);
/* sim fill PATH BYTES | sim hold BYTES SECONDS | sim leak BYTES; argv begins after "sim". */
int client_sim(int argc, char **argv);

#endif
