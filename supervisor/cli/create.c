/* create-standard, create-33b, create-70b, create-localai and create PROFILE. */
#include "deploy/create.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/create_json.h"
#include "cli/say.h"
#include "sense/json_member.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what it says, for a person and for a program */

static void row(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *what, const char *format, ...)
{
    va_list arguments;
    printf("  %-9s", what);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* What an exclusive one leaves, and from where on the host's pressure acts. */
static void print_margin(const struct deploy_plan *plan)
{
    const struct deploy_margin *margin = &plan->margin;
    char acts[160] = "no kill switch";
    if (!fact_known(margin->beside))
        return;
    if (margin->stop != FACT_NONE)
        snprintf(acts, sizeof acts, "the kill switch stops a container below %s available",
                 SHOWN(margin->stop));
    if (margin->unload != FACT_NONE)
        text_append(acts, sizeof acts, ", models are unloaded below %s", SHOWN(margin->unload));
    row("margin", "%s of the host beside it; %s available when it is full, by what others use now",
        SHOWN(margin->beside), SHOWN(margin->full));
    row("", "%s", acts);
}

static void print_memory(const struct create_seen *seen, const struct deploy_plan *plan)
{
    const struct deploy_facts *facts = &seen->facts;
    row("memory", "limit %s, and %s for others, of the host's %s; %s available now",
        SHOWN(plan->profile.memory), SHOWN(plan->reserve), SHOWN(facts->memory_total),
        SHOWN(facts->memory_available));
    if (plan->profile.swap == FACT_NONE)
        row("swap", "as much as it likes");
    else
        row("swap", "%s", plan->profile.swap ? SHOWN(plan->profile.swap) : "none");
    print_margin(plan);
}

static void print_model(const struct create_seen *seen, const struct deploy_plan *plan)
{
    const struct deploy_ledger *ledger = &plan->ledger;
    const char *model = plan->profile.model;
    if (!model[0] || !fact_known(ledger->needed))
        return;
    row("model", "%s: weights %s, KV cache %s, buffers %s, server %s, prompt cache %s", model,
        SHOWN(ledger->weights), SHOWN(ledger->kv), SHOWN(ledger->compute), SHOWN(ledger->server),
        SHOWN(ledger->prompt_cache));
    if (ledger->weights_vram > 0)
        row("", "of the weights %s in VRAM, %s mapped from the disk", SHOWN(ledger->weights_vram),
            SHOWN(ledger->weights_file));
    row("", "%s needed of the limit's %s%s", SHOWN(ledger->needed), SHOWN(ledger->limit),
        seen->facts.model_present ? "; it is in the volume" : "");
}

static void print_gpu(const struct create_seen *seen, const struct deploy_plan *plan)
{
    const struct gpu_list *gpus = &seen->facts.gpus;
    if (!plan->gpu) {
        row("GPU", "none");
        return;
    }
    if (gpus->n == 0)
        row("GPU", "%s, unseen from here", plan->profile.gpu);
    bool first = true;
    for (size_t i = 0; i < gpus->n; i++) {
        if (!plan->gpus[i])
            continue;
        row(first ? "GPU" : "", "%u %s, %s of %s VRAM in use", gpus->gpus[i].index,
            gpus->gpus[i].name, SHOWN(gpus->gpus[i].vram_used), SHOWN(gpus->gpus[i].vram_total));
        first = false;
    }
}

static void print_place(const struct create_seen *seen, const struct deploy_plan *plan)
{
    const struct profile *profile = &plan->profile;
    row("disk", "%s free in %s%s%s", SHOWN(seen->facts.disk_free),
        seen->volume_path[0] ? seen->volume_path : "the volume's disk",
        fact_known(plan->footprint.download) && !seen->facts.model_present ? "; the model is " : "",
        fact_known(plan->footprint.download) && !seen->facts.model_present
            ? SHOWN(plan->footprint.download)
            : "");
    row("volume", "%s, %s", profile->volume, seen->volume_present ? "there already" : "to be made");
    row("image", "%s, %s", profile->image, seen->image_present ? "there" : "to be pulled");
    if (profile->port)
        row("port", strchr(profile->address, ':') ? "[%s]:%u" : "%s:%u", profile->address,
            profile->port);
    else
        row("port", "not published");
}

/* What becomes of the one that is replaced. */
static void print_replaced(const json_t *differs)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)differs, i, one)
    {
        row(i == 0 ? "replaced" : "", "%s is %s, will be %s", member_string(one, "what"),
            member_string(one, "is"), member_string(one, "would_be"));
    }
}

