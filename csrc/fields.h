// SPDX-License-Identifier: Apache-2.0
//
// The text of one record -> its fields. As in scan.h all results are views into the text.
//
//   text   = body [0x1D names]
//   body   = outer scope [" msg='" inner scope "'"]
//   scope  = fields and words without "=", separated by blanks
//   field  = NAME "=" ( '"' … '"' / word )
//
// The two scopes are kept apart since a process chooses what stands inside msg='…': the kernel vouches for the outer
// one only. In each the first of several fields of one name counts. LOGIN is the exception: there an LSM label, whose
// words a container's root can choose, precedes the numbers that matter, so that the last one counts (but for pid,
// uid and subj, which precede or are the label). That also reads the form of old kernels, "old auid=1 new auid=2".
//
// Words without "=" are dropped, but for three forms:
//   op=adding user id=7          they belong to op's value up to the next field
//   avc:  denied  { a b } for    the fields seresult and seperms ("denied", "a b") are made of them
//   (hostname=?, res=success)    old PAM: brackets and commas around bare values are dropped

#ifndef MD_FIELDS_H
#define MD_FIELDS_H

#include "span.h"

// Between a record's body and auditd's translations.
#define MD_SEPARATOR 0x1D

typedef enum md_scope { MD_OUTER, MD_INNER } md_scope;

typedef struct md_field {
    md_span name;
    md_span value; // as written, quotes included
    bool closed;   // false: it has an opening quote, but no closing one
} md_field;

typedef struct md_fields {
    md_span rest;
    md_span verdict; // of an AVC record, "denied  { a b } for …", until it has been given out
    md_span inner;   // what follows msg=', once the outer scope has come to its end
} md_fields;

// What precedes 0x1D (names.h), without blanks at its end.
md_span md_body_of(md_span text);

void md_fields_init(md_fields *fields, md_span body, md_scope scope);
bool md_fields_next(md_fields *fields, md_field *field);

// The field of that name that counts in a record of that type; false if there is none.
bool md_find_field(md_span body, int type, md_scope scope, md_span name, md_field *found);

// The `ses` of the outer scope; false if there is none or it is no 32-bit number.
bool md_find_session(md_span body, int type, uint32_t *session);

// The body of a record was cut: an open quote, a missing end of msg='…', or nothing there at all.
bool md_body_is_cut(md_span body);

// "0A1F" -> two bytes at `out`, which has room for half of hex.len. False, with nothing written, unless it is an even,
// positive number of upper-case hex digits.
bool md_unhex(md_span hex, unsigned char *out);

// All of `text` as a number of that base (2 to 16), with "-" or, of base 16, "0x" before it. False unless it lies
// within int64_t or uint64_t.
bool md_number(md_span text, unsigned base, bool *negative, uint64_t *magnitude);

// The part of a value between its quotes, if it has any.
md_span md_unquoted(md_span value);

#endif
