// SPDX-License-Identifier: Apache-2.0
//
// Event ids by value: a hash table over a fixed number of places. The first `in_flight` of them are the caller's to
// fill and clear; the others are a ring of the ids that were remembered last, those of closed events.

#ifndef MD_IDS_H
#define MD_IDS_H

#include "span.h"

#define MD_NOWHERE UINT32_MAX

// The serial alone is not enough: it restarts at boot, and auditd's own records draw theirs at random.
typedef struct md_id {
    uint64_t node; // md_ids_node()
    uint64_t time_ms;
    uint32_t serial;
} md_id;

// What stays of an event when it is closed: which types of records it had (md_type_bit), and whose it was.
typedef struct md_closed {
    uint64_t types;
    uint32_t session; // MD_SESSION_UNSET if none
} md_closed;

struct md_place {
    uint64_t node;
    uint64_t time_ms;
    uint32_t serial;
    uint32_t next; // the next place whose id hashes alike
    md_closed closed;
};

typedef struct md_ids {
    struct md_place *places;
    uint32_t *heads;
    size_t mask; // number of heads - 1
    uint64_t seed;
    uint32_t ring_first, ring_size, ring_used, ring_next;
} md_ids;

bool md_ids_init(md_ids *ids, uint32_t in_flight, uint32_t closed, uint64_t seed); // false: no memory
void md_ids_free(md_ids *ids);
uint32_t md_ids_find(const md_ids *ids, md_id id);              // its place, or MD_NOWHERE
void md_ids_put(md_ids *ids, uint32_t place, md_id id);         // `place` is empty, `id` is nowhere
void md_ids_clear(md_ids *ids, uint32_t place);                 // `place` is not empty
bool md_ids_holds(const md_ids *ids, uint32_t place, md_id id); // is it that id that is in `place`, which is not empty?
md_id md_ids_at(const md_ids *ids, uint32_t place);

// Puts `id`, which is nowhere, into the ring in place of the oldest there.
void md_ids_remember(md_ids *ids, md_id id, md_closed closed);

// Of a place in the ring.
md_closed *md_ids_closed(md_ids *ids, uint32_t place);

// A node's name as a number, 0 if there is no node. 64 bits and a secret seed make two names of one number a thing
// that doesn't happen.
uint64_t md_ids_node(const md_ids *ids, bool has_node, md_span name);

#endif
