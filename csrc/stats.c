// SPDX-License-Identifier: Apache-2.0

#include "stats.h"

void md_stats_reject(md_stats *stats, md_reason reason, md_span line) {
    stats->rejected++;
    stats->by_reason[reason]++;
    if (reason == MD_BLANK || stats->sample_count == MD_SAMPLES)
        return;
    md_sample *sample = &stats->samples[stats->sample_count++];
    md_span bytes = md_take(line, MD_SAMPLE_LEN);
    sample->reason = reason;
    sample->len = bytes.len;
    if (bytes.len)
        memcpy(sample->bytes, bytes.ptr, bytes.len);
}

size_t md_stats_take_samples(md_stats *stats, md_sample *samples) {
    size_t count = stats->sample_count;
    memcpy(samples, stats->samples, count * sizeof(*samples));
    stats->sample_count = 0;
    return count;
}

static const char *const NAMES[] = {
#define MD_ROW(name) #name,
    MD_COUNTERS(MD_ROW)
#undef MD_ROW
#define MD_ROW(symbol, name) "rejected_" name,
        MD_REJECT_REASONS(MD_ROW)
#undef MD_ROW
};

enum { COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };

const char *md_counter_name(size_t index) {
    return index < COUNT ? NAMES[index] : NULL;
}

uint64_t md_stats_counter(const md_stats *stats, size_t index) {
    const uint64_t values[] = {
#define MD_ROW(name) stats->name,
        MD_COUNTERS(MD_ROW)
#undef MD_ROW
#define MD_ROW(symbol, name) stats->by_reason[MD_##symbol],
            MD_REJECT_REASONS(MD_ROW)
#undef MD_ROW
    };
    return index < COUNT ? values[index] : 0;
}
