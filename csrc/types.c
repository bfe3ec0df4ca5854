// SPDX-License-Identifier: Apache-2.0

#include "types.h"
#include "record_types.h"

typedef struct md_type {
    uint16_t number;
    uint16_t len;
    const char *name;
} md_type;

#define MD_ROW(number, name) {number, sizeof(#name) - 1, #name},
static const md_type LIST[] = {MD_RECORD_TYPES(MD_ROW)};
#undef MD_ROW

enum { COUNT = sizeof(LIST) / sizeof(LIST[0]) };
_Static_assert(COUNT * 2 <= MD_TYPES_SLOTS, "the table of names must stay at most half full");

// Names share beginnings (USER_, CRYPTO_) more than ends, so length, middle and end tell most of them apart.
static size_t slot_of(md_span name) {
    size_t n = name.len;
    size_t h = n * 131 + (size_t)(md_at(name, 0) + 1) * 7 + (size_t)(md_at(name, n / 2) + 1) * 31 +
               (size_t)(md_at(name, n - 1) + 1) * 257 + (size_t)(md_at(name, n / 4) + 1) * 67;
    return h % MD_TYPES_SLOTS;
}

void md_types_init(md_types *types) {
    memset(types, 0, sizeof(*types));
    for (size_t i = 0; i < COUNT; i++) {
        size_t slot = slot_of(md_span_of(LIST[i].name, LIST[i].len));
        while (types->slot[slot])
            slot = (slot + 1) % MD_TYPES_SLOTS;
        types->slot[slot] = (uint16_t)(i + 1);
    }
}

int md_types_find(const md_types *types, md_span name) {
    for (size_t slot = slot_of(name); types->slot[slot]; slot = (slot + 1) % MD_TYPES_SLOTS) {
        const md_type *type = &LIST[types->slot[slot] - 1];
        if (md_equal(name, md_span_of(type->name, type->len)))
            return type->number;
    }
    return MD_TYPE_UNKNOWN;
}

size_t md_type_count(void) {
    return COUNT;
}

int md_type_number_at(size_t index) {
    return LIST[index].number;
}

const char *md_type_name_at(size_t index) {
    return LIST[index].name;
}

// libaudit's audit_is_last_record() by its ranges of numbers, but for 1406-1419 (netlabel, IPsec): the kernel writes
// those inside a system call, so their SYSCALL and PROCTITLE follow under the same id and would be lost as late ones.
bool md_type_is_last(int number) {
    return number == MD_TYPE_PROCTITLE || number == MD_TYPE_EOE || number == 1005 ||
           (number > MD_TYPE_LOGIN && number < MD_TYPE_SYSCALL) || number == MD_TYPE_KERNEL || number >= 2100;
}

bool md_type_is_sent(int number) {
    return number == 1005 || (number >= 1100 && number < 1200) || number >= 2100;
}

bool md_type_is_kernel(int number) {
    return number == MD_TYPE_LOGIN || (number >= MD_TYPE_SYSCALL && number < 2100);
}

bool md_type_is_always_kept(int number) {
    switch (number) {
    case MD_TYPE_LOGIN:
    case MD_TYPE_SYSTEM_BOOT:
    case MD_TYPE_USER_AUTH:
    case MD_TYPE_CRYPTO_KEY_USER:
    case MD_TYPE_CRYPTO_SESSION:
        return true;
    default:
        return number >= 1200 && number <= 1299;
    }
}
