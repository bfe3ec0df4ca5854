// SPDX-License-Identifier: Apache-2.0

#include "event.h"
#include "watch.h"

#include <stdlib.h>

static void append(md_event *event, md_span bytes) {
    if (bytes.len)
        memcpy(event->bytes + event->bytes_used, bytes.ptr, bytes.len);
    event->bytes_used += (uint32_t)bytes.len;
}

md_event *md_event_new(const md_line *line, size_t bytes_room) {
    md_event *event = malloc(sizeof(*event));
    if (!event)
        return NULL;
    *event = (md_event){
        .time_ms = line->time_ms,
        .serial = line->serial,
        .session = MD_SESSION_UNSET,
        .has_node = line->has_node,
        .node_len = (uint8_t)line->node.len,
        .records_room = MD_RECORDS_INLINE,
        .bytes_room = (uint32_t)(bytes_room + line->node.len),
    };
    event->records = event->inline_records;
    event->bytes = malloc(event->bytes_room ? event->bytes_room : 1);
    if (!event->bytes) {
        free(event);
        return NULL;
    }
    append(event, line->node);
    return event;
}

// Doubling keeps the cost linear in what is added. The assembler's limits keep all of it far below 32 bits.
static bool grow_bytes(md_event *event, size_t more) {
    size_t room = event->bytes_room;
    if (event->bytes_used + more <= room)
        return true;
    while (room < event->bytes_used + more)
        room = room ? room * 2 : 1;
    unsigned char *bytes = realloc(event->bytes, room);
    if (!bytes)
        return false;
    event->bytes = bytes;
    event->bytes_room = (uint32_t)room;
    return true;
}

static bool grow_records(md_event *event) {
    if (event->count < event->records_room)
        return true;
    bool is_inline = event->records == event->inline_records;
    uint32_t room = event->records_room * 2;
    md_record *records = realloc(is_inline ? NULL : event->records, room * sizeof(*records));
    if (!records)
        return false;
    if (is_inline)
        memcpy(records, event->inline_records, sizeof(event->inline_records));
    event->records = records;
    event->records_room = room;
    return true;
}

bool md_event_add(md_event *event, const md_line *line) {
    md_span name = md_take(line->type_name, line->type == MD_TYPE_UNKNOWN ? line->type_name.len : 0);
    if (!grow_bytes(event, name.len + line->text.len) || !grow_records(event))
        return false;
    event->records[event->count++] = (md_record){
        .start = event->bytes_used,
        .len = (uint32_t)line->text.len,
        .type = line->type,
        .name_len = (uint8_t)name.len,
        .cut = line->cut,
    };
    event->size += (uint32_t)line->text.len;
    append(event, name);
    append(event, line->text);
    return true;
}

void md_event_free(md_event *event) {
    if (!event)
        return;
    if (event->records != event->inline_records)
        free(event->records);
    free(event->bytes);
    free(event);
}

md_span md_event_node(const md_event *event) {
    return md_span_of(event->bytes, event->node_len);
}

md_span md_event_text(const md_event *event, uint32_t index) {
    const md_record *record = &event->records[index];
    return md_span_of(event->bytes + record->start + record->name_len, record->len);
}

md_span md_event_type_name(const md_event *event, uint32_t index) {
    const md_record *record = &event->records[index];
    return md_span_of(event->bytes + record->start, record->name_len);
}
