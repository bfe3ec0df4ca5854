// SPDX-License-Identifier: Apache-2.0

#include "assemble.h"
#include "fields.h"
#include "flights.h"
#include "ids.h"
#include "lines.h"
#include "mix.h"
#include "watch.h"

#include <stdlib.h>

struct md_assembler {
    md_types types;
    md_lines lines;
    md_watch watch;
    md_keep keep;
    uint64_t clock; // the stream's

    md_flights flights;
    uint32_t recent; // where the last record went, if that is still in flight
    bool holds;
    uint32_t held; // the event of a program's record that the next record may belong to
    md_ids ids;    // places 0 … flights.max - 1: in flight; beyond: closed lately

    md_event *queue, **queue_end; // completed
    md_stats stats;
};

md_assembler *md_assembler_new(uint32_t in_flight, uint32_t closed, md_keep keep, uint64_t seed) {
    if (in_flight == 0 || in_flight > MD_FLIGHT_MAX || closed == 0 || closed > MD_CLOSED_MAX)
        return NULL;
    md_assembler *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    md_types_init(&a->types);
    md_watch_init(&a->watch, md_mix(seed + 1));
    a->keep = keep;
    a->recent = a->held = MD_NOWHERE;
    a->queue_end = &a->queue;
    if (!md_lines_init(&a->lines) || !md_flights_init(&a->flights, in_flight) ||
        !md_ids_init(&a->ids, in_flight, closed, md_mix(seed + 2))) {
        md_assembler_free(a);
        return NULL;
    }
    return a;
}

void md_hold(md_assembler *a) {
    a->holds = true;
}

void md_assembler_free(md_assembler *a) {
    if (!a)
        return;
    for (md_event *event; (event = md_next(a));)
        md_event_free(event);
    md_flights_free(&a->flights);
    md_lines_free(&a->lines);
    md_ids_free(&a->ids);
    md_watch_free(&a->watch);
    free(a);
}

// -- the way out ----------------------------------------------------------------------------------------------------

md_event *md_next(md_assembler *a) {
    md_event *event = a->queue;
    if (event) {
        a->queue = event->next;
        if (!a->queue)
            a->queue_end = &a->queue;
        event->next = NULL;
    }
    return event;
}

static bool is_wanted(const md_assembler *a, bool has_session, uint32_t session) {
    switch (a->keep) {
    case MD_KEEP_ALL:
        return true;
    case MD_KEEP_SESSIONS:
        return has_session && session != MD_SESSION_UNSET;
    default:
        return has_session && md_watch_has(&a->watch, session);
    }
}

static void hand_out(md_assembler *a, md_event *event, uint32_t session, bool incomplete) {
    event->session = session;
    event->incomplete = incomplete;
    *a->queue_end = event;
    a->queue_end = &event->next;
}

static void complete(md_assembler *a, uint32_t place, bool incomplete) {
    md_flight *f = &a->flights.at[place];
    md_id id = md_ids_at(&a->ids, place);
    if (f->fate == MD_UNDECIDED)
        f->fate = is_wanted(a, f->has_session, f->session) ? MD_KEPT : MD_DROPPED;
    a->stats.events_incomplete += incomplete;
    md_closed closed = {f->types, f->has_session ? f->session : MD_SESSION_UNSET};
    if (f->fate == MD_KEPT && f->event) { // without an event only after running out of memory
        hand_out(a, f->event, closed.session, incomplete || f->has_gap);
        a->stats.events_emitted++;
    } else {
        md_event_free(f->event);
        a->stats.events_unwatched++;
    }
    f->event = NULL;
    md_flights_leave(&a->flights, place);
    if (a->recent == place)
        a->recent = MD_NOWHERE;
    if (a->held == place)
        a->held = MD_NOWHERE;
    md_ids_clear(&a->ids, place);
    md_ids_remember(&a->ids, id, closed);
}

static void complete_at_limit(md_assembler *a, uint32_t place) {
    a->stats.events_limited++;
    complete(a, place, true);
}

static void complete_held(md_assembler *a) {
    if (a->held != MD_NOWHERE)
        complete(a, a->held, false);
}

static void complete_expired(md_assembler *a) {
    a->stats.events_expired++;
    complete(a, a->flights.oldest, true);
}

// -- the way in -----------------------------------------------------------------------------------------------------

