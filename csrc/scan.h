// SPDX-License-Identifier: Apache-2.0
//
// One line of audit text -> its header and its text. Nothing is allocated and nothing copied: all spans of the result
// point into the line.
//
//   line = ["node=" NODE " "] "type=" TYPE " msg=audit(" SEC "." MMM ":" SERIAL ")" [":"] [text]
//   TYPE = 1*(A-Z 0-9 _) / "UNKNOWN[" n "]"
//   text = body [0x1D names]                                     (what is in it: fields.h)

#ifndef MD_SCAN_H
#define MD_SCAN_H

#include "reject_reasons.h"
#include "span.h"
#include "types.h"

typedef enum md_reason {
    MD_ACCEPTED = 0,
#define MD_ROW(symbol, name) MD_##symbol,
    MD_REJECT_REASONS(MD_ROW)
#undef MD_ROW
        MD_REASON_COUNT
} md_reason;

const char *md_reason_name(md_reason reason); // "" for MD_ACCEPTED

// auditd formats a record into a buffer of MAX_AUDIT_MESSAGE_LENGTH (8970) bytes: a line of 8969 bytes or more has
// been cut, or can't be told from one that has.
#define MD_CUT_LENGTH 8969

// The last second of the year 9999, where the calendars of those who read our times end.
#define MD_SECONDS_MAX UINT64_C(253402300799)

// Longer than any name of a record type (28 today); what is longer is no audit record.
#define MD_TYPE_NAME_MAX 64

// The longest host name that DNS allows. A line whose node is longer is refused.
#define MD_NODE_MAX 255

typedef struct md_line {
    bool has_node;
    bool cut; // auditd says so itself: a NUL at the end, or the length of its buffer
    md_span node;
    int type;          // number, MD_TYPE_UNKNOWN if only the name is known
    md_span type_name; // as written
    uint64_t time_ms;  // since the epoch
    uint32_t serial;
    md_span text; // without blanks at either end
} md_line;

// `line` is without its LF. Fills `out` and returns MD_ACCEPTED, or says why not.
md_reason md_scan_line(md_span line, const md_types *types, md_line *out);

#endif
