#include "sense/process_parse.h"
#include "base/text_clean.h"
#include <errno.h>

static fact ticks_to_us(int64_t ticks, long ticks_per_s)
{
    int64_t us;
    if (ticks_per_s <= 0 || __builtin_mul_overflow(ticks, 1000000 / ticks_per_s, &us))
        return FACT_UNKNOWN;
    return us;
}

int process_parse_stat(struct text text, long ticks_per_s, struct process *process)
{
    /* The name may hold a newline, so the line is the text, whose last byte ends it. */
    if (text_left(&text) == 0 || text.end[-1] != '\n')
        return -EIO;
    struct text line = {text.at, text.end - 1}, word;
    const char *open = memchr(line.at, '(', text_left(&line));
    const char *end = memrchr(line.at, ')', text_left(&line)); /* what follows has none */
    int64_t numbers[23] = {0};                                 /* by proc(5)'s count, from 1 */

    if (open == NULL || end == NULL || end < open)
        return -EIO;
    struct text rest = {end + 1, line.end};
    if (!text_word(&rest, &word) || text_left(&word) != 1) /* 3: state */
        return -EIO;
    char state = *word.at;
    for (int field = 4; field <= 22; field++) {
        if (!text_word(&rest, &word))
            return -EIO;
        bool wanted = field == 4 || field == 14 || field == 15 || field == 22;
        if (wanted && (!text_number(&word, &numbers[field]) || word.at != word.end))
            return -EIO;
    }
    if (rest.at == rest.end) /* the start time may be torn */
        return -EIO;
    size_t length = (size_t)(end - open - 1);
    if (length >= sizeof process->comm)
        length = sizeof process->comm - 1;
    memcpy(process->comm, open + 1, length);
    process->comm[length] = '\0';
    text_clean(process->comm);
    process->state = state;
    process->ppid = numbers[4];
    process->started_us = ticks_to_us(numbers[22], ticks_per_s);
    process->cpu_us =
        fact_add(ticks_to_us(numbers[14], ticks_per_s), ticks_to_us(numbers[15], ticks_per_s));
    return 0;
}

bool process_parse_status(struct text text, struct process *process)
{
    struct text line;
    int64_t number;
    bool resident = false;

    while (text_line(&text, &line)) {
        if (text_take(&line, "RssAnon:"))
            text_kilobytes(line, &process->rss_anon);
        else if (text_take(&line, "RssFile:"))
            text_kilobytes(line, &process->rss_file);
        else if (text_take(&line, "VmSwap:"))
            text_kilobytes(line, &process->swap);
        else if (text_take(&line, "NSpid:"))
            while (text_number(&line, &number))
                process->ns_pid = number;
        else if (text_take(&line, "VmRSS:"))
            resident = true;
    }
    return resident && process->rss_anon == FACT_UNKNOWN;
}

void process_parse_statm(struct text text, int64_t page_bytes, struct process *process)
{
    int64_t size, resident, shared, anon, file;

    if (!text_number(&text, &size) || !text_number(&text, &resident) ||
        !text_number(&text, &shared) || shared > resident ||
        __builtin_mul_overflow(resident - shared, page_bytes, &anon) ||
        __builtin_mul_overflow(shared, page_bytes, &file))
        return;
    process->rss_anon = anon;
    process->rss_file = file;
}

/* "0100007F:2CAA", or four such words (IPv6): each as the machine holds it. The address's size; 0:
 * neither. */
static unsigned take_address(struct text *line, unsigned char address[16], uint16_t *ret_port)
{
    struct text word;
    uint64_t number;
    unsigned size = 0;

    if (!text_word(line, &word))
        return 0;
    for (; text_left(&word) > 8 && *word.at != ':' && size < 16; size += 4) {
        struct text part = {word.at, word.at + 8};
        if (!text_hex(&part, &number) || part.at != part.end)
            return 0;
        memcpy(address + size, &(uint32_t){(uint32_t)number}, 4);
        word.at += 8;
    }
    if ((size != 4 && size != 16) || !text_take(&word, ":") || !text_hex(&word, &number) ||
        word.at != word.end || number > 0xFFFF)
        return 0;
    *ret_port = (uint16_t)number;
    return size;
}

bool tcp_row_parse(struct text line, struct tcp_row *ret_row)
{
    struct text word;
    struct tcp_row row = {0};
    int64_t slot;
    uint64_t state, unsent;

    if (!text_number(&line, &slot) || !text_take(&line, ":") ||
        !(row.size = take_address(&line, row.local, &row.local_port)) ||
        !take_address(&line, row.remote, &row.remote_port) || !text_word(&line, &word) ||
        !text_hex(&word, &state) || word.at != word.end || state > 0xFF)
        return false;
    row.state = (unsigned)state;
    row.unsent = 0;
    if (!text_word(&line, &word) || !text_hex(&word, &unsent) || !text_take(&word, ":") ||
        !text_hex(&word, &row.rx_queue))
        row.rx_queue = 0;
    else
        row.unsent = (int64_t)(uint32_t)unsent;
    *ret_row = row;
    return true;
}

bool tcp_row_inode(struct text line, int64_t *ret_inode)
{
    struct text word;

    for (int i = 0; i < 9; i++) /* sl, two addresses, st, queues, timer, retrnsmt, uid, timeout */
        if (!text_word(&line, &word))
            return false;
    return text_number(&line, ret_inode) && *ret_inode > 0;
}

fact received_parse(struct text line)
{
    int64_t bytes;

    text_skip_blanks(&line);
    const char *colon = memchr(line.at, ':', text_left(&line));
    if (colon == NULL || text_take(&line, "lo:"))
        return FACT_UNKNOWN;
    line.at = colon + 1;
    return text_number(&line, &bytes) && line.at < line.end ? bytes : FACT_UNKNOWN;
}
