/* The settings: their table, the file, the environment, the command line. */
#include "base/config_layers.h"
#include "configs.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void set(struct config *config, const char *assignment)
{
    struct error err;
    if (config_set(config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
        fail_msg("%s", err.message);
}

/* Each row has its own words, and they are of one kind. */
static void table(void **state)
{
    (void)state;
    struct config *config = new_config();
    for (int i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = &settings_table[i];
        char name[SETTING_NAME_MAX], upper[SETTING_NAME_MAX], text[512];
        setting_name(s, name);
        bool own = strcmp(s->section, "supervisor") == 0;
        snprintf(upper, sizeof(upper), "SUPERVISOR_%s%s%s", own ? "" : s->section, own ? "" : "_",
                 s->key);
        for (char *c = upper; *c; c++)
            *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        assert_string_equal(setting_environment(s, text), upper);
        assert_int_equal(setting_find_name(name), i); /* and no other before it has the name */
        assert_int_equal(setting_find_environment(upper), i);
        if (s->label) {
            assert_int_equal(setting_find_label(s->label), i);
            assert_memory_equal(s->label, "supervisor.", 11);
        }
        assert_true(strlen(s->reason) > 0 && strlen(s->reason) < 100);
        assert_true(s->optional || s->initial[0] != '\0');
        assert_true(config->layers[ORIGIN_BUILTIN].given[i]);
        assert_string_equal(config_origin(config, name), "built-in");

        /* as it is shown it is read back to the same */
        struct settings again = config->settings;
        setting_format(s, &config->settings, text, sizeof(text));
        assert_int_equal(setting_parse(s, text, &again, NULL), 0);
        assert_memory_equal(setting_field(s, &again), setting_field(s, &config->settings), s->size);
    }
    assert_null(config_origin(config, "leak.nothing"));
    for (const struct preset *p = presets_table; p->name; p++) {
        struct settings settings = config->settings;
        int row = setting_find(p->section, p->key);
        assert_true(row >= 0);
        assert_int_equal(setting_parse(&settings_table[row], p->value, &settings, NULL), 0);
    }
    config_free(config);
}

static void builtin(void **state)
{
    (void)state;
    struct config *config = new_config();
    const struct settings *s = config_settings(config);
    assert_string_equal(s->preset, "");
    assert_string_equal(s->mode, "auto");
    assert_true(fabs(s->interval_s - 1) + fabs(s->poll_s - 2) < 1e-9);
    assert_string_equal(s->docker_host, "unix:///var/run/docker.sock");
    assert_true(s->memory_limit == FACT_NONE && s->memory_high == FACT_NONE);
    assert_true(s->leak_threshold == INT64_C(1) << 30 && s->leak_baseline == FACT_NONE);
    assert_true(fabs(s->leak_hold_s - 60) < 1e-9 && fabs(s->leak_stalled_hold_s - 360) < 1e-9);
    assert_true(s->remedy_budget_per_hour == 3 && s->remedy_stop_grace_s < 0);
    assert_true(s->leak_busy_received == 65536);
    assert_false(s->models_single);
    assert_true(fabs(s->action_warn - 80) + fabs(s->action_optimize - 90) < 1e-9);
    assert_true(fabs(s->action_unload - 95) + fabs(s->action_kill_switch - 98) < 1e-9);
    assert_true(s->action_flush < 0 && fabs(s->pressure_optimize_every_s - 60) < 1e-9);
    assert_int_equal(config_check(config, NULL), 0);
    config_free(config);
}

static void good_files(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct error err;
    static const char text[] = "\xEF\xBB\xBF; a comment\n"
                               "# another\n"
                               "[leak]\r\n"
                               "hold = 5s ; behind it\r\n"
                               "    threshold: 32M\n"
                               "[memory]\n"
                               "limit = 28g\n"
                               "high =\n"
                               "[leak]\n"
                               "grace=0";
    assert_int_equal(read_text(config, text, &err), 0);
    const struct settings *s = config_settings(config);
    assert_true(fabs(s->leak_hold_s - 5) < 1e-9 && s->leak_threshold == 32 << 20);
    assert_true(s->memory_limit == INT64_C(28) << 30 && s->memory_high == FACT_NONE);
    assert_true(fabs(s->leak_grace_s) < 1e-9);
    assert_string_equal(config_origin(config, "leak.hold"), "file");
    assert_string_equal(config_origin(config, "memory.high"), "file");
    assert_string_equal(config_origin(config, "leak.orphan_hold"), "built-in");

    /* another file takes its place whole; a comment may be long */
    char long_text[1024];
    memset(long_text, 'x', sizeof(long_text));
    long_text[0] = '#';
    memcpy(long_text + 900, "\n[leak]\nhold=7s\n", 17);
    assert_int_equal(read_text(config, long_text, &err), 0);
    assert_true(fabs(s->leak_hold_s - 7) < 1e-9 && s->memory_limit == FACT_NONE);
    assert_int_equal(read_text(config, "", &err), 0);
    assert_true(fabs(s->leak_hold_s - 60) < 1e-9);
    config_free(config);
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[leak]\nhld = 5s\n",
         "test.conf:2: unknown setting \"leak.hld\": did you mean leak.hold?"},
        {"[supervisor]\nhold = 5s\n",
         "test.conf:2: unknown setting \"supervisor.hold\": did you mean leak.hold?"},
        {"[supervisor]\nxyzz = 5s\n",
         "test.conf:2: unknown setting \"supervisor.xyzz\": `supervisor "
         "config show` lists all that there are"},
        {"[leak]\nquux = 5s\n", "test.conf:2: unknown setting \"leak.quux\": `supervisor config "
                                "show` lists all that there are"},
        {"\n[leek]\n", "test.conf:2: unknown section [leek]: did you mean [leak]?"},
        {"[gateway]\n", "test.conf:1: unknown section [gateway]"},
        {"[leak\nhold=1s\n",
         "test.conf:1: \"[leak\" begins a section without an end: write [leak]"},
        {"hold = 5s\n",
         "test.conf:1: \"hold\" stands before any section: begin with one, as [leak]"},
        {"[leak]\nhold\n", "test.conf:2: no setting and no comment: write key = value"},
        {"[leak]\nhold = 5s\n  hold = 6s\n",
         "test.conf:3: leak.hold is set a second time, after line 2"},
        {"[leak]\nhold =\n", "test.conf:2: leak.hold: an empty value; the built-in one is 60s"},
        {"[leak]\nhold = 5x\n",
         "test.conf:2: leak.hold: \"5x\" has no unit I know: use ms, s, m, h or d"},
        {"[leak]\nhold = 10ms\n",
         "test.conf:2: leak.hold: \"10ms\" is out of bounds: 0.1s to 86400s"},
        {"[memory]\nlimit = 28x\n",
         "test.conf:2: memory.limit: \"28x\" has no unit I know: use k, m, g or t"},
        {"[memory]\nlimit = 1m\n",
         "test.conf:2: memory.limit: \"1m\" is out of bounds: 6m to 8192t"},
        {"[supervisor]\nmode = enforc\n",
         "test.conf:2: supervisor.mode: \"enforc\" is none of: auto "
         "enforce observe; did you mean enforce?"},
        {"[supervisor]\nstate = here\n",
         "test.conf:2: supervisor.state: \"here\" is not an absolute "
         "path: begin it with /"},
        {"[docker]\nlabel = our.heal=true\n",
         "test.conf:2: docker.label: \"our.heal=true\" is not the name of a label: write it "
         "without = and a value"},
        {"[models]\nsingle = maybe\n",
         "test.conf:2: models.single: \"maybe\" is no switch: write on or off"},
        {"[remedy]\nbudget_per_hour = 2.5\n",
         "test.conf:2: remedy.budget_per_hour: \"2.5\" is not a whole number"},
        {"[remedy]\nbudget_per_hour = 61\n",
         "test.conf:2: remedy.budget_per_hour: \"61\" is out of bounds: 1 to 60"},
        {"[pressure]\nlevel_medium = 85\n", "test.conf: pressure.level_medium = 85% does not fit "
                                            "pressure.level_high = 80%: it must be below it"},
        {"[pressure]\naction_optimize = 80\n",
         "test.conf: pressure.action_warn = 80% does not fit pressure.action_optimize = 80%: it "
         "must be below it"},
        {"[pressure]\naction_unload = 90\n",
         "test.conf: pressure.action_optimize = 90% does not fit pressure.action_unload = 90%: it "
         "must be below it"},
        {"[pressure]\naction_unload =\naction_kill_switch = 85\n",
         "test.conf: pressure.action_optimize = 90% does not fit pressure.action_kill_switch = "
         "85%: it must be below it"},
        {"[pressure]\naction_kill_switch = 95\n",
         "test.conf: pressure.action_unload = 95% does not fit pressure.action_kill_switch = 95%: "
         "it must be below it"},
        {"[memory]\nlimit=1g\nhigh=2g\n", "test.conf: memory.high = 2g does not fit memory.limit = "
                                          "1g: it must not be above it"},
        {"[remedy]\nbackoff=10m\n", "test.conf: remedy.backoff = 600s does not fit "
                                    "remedy.backoff_cap = 300s: it must not be above it"},
        /* only the first is told */
        {"[leak]\nhold = 1y\nhld = 5s\n",
         "test.conf:2: leak.hold: \"1y\" has no unit I know: use ms, s, m, h or d"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct config *config = new_config();
        struct error err = {0};
        assert_int_equal(read_text(config, "[leak]\nhold = 42s\n", &err), 0);
        struct config before = *config;
        int code = read_text(config, cases[i].text, &err);
        assert_true(code < 0 && code == err.code);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_string_equal(err.message, cases[i].message);
        assert_memory_equal(&before, config, sizeof(before)); /* as it was */
        assert_int_equal(read_text(config, cases[i].text, NULL), code);
        config_free(config);
    }
}

static void bad_bytes(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct error err;
    assert_int_equal(config_read_text(config, "f", "[leak]\0hold=1s", 14, &err), -EINVAL);
    assert_string_equal(err.message, "f is not a text file");
    char *large = malloc(CONFIG_FILE_MAX + 1);
    memset(large, '\n', CONFIG_FILE_MAX + 1);
    assert_int_equal(config_read_text(config, "f", large, CONFIG_FILE_MAX + 1, &err), -EFBIG);
    assert_int_equal(config_read_text(config, "f", large, CONFIG_FILE_MAX, &err), 0);
    memset(large, 'x', 300);
    memcpy(large, "[paths]\nprocfs=/", 16);
    assert_int_equal(config_read_text(config, "f", large, 400, &err), -EINVAL);
    assert_memory_equal(err.message, "f:2: a line longer than ", 24);
    free(large);
    config_free(config);
}

static void files(void **state)
{
    (void)state;
    struct config *config = new_config();
    struct error err;
    char path[] = "/tmp/config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[leak]\nhold=9s\n", 15), 15);
    close(fd);
    assert_int_equal(config_read_file(config, path, &err), 0);
    assert_true(fabs(config_settings(config)->leak_hold_s - 9) < 1e-9);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(config_read_file(config, path, &err), -ENOENT);
    assert_int_equal(err.failure, FAILURE_USAGE);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(config_read_file(config, "/tmp", &err), -EISDIR);
    assert_int_equal(config_read_file(config, "/dev/zero", &err), -EFBIG);
    assert_true(fabs(config_settings(config)->leak_hold_s - 9) < 1e-9);
    config_free(config);
}

