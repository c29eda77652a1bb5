/* The command line: options, the table of commands, help, configuration from options. */
#include "cli/cli.h"
#include "configs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct option_spec example_options[] = {
    {"json", 'j', NULL, "x"},     {"dry-run", 'n', NULL, "x"},      {"hold", 0, "DURATION", "x"},
    {"output", 'o', "FILE", "x"}, {"watch", 'w', "[SECONDS]", "x"}, {NULL, 0, NULL, NULL},
};
static const struct command example = {.name = "example", .options = example_options};

enum { WORDS_MAX = 16 };

/* The line's words in words, which must live as long as the options; ends with NULL. */
static int parse(const char *line, char words[static 512], struct options *options,
                 struct error *err)
{
    char *argv[WORDS_MAX];
    int argc = 0;
    snprintf(words, 512, "supervisor %s", line);
    for (char *c = words; *c != '\0' && argc < WORDS_MAX - 1;) {
        argv[argc++] = c;
        c += strcspn(c, " ");
        if (*c == ' ')
            *c++ = '\0';
    }
    argv[argc] = NULL;
    return options_parse(&example, argc, argv, options, err);
}

static void good_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *name, *value, *operands; /* value "!": not given */
    } cases[] = {
        {"example", "json", "!", "example"},
        {"example --json", "json", NULL, "example"},
        {"example a --json b", "json", NULL, "example a b"},
        {"example --hold 5s a", "hold", "5s", "example a"},
        {"example --hold=5s a", "hold", "5s", "example a"},
        {"example --hold=", "hold", "", "example"},
        {"example --hold 5s --hold 6s", "hold", "6s", "example"},
        {"example --hold=-x", "hold", "-x", "example"},
        {"example -o f", "output", "f", "example"},
        {"example -of", "output", "f", "example"},
        {"example -jnof a", "output", "f", "example a"},
        {"example -jn", "dry-run", NULL, "example"},
        {"example -o -", "output", "-", "example"},
        {"example -", "output", "!", "example -"},
        {"example --watch", "watch", NULL, "example"},
        {"example --watch 5 a", "watch", "5", "example a"},
        {"example --watch a", "watch", NULL, "example a"},
        {"example --watch=0.5", "watch", "0.5", "example"},
        {"example -w5", "watch", "5", "example"},
        {"example -- --json", "json", "!", "example --json"},
        {"-c f example", "config", "f", "example"},
        {"example -c f", "config", "f", "example"},
        {"--set leak.hold=5s example", "set", "leak.hold=5s", "example"},
        {"--host unix:///x example --json", "host", "unix:///x", "example"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct options options;
        struct error err;
        char words[512], operands[512] = "";
        if (parse(cases[i].line, words, &options, &err) < 0)
            fail_msg("%s: %s", cases[i].line, err.message);
        bool given = !cases[i].value || strcmp(cases[i].value, "!") != 0;
        assert_int_equal(options_has(&options, cases[i].name), given);
        const char *value = options_value(&options, cases[i].name);
        if (given && cases[i].value)
            assert_string_equal(value, cases[i].value);
        else
            assert_null(value);
        for (int j = 0; j < options.operands_n; j++) {
            size_t at = strlen(operands);
            snprintf(operands + at, sizeof(operands) - at, "%s%s", j > 0 ? " " : "",
                     options.operands[j]);
        }
        assert_string_equal(operands, cases[i].operands);
        assert_null(options.operands[options.operands_n]);
    }
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"example --jsn", "unknown option --jsn: did you mean --json?"},
        {"example --dryrun", "unknown option --dryrun: did you mean --dry-run?"},
        {"example --dry", "unknown option --dry: did you mean --dry-run?"},
        {"example --hsot=x", "unknown option --hsot: did you mean --host?"},
        {"example --quux",
         "unknown option --quux: `supervisor help example` lists those that there "
         "are"},
        {"example -x", "unknown option -x: `supervisor help example` lists those that there are"},
        {"example -jx", "unknown option -x: `supervisor help example` lists those that there are"},
        {"--json example", "unknown option --json: `supervisor help` lists those that there are"},
        {"example --hold", "--hold needs an argument: --hold DURATION"},
        {"example --hold --json", "--hold needs an argument: --hold DURATION"},
        {"example -o", "--output needs an argument: --output FILE"},
        {"example --json=yes", "--json takes no argument: \"yes\""},
        {"-c", "--config needs an argument: --config FILE"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct options options = {.given_n = 77};
        struct error err;
        char words[512];
        assert_int_equal(parse(cases[i].line, words, &options, &err), -EINVAL);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_int_equal(options.given_n, 77); /* filled only on success */
    }
}

