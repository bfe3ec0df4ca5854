# SPDX-License-Identifier: Apache-2.0
"""What the headers in csrc/ declare, in their words."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t


cdef extern from "<stdbool.h>":
    ctypedef unsigned char c_bool "bool"


cdef extern from "span.h":
    ctypedef struct md_span:
        const unsigned char *ptr
        size_t len

    md_span md_span_of(const void *ptr, size_t len)
    int md_at(md_span s, size_t index)
    bint md_equal(md_span a, md_span b)


cdef extern from "types.h":
    ctypedef struct md_types:
        pass

    void md_types_init(md_types *types)
    int md_types_find(const md_types *types, md_span name)
    size_t md_type_count()
    int md_type_number_at(size_t index)
    const char *md_type_name_at(size_t index)
    bint md_type_is_kernel(int number)


cdef extern from "scan.h":
    ctypedef enum md_reason:
        MD_ACCEPTED

    ctypedef struct md_line:
        int type
        md_span type_name
        uint64_t time_ms
        uint32_t serial

    const char *md_reason_name(md_reason reason)
    md_reason md_scan_line(md_span line, const md_types *types, md_line *out)


cdef extern from "fields.h":
    ctypedef enum md_scope:
        MD_OUTER
        MD_INNER

    ctypedef struct md_field:
        md_span name
        md_span value

    ctypedef struct md_fields:
        pass

    md_span md_body_of(md_span text)
    void md_fields_init(md_fields *fields, md_span body, md_scope scope)
    bint md_fields_next(md_fields *fields, md_field *field)
    bint md_find_field(md_span body, int type, md_scope scope, md_span name, md_field *found)
    bint md_body_is_cut(md_span body)
    bint md_unhex(md_span hex, unsigned char *out)
    bint md_number(md_span text, unsigned int base, c_bool *negative, uint64_t *magnitude)
    md_span md_unquoted(md_span value)


cdef extern from "names.h":
    md_span md_names_of(md_span text)
    bint md_names_match(md_span text, int type)
    bint md_names_next(md_span *names, md_field *field)


cdef extern from "watch.h":
    enum: MD_SESSION_UNSET


cdef extern from "event.h":
    ctypedef struct md_record:
        int32_t type
        uint8_t name_len
        bint cut

    ctypedef struct md_event:
        uint64_t time_ms
        uint32_t serial
        uint32_t session
        bint has_node
        bint incomplete
        bint late
        uint32_t count
        uint32_t size
        md_record *records

    void md_event_free(md_event *event)
    md_span md_event_node(const md_event *event)
    md_span md_event_text(const md_event *event, uint32_t index)
    md_span md_event_type_name(const md_event *event, uint32_t index)


cdef extern from "stats.h":
    enum: MD_SAMPLES

    ctypedef struct md_sample:
        md_reason reason
        size_t len
        unsigned char *bytes

    const char *md_counter_name(size_t index)


cdef extern from "assemble.h":
    enum:
        MD_FLIGHT_DEFAULT
        MD_FLIGHT_MAX
        MD_CLOSED_DEFAULT
        MD_CLOSED_MAX

    ctypedef enum md_keep:
        MD_KEEP_ALL
        MD_KEEP_SESSIONS
        MD_KEEP_WATCHED

    ctypedef struct md_assembler:
        pass

    md_assembler *md_assembler_new(uint32_t in_flight, uint32_t closed, md_keep keep, uint64_t seed)
    void md_hold(md_assembler *a)
    void md_assembler_free(md_assembler *a)
    bint md_feed(md_assembler *a, const void *data, size_t len, double now)
    void md_expire(md_assembler *a, double now)
    bint md_deadline(const md_assembler *a, double *when)
    bint md_close(md_assembler *a)
    md_event *md_next(md_assembler *a)
    void md_watch_session(md_assembler *a, uint32_t session)
    void md_forget_session(md_assembler *a, uint32_t session)
    size_t md_take_samples(md_assembler *a, md_sample *samples)
    uint64_t md_counter(const md_assembler *a, size_t index)
