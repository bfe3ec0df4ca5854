// SPDX-License-Identifier: Apache-2.0
//
// Record types by number and by name, from the one list in record_types.h, and what follows from a number.

#ifndef MD_TYPES_H
#define MD_TYPES_H

#include "span.h"

enum {
    MD_TYPE_UNKNOWN = -1, // a name that is not in the list: newer than we are

    MD_TYPE_LOGIN = 1006,
    MD_TYPE_SYSTEM_BOOT = 1127,
    MD_TYPE_USER_AUTH = 1100,
    MD_TYPE_USER_AVC = 1107,
    MD_TYPE_SYSCALL = 1300,
    MD_TYPE_SOCKADDR = 1306,
    MD_TYPE_EOE = 1320,
    MD_TYPE_PROCTITLE = 1327,
    MD_TYPE_URINGOP = 1336,
    MD_TYPE_AVC = 1400,
    MD_TYPE_KERNEL = 2000,
    MD_TYPE_CRYPTO_KEY_USER = 2404,
    MD_TYPE_CRYPTO_SESSION = 2407,
};

// The netlink message type is 16 bits wide: no UNKNOWN[n] can be greater.
#define MD_TYPE_MAX 65535

// Number by name, hashed; built once by md_types_init(), then read only.
#define MD_TYPES_SLOTS 1024
typedef struct md_types {
    uint16_t slot[MD_TYPES_SLOTS]; // index into the list + 1, 0 = free
} md_types;

void md_types_init(md_types *types);
int md_types_find(const md_types *types, md_span name); // MD_TYPE_UNKNOWN if not in the list

// The list itself, ascending by number.
size_t md_type_count(void);
int md_type_number_at(size_t index);
const char *md_type_name_at(size_t index);

// The types of an event's records as one set. The kernel's numbers for them lie so that those which occur together
// have bits of their own.
static inline uint64_t md_type_bit(int number) {
    return UINT64_C(1) << ((unsigned)number & 63);
}

// A record of this type is the last of its event, or its only one.
bool md_type_is_last(int number);

// Sent to the kernel by a program, by sendto(): on kernels that count its record to that call (Ubuntu's), and where
// sendto is audited, SYSCALL and its like follow under the same id.
bool md_type_is_sent(int number);

// Written by the kernel, body and all: untrusted text in it is hex or quoted, and auditd's names after it are genuine.
bool md_type_is_kernel(int number);

// Attribution itself needs these, whoever's session they are in, or in none.
bool md_type_is_always_kept(int number);

#endif
