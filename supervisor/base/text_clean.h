/* Text that somebody else wrote: what a terminal, a log or a reader would take for more than text
 * is told from what is harmless. */
#ifndef SUPERVISOR_BASE_TEXT_CLEAN_H
#define SUPERVISOR_BASE_TEXT_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed UTF-8 character at text, of which n bytes may be read; 0: there is none.
 * *ret_harmless: no control character (C0, DEL, C1), no mark that reorders (bidi), no line or
 * paragraph separator, nothing of no width. */
size_t text_character(const char *text, size_t n, bool *ret_harmless);
/* The number of that character, whose length is known. */
uint32_t text_code(const char *text, size_t length);
/* Whether all of it is well-formed and harmless. */
bool text_harmless(const char *text);
/* Every byte of what is not becomes a question mark; the length stays. */
void text_clean(char *text);
/* Copies as much as fits and cuts no UTF-8 character in two. NULL is "". */
void text_copy(char *text, size_t size, const char *from);

#endif