/* The checks with their numbers, then the findings. */
static void print_checks(const struct create_seen *seen, const struct deploy_plan *plan,
                         const json_t *differs)
{
    static const char *const words[] = {"note", "warning", "refused"};
    printf("%s, profile %s\n", plan->profile.container, plan->profile.name);
    print_memory(seen, plan);
    print_model(seen, plan);
    print_gpu(seen, plan);
    print_place(seen, plan);
    if (!seen->exists)
        print_replaced(differs);
    if (seen->leftover[0])
        printf("note: %s\n", seen->leftover);
    for (size_t i = 0; i < plan->n_findings; i++)
        printf("%s: %s\n", words[plan->findings[i].severity], plan->findings[i].text);
    fflush(stdout);
}

static void print_differs(const struct create_result *result)
{
    size_t i;
    json_t *one;
    json_array_foreach(result->differs, i, one)
    {
        printf("  %s is %s, would be %s\n", member_string(one, "what"), member_string(one, "is"),
               member_string(one, "would_be"));
    }
    if (json_array_size(result->differs) > 0)
        printf("  to make it so: --replace (it is kept, stopped, with its volumes)\n");
}

/* What the dry run would ask of the engine, with the ledger. */
static void print_request(const struct create_result *result)
{
    if (result->seen.exists) {
        printf("%s is there already, %s; this would start it and say what differs:\n",
               result->plan.profile.container, result->seen.running ? "running" : "stopped");
        print_differs(result);
    }
    printf("POST /containers/create?name=%s\n", result->plan.profile.container);
    say_json_by(json_incref(result->request), JSON_INDENT(2));
}

static void print_next(const struct create_result *result)
{
    const struct profile *profile = &result->plan.profile;
    bool localai = profile->server == SERVER_LOCALAI;
    if (!result->address[0])
        return;
    if (localai)
        printf("next: curl %s/v1/models\n", result->address);
    else if (result->seen.facts.model_present || !profile->model[0])
        printf("next: docker exec -it %s ollama run %s\n", profile->container,
               profile->model[0] ? profile->model : "MODEL");
    else
        printf("next: docker exec -it %s ollama run %s (pulls it if it is not there)\n",
               profile->container, profile->model);
    printf("      supervisor run supervises it; supervisor status shows it\n");
}

/* How it ended and what to do next. */
static void print_end(const struct create_result *result)
{
    const char *name = result->plan.profile.container;
    char limit[64] = "unknown";
    if (fact_known(result->limit))
        snprintf(limit, sizeof limit, "%s", SHOWN(result->limit));
    else if (result->limit == FACT_NONE)
        snprintf(limit, sizeof limit, "none");
    const char *at = result->address[0] ? " at " : "";
    switch (result->outcome) {
    case CREATE_MADE:
        printf("%s runs%s%s, limit %s\n", name, at, result->address, limit);
        print_next(result);
        break;
    case CREATE_THERE:
        printf("%s %s%s%s, limit %s\n", name,
               result->seen.running ? "runs already" : "was there, and runs now", at,
               result->address, limit);
        print_differs(result);
        break;
    case CREATE_REFUSED:
        printf("%s: refused, %s\n", name,
               result->taken_back ? "what an earlier run had begun was taken back"
                                  : "nothing was changed");
        break;
    case CREATE_PLANNED:
    case CREATE_FAILED:
        break;
    }
    fflush(stdout);
}

/* ---- the command */

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
        print_checks(event->seen, event->plan, event->differs);
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
    if (wish->discard && !wish->wait)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "--discard needs the container's answer: it does not go with --no-wait");
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
        char list[PROFILES_MAX * (PROFILE_NAME_SIZE + 2)] = "";
        size_t n;
        const struct profile *profiles = config_profiles(cli->config, &n);
        for (size_t i = 0; i < n && i < PROFILES_MAX; i++)
            text_append(list, sizeof list, "%s%s", *list ? " " : "", profiles[i].name);
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
    wish->discard = options_has(options, "discard");
    wish->dry_run = options_has(options, "dry-run");
    wish->wait = !options_has(options, "no-wait");
    int code = take_options(options, &wish->deploy.profile, err);
    return code < 0 ? code : check_options(wish, options, err);
}

static int status_of(const struct create_result *result)
{
    if (result->outcome == CREATE_FAILED)
        return result->signal ? 128 + result->signal : (int)result->error.failure;
    bool planned = result->outcome == CREATE_PLANNED;
    return result->outcome == CREATE_REFUSED || (planned && result->plan.refused) ? FAILURE_JOB : 0;
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
        say_json(create_json(&result));
    else if (creating.dry_run && result.plan.refused)
        printf("%s: refused, nothing would be made\n", result.plan.profile.container);
    else if (creating.dry_run)
        print_request(&result);
    else
        print_end(&result);
    int status = status_of(&result);
    create_result_clear(&result);
    return status;
}
