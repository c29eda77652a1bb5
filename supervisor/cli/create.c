/* create-standard, create-33b, create-70b, create-localai and create PROFILE. */
#include "deploy/create.h"
#include "cli/cli.h"
#include "cli/create_print.h"
#include "cli/progress.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct creating {
    bool json, dry_run;
    struct progress progress;
};

static void tell(void *userdata, const struct create_event *event)
{
    struct creating *creating = userdata;
    if (event->kind == CREATE_PROGRESS) {
        progress_show(&creating->progress, event->text, event->current, event->total);
        return;
    }
    progress_end(&creating->progress);
    if (event->kind == CREATE_WARNING)
        fprintf(stderr, "supervisor: warning: %s\n", event->text);
    if (creating->json)
        return;
    if (event->kind == CREATE_LOOKED)
        create_print_checks(event->seen, event->plan);
    if (event->kind == CREATE_STEP)
        printf("%s\n", event->text);
    fflush(stdout);
}

/* Those of a profile's keys that are options too. */
static int take_options(const struct options *options, struct profile *profile, struct error *err)
{
    static const struct {
        const char *option, *key;
    } keys[] = {{"name", "container"}, {"memory", "memory"}, {"swap", "swap"},
                {"model", "model"},    {"gpu", "gpu"},       {"port", "port"},
                {"volume", "volume"},  {"image", "image"},   {"reserve", "reserve"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = options_value(options, keys[i].option);
        struct error own = {0};
        if (!value || profile_set(profile, keys[i].key, value, &own) == 0)
            continue;
        const char *text = own.message; /* "KEY: …": the option has its own name */
        size_t length = strlen(keys[i].key);
        if (strncmp(text, keys[i].key, length) == 0 && strncmp(text + length, ": ", 2) == 0)
            text += length + 2;
        return error_set(err, FAILURE_USAGE, own.code, "--%s: %s", keys[i].option, text);
    }
    return 0;
}

static int check_options(const struct create_wish *wish, const struct options *options,
                         struct error *err)
{
    const struct profile *profile = &wish->deploy.profile;
    if (options_has(options, "wait") && options_has(options, "no-wait"))
        return error_set(err, FAILURE_USAGE, -EINVAL, "--wait and --no-wait: one of them");
    if (!wish->deploy.pull)
        return 0;
    if (!wish->wait)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--pull needs the container's answer: it does not go with --no-wait");
    if (profile->server == SERVER_LOCALAI)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--pull is Ollama's; LocalAI is told what to install at its own page");
    if (!profile->model[0])
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--pull: profile %s names no model; name one with --model", profile->name);
    return 0;
}

static int read_wish(struct cli *cli, const char *name, struct create_wish *wish, struct error *err)
{
    const struct options *options = &cli->options;
    const struct profile *profile = config_profile(cli->config, name);
    if (!profile) {
        const char *names[PROFILES_MAX];
        char list[PROFILES_MAX * (PROFILE_NAME_SIZE + 2)] = "";
        size_t n, used = 0;
        const struct profile *profiles = config_profiles(cli->config, &n);
        for (size_t i = 0; i < n && i < PROFILES_MAX; i++) {
            names[i] = profiles[i].name;
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? " " : "",
                                     names[i]);
        }
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "there is no profile \"%.64s\": there are %s; [profile \"NAME\"] of the "
                         "configuration adds one",
                         name, list);
    }
    wish->deploy.profile = *profile;
    wish->deploy.pull = options_has(options, "pull");
    wish->deploy.evict = options_has(options, "evict");
    wish->deploy.model_wanted = wish->deploy.pull || options_has(options, "model");
    wish->image_given = options_has(options, "image");
    wish->volume_given = options_has(options, "volume");
    wish->replace = options_has(options, "replace");
    wish->dry_run = options_has(options, "dry-run");
    wish->wait = !options_has(options, "no-wait");
    int code = take_options(options, &wish->deploy.profile, err);
    return code < 0 ? code : check_options(wish, options, err);
}

static int status_of(const struct create_result *result)
{
    switch (result->outcome) {
    case CREATE_MADE:
    case CREATE_THERE:
        return 0;
    case CREATE_PLANNED:
        return result->plan.refused ? FAILURE_JOB : 0;
    case CREATE_REFUSED:
        return FAILURE_JOB;
    case CREATE_FAILED:
        break;
    }
    return result->signal ? 128 + result->signal : (int)result->error.failure;
}

int cmd_create(struct cli *cli)
{
    static struct create_result result; /* large, and there is one */
    static struct create_wish wish;
    struct creating creating = {.json = cli_has(cli, "json"), .dry_run = cli_has(cli, "dry-run")};
    struct error err = {0};
    const char *name = cli->operands[0] ? cli->operands[0] : cli->command->name + strlen("create-");
    if (read_wish(cli, name, &wish, &err) < 0)
        return cli_fail(&err);
    int code = create_container(cli->config, &wish, tell, &creating, &result, &err);
    progress_end(&creating.progress);
    if (code < 0) {
        create_result_clear(&result);
        return cli_fail(&err);
    }
    if (result.outcome == CREATE_FAILED) {
        fflush(stdout);
        fprintf(stderr, "supervisor: %s\n", result.error.message);
    }
    if (creating.json)
        create_print_json(&result);
    else if (creating.dry_run)
        create_print_request(&result);
    else
        create_print_end(&result);
    int status = status_of(&result);
    create_result_clear(&result);
    return status;
}
