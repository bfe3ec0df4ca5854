// SPDX-License-Identifier: Apache-2.0

#include "watch.h"
#include "mix.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

void md_watch_init(md_watch *watch, uint64_t seed) {
    *watch = (md_watch){.seed = seed};
}

void md_watch_free(md_watch *watch) {
    free(watch->slots);
    *watch = (md_watch){0};
}

static size_t home_of(const md_watch *watch, uint32_t session) {
    return (size_t)md_mix(session ^ watch->seed) & (watch->capacity - 1);
}

// The slot that holds `session`, or the free one where it would be.
static size_t slot_of(const md_watch *watch, uint32_t session) {
    size_t slot = home_of(watch, session);
    while (watch->slots[slot] != MD_SESSION_UNSET && watch->slots[slot] != session)
        slot = (slot + 1) & (watch->capacity - 1);
    return slot;
}

// Room for one more at half load or less.
static bool grow(md_watch *watch) {
    if (watch->count >= MD_WATCH_MAX)
        return false;
    if ((watch->count + 1) * 2 <= watch->capacity)
        return true;
    md_watch old = *watch;
    size_t capacity = old.capacity ? old.capacity * 2 : FIRST_CAPACITY;
    uint32_t *slots = malloc(capacity * sizeof(*slots));
    if (!slots)
        return false;
    memset(slots, 0xFF, capacity * sizeof(*slots)); // all MD_SESSION_UNSET
    watch->slots = slots;
    watch->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i] != MD_SESSION_UNSET)
            slots[slot_of(watch, old.slots[i])] = old.slots[i];
    free(old.slots);
    return true;
}

void md_watch_add(md_watch *watch, uint32_t session) {
    if (session == MD_SESSION_UNSET || (watch->count && watch->slots[slot_of(watch, session)] == session))
        return;
    if (!grow(watch)) {
        watch->overflowed = true;
        return;
    }
    watch->slots[slot_of(watch, session)] = session;
    watch->count++;
}

// Those behind the hole move up, so that no search for them ends at it.
void md_watch_remove(md_watch *watch, uint32_t session) {
    if (watch->count == 0 || session == MD_SESSION_UNSET)
        return;
    size_t mask = watch->capacity - 1;
    size_t hole = slot_of(watch, session);
    if (watch->slots[hole] != session)
        return;
    for (size_t i = (hole + 1) & mask; watch->slots[i] != MD_SESSION_UNSET; i = (i + 1) & mask) {
        size_t home = home_of(watch, watch->slots[i]);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            watch->slots[hole] = watch->slots[i];
            hole = i;
        }
    }
    watch->slots[hole] = MD_SESSION_UNSET;
    watch->count--;
}

bool md_watch_has(const md_watch *watch, uint32_t session) {
    if (session == MD_SESSION_UNSET)
        return false;
    return watch->overflowed || (watch->count && watch->slots[slot_of(watch, session)] == session);
}
