// SPDX-License-Identifier: Apache-2.0
//
// auditd's translations of a record's numbers, which it appends behind a 0x1D: NAME="text" for each field that is a
// uid, gid, architecture, system call or socket address, in the order of the fields, the name in upper case.
//
// They count for kernel records only: a process can put a 0x1D into its own text. And they count only if they are
// exactly those of the record's own fields by name, order and number, for a cut or a forgery may have left others.

#ifndef MD_NAMES_H
#define MD_NAMES_H

#include "fields.h"

// What follows the first 0x1D; empty if there is none.
md_span md_names_of(md_span text);

bool md_names_match(md_span text, int type);

// The next of the names; false at the end, or where they are malformed. The value of SADDR={ … } is what stands between
// the braces.
bool md_names_next(md_span *names, md_field *field);

#endif
