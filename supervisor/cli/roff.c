/* Text as roff reads it. */
#include "cli/manual.h"

#include <string.h>

static void letter(FILE *to, char c)
{
    static const char *const escapes[256] = {['\\'] = "\\e",  ['-'] = "\\-",   ['\''] = "\\(aq",
                                             ['`'] = "\\(ga", ['^'] = "\\(ha", ['~'] = "\\(ti"};
    const char *escape = escapes[(unsigned char)c];
    if (escape)
        fputs(escape, to);
    else
        fputc(c, to);
}

/* What begins a line must not look like a request. */
static void guard(FILE *to, char first)
{
    if (first == '.' || first == '\'')
        fputs("\\&", to);
}

void roff_literal(FILE *to, const char *text)
{
    guard(to, text[0]);
    for (; *text != '\0'; text++)
        letter(to, *text);
}

void roff_prose(FILE *to, const char *text)
{
    enum { LINE_MAX = 72 }; /* so many bytes of text, that a line of source stays below 80 */
    bool typed = false, option = false;
    int column = 0;
    guard(to, text[0]);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ' ' && column + 1 + (int)strcspn(c + 1, " ") > LINE_MAX) {
            fputc('\n', to);
            guard(to, c[1]);
            column = 0;
            option = false;
            continue;
        }
        column++;
        bool begins = c == text || c[-1] == ' ' || c[-1] == '(' || c[-1] == '`';
        option = begins ? c[0] == '-' : option && c[0] != ' ';
        if (*c == '`') {
            typed = !typed;
            fputs(typed ? "\\fB" : "\\fP", to);
        } else if (typed || option || *c == '\\' || *c == '~' || *c == '^') {
            letter(to, *c);
        } else {
            fputc(*c, to);
        }
    }
    fputc('\n', to);
}

void roff_tag(FILE *to, const char *tag, const char *rest)
{
    fputs(".TP\n\\fB", to);
    roff_literal(to, tag);
    fputs("\\fP", to);
    if (rest && rest[0] != '\0') {
        fputs(" \\fI", to);
        roff_literal(to, rest);
        fputs("\\fP", to);
    }
    fputc('\n', to);
}