static void environment(void **state)
{
    (void)state;
    struct error err;
    struct config *config;
    setenv("DOCKER_HOST", "unix:///one", 1);
    setenv("SUPERVISOR_MODE", "observe", 1);
    setenv("SUPERVISOR_LEAK_HOLD", "11s", 1);
    setenv("SUPERVISOR_POLL", "", 1); /* empty: not there */
    setenv("SUPERVISOR_PROCESS_NAME", "from supervisord", 1);
    config = new_config();
    assert_int_equal(read_text(config, "[leak]\nhold=5s\norphan_hold=6s\n", &err), 0);
    assert_string_equal(config_settings(config)->docker_host, "unix:///one");
    assert_string_equal(config_settings(config)->mode, "observe");
    assert_true(fabs(config_settings(config)->leak_hold_s - 11) < 1e-9); /* over the file */
    assert_true(fabs(config_settings(config)->leak_orphan_hold_s - 6) < 1e-9);
    assert_string_equal(config_origin(config, "leak.hold"), "environment");
    assert_string_equal(config_origin(config, "supervisor.poll"), "built-in");
    set(config, "leak.hold=12s"); /* over the environment */
    assert_true(fabs(config_settings(config)->leak_hold_s - 12) < 1e-9);
    assert_string_equal(config_origin(config, "leak.hold"), "command line");
    config_free(config);

    setenv("SUPERVISOR_DOCKER_HOST", "unix:///two", 1);
    config = new_config();
    assert_string_equal(config_settings(config)->docker_host, "unix:///two");
    config_free(config);

    setenv("SUPERVISOR_LEAK_HLD", "5s", 1);
    assert_int_equal(config_new(&config, &err), -EINVAL);
    assert_int_equal(err.failure, FAILURE_USAGE);
    assert_string_equal(err.message, "unknown environment variable SUPERVISOR_LEAK_HLD: did you "
                                     "mean SUPERVISOR_LEAK_HOLD?");
    unsetenv("SUPERVISOR_LEAK_HLD");
    setenv("SUPERVISOR_FOO", "5s", 1); /* near to others only by the prefix */
    assert_int_equal(config_new(&config, &err), -EINVAL);
    assert_string_equal(err.message, "unknown environment variable SUPERVISOR_FOO: unset it");
    unsetenv("SUPERVISOR_FOO");
    setenv("SUPERVISOR_QUUX_QUUX", "5s", 1);
    assert_int_equal(config_new(&config, &err), -EINVAL);
    assert_string_equal(err.message, "unknown environment variable SUPERVISOR_QUUX_QUUX: unset it");
    unsetenv("SUPERVISOR_QUUX_QUUX");
    setenv("SUPERVISOR_MODE", "obsreve", 1);
    assert_int_equal(config_new(&config, &err), -EINVAL);
    assert_string_equal(err.message,
                        "SUPERVISOR_MODE: \"obsreve\" is none of: auto enforce observe; "
                        "did you mean observe?");
    char variable[SETTING_NAME_MAX];
    for (int i = 0; i < SETTINGS_N; i++)
        unsetenv(setting_environment(&settings_table[i], variable));
    unsetenv("SUPERVISOR_PROCESS_NAME");
    char long_host[400];
    memset(long_host, 'x', sizeof(long_host));
    long_host[sizeof(long_host) - 1] = '\0';
    setenv("DOCKER_HOST", long_host, 1);
    assert_int_equal(config_new(&config, &err), -EINVAL);
    assert_memory_equal(err.message, "DOCKER_HOST: \"xxxx", 18);
    unsetenv("DOCKER_HOST");
}