static uint32_t start_event(md_assembler *a, md_id id, double now) {
    if (a->flights.count == a->flights.max)
        complete_at_limit(a, a->flights.oldest);
    uint32_t place = md_flights_enter(&a->flights);
    md_flight *f = &a->flights.at[place];
    f->deadline = a->clock + MD_TIMEOUT_MS;
    f->came = now;
    f->fate = a->keep == MD_KEEP_ALL ? MD_KEPT : MD_UNDECIDED;
    md_ids_put(&a->ids, place, id);
    a->stats.events_started++;
    return place;
}

static void watch_login(md_assembler *a, const md_line *line) {
    uint32_t session;
    if (line->type == MD_TYPE_LOGIN && a->keep == MD_KEEP_WATCHED &&
        md_find_session(md_body_of(line->text), line->type, &session))
        md_watch_add(&a->watch, session);
}

static void decide(md_assembler *a, md_flight *f, const md_line *line) {
    bool is_call = line->type == MD_TYPE_SYSCALL || line->type == MD_TYPE_URINGOP;
    uint32_t session;
    if (md_type_is_always_kept(line->type)) {
        f->has_gap |= f->fate == MD_DROPPED;
        f->fate = MD_KEPT;
    }
    if (f->session_is_certain || (f->has_session && !is_call) ||
        !md_find_session(md_body_of(line->text), line->type, &session))
        return;
    f->session = session;
    f->has_session = true;
    f->session_is_certain = is_call;
    if (is_call && f->fate == MD_UNDECIDED)
        f->fate = is_wanted(a, true, session) ? MD_KEPT : MD_DROPPED;
}

// A record of the event that was closed in `place`.
static bool take_late(md_assembler *a, uint32_t place, const md_line *line) {
    md_closed *closed = md_ids_closed(&a->ids, place);
    if (closed->types & md_type_bit(line->type)) {
        a->stats.records_repeated++;
        return true;
    }
    closed->types |= md_type_bit(line->type);
    a->stats.records_late++;
    if (!is_wanted(a, true, closed->session))
        return true;
    md_event *event = md_event_new(line, line->text.len);
    if (!event || !md_event_add(event, line)) {
        md_event_free(event);
        return false;
    }
    event->late = true;
    hand_out(a, event, closed->session, false);
    return true;
}

// The event in `place` may be complete afterwards: at a limit of its own it completes without this record.
static bool add(md_assembler *a, uint32_t place, const md_line *line) {
    md_flight *f = &a->flights.at[place];
    uint32_t len = (uint32_t)line->text.len;
    if (f->records == MD_EVENT_RECORDS_MAX || f->bytes + len > MD_EVENT_BYTES_MAX) {
        md_id id = md_ids_at(&a->ids, place);
        complete_at_limit(a, place);
        return take_late(a, md_ids_find(&a->ids, id), line);
    }
    while (a->flights.bytes + len > MD_FLIGHT_BYTES_MAX) // one event alone fits, so there are others
        complete_at_limit(a, a->flights.oldest != place ? a->flights.oldest : f->after);
    f->records++;
    f->types |= md_type_bit(line->type);
    f->bytes += len;
    a->flights.bytes += len;
    a->stats.records_assembled++;
    watch_login(a, line);
    decide(a, f, line);
    if (!md_flight_copy(f, line))
        return false;
    a->recent = place;
    if (a->holds && md_type_is_sent(line->type))
        return true;
    if (md_type_is_last(line->type))
        complete(a, place, false);
    return true;
}

// An event of one record is in flight only as long as it is held.
static bool take_held(md_assembler *a, md_id id, const md_line *line, double now) {
    uint32_t place = start_event(a, id, now);
    a->held = place;
    return add(a, place, line);
}

static bool take_single(md_assembler *a, md_id id, const md_line *line) {
    uint32_t session = MD_SESSION_UNSET;
    bool has_session = md_find_session(md_body_of(line->text), line->type, &session);
    if (md_type_is_always_kept(line->type) || is_wanted(a, has_session, session)) {
        md_event *event = md_event_new(line, line->text.len);
        if (!event || !md_event_add(event, line)) {
            md_event_free(event);
            return false;
        }
        hand_out(a, event, session, false);
        a->stats.events_emitted++;
    } else {
        a->stats.events_unwatched++;
    }
    a->stats.events_started++;
    a->stats.records_assembled++;
    md_ids_remember(&a->ids, id, (md_closed){md_type_bit(line->type), session});
    return true;
}

