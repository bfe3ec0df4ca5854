// SPDX-License-Identifier: Apache-2.0
//
// A stream of bytes -> its lines, whatever the pieces it comes in. No byte is looked at twice: a line that has not
// ended yet is kept, and only what comes next is searched for its end.

#ifndef MD_LINES_H
#define MD_LINES_H

#include "span.h"

// auditd's longest line is 9 KiB (facts of MAX_AUDIT_MESSAGE_LENGTH: 8970 bytes and a prefix); longer than this is
// some other file, and is skipped to its next LF.
#define MD_LINE_MAX 65536

typedef struct md_lines {
    unsigned char *kept; // MD_LINE_MAX bytes
    size_t len;
    bool too_long;
} md_lines;

typedef enum md_piece {
    MD_NO_LINE, // all of the data is kept: its line goes on
    MD_A_LINE,
    MD_LONG_LINE, // longer than MD_LINE_MAX: `line` is its beginning
} md_piece;

bool md_lines_init(md_lines *lines); // false: no memory
void md_lines_free(md_lines *lines);

// Takes one line off the front of `data`. `line` is without LF and valid until the next call, and as long as the data.
md_piece md_lines_next(md_lines *lines, md_span *data, md_span *line);

// End of input: the last line may have no LF.
md_piece md_lines_last(md_lines *lines, md_span *line);

#endif