/* MAX_MODEL_MEMORY_GB is a number of GiB, below the variable of our own. */
static void budget_of_models(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fact bytes;
    } good[] = {{"24", INT64_C(24) << 30}, {"1.5", INT64_C(3) << 29}, {"", FACT_NONE}};
    static const char *const bad[] = {"24GB", "-1", "a lot", ".", "0", "1e3"};
    for (size_t i = 0; i < N(good); i++) {
        setenv("MAX_MODEL_MEMORY_GB", good[i].text, 1);
        struct config *config = new_config();
        assert_true(config_settings(config)->memory_max_model_memory == good[i].bytes);
        config_free(config);
    }
    for (size_t i = 0; i < N(bad); i++) {
        struct config *config;
        struct error err;
        setenv("MAX_MODEL_MEMORY_GB", bad[i], 1);
        assert_true(config_new(&config, &err) < 0);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_memory_equal(err.message, "MAX_MODEL_MEMORY_GB: \"", 22);
    }
    setenv("MAX_MODEL_MEMORY_GB", "24", 1);
    setenv("SUPERVISOR_MEMORY_MAX_MODEL_MEMORY", "2g", 1);
    struct config *config = new_config();
    assert_true(config_settings(config)->memory_max_model_memory == INT64_C(2) << 30);
    assert_string_equal(config_origin(config, "memory.max_model_memory"), "environment");
    config_free(config);
    unsetenv("MAX_MODEL_MEMORY_GB");
    unsetenv("SUPERVISOR_MEMORY_MAX_MODEL_MEMORY");
}

