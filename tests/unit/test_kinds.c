/* The table of verdicts: whole, and the same as in the docs. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/config_table.h"
#include "judge/kinds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_docs(void)
{
    static const char path[] = "docs/judgement.md"; /* tests run in the repository's root */
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 256 * 1024);
    assert_non_null(text);
    size_t n = fread(text, 1, 256 * 1024 - 1, file);
    fclose(file);
    assert_in_range(n, 1000, 256 * 1024 - 2);
    return text;
}

static void docs_have_the_same_table(void **state)
{
    (void)state;
    char *docs = read_docs(), row[4096];
    const char *at = strstr(docs, "| verdict | severity |");
    assert_non_null(at);
    for (int line = 0; line < 2; line++) /* the heading and its rule */
        at = strchr(at, '\n') + 1;
    for (int k = 0; k < VERDICT_KINDS; k++) {
        int n = kind_row((enum verdict_kind)k, row, sizeof row);
        assert_in_range(n, 1, sizeof row - 1);
        if (strncmp(at, row, (size_t)n) != 0 || at[n] != '\n')
            fail_msg("docs/judgement.md has another row for %s; it should be\n%s",
                     kind_of((enum verdict_kind)k)->name, row);
        at += n + 1;
    }
    assert_true(*at == '\n'); /* nor one more */
    free(docs);
}

static void every_kind_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < VERDICT_KINDS; i++) {
        const struct kind *k = kind_of((enum verdict_kind)i);
        assert_true(k->name && k->when && k->hold && k->evidence && k->never);
        assert_true(k->name[0] && k->when[0] && k->hold[0] && k->evidence[0] && k->never[0]);
        assert_string_equal(verdict_kind_name((enum verdict_kind)i), k->name);
        for (int other = 0; other < i; other++)
            assert_string_not_equal(k->name, kind_of((enum verdict_kind)other)->name);
        assert_int_equal(k->first == REMEDY_NONE, k->last == REMEDY_NONE);
        /* The ends of the ladder may be taken; what is never done may not. */
        assert_true(kind_allows((enum verdict_kind)i, k->first));
        assert_true(kind_allows((enum verdict_kind)i, k->last));
        for (int r = 0; r < REMEDIES; r++)
            if (k->never_remedies & 1u << r)
                assert_false(kind_allows((enum verdict_kind)i, (enum remedy)r));
        if (k->first == REMEDY_NONE)
            for (int r = 1; r < REMEDIES; r++)
                assert_false(kind_allows((enum verdict_kind)i, (enum remedy)r));
    }
}

/* Every `section.key` that the table names is a setting. */
static void settings_in_it_exist(void **state)
{
    (void)state;
    size_t found = 0;
    for (int i = 0; i < VERDICT_KINDS; i++) {
        const char *texts[] = {kind_of((enum verdict_kind)i)->when,
                               kind_of((enum verdict_kind)i)->hold,
                               kind_of((enum verdict_kind)i)->never};
        for (size_t t = 0; t < 3; t++)
            for (const char *at = texts[t]; (at = strchr(at, '`')) != NULL;) {
                char name[64];
                size_t n = strcspn(++at, "`");
                assert_in_range(n, 1, sizeof name - 1);
                snprintf(name, sizeof name, "%.*s", (int)n, at);
                at += n + 1;
                if (!strchr(name, '.'))
                    continue; /* a member of an answer */
                if (setting_find_name(name) < 0)
                    fail_msg("%s: no setting %s", kind_of((enum verdict_kind)i)->name, name);
                found++;
            }
    }
    assert_true(found > 15);
}

static void ladders(void **state)
{
    static const struct {
        enum verdict_kind kind;
        enum remedy remedy;
        bool allowed;
    } cases[] = {
        {VERDICT_IDLE_LEAK, REMEDY_RESTART, true},
        {VERDICT_IDLE_LEAK, REMEDY_UNLOAD, false},
        {VERDICT_IDLE_LEAK, REMEDY_RECLAIM, false},
        {VERDICT_ORPHAN_RUNNER, REMEDY_KILL_RUNNER, true},
        {VERDICT_ORPHAN_RUNNER, REMEDY_RESTART, false},
        {VERDICT_STUCK_STOPPING, REMEDY_KILL_RUNNER, true},
        {VERDICT_STUCK_STOPPING, REMEDY_RESTART, false},
        {VERDICT_GROWTH_LEAK, REMEDY_UNLOAD, true},
        {VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER, true},
        {VERDICT_GROWTH_LEAK, REMEDY_RECLAIM, false},
        {VERDICT_GROWTH_LEAK, REMEDY_LIMIT, false},
        {VERDICT_UNREACHABLE, REMEDY_RESTART, true},
        {VERDICT_UNREACHABLE, REMEDY_UNLOAD, false},
        {VERDICT_OVERSIZE_MODEL, REMEDY_UNLOAD, true},
        {VERDICT_OVERSIZE_MODEL, REMEDY_RESTART, false},
        {VERDICT_BROKEN_HEALTHCHECK, REMEDY_RESTART, false},
        {VERDICT_PROMPT_CACHE, REMEDY_UNLOAD, false},
        {VERDICT_GHOST_MODEL, REMEDY_KILL_RUNNER, false},
        {VERDICT_LIMIT_DRIFT, REMEDY_LIMIT, true},
        {VERDICT_LIMIT_DRIFT, REMEDY_RESTART, false},
        {VERDICT_PAGE_CACHE, REMEDY_RECLAIM, true},
        {VERDICT_PAGE_CACHE, REMEDY_RESTART, false},
        {VERDICT_LOW_PRIORITY, REMEDY_THROTTLE, true},
        {VERDICT_LOW_PRIORITY, REMEDY_UNLOAD, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (kind_allows(cases[i].kind, cases[i].remedy) != cases[i].allowed)
            fail_msg("%s, %s", kind_of(cases[i].kind)->name, remedy_name(cases[i].remedy));
    assert_true(kind_shows(VERDICT_IDLE_LEAK, "serve"));
    assert_true(kind_shows(VERDICT_IDLE_LEAK, "received"));
    assert_false(kind_shows(VERDICT_IDLE_LEAK, "serv"));
    assert_false(kind_shows(VERDICT_NO_LIMIT, "serve"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(docs_have_the_same_table),
        cmocka_unit_test(every_kind_is_whole),
        cmocka_unit_test(settings_in_it_exist),
        cmocka_unit_test(ladders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
