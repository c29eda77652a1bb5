/* What the files of the probe share. */
#ifndef SUPERVISOR_DEPLOY_PROBE_PRIVATE_H
#define SUPERVISOR_DEPLOY_PROBE_PRIVATE_H

#include "deploy/probe.h"

/* probe_image.c. The empty one: 0; -ENOENT: there is none. */
int probe_image_remove(struct probe *probe, struct error *err);

/* probe_left.c. Takes one of its containers away: gone already is fine. */
int probe_container_remove(struct probe *probe, const char *name, struct error *err);

/* probe_answer.c. What is known when the container has ended: fills what the result lacks. state:
 * the container as inspected; text: the last it said. false: it is not this program's probe. */
bool probe_answer_read(const char *text, struct probe_answer *answer);
void probe_judge(const struct probe *probe, const json_t *state, const char *text,
                 struct probe_result *result);

#endif
