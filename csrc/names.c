// SPDX-License-Identifier: Apache-2.0

#include "names.h"
#include "types.h"

md_span md_names_of(md_span text) {
    return md_skip(text, md_find(text, MD_SEPARATOR) + 1);
}

// Auparse's types UID, GID, ARCH, SYSCALL and SOCKADDR.
static bool is_translated(md_span name, int type) {
    static const char *const NAMES[] = {
        "uid",       "gid",       "euid",    "egid",    "suid",  "sgid",    "fsuid", "fsgid",
        "auid",      "old-auid",  "ouid",    "ogid",    "oauid", "iuid",    "igid",  "id",
        "inode_uid", "inode_gid", "obj_uid", "obj_gid", "sauid", "new_gid", "arch",  "syscall",
    };
    if (md_equal(name, MD_LITERAL("saddr")))
        return type == MD_TYPE_SOCKADDR; // elsewhere it is an address in plain text
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (md_equal(name, md_span_of(NAMES[i], strlen(NAMES[i]))))
            return true;
    return false;
}

// SADDR={ saddr_fam=local path=/a } b }: a path in it may hold braces, but nothing follows the value.
static bool take_address(md_span s, md_span *names, md_field *field) {
    if (md_last(s) != '}')
        return false;
    md_span inside = md_trim_left(md_drop_last(s));
    while (md_last(inside) == ' ')
        inside = md_drop_last(inside);
    *field = (md_field){.name = MD_LITERAL("SADDR"), .value = inside, .closed = true};
    names->len = 0;
    return true;
}

bool md_names_next(md_span *names, md_field *field) {
    md_span s = md_trim_left(*names);
    md_span after = s;
    if (md_accept(&after, MD_LITERAL("SADDR={")))
        return take_address(after, names, field);
    md_fields fields = {.rest = s};
    if (!md_fields_next(&fields, field) || field->name.ptr != s.ptr) // something else stands before it
        return false;
    *names = fields.rest;
    return field->closed;
}

static bool equal_in_upper_case(md_span upper, md_span lower) {
    if (upper.len != lower.len)
        return false;
    for (size_t i = 0; i < lower.len; i++) {
        int c = md_at(lower, i);
        if (md_at(upper, i) != (c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c))
            return false;
    }
    return true;
}

// uring_op has a translation or none, depending on auditd's version.
static void skip_uring_op(md_span *names) {
    md_span ahead = *names;
    md_field name;
    if (md_names_next(&ahead, &name) && md_equal(name.name, MD_LITERAL("URING_OP")))
        *names = ahead;
}

bool md_names_match(md_span text, int type) {
    md_span names = md_names_of(text);
    md_fields fields;
    md_field field, name;
    bool any = false;
    if (!md_type_is_kernel(type))
        return false;
    md_fields_init(&fields, md_body_of(text), MD_OUTER);
    while (md_fields_next(&fields, &field)) {
        if (md_equal(field.name, MD_LITERAL("uring_op")))
            skip_uring_op(&names);
        if (!is_translated(field.name, type))
            continue;
        if (!md_names_next(&names, &name) || !equal_in_upper_case(name.name, field.name))
            return false;
        any = true;
    }
    return any && md_trim_left(names).len == 0;
}