static void caps(void **state)
{
    (void)state;
    static char json[] = "--json", word[] = "x", *argv[OPERANDS_MAX + 3];
    struct options options;
    struct error err;
    for (size_t i = 0; i < N(argv); i++)
        argv[i] = word;
    assert_int_equal(options_parse(&example, OPERANDS_MAX + 1, argv, &options, &err), 0);
    assert_int_equal(options.operands_n, OPERANDS_MAX);
    assert_int_equal(options_parse(&example, OPERANDS_MAX + 2, argv, &options, &err), -E2BIG);
    for (size_t i = 2; i < N(argv); i++)
        argv[i] = json;
    assert_int_equal(options_parse(&example, OPTIONS_MAX + 2, argv, &options, &err), 0);
    assert_int_equal(options_parse(&example, OPTIONS_MAX + 3, argv, &options, &err), -E2BIG);
    /* without a command: up to the first word that is no option */
    argv[1] = json;
    assert_int_equal(options_parse(NULL, 2, argv, &options, &err), -EINVAL);
    argv[1] = word;
    assert_int_equal(options_parse(NULL, 5, argv, &options, &err), 0);
    assert_int_equal(options.operands_n, 1);
}

/* The table's own promises, for each command that is linked. */
static void table(void **state)
{
    (void)state;
    size_t n;
    const struct command *const *list = commands(&n);
    assert_true(n >= 3);
    for (size_t i = 0; i < n; i++) {
        const struct command *c = list[i];
        assert_ptr_equal(command_find(c->name), c);
        assert_true(strlen(c->summary) <= 60 && c->operands && c->function);
        assert_true(c->operands_min <= c->operands_max);
        assert_true((c->operands[0] == '\0') == (c->operands_max == 0));
        for (const struct option_spec *o = c->options; o && o->name; o++) {
            assert_true(strlen(o->help) <= 48);
            for (const struct option_spec *g = options_global; g->name; g++) {
                assert_string_not_equal(o->name, g->name);
                assert_true(o->letter == 0 || o->letter != g->letter);
            }
        }
    }
    struct error err;
    assert_null(command_find("verson"));
    command_unknown("verson", &err);
    assert_string_equal(err.message, "unknown command \"verson\": did you mean version?");
    command_unknown("quux", &err);
    assert_string_equal(err.message, "unknown command \"quux\": `supervisor help` lists them");
    assert_int_equal(err.failure, FAILURE_USAGE);
}

static void help_fits(void **state)
{
    (void)state;
    size_t n;
    const struct command *const *list = commands(&n);
    static const int widths[] = {80, 200, 60};
    for (size_t w = 0; w < N(widths); w++)
        for (size_t i = 0; i <= n; i++) {
            char *text = NULL;
            size_t length;
            FILE *to = open_memstream(&text, &length);
            if (i == n)
                help_print(to, widths[w]);
            else
                help_command(list[i], to, widths[w]);
            fclose(to);
            assert_memory_equal(text, "Usage: supervisor ", 18);
            if (i < n)
                assert_non_null(strstr(text, strrchr(list[i]->summary, ' ') + 1));
            for (const char *line = text; w < 2 && *line != '\0';) {
                size_t line_length = strcspn(line, "\n");
                assert_true(line_length <= 80);
                assert_true(line_length == 0 || line[line_length - 1] != ' ');
                line += line_length + 1;
            }
            free(text);
        }
}

