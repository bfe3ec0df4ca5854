// SPDX-License-Identifier: Apache-2.0
//
// The events in flight: a fixed number of places, and a list through those in use by arrival. Arrival is also the
// order of their deadlines, for both clocks only move on; so the oldest is always the first to expire.

#ifndef MD_FLIGHTS_H
#define MD_FLIGHTS_H

#include "event.h"
#include "ids.h"

typedef enum md_fate {
    MD_UNDECIDED,
    MD_KEPT,
    MD_DROPPED, // not wanted: its records are counted, not copied
} md_fate;

// One event in flight. Its id is in the place of the same number.
typedef struct md_flight {
    uint32_t before, after;
    uint64_t deadline; // of the stream's clock
    double came;       // by the caller's
    md_event *event;   // what has been copied; NULL if nothing has
    uint32_t records, bytes;
    uint64_t types; // md_type_bit of each
    uint32_t session;
    bool has_session;
    bool session_is_certain;
    bool has_gap; // records had been dropped before one came that makes the event wanted
    md_fate fate;
} md_flight;

typedef struct md_flights {
    md_flight *at;
    uint32_t max;
    uint32_t touched; // places before this one have been in use
    uint32_t count;
    uint64_t bytes;
    uint32_t oldest, newest; // MD_NOWHERE if none
    uint32_t free;           // those touched and free again, chained by `after`; the hottest first
} md_flights;

bool md_flights_init(md_flights *flights, uint32_t max); // false: no memory
void md_flights_free(md_flights *flights);

// The place of a new event, which is zero but for its links. There must be room.
uint32_t md_flights_enter(md_flights *flights);

// Its event, if any, is the caller's.
void md_flights_leave(md_flights *flights, uint32_t place);

// Adds the record to the event's copy, or drops the copy if the event isn't wanted. False: no memory.
bool md_flight_copy(md_flight *flight, const md_line *line);

#endif
