// SPDX-License-Identifier: Apache-2.0
//
// Bytes of audit text in, completed events out.
//
// An event is all records with one id (node, time, serial). It is complete
//   - with its last record: PROCTITLE, EOE, or a type that comes alone (md_type_is_last)
//   - or, then called incomplete, 2 s after its first record, at a limit, or at the end of input.
// A program's record (md_type_is_sent) comes alone, but for kernels that count it to the program's sendto(). After
// md_hold() it is therefore complete with the next record of another event, or MD_HOLD_MS later by the caller's clock.
//
// Two clocks measure the 2 s. The stream's own is the newest stamp seen so far, so that a recording gives the same
// events however it is cut up and whenever it is read; the caller's (`now`) serves a stream that has gone quiet. An
// event's own stamp is no measure of its age: it tells when the system call began, which may be hours ago (accept,
// read from a terminal), while its records come when the call ends.
//
// A record whose event is complete already (one of the last few thousand) is absorbed: EOE silently, for it comes
// after PROCTITLE; one of a type that the event has is counted as repeated, since overlapping files bring whole events
// twice. Any other is late: it tells what the event, which is gone, lacks. It is handed out by itself, marked as what
// it is, if the event's session is wanted. An EOE without an event is none.
//
// Which events are handed out (`keep`) is decided as soon as the event's session is certain, which it is with its
// SYSCALL or URINGOP, else when it completes. The further records of an event that isn't wanted are not copied, but
// they still count towards all limits, so that the filter never changes what completes when. An event with a record
// that attribution itself needs (md_type_is_always_kept) is always wanted; LOGIN comes before its SYSCALL, and in
// MD_KEEP_WATCHED it adds its session to the watched ones itself, since that session's events may be next.

#ifndef MD_ASSEMBLE_H
#define MD_ASSEMBLE_H

#include "event.h"
#include "stats.h"

// auditd's own end_of_event_timeout.
#define MD_TIMEOUT_MS 2000

// The kernel queues both records within the same system call. What is in between is the time until the second has been
// read, too; it is what a program's record that ends a batch waits for.
#define MD_HOLD_MS 5

// execve of a 2 MB argument list with blanks in it is 4 MB of hex; 6 MB arguments (the kernel's most with the default
// stack limit of 8 MB is a quarter of it, with a raised one 6 MB) are 12.
#define MD_EVENT_BYTES_MAX (16u << 20)

// The kernel writes one PATH per name and one EXECVE per 7.5 KB of arguments: 6 MB are 1,600; rename and unlink of
// big directories stay in the tens. The rest is room.
#define MD_EVENT_RECORDS_MAX 16384u

// Of all events in flight: two of the largest. Live there are a few KB; it bounds what a hostile stream can take.
#define MD_FLIGHT_BYTES_MAX (32u << 20)

// A host's processors each have at most one event half written, and lone kernel records (CONFIG_CHANGE, TTY) wait
// 2 s: 4,096 leaves room for 2,000 of those a second.
#define MD_FLIGHT_DEFAULT 4096u
#define MD_FLIGHT_MAX     (1u << 20)

// How many closed events are remembered, for their late records and so that one met twice is one: the EOE of a busy
// host come within milliseconds, a second reading of the same stretch of a log needs its number of events.
#define MD_CLOSED_DEFAULT 16384u
#define MD_CLOSED_MAX     (8u << 20)

typedef enum md_keep {
    MD_KEEP_ALL,
    MD_KEEP_SESSIONS, // of a session, any session
    MD_KEEP_WATCHED,  // of a watched session
} md_keep;

typedef struct md_assembler md_assembler;

// `seed`: anything that a hostile input can't know. NULL: no memory, or a size of 0 or beyond its maximum.
md_assembler *md_assembler_new(uint32_t in_flight, uint32_t closed, md_keep keep, uint64_t seed);
void md_hold(md_assembler *a);
void md_assembler_free(md_assembler *a); // with all that it still holds; NULL is allowed

// Takes all of `data`; what it completed is then to be had from md_next(). False: out of memory, and an unknown part
// of the data has been lost; the assembler remains usable.
bool md_feed(md_assembler *a, const void *data, size_t len, double now);

// Completes what has been in flight for MD_TIMEOUT_MS, and what has been held for MD_HOLD_MS, of the caller's clock.
void md_expire(md_assembler *a, double now);

// When md_expire() will have something to do; false if nothing is in flight.
bool md_deadline(const md_assembler *a, double *when);

// End of input: a last line without LF counts, and all that is in flight completes. More input may follow.
bool md_close(md_assembler *a);

// The next completed event, in order of completion, now the caller's; NULL if there is none.
md_event *md_next(md_assembler *a);

void md_watch_session(md_assembler *a, uint32_t session);
void md_forget_session(md_assembler *a, uint32_t session);

// The first few refused lines since the last call; the counters by their index in stats.h.
size_t md_take_samples(md_assembler *a, md_sample *samples);
uint64_t md_counter(const md_assembler *a, size_t index);

#endif
