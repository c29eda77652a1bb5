/* A scene: one container's world that tests change member by member, and a judge that looks at it
 * as the daemon would: a sample a second, a question to Ollama every now and then, connections read
 * only in the look after they were wanted. Time is the scene's own. */
#ifndef TESTS_UNIT_WORLDS_H
#define TESTS_UNIT_WORLDS_H

#include "judge/judge.h"

#define MIB ((fact)1 << 20)
#define GIB ((fact)1 << 30)

enum { SERVE_PID = 100, SCENE_MODELS_MAX = 20 };

struct scene {
    struct config *config;
    struct judge *judge;
    struct judgement judgement;
    struct world world;
    double now_s;      /* since the scene's beginning; the world's origin is another */
    double interval_s; /* of scene_step */
    int64_t wall_offset_ms;
    /* What is true; the world learns it by questions. */
    struct model models[SCENE_MODELS_MAX];
    size_t n_models;
    double poll_s;  /* between two questions; 0: every look has a fresh answer */
    double asked_s; /* the last question */
    bool silent;    /* no questions: what the test wrote into the world stays */
    fact connections;
    fact clients; /* of each runner's own port; read with the connections */
    bool connections_always, connections_never;
    double cpu_percent;    /* of a core, used by the container between two looks */
    double received_per_s; /* bytes */
    /* The test's own change of the world, for each look alone: what it hides is there again. */
    void (*change)(struct scene *scene);
};

/* settings: "section.key=value …", separated by spaces; NULL for none. The container (v2, limit
 * 8 GiB, enforce) has been up for an hour and is idle, with a server that holds 10 MiB. */
void scene_begin(struct scene *scene, const char *settings);
void scene_end(struct scene *scene);

struct container *scene_container(struct scene *scene);
struct process *scene_serve(struct scene *scene);
struct process *scene_process(struct scene *scene, fact pid); /* NULL: there is none */
struct process *scene_add_process(struct scene *scene, fact pid, enum process_kind kind, fact anon);
/* A runner of the server's, with 400 MiB of anon and 200 MiB of file. */
struct process *scene_add_runner(struct scene *scene, fact pid, const char *blob);
void scene_remove_process(struct scene *scene, fact pid);
void scene_list(struct scene *scene, const char *name, const char *blob);
void scene_unlist(struct scene *scene, const char *name);
/* The server's own anonymous memory, and the cgroup's, grow by so much. */
void scene_leak(struct scene *scene, fact bytes);

/* A look now; time goes on by seconds and a look; n looks, one interval after the other. */
void scene_look(struct scene *scene);
void scene_pass(struct scene *scene, double seconds);
void scene_step(struct scene *scene, size_t n);

/* In the last look: the verdict in any state (cleared too), NULL if there is none. */
const struct verdict *scene_verdict(const struct scene *scene, enum verdict_kind kind);
bool scene_raised(const struct scene *scene, enum verdict_kind kind);
/* Whether anything is raised that has a remedy. */
bool scene_acts(const struct scene *scene);
const struct assessment *scene_assessment(const struct scene *scene);
/* Looks on until it is raised, for at most max_s: the scene's time then, or -1. */
double scene_until_raised(struct scene *scene, enum verdict_kind kind, double max_s);
/* Looks on for so long; false as soon as it is raised. */
bool scene_never_raised(struct scene *scene, enum verdict_kind kind, double seconds);

#endif
