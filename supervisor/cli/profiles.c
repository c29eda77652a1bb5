/* supervisor profiles: what `create` can make. */
#include "cli/cli.h"
#include "cli/say.h"

#include <string.h>

enum { COLUMNS_N = 7, GAP = 2, NARROW = 12 }; /* NARROW: a column that is cut keeps so much */

typedef char cells[COLUMNS_N][PROFILE_TEXT_SIZE];

static void fill(const struct profile *profile, cells to)
{
    static const char *const keys[COLUMNS_N] = {"",     "memory",    "gpu",  "exclusive",
                                                "port", "container", "model"};
    snprintf(to[0], sizeof(to[0]), "%s", profile->name);
    for (int i = 1; i < COLUMNS_N; i++) {
        profile_format(profile, keys[i], to[i], sizeof(to[i]));
        if (to[i][0] == '\0')
            snprintf(to[i], sizeof(to[i]), "-");
    }
    snprintf(to[3], sizeof(to[3]), "%s", profile->exclusive ? "yes" : "no");
}

/* What has no room is cut: the widest column gives first. */
static void fit(int widths[COLUMNS_N], int width)
{
    for (;;) {
        int sum = -GAP, widest = 0;
        for (int i = 0; i < COLUMNS_N; i++) {
            sum += widths[i] + GAP;
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (sum <= width || widths[widest] <= NARROW)
            return;
        widths[widest]--;
    }
}

static void print_row(const cells row, const int widths[COLUMNS_N])
{
    for (int i = 0; i < COLUMNS_N; i++) {
        bool cut = (int)strlen(row[i]) > widths[i], last = i == COLUMNS_N - 1;
        int shown = cut ? widths[i] - 2 : last ? 0 : widths[i];
        printf("%-*.*s%s%*s", shown, widths[i] - (cut ? 2 : 0), row[i], cut ? ".." : "",
               last ? 0 : GAP, "");
    }
    putchar('\n');
}

static void print_table(const struct profile *profiles, size_t n)
{
    static const cells head = {"NAME", "LIMIT", "GPU", "EXCLUSIVE", "PORT", "CONTAINER", "MODEL"};
    cells rows[PROFILES_MAX];
    int widths[COLUMNS_N];
    for (int i = 0; i < COLUMNS_N; i++)
        widths[i] = (int)strlen(head[i]);
    for (size_t row = 0; row < n; row++) {
        fill(&profiles[row], rows[row]);
        for (int i = 0; i < COLUMNS_N; i++)
            if ((int)strlen(rows[row][i]) > widths[i])
                widths[i] = (int)strlen(rows[row][i]);
    }
    fit(widths, cli_width());
    print_row(head, widths);
    for (size_t row = 0; row < n; row++)
        print_row((const char(*)[PROFILE_TEXT_SIZE])rows[row], widths);
}

static void print_json(const struct profile *profiles, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_pack("{s:s}", "name", profiles[i].name);
        json_object_update_new(one, profile_json(&profiles[i]));
        json_array_append_new(list, one);
    }
    say_json_by(json_pack("{s:o}", "profiles", list), JSON_INDENT(2) | JSON_REAL_PRECISION(12));
}

int cmd_profiles(struct cli *cli)
{
    size_t n;
    const struct profile *profiles = config_profiles(cli->config, &n);
    if (cli_has(cli, "json"))
        print_json(profiles, n);
    else
        print_table(profiles, n);
    return 0;
}