static void advance_clock(md_assembler *a, uint64_t time_ms) {
    if (time_ms <= a->clock)
        return;
    a->clock = time_ms;
    while (a->flights.count && a->flights.at[a->flights.oldest].deadline <= a->clock)
        complete_expired(a);
}

static bool take_record(md_assembler *a, const md_line *line, double now) {
    md_id id = {md_ids_node(&a->ids, line->has_node, line->node), line->time_ms, line->serial};
    if (a->held != MD_NOWHERE) {
        if (!md_ids_holds(&a->ids, a->held, id))
            complete_held(a);
        a->held = MD_NOWHERE;
    }
    advance_clock(a, line->time_ms);
    uint32_t place = a->recent;
    if (place == MD_NOWHERE || !md_ids_holds(&a->ids, place, id))
        place = md_ids_find(&a->ids, id);
    bool is_in_flight = place < a->flights.max;
    if (line->type == MD_TYPE_EOE) {
        a->stats.records_eoe++;
        if (is_in_flight)
            complete(a, place, false);
        return true;
    }
    if (is_in_flight)
        return add(a, place, line);
    if (place != MD_NOWHERE)
        return take_late(a, place, line);
    if (a->holds && md_type_is_sent(line->type))
        return take_held(a, id, line, now);
    if (md_type_is_last(line->type) && line->type != MD_TYPE_PROCTITLE)
        return take_single(a, id, line);
    return add(a, start_event(a, id, now), line);
}

static bool take_line(md_assembler *a, md_piece piece, md_span text, double now) {
    md_line line;
    a->stats.lines++;
    md_reason reason = piece == MD_LONG_LINE ? MD_TOO_LONG : md_scan_line(text, &a->types, &line);
    if (reason != MD_ACCEPTED) {
        md_stats_reject(&a->stats, reason, text);
        return true;
    }
    a->stats.records++;
    a->stats.records_cut += line.cut;
    return take_record(a, &line, now);
}

bool md_feed(md_assembler *a, const void *data, size_t len, double now) {
    md_span rest = md_span_of(data, len), line;
    while (rest.len) {
        md_piece piece = md_lines_next(&a->lines, &rest, &line);
        if (piece != MD_NO_LINE && !take_line(a, piece, line, now))
            return false;
    }
    return true;
}

static double held_until(const md_assembler *a) {
    return a->flights.at[a->held].came + MD_HOLD_MS / 1000.0;
}

static double oldest_until(const md_assembler *a) {
    return a->flights.at[a->flights.oldest].came + MD_TIMEOUT_MS / 1000.0;
}

void md_expire(md_assembler *a, double now) {
    if (a->held != MD_NOWHERE && held_until(a) <= now)
        complete_held(a);
    while (a->flights.count && oldest_until(a) <= now)
        complete_expired(a);
}

bool md_deadline(const md_assembler *a, double *when) {
    if (a->flights.count == 0)
        return false;
    *when = oldest_until(a);
    if (a->held != MD_NOWHERE && held_until(a) < *when)
        *when = held_until(a);
    return true;
}

bool md_close(md_assembler *a) {
    md_span line;
    md_piece piece = md_lines_last(&a->lines, &line);
    bool whole = piece == MD_NO_LINE || take_line(a, piece, line, 0);
    complete_held(a);
    while (a->flights.count)
        complete(a, a->flights.oldest, true);
    return whole;
}

// -- the rest -------------------------------------------------------------------------------------------------------

void md_watch_session(md_assembler *a, uint32_t session) {
    md_watch_add(&a->watch, session);
}

void md_forget_session(md_assembler *a, uint32_t session) {
    md_watch_remove(&a->watch, session);
}

size_t md_take_samples(md_assembler *a, md_sample *samples) {
    return md_stats_take_samples(&a->stats, samples);
}

uint64_t md_counter(const md_assembler *a, size_t index) {
    md_stats now = a->stats;
    now.in_flight = a->flights.count;
    now.in_flight_bytes = a->flights.bytes;
    now.watched = a->watch.count;
    return md_stats_counter(&now, index);
}
