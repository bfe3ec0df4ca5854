// SPDX-License-Identifier: Apache-2.0
//
// Hashing of numbers that a hostile log may choose: a secret seed goes in, so that nobody can make them collide.

#ifndef MD_MIX_H
#define MD_MIX_H

#include <stdint.h>

// The finaliser of MurmurHash3: each bit of the input moves each bit of the result half of the time.
static inline uint64_t md_mix(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

#endif
