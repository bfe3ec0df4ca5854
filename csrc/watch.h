// SPDX-License-Identifier: Apache-2.0
//
// The set of audit sessions whose events are wanted. It may say yes too often, never no wrongly: what it passes is
// looked at again in Python, what it refuses is gone.

#ifndef MD_WATCH_H
#define MD_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The kernel's (unsigned)-1: a process without an audit session. Never in the set.
#define MD_SESSION_UNSET UINT32_MAX

// Twice the sessions that the tracker keeps. Anybody can make LOGIN records, so there must be an end (1 MiB).
#define MD_WATCH_MAX 131072

typedef struct md_watch {
    uint32_t *slots; // MD_SESSION_UNSET = free
    size_t capacity; // a power of two, or 0 before the first session
    size_t count;
    uint64_t seed;
    bool overflowed; // a session could not be taken in: from now on the answer is yes
} md_watch;

void md_watch_init(md_watch *watch, uint64_t seed);
void md_watch_free(md_watch *watch);
void md_watch_add(md_watch *watch, uint32_t session);
void md_watch_remove(md_watch *watch, uint32_t session);
bool md_watch_has(const md_watch *watch, uint32_t session);

#endif
