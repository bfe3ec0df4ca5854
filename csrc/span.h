// SPDX-License-Identifier: Apache-2.0
//
// A view of bytes that somebody else owns: pointer and length. Every byte of hostile input is read through these
// functions, and the bound is checked here and nowhere else; no other file does arithmetic on such a pointer.

#ifndef MD_SPAN_H
#define MD_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct md_span {
    const unsigned char *ptr;
    size_t len;
} md_span;

// A span over a string literal, whose length the compiler knows.
#define MD_LITERAL(text) ((md_span){(const unsigned char *)(text), sizeof(text) - 1})

static inline md_span md_span_of(const void *ptr, size_t len) {
    return (md_span){(const unsigned char *)ptr, len};
}

// The byte at `index`, or -1 past the end.
static inline int md_at(md_span s, size_t index) {
    return index < s.len ? s.ptr[index] : -1;
}

static inline int md_last(md_span s) {
    return s.len ? s.ptr[s.len - 1] : -1;
}

// The first `count` bytes, or all if there are fewer.
static inline md_span md_take(md_span s, size_t count) {
    return (md_span){s.ptr, count < s.len ? count : s.len};
}

// What is left after the first `count` bytes; empty if there are fewer.
static inline md_span md_skip(md_span s, size_t count) {
    if (count >= s.len)
        return (md_span){s.ptr, 0};
    return (md_span){s.ptr + count, s.len - count};
}

static inline md_span md_drop_last(md_span s) {
    return md_take(s, s.len ? s.len - 1 : 0);
}

// Index of the first `byte`, or the length if there is none.
static inline size_t md_find(md_span s, unsigned char byte) {
    const unsigned char *hit = s.len ? memchr(s.ptr, byte, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : s.len;
}

static inline bool md_equal(md_span a, md_span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool md_starts(md_span s, md_span prefix) {
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

// Skip `prefix` if the span starts with it.
static inline bool md_accept(md_span *s, md_span prefix) {
    if (!md_starts(*s, prefix))
        return false;
    *s = md_skip(*s, prefix.len);
    return true;
}

static inline md_span md_trim_left(md_span s) {
    while (md_at(s, 0) == ' ')
        s = md_skip(s, 1);
    return s;
}

// Take a decimal number off the front. False, with `s` untouched, if there is none, if it exceeds `max`, or if it has
// more than 19 digits (what a uint64_t is sure to hold; nothing in an audit stamp comes near).
static inline bool md_take_number(md_span *s, uint64_t max, uint64_t *number) {
    uint64_t value = 0;
    size_t used = 0;
    for (int c; (c = md_at(*s, used)) >= '0' && c <= '9'; used++) {
        if (used == 19)
            return false;
        value = value * 10 + (uint64_t)(c - '0');
    }
    if (used == 0 || value > max)
        return false;
    *number = value;
    *s = md_skip(*s, used);
    return true;
}

#endif
