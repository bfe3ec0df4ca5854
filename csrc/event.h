// SPDX-License-Identifier: Apache-2.0
//
// The records of one event: one copy of their texts, and where each begins. Made by the assembler, then owned by
// whoever took it from md_next().

#ifndef MD_EVENT_H
#define MD_EVENT_H

#include "scan.h"

// Most events (an execve: 6 or 7 records) need no second allocation for their records.
#define MD_RECORDS_INLINE 8

typedef struct md_record {
    uint32_t start; // of the type's name, if it has no number; its text follows
    uint32_t len;   // of the text
    int32_t type;
    uint8_t name_len; // 0 if the type has a number
    bool cut;
} md_record;

typedef struct md_event {
    struct md_event *next; // the assembler's queue
    uint64_t time_ms;
    uint32_t serial;
    uint32_t session; // MD_SESSION_UNSET if the event has none
    bool has_node;
    bool incomplete;
    bool late; // no event, but a record that came when its event had been handed out
    uint8_t node_len;
    uint32_t count;
    uint32_t size; // bytes of the records' texts
    uint32_t records_room;
    uint32_t bytes_used;
    uint32_t bytes_room;
    md_record *records;
    unsigned char *bytes; // the node's name first
    md_record inline_records[MD_RECORDS_INLINE];
} md_event;

md_event *md_event_new(const md_line *line, size_t bytes_room); // without any record yet; NULL: no memory
bool md_event_add(md_event *event, const md_line *line);        // false: no memory, the event is as before
void md_event_free(md_event *event);                            // NULL is allowed

md_span md_event_node(const md_event *event);
md_span md_event_text(const md_event *event, uint32_t index);
md_span md_event_type_name(const md_event *event, uint32_t index); // empty if the type has a number

#endif
