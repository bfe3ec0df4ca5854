# SPDX-License-Identifier: Apache-2.0
# cython: language_level=3, boundscheck=False, wraparound=False
"""The face of csrc/: memory and conversion, no policy. Signatures and their meaning are in _native.pyi.

An Event owns one C event; a Record is a number in its Event, and reads a field only when asked for it.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from audisp_maldito._csrc cimport *

import os
from collections import namedtuple

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    unicode PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    unicode PyUnicode_FromFormat(const char *format, ...)


Rejected = namedtuple("Rejected", ("reason", "line"), module="audisp_maldito._native")

RECORD_TYPES = {
    md_type_name_at(i).decode("ascii"): md_type_number_at(i) for i in range(md_type_count())
}
cdef dict TYPE_NAMES = {number: name for name, number in RECORD_TYPES.items()}
cdef dict KEEPS = {"all": MD_KEEP_ALL, "sessions": MD_KEEP_SESSIONS, "watched": MD_KEEP_WATCHED}
cdef md_types TYPES
md_types_init(&TYPES)


cdef inline bytes to_bytes(md_span s):
    return PyBytes_FromStringAndSize(<const char *>s.ptr, s.len)


cdef inline unicode to_text(md_span s):
    return PyUnicode_DecodeUTF8(<const char *>s.ptr, s.len, "surrogateescape")


cdef md_span span_of_name(str name) except *:
    cdef Py_ssize_t size
    cdef const char *text = PyUnicode_AsUTF8AndSize(name, &size)
    return md_span_of(text, size)


cdef inline bint is_literal(md_span s, const char *text, size_t size):
    return md_equal(s, md_span_of(text, size))


cdef bint is_absent(md_span value):
    return (
        value.len == 0
        or is_literal(value, "?", 1)
        or is_literal(value, "(null)", 6)
        or is_literal(value, "(none)", 6)
    )


cdef unicode decoded(md_span value):
    """An untrusted string as the kernel and libaudit write it."""
    cdef bytes raw
    if md_at(value, 0) == 34:  # a double quote
        return to_text(md_unquoted(value))
    if is_absent(value):
        return None
    raw = PyBytes_FromStringAndSize(NULL, value.len // 2)
    if md_unhex(value, <unsigned char *>PyBytes_AS_STRING(raw)):
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(raw), value.len // 2, "surrogateescape")
    return to_text(value)


cdef unicode name_of_type(int number, md_span name):
    if number < 0:
        return to_text(name)
    known = TYPE_NAMES.get(number)
    return PyUnicode_FromFormat("UNKNOWN[%d]", number) if known is None else known


def type_name(int number):
    return TYPE_NAMES.get(number)


def type_number(str name):
    return RECORD_TYPES.get(name)


def header(bytes line not None):
    cdef md_line parsed
    if md_scan_line(md_span_of(PyBytes_AS_STRING(line), len(line)), &TYPES, &parsed) != MD_ACCEPTED:
        return None
    return name_of_type(parsed.type, parsed.type_name), parsed.time_ms, parsed.serial


@cython.final
@cython.no_gc
cdef class Record:
    cdef Event event
    cdef uint32_t index

    def __init__(self):
        raise TypeError("records come from an Assembler's events")

    cdef inline int number_(self):
        return self.event.c.records[self.index].type

    cdef inline md_span whole(self):
        return md_event_text(self.event.c, self.index)

    cdef bint find(self, str name, bint inner, md_span *value) except -1:
        cdef md_field field
        if not md_find_field(
            md_body_of(self.whole()), self.number_(), MD_INNER if inner else MD_OUTER, span_of_name(name), &field
        ):
            return False
        value[0] = field.value
        return True

    @property
    def type(self):
        return name_of_type(self.number_(), md_event_type_name(self.event.c, self.index))

    @property
    def number(self):
        return None if self.number_() < 0 else self.number_()

    @property
    def body(self):
        return to_bytes(md_body_of(self.whole()))

    @property
    def truncated(self):
        return self.event.c.records[self.index].cut or md_body_is_cut(md_body_of(self.whole()))

    @property
    def kernel(self):
        return md_type_is_kernel(self.number_())

    def raw(self, str name not None, bint inner=False):
        cdef md_span value
        return to_bytes(value) if self.find(name, inner, &value) else None

    def text(self, str name not None, bint inner=False):
        cdef md_span value
        return decoded(value) if self.find(name, inner, &value) else None

    def word(self, str name not None, bint inner=False):
        cdef md_span value
        if not self.find(name, inner, &value):
            return None
        value = md_unquoted(value)
        return None if is_absent(value) else to_text(value)

    def number_of(self, str name not None, int base=10, bint inner=False):
        cdef md_span value
        cdef c_bool negative = False
        cdef uint64_t magnitude = 0
        if base != 8 and base != 10 and base != 16:
            raise ValueError("base must be 8, 10 or 16")
        if not self.find(name, inner, &value) or not md_number(value, base, &negative, &magnitude):
            return None
        return -<object>magnitude if negative else magnitude

    def items(self, bint inner=False):
        cdef md_fields fields
        cdef md_field field
        cdef list found = []
        md_fields_init(&fields, md_body_of(self.whole()), MD_INNER if inner else MD_OUTER)
        while md_fields_next(&fields, &field):
            found.append((to_text(field.name), to_bytes(field.value)))
        return found

    def names(self):
        cdef md_span text = self.whole()
        cdef md_span names = md_names_of(text)
        cdef md_field field
        cdef dict found = {}
        if not md_names_match(text, self.number_()):
            return None
        while md_names_next(&names, &field):
            value = decoded(field.value)
            found.setdefault(to_text(field.name).lower(), "?" if value is None else value)
        return found

    def __repr__(self):
        return f"<Record {self.type} {self.body!r}>"


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Event:
    cdef md_event *c

    def __init__(self):
        raise TypeError("events come from an Assembler")

    def __dealloc__(self):
        md_event_free(self.c)

    @property
    def id(self):
        return PyUnicode_FromFormat(
            "%llu.%03u:%u",
            <unsigned long long>(self.c.time_ms // 1000),
            <unsigned int>(self.c.time_ms % 1000),
            <unsigned int>self.c.serial,
        )

    @property
    def node(self):
        return to_text(md_event_node(self.c)) if self.c.has_node else None

    @property
    def time_ms(self):
        return self.c.time_ms

    @property
    def serial(self):
        return self.c.serial

    @property
    def session(self):
        return None if self.c.session == MD_SESSION_UNSET else self.c.session

    @property
    def incomplete(self):
        return self.c.incomplete

    @property
    def late(self):
        return self.c.late

    @property
    def size(self):
        return self.c.size

    @property
    def records(self):
        cdef uint32_t i
        return [record_at(self, i) for i in range(self.c.count)]

    cdef bint is_of_type(self, uint32_t index, int number, str type) except -1:
        if number >= 0:
            return self.c.records[index].type == number
        return name_of_type(self.c.records[index].type, md_event_type_name(self.c, index)) == type

    def first(self, str type not None):
        cdef uint32_t i
        cdef int number = RECORD_TYPES.get(type, -1)
        for i in range(self.c.count):
            if self.is_of_type(i, number, type):
                return record_at(self, i)
        return None

    def all(self, str type not None):
        cdef uint32_t i
        cdef int number = RECORD_TYPES.get(type, -1)
        return [record_at(self, i) for i in range(self.c.count) if self.is_of_type(i, number, type)]

    def __repr__(self):
        return f"<Event {self.id} {' '.join(record.type for record in self.records)}>"


cdef Record record_at(Event event, uint32_t index):
    cdef Record record = Record.__new__(Record)
    record.event = event
    record.index = index
    return record


@cython.final
cdef class Assembler:
    cdef md_assembler *c

    def __cinit__(self, *, in_flight=MD_FLIGHT_DEFAULT, closed=MD_CLOSED_DEFAULT, str keep="all", bint hold=False):
        if keep not in KEEPS:
            raise ValueError(f"keep must be one of {', '.join(KEEPS)}")
        if not 1 <= in_flight <= MD_FLIGHT_MAX or not 1 <= closed <= MD_CLOSED_MAX:
            raise ValueError(f"in_flight must be 1 to {MD_FLIGHT_MAX}, closed 1 to {MD_CLOSED_MAX}")
        cdef md_keep kept = KEEPS[keep]
        self.c = md_assembler_new(in_flight, closed, kept, int.from_bytes(os.urandom(8), "little"))
        if self.c == NULL:
            raise MemoryError
        if hold:
            md_hold(self.c)

    def __dealloc__(self):
        md_assembler_free(self.c)

    cdef list completed(self):
        cdef md_event *c
        cdef Event event
        cdef list events = []
        while True:
            c = md_next(self.c)
            if c == NULL:
                return events
            event = Event.__new__(Event)
            event.c = c
            events.append(event)

    def feed(self, data, double now):
        cdef Py_buffer view
        cdef bint fed
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        fed = md_feed(self.c, view.buf, view.len, now)
        PyBuffer_Release(&view)
        if not fed:
            raise MemoryError
        return self.completed()

    def expire(self, double now):
        md_expire(self.c, now)
        return self.completed()

    def deadline(self):
        cdef double when
        return when if md_deadline(self.c, &when) else None

    def close(self):
        if not md_close(self.c):
            raise MemoryError
        return self.completed()

    def watch(self, uint32_t ses):
        md_watch_session(self.c, ses)

    def forget(self, uint32_t ses):
        md_forget_session(self.c, ses)

    def rejected(self):
        cdef md_sample samples[MD_SAMPLES]
        cdef size_t i
        cdef size_t count = md_take_samples(self.c, samples)
        return [
            Rejected(
                md_reason_name(samples[i].reason).decode("ascii"),
                PyBytes_FromStringAndSize(<const char *>samples[i].bytes, samples[i].len),
            )
            for i in range(count)
        ]

    def stats(self):
        cdef size_t i = 0
        cdef dict counters = {}
        while md_counter_name(i) != NULL:
            counters[md_counter_name(i).decode("ascii")] = md_counter(self.c, i)
            i += 1
        return counters
