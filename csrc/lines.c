// SPDX-License-Identifier: Apache-2.0

#include "lines.h"

#include <stdlib.h>

bool md_lines_init(md_lines *lines) {
    *lines = (md_lines){.kept = malloc(MD_LINE_MAX)};
    return lines->kept != NULL;
}

void md_lines_free(md_lines *lines) {
    free(lines->kept);
    *lines = (md_lines){0};
}

static void keep(md_lines *lines, md_span bytes) {
    md_span fitting = md_take(bytes, MD_LINE_MAX - lines->len);
    lines->too_long |= fitting.len < bytes.len;
    if (fitting.len)
        memcpy(lines->kept + lines->len, fitting.ptr, fitting.len);
    lines->len += fitting.len;
}

static md_piece give_kept(md_lines *lines, md_span *line) {
    md_piece piece = lines->too_long ? MD_LONG_LINE : MD_A_LINE;
    *line = md_span_of(lines->kept, lines->len);
    lines->len = 0;
    lines->too_long = false;
    return piece;
}

md_piece md_lines_next(md_lines *lines, md_span *data, md_span *line) {
    size_t end = md_find(*data, '\n');
    md_span piece = md_take(*data, end);
    bool ended = end < data->len;
    *data = md_skip(*data, end + 1);
    if (ended && lines->len == 0) {
        *line = md_take(piece, MD_LINE_MAX);
        return piece.len > MD_LINE_MAX ? MD_LONG_LINE : MD_A_LINE;
    }
    keep(lines, piece);
    return ended ? give_kept(lines, line) : MD_NO_LINE;
}

md_piece md_lines_last(md_lines *lines, md_span *line) {
    return lines->len ? give_kept(lines, line) : MD_NO_LINE;
}
