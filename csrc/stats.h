// SPDX-License-Identifier: Apache-2.0
//
// What the assembler counts, and samples of what it refused. Conservation:
//   lines = records + rejected
//   records = records_assembled + records_late + records_repeated + records_eoe
//   events_started = events_emitted + events_unwatched + in_flight
//   events_incomplete = events_expired + events_limited + those cut off by the end of input

#ifndef MD_STATS_H
#define MD_STATS_H

#include "scan.h"

// The only list of counters; stats() has these names, and `rejected_<reason>` after them.
#define MD_COUNTERS(X)                                                                                                 \
    X(lines)                                                                                                           \
    X(records)                                                                                                         \
    X(records_assembled)                                                                                               \
    X(records_late)                                                                                                    \
    X(records_repeated)                                                                                                \
    X(records_eoe)                                                                                                     \
    X(records_cut)                                                                                                     \
    X(rejected)                                                                                                        \
    X(events_started)                                                                                                  \
    X(events_emitted)                                                                                                  \
    X(events_unwatched)                                                                                                \
    X(events_incomplete)                                                                                               \
    X(events_expired)                                                                                                  \
    X(events_limited)                                                                                                  \
    X(in_flight)                                                                                                       \
    X(in_flight_bytes)                                                                                                 \
    X(watched)

// Enough to see what kind of thing comes in, few enough to look at.
#define MD_SAMPLES    8
#define MD_SAMPLE_LEN 200

typedef struct md_sample {
    md_reason reason;
    size_t len;
    unsigned char bytes[MD_SAMPLE_LEN];
} md_sample;

typedef struct md_stats {
#define MD_ROW(name) uint64_t name;
    MD_COUNTERS(MD_ROW)
#undef MD_ROW
    uint64_t by_reason[MD_REASON_COUNT];
    md_sample samples[MD_SAMPLES];
    size_t sample_count;
} md_stats;

void md_stats_reject(md_stats *stats, md_reason reason, md_span line);

// The first few refused lines since the last call (blank ones left out). At most MD_SAMPLES; returns how many.
size_t md_stats_take_samples(md_stats *stats, md_sample *samples);

// Counters by index: the totals, then one for each reason. NULL past the last name.
const char *md_counter_name(size_t index);
uint64_t md_stats_counter(const md_stats *stats, size_t index);

#endif