static void configuration(void **state)
{
    (void)state;
    struct options options;
    struct error err;
    struct config *config = NULL;
    const char *path = "unchanged";
    char words[512], file[] = "/tmp/options-XXXXXX", line[256];
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[leak]\nhold=9s\ngrace=8s\n", 24), 24);
    close(fd);
    snprintf(line, sizeof(line),
             "--state /tmp/s example --mode observe --set leak.hold=7s --host unix:///h -c %s",
             file);
    assert_int_equal(parse(line, words, &options, &err), 0);
    assert_int_equal(cli_config_new(&options, NULL, &config, &path, &err), 0);
    const struct settings *s = config_settings(config);
    assert_string_equal(path, file);
    assert_string_equal(s->state, "/tmp/s");
    assert_string_equal(s->mode, "observe");
    assert_string_equal(s->docker_host, "unix:///h");
    assert_true(s->leak_hold_s > 6.9 && s->leak_hold_s < 7.1); /* over the file */
    assert_true(s->leak_grace_s > 7.9 && s->leak_grace_s < 8.1);
    assert_string_equal(config_origin(config, "supervisor.state"), "command line");
    config_free(config);

    /* what the command line says of one can save what the file says of the other */
    assert_int_equal(parse("example --set pressure.level_medium=85 --set pressure.level_high=90",
                           words, &options, &err),
                     0);
    assert_int_equal(cli_config_new(&options, file, &config, NULL, &err), 0);
    config_free(config);

    static const struct {
        const char *line, *message;
    } cases[] = {
        {"example --mode enforc",
         "supervisor.mode: \"enforc\" is none of: auto enforce observe; did you mean enforce?"},
        {"example --state here",
         "supervisor.state: \"here\" is not an absolute path: begin it with /"},
        {"example --set leak.hold", "\"leak.hold\" sets nothing: write section.key=value, as in "
                                    "leak.hold=30s"},
        {"example --set leak.hld=5s", "unknown setting \"leak.hld\": did you mean leak.hold?"},
        {"example --set pressure.level_medium=85 -c /dev/null",
         "pressure.level_medium = 85% does not fit pressure.level_high = 80%: it must be below it"},
        {"example -c /nonexistent", "/nonexistent cannot be read: No such file or directory"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        config = NULL;
        path = "unchanged";
        assert_int_equal(parse(cases[i].line, words, &options, &err), 0);
        assert_true(cli_config_new(&options, NULL, &config, &path, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_null(config);
        assert_string_equal(path, "unchanged");
    }
    char *argv[WORDS_MAX] = {"supervisor", "example", "--state", NULL};
    char long_path[600];
    memset(long_path, '/', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    argv[3] = long_path;
    assert_int_equal(options_parse(&example, 4, argv, &options, &err), 0);
    assert_int_equal(cli_config_new(&options, NULL, &config, NULL, &err), -EINVAL);
    assert_string_equal(err.message, "--state: its argument is too long");
    assert_int_equal(unlink(file), 0);
}

static void terminal(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_false(cli_colour(file)); /* no terminal */
    fclose(file);
    static const struct {
        const char *columns;
        int width;
    } cases[] = {{"100", 100}, {"5", 20}, {"5000", 1000}, {"x", 80},
                 {"100x", 80}, {"", 80},  {"-3", 80},     {NULL, 80}};
    int kept = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < N(cases); i++) {
        if (cases[i].columns)
            setenv("COLUMNS", cases[i].columns, 1);
        else
            unsetenv("COLUMNS");
        dup2(null, STDOUT_FILENO);
        int width = cli_width();
        dup2(kept, STDOUT_FILENO);
        assert_int_equal(width, cases[i].width);
    }
    close(kept);
    close(null);
}

/* Under a pseudo-terminal: colours but for NO_COLOR and TERM, the window's width. */
static void pseudo_terminal(void **state)
{
    (void)state;
    int main_end = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(main_end >= 0 && grantpt(main_end) == 0 && unlockpt(main_end) == 0);
    FILE *to = fopen(ptsname(main_end), "r+");
    assert_non_null(to);
    static const struct {
        const char *term, *no_colour;
        bool colour;
    } cases[] = {{"xterm", NULL, true}, {"xterm", "", true}, {"xterm", "1", false},
                 {"dumb", NULL, false}, {"", NULL, false},   {NULL, NULL, false}};
    for (size_t i = 0; i < N(cases); i++) {
        unsetenv("NO_COLOR");
        unsetenv("TERM");
        if (cases[i].no_colour)
            setenv("NO_COLOR", cases[i].no_colour, 1);
        if (cases[i].term)
            setenv("TERM", cases[i].term, 1);
        assert_int_equal(cli_colour(to), cases[i].colour);
    }
    unsetenv("COLUMNS");
    assert_int_equal(ioctl(main_end, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = 132}),
                     0);
    int kept = dup(STDOUT_FILENO);
    dup2(fileno(to), STDOUT_FILENO);
    int width = cli_width();
    dup2(kept, STDOUT_FILENO);
    assert_int_equal(width, 132);
    close(kept);
    fclose(to);
    close(main_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines), cmocka_unit_test(bad_lines),
        cmocka_unit_test(caps),       cmocka_unit_test(table),
        cmocka_unit_test(help_fits),  cmocka_unit_test(configuration),
        cmocka_unit_test(terminal),   cmocka_unit_test(pseudo_terminal),
    };
    unsetenv("DOCKER_HOST");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
