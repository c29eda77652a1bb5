/* Sizes, durations, percentages, times and words that nobody meant. */
#include "base/clock.h"
#include "base/size.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"status", "fix-ollama", "supervisor.leak.hold", ""};
    char *text = malloc(size + 1), shown[16];
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';

    fact bytes = FACT_UNKNOWN, again;
    double number = -1;
    int64_t ms;
    struct error err = {0};
    if (size_parse(text, &bytes, &err) == 0) {
        if (bytes < 0 || bytes > INT64_C(1) << 53)
            abort();
        size_format(bytes, shown, sizeof(shown));
        if (bytes < INT64_C(1) << 49 && size_parse(shown, &again, NULL) < 0)
            abort();
    } else if (bytes != FACT_UNKNOWN || err.message[0] == '\0' || err.code >= 0) {
        abort();
    }
    if (duration_parse(text, &number, &err) == 0) {
        if (!(number >= 0 && number <= 1e9))
            abort();
        duration_format(number, shown, sizeof(shown));
        double read_back;
        if (duration_parse(shown, &read_back, NULL) < 0)
            abort();
    }
    if (percent_parse(text, &number, &err) == 0 && !(number >= 0 && number <= 1e6))
        abort();
    if (clock_parse(text, &ms) == 0) {
        char time[32];
        int64_t same;
        clock_format(ms, time, sizeof(time));
        if (clock_parse(time, &same) == 0 ? same != ms
                                          : ms >= -62167219200000 && ms < 253402300800000)
            abort(); /* within the years 0 to 9999 it must come back */
    }
    const char *meant = nearest(text, words, sizeof(words) / sizeof(words[0]));
    if (meant && meant[0] == '\0')
        abort();
    free(text);
    return 0;
}
