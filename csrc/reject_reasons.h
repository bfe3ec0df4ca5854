// SPDX-License-Identifier: Apache-2.0
//
// Why a line was refused. The name is what operators see: stats() counts `rejected_<name>`.

#ifndef MD_REJECT_REASONS_H
#define MD_REJECT_REASONS_H

// clang-format off
#define MD_REJECT_REASONS(X)                                                     \
    X(BLANK,     "blank")     /* nothing but blanks, NULs and CRs */             \
    X(TOO_LONG,  "too_long")  /* longer than MD_LINE_MAX */                      \
    X(NO_TYPE,   "no_type")   /* does not begin with [node=… ]type= */           \
    X(BAD_TYPE,  "bad_type")  /* the type is neither a name nor UNKNOWN[n] */    \
    X(NO_STAMP,  "no_stamp")  /* no msg=audit( after the type */                 \
    X(BAD_STAMP, "bad_stamp") /* SEC.MMM:SERIAL) is cut, or no such numbers */
// clang-format on

#endif
