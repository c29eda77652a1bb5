#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

double clock_boottime_s(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int64_t clock_wall_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void clock_format(int64_t wall_ms, char *text, size_t size)
{
    if (size == 0)
        return;
    text[0] = '\0';
    int64_t ms = wall_ms % 1000;
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((wall_ms - ms) / 1000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc))
        return;
    snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
             utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)ms);
}

/* 0 of the form is any digit, T what may stand before the time, + a sign. */
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; form++, text++) {
        bool fits = *form == '0'   ? *text >= '0' && *text <= '9'
                    : *form == 'T' ? *text == 'T' || *text == 't' || *text == ' '
                    : *form == '+' ? *text == '+' || *text == '-'
                                   : *text == *form;
        if (!fits)
            return false;
    }
    return true;
}

int clock_parse(const char *text, int64_t *ret_wall_ms)
{
    int ms = 0, offset_hour = 0, offset_minute = 0;
    static const char form[] = "0000-00-00T00:00:00", date[] = "0000-00-00T";
    struct tm utc = {0};
    if (!text || !has_form(text, form) || !strptime(text, "%Y-%m-%d", &utc) ||
        !strptime(text + strlen(date), "%H:%M:%S", &utc) || utc.tm_sec > 60) /* a leap second */
        return -EINVAL;
    struct tm day = {.tm_year = utc.tm_year, .tm_mon = utc.tm_mon, .tm_mday = utc.tm_mday};
    timegm(&day);
    const char *c = text + strlen(form);
    if (*c == '.') { /* what is below a millisecond is cut off */
        if (!has_form(++c, "0"))
            return -EINVAL;
        for (int weight = 100; has_form(c, "0"); c++, weight /= 10)
            ms += (*c - '0') * weight;
    }
    bool west = *c == '-';
    if (*c == 'Z' || *c == 'z') {
        c++;
    } else {
        if (!has_form(c, "+00:00"))
            return -EINVAL;
        sscanf(c + 1, "%2d:%2d", &offset_hour, &offset_minute);
        if (offset_hour > 23 || offset_minute > 59)
            return -EINVAL;
        c += strlen("+00:00");
    }
    if (*c != '\0' || day.tm_mday != utc.tm_mday) /* no month has it */
        return -EINVAL;
    int64_t offset_s = (offset_hour * 60 + offset_minute) * 60;
    *ret_wall_ms = ((int64_t)timegm(&utc) + (west ? offset_s : -offset_s)) * 1000 + ms;
    return 0;
}

void clock_boot_id(const char *procfs, char *text, size_t size)
{
    if (size == 0)
        return;
    text[0] = '\0';
    enum { BOOT_ID_LENGTH = 36 };
    char path[512], id[BOOT_ID_LENGTH + 1] = "";
    int length = snprintf(path, sizeof(path), "%s/sys/kernel/random/boot_id", procfs);
    if (size <= BOOT_ID_LENGTH || length < 0 || (size_t)length >= sizeof(path))
        return;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fscanf(file, "%36[0-9a-f-]", id) == 1 && strlen(id) == BOOT_ID_LENGTH)
        memcpy(text, id, sizeof(id));
    fclose(file);
}
