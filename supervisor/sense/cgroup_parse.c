#include "sense/cgroup_parse.h"

enum { KEYS_N = 9 }; /* of memory.stat, that are wanted */

/* "key value" of a line. */
static bool take_pair(struct text line, struct text *ret_key, int64_t *ret_value)
{
    return text_word(&line, ret_key) && text_number(&line, ret_value) && line.at == line.end;
}

static void keep_known(fact *place, fact value)
{
    if (fact_known(value))
        *place = value;
}

void cgroup_parse_stat(struct text text, int version, struct cgroup_memory *memory)
{
    static const char *const names[2][KEYS_N] = {
        {"total_cache", "total_rss", "total_shmem", "total_swap", "total_inactive_file", "",
         "total_inactive_anon", "total_active_anon", "hierarchical_memory_limit"},
        {"file", "anon", "shmem", "kernel", "inactive_file", "swapcached", "", "", ""},
    };
    fact values[KEYS_N] = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
    struct text line, key;
    int64_t value;

    while (text_line(&text, &line)) {
        /* Most keys are not wanted: their first letters say so without reading on. */
        if (version == 1 && (line.at == line.end || (*line.at != 't' && *line.at != 'h')))
            continue;
        if (!take_pair(line, &key, &value))
            continue;
        for (size_t i = 0; i < KEYS_N; i++)
            if (text_is(key, names[version == 2][i])) {
                values[i] = value;
                break;
            }
    }
    /* Before Linux 4.15 version 1 does not tell it: what lies among anonymous pages and is none. */
    if (version == 1 && values[2] < 0)
        values[2] = fact_less(fact_add(values[6], values[7]), values[1]);
    if (values[8] >= 0)
        memory->bound = values[8] >= CGROUP_UNLIMITED ? FACT_NONE : values[8];
    keep_known(&memory->file, fact_less(values[0], values[2]));
    keep_known(&memory->anon, values[1]);
    keep_known(&memory->shmem, values[2]);
    keep_known(version == 1 ? &memory->swap : &memory->kernel, values[3]);
    keep_known(&memory->inactive_file, values[4]);
    keep_known(&memory->swapcached, values[5]);
}

fact cgroup_parse_number(struct text text)
{
    int64_t number;
    return text_number(&text, &number) && text_is(text, "\n") ? number : FACT_UNKNOWN;
}

fact cgroup_parse_limit(struct text text)
{
    fact limit = cgroup_parse_number(text);
    return text_is(text, "max\n") || limit >= CGROUP_UNLIMITED ? FACT_NONE : limit;
}

fact cgroup_parse_key(struct text text, const char *key)
{
    struct text line, name;
    int64_t value;

    while (text_line(&text, &line))
        if (take_pair(line, &name, &value) && text_is(name, key))
            return value;
    return FACT_UNKNOWN;
}

fact cgroup_parse_reads(struct text text)
{
    struct text line, word;
    fact sum = 0;
    while (text_line(&text, &line)) {
        bool named = false;
        while (text_word(&line, &word)) {
            int64_t bytes;
            bool value = named || text_take(&word, "rbytes=");
            named = text_is(word, "Read");
            if (value && text_number(&word, &bytes) && __builtin_add_overflow(sum, bytes, &sum))
                return FACT_UNKNOWN;
        }
    }
    return sum;
}

/* "12.34" in a word of its own; -1 if it is none. */
static double parse_average(struct text word)
{
    int64_t whole, hundredths;

    if (!text_number(&word, &whole) || !text_take(&word, "."))
        return -1;
    const char *start = word.at;
    if (!text_number(&word, &hundredths) || word.at != word.end || word.at - start != 2)
        return -1;
    return (double)whole + (double)hundredths / 100;
}

void psi_parse(struct text text, struct psi *psi)
{
    struct text line, word;

    psi_init(psi);
    while (text_line(&text, &line)) {
        bool some = text_take(&line, "some ");
        if (!some && !text_take(&line, "full "))
            continue;
        while (text_word(&line, &word)) {
            int64_t total;
            if (text_take(&word, "avg10="))
                *(some ? &psi->some_avg10 : &psi->full_avg10) = parse_average(word);
            else if (text_take(&word, "total=") && text_number(&word, &total) &&
                     word.at == word.end)
                *(some ? &psi->some_total_us : &psi->full_total_us) = total;
        }
    }
}
