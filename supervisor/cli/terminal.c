/* What the terminal is and can. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_colour(FILE *to)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) && (!no_colour || no_colour[0] == '\0') && term && term[0] != '\0' &&
           strcmp(term, "dumb") != 0;
}

int cli_width(void)
{
    enum { WIDTH_USUAL = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };
    long width = 0;
    struct winsize window;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0)
        width = window.ws_col;
    if (width <= 0 && columns) {
        char *end;
        width = strtol(columns, &end, 10);
        width = end == columns || *end != '\0' ? 0 : width;
    }
    if (width <= 0)
        return WIDTH_USUAL;
    return (int)(width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width);
}
