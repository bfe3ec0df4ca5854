// SPDX-License-Identifier: Apache-2.0

#include "flights.h"

#include <stdlib.h>

bool md_flights_init(md_flights *flights, uint32_t max) {
    *flights = (md_flights){.max = max, .oldest = MD_NOWHERE, .newest = MD_NOWHERE, .free = MD_NOWHERE};
    flights->at = calloc(max, sizeof(*flights->at));
    return flights->at != NULL;
}

void md_flights_free(md_flights *flights) {
    for (uint32_t i = flights->count ? flights->oldest : MD_NOWHERE; i != MD_NOWHERE; i = flights->at[i].after)
        md_event_free(flights->at[i].event);
    free(flights->at);
    *flights = (md_flights){0};
}

uint32_t md_flights_enter(md_flights *flights) {
    uint32_t place = flights->free;
    if (place == MD_NOWHERE)
        place = flights->touched++;
    else
        flights->free = flights->at[place].after;
    flights->at[place] = (md_flight){.before = flights->newest, .after = MD_NOWHERE};
    *(flights->count ? &flights->at[flights->newest].after : &flights->oldest) = place;
    flights->newest = place;
    flights->count++;
    return place;
}

void md_flights_leave(md_flights *flights, uint32_t place) {
    md_flight *flight = &flights->at[place];
    *(place == flights->oldest ? &flights->oldest : &flights->at[flight->before].after) = flight->after;
    *(place == flights->newest ? &flights->newest : &flights->at[flight->after].before) = flight->before;
    flight->after = flights->free;
    flights->free = place;
    flights->count--;
    flights->bytes -= flight->bytes;
}

bool md_flight_copy(md_flight *flight, const md_line *line) {
    enum { USUAL_EVENT = 2048 }; // an execve with two paths, enriched
    if (flight->fate == MD_DROPPED) {
        md_event_free(flight->event);
        flight->event = NULL;
        return true;
    }
    if (!flight->event)
        flight->event = md_event_new(line, line->text.len > USUAL_EVENT ? line->text.len : USUAL_EVENT);
    return flight->event && md_event_add(flight->event, line);
}