static void assignments(void **state)
{
    (void)state;
    static const struct {
        const char *assignment, *message;
    } cases[] = {
        {"leak.hold", "\"leak.hold\" sets nothing: write section.key=value, as in leak.hold=30s"},
        {"hold=5s", "unknown setting \"hold\": did you mean leak.hold?"},
        {"leak.hold=", "leak.hold: an empty value; the built-in one is 60s"},
        {"leak.hold=x", "leak.hold: \"x\" is not a duration: write it as 60s, 500ms, 5m or 1h"},
        {"docker.image=a\nb", "docker.image: \"a?b\" has a control character in it"},
        {"docker.image=a ;b", "docker.image: \"a ;b\" has \" ;\" in it, which begins a comment"},
        {"=", "unknown setting \"\": `supervisor config show` lists all that there are"},
    };
    struct config *config = new_config();
    for (size_t i = 0; i < N(cases); i++) {
        struct error err;
        struct config before = *config;
        assert_true(config_set(config, cases[i].assignment, ORIGIN_COMMAND_LINE, &err) < 0);
        assert_string_equal(err.message, cases[i].message);
        assert_memory_equal(&before, config, sizeof(before));
    }
    set(config, "memory.limit=28g");
    assert_true(config_settings(config)->memory_limit == INT64_C(28) << 30);
    set(config, "memory.limit="); /* unset over the file */
    assert_int_equal(read_text(config, "[memory]\nlimit=1g\n", NULL), 0);
    assert_true(config_settings(config)->memory_limit == FACT_NONE);
    set(config, "remedy.stop_grace=20s");
    assert_true(fabs(config_settings(config)->remedy_stop_grace_s - 20) < 1e-9);
    set(config, "remedy.stop_grace=");
    assert_true(config_settings(config)->remedy_stop_grace_s < 0);
    set(config, "docker.image=");
    assert_string_equal(config_settings(config)->docker_image, "");
    config_free(config);
}

static int clean_environment(void **state)
{
    (void)state;
    unsetenv("DOCKER_HOST");
    unsetenv("MAX_MODEL_MEMORY_GB");
    char variable[SETTING_NAME_MAX];
    for (int i = 0; i < SETTINGS_N; i++)
        unsetenv(setting_environment(&settings_table[i], variable));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),       cmocka_unit_test(builtin),
        cmocka_unit_test(good_files),  cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_bytes),   cmocka_unit_test(files),
        cmocka_unit_test(environment), cmocka_unit_test(budget_of_models),
        cmocka_unit_test(assignments)};
    return cmocka_run_group_tests(tests, clean_environment, NULL);
}
