// SPDX-License-Identifier: Apache-2.0

#include "scan.h"

const char *md_reason_name(md_reason reason) {
    switch (reason) {
#define MD_ROW(symbol, name)                                                                                           \
    case MD_##symbol:                                                                                                  \
        return name;
        MD_REJECT_REASONS(MD_ROW)
#undef MD_ROW
    default:
        return "";
    }
}

// auditd 4 ends a line that it had to cut with a NUL; a file that went through other hands may have CRs.
static md_span trim_right(md_span s, bool *nul) {
    for (int c; (c = md_last(s)) == ' ' || c == '\r' || c == 0; s = md_drop_last(s))
        *nul |= c == 0;
    return s;
}

static bool is_type_name(md_span name) {
    if (name.len == 0 || name.len > MD_TYPE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        int c = md_at(name, i);
        if (!((c >= 'A' && c <= 'Z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_'))))
            return false;
    }
    return true;
}

static bool scan_type(md_span name, const md_types *types, int *type) {
    *type = md_types_find(types, name);
    if (*type != MD_TYPE_UNKNOWN || is_type_name(name))
        return true;
    uint64_t number;
    if (!md_accept(&name, MD_LITERAL("UNKNOWN[")) || !md_take_number(&name, MD_TYPE_MAX, &number))
        return false;
    *type = (int)number;
    return md_equal(name, MD_LITERAL("]"));
}

// The kernel writes "%llu.%03lu:%u". Two digits or one can only be an old text's missing zeros; four are no stamp.
static bool scan_stamp(md_span *rest, uint64_t *time_ms, uint32_t *serial) {
    uint64_t seconds, milliseconds, number;
    if (!md_take_number(rest, MD_SECONDS_MAX, &seconds) || !md_accept(rest, MD_LITERAL(".")))
        return false;
    size_t before = rest->len;
    if (!md_take_number(rest, 999, &milliseconds) || before - rest->len > 3 || !md_accept(rest, MD_LITERAL(":")))
        return false;
    if (!md_take_number(rest, UINT32_MAX, &number) || !md_accept(rest, MD_LITERAL(")")))
        return false;
    *time_ms = seconds * 1000 + milliseconds;
    *serial = (uint32_t)number;
    return true;
}

md_reason md_scan_line(md_span line, const md_types *types, md_line *out) {
    bool nul = false;
    md_span rest = trim_right(line, &nul);
    if (rest.len == 0)
        return MD_BLANK;
    out->cut = nul || rest.len >= MD_CUT_LENGTH;

    out->has_node = md_accept(&rest, MD_LITERAL("node="));
    out->node = md_take(rest, out->has_node ? md_find(md_take(rest, MD_NODE_MAX), ' ') : 0);
    rest = md_skip(rest, out->node.len);
    if (out->has_node && !md_accept(&rest, MD_LITERAL(" ")))
        return MD_NO_TYPE;

    if (!md_accept(&rest, MD_LITERAL("type=")))
        return MD_NO_TYPE;
    out->type_name = md_take(rest, md_find(md_take(rest, MD_TYPE_NAME_MAX + 1), ' '));
    if (!scan_type(out->type_name, types, &out->type))
        return MD_BAD_TYPE;
    rest = md_skip(rest, out->type_name.len);

    if (!md_accept(&rest, MD_LITERAL(" msg=audit(")))
        return MD_NO_STAMP;
    if (!scan_stamp(&rest, &out->time_ms, &out->serial))
        return MD_BAD_STAMP;
    if (rest.len && !md_accept(&rest, MD_LITERAL(":"))) // the colon may have been cut, the id is whole without it
        return MD_BAD_STAMP;
    out->text = md_trim_left(rest);
    return MD_ACCEPTED;
}
