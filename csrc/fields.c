// SPDX-License-Identifier: Apache-2.0

#include "fields.h"
#include "types.h"

md_span md_body_of(md_span text) {
    md_span body = md_take(text, md_find(text, MD_SEPARATOR));
    while (md_last(body) == ' ')
        body = md_drop_last(body);
    return body;
}

static bool is_name_byte(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '[' || c == ']';
}

static size_t name_length(md_span s) {
    size_t n = 0;
    while (is_name_byte(md_at(s, n)))
        n++;
    return n;
}

static md_span word_of(md_span s) {
    return md_take(s, md_find(s, ' '));
}

// The words after op= that are no fields; `s` begins with op's first word.
static size_t op_length(md_span s) {
    size_t end = word_of(s).len;
    while (end) {
        md_span gap = md_skip(s, end);
        md_span next = md_trim_left(gap);
        md_span word = word_of(next);
        if (word.len == 0 || md_find(word, '=') < word.len)
            return end;
        end += gap.len - next.len + word.len;
    }
    return 0;
}

static md_span without_punctuation(md_span value) {
    if (md_at(value, 0) == '(')
        return value; // (none), (null)
    if (md_last(value) == ',')
        value = md_drop_last(value);
    if (md_last(value) == ')')
        value = md_drop_last(value);
    return value;
}

static void take_value(md_fields *fields, md_field *field) {
    md_span s = fields->rest;
    field->closed = true;
    if (md_at(s, 0) == '"') {
        size_t closing = md_find(md_skip(s, 1), '"') + 1;
        field->closed = closing < s.len;
        field->value = md_take(s, closing + 1);
        fields->rest = md_skip(s, closing + 1);
        return;
    }
    size_t len = md_equal(field->name, MD_LITERAL("op")) ? op_length(s) : word_of(s).len;
    field->value = without_punctuation(md_take(s, len));
    fields->rest = md_skip(s, len);
}

// `rest` begins after msg='. The kernel's closing quote is the body's last byte, or it has been cut off.
static md_span inner_of(md_span rest) {
    return md_last(rest) == '\'' ? md_drop_last(rest) : rest;
}

static void find_inner(md_fields *fields) {
    md_field field;
    while (md_fields_next(fields, &field))
        ;
    *fields = (md_fields){.rest = inner_of(fields->inner)};
}

void md_fields_init(md_fields *fields, md_span body, md_scope scope) {
    *fields = (md_fields){.rest = body};
    if (scope == MD_INNER)
        find_inner(fields);
    md_span start = md_trim_left(fields->rest);
    if (md_accept(&start, MD_LITERAL("avc:")))
        fields->verdict = md_trim_left(start);
}

// "denied  { read write } for  pid=1": first the verdict, then, when it has been given, the permissions.
static bool take_verdict(md_fields *fields, md_field *field) {
    md_span s = fields->verdict;
    field->closed = true;
    if (md_at(s, 0) != '{') {
        field->name = MD_LITERAL("seresult");
        field->value = word_of(s);
        fields->verdict = md_trim_left(md_skip(s, field->value.len));
        if (md_at(fields->verdict, 0) != '{')
            fields->verdict.len = 0;
        return field->value.len > 0;
    }
    field->name = MD_LITERAL("seperms");
    field->value = md_trim_left(md_take(md_skip(s, 1), md_find(md_skip(s, 1), '}')));
    while (md_last(field->value) == ' ')
        field->value = md_drop_last(field->value);
    fields->verdict.len = 0;
    return true;
}

bool md_fields_next(md_fields *fields, md_field *field) {
    if (fields->verdict.len && take_verdict(fields, field))
        return true;
    for (;;) {
        md_span s = md_trim_left(fields->rest);
        if (s.len == 0) {
            fields->rest = s;
            return false;
        }
        while (md_at(s, 0) == '(')
            s = md_skip(s, 1);
        size_t len = name_length(s);
        if (len == 0 || md_at(s, len) != '=') {
            fields->rest = md_skip(s, word_of(s).len);
            continue;
        }
        field->name = md_take(s, len);
        fields->rest = md_skip(s, len + 1);
        if (md_at(fields->rest, 0) == '\'' && md_equal(field->name, MD_LITERAL("msg"))) {
            fields->inner = md_skip(fields->rest, 1);
            fields->rest.len = 0;
            return false;
        }
        take_value(fields, field);
        return true;
    }
}

static bool last_counts(int type, md_scope scope, md_span name) {
    return type == MD_TYPE_LOGIN && scope == MD_OUTER && !md_equal(name, MD_LITERAL("pid")) &&
           !md_equal(name, MD_LITERAL("uid")) && !md_equal(name, MD_LITERAL("subj"));
}

bool md_find_field(md_span body, int type, md_scope scope, md_span name, md_field *found) {
    md_fields fields;
    md_field field;
    bool any = false;
    bool last = last_counts(type, scope, name);
    md_fields_init(&fields, body, scope);
    while ((last || !any) && md_fields_next(&fields, &field)) {
        if (md_equal(field.name, name)) {
            *found = field;
            any = true;
        }
    }
    return any;
}

bool md_find_session(md_span body, int type, uint32_t *session) {
    md_field field;
    uint64_t number;
    if (!md_find_field(body, type, MD_OUTER, MD_LITERAL("ses"), &field) ||
        !md_take_number(&field.value, UINT32_MAX, &number) || field.value.len)
        return false;
    *session = (uint32_t)number;
    return true;
}

bool md_body_is_cut(md_span body) {
    md_fields fields;
    md_field field;
    if (body.len == 0)
        return true;
    md_fields_init(&fields, body, MD_OUTER);
    while (md_fields_next(&fields, &field))
        if (!field.closed)
            return true;
    return fields.inner.ptr != NULL && md_last(fields.inner) != '\'';
}

static int hex_digit(int c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool md_number(md_span text, unsigned base, bool *negative, uint64_t *magnitude) {
    uint64_t value = 0;
    *negative = md_accept(&text, MD_LITERAL("-"));
    if (base == 16)
        md_accept(&text, MD_LITERAL("0x"));
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int c = md_at(text, i);
        int digit = hex_digit(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
        if (digit < 0 || (unsigned)digit >= base || value > (UINT64_MAX - (unsigned)digit) / base)
            return false;
        value = value * base + (unsigned)digit;
    }
    *magnitude = value;
    return !*negative || value <= (uint64_t)INT64_MAX + 1;
}

bool md_unhex(md_span hex, unsigned char *out) {
    if (hex.len == 0 || hex.len % 2)
        return false;
    for (size_t i = 0; i < hex.len; i++)
        if (hex_digit(md_at(hex, i)) < 0)
            return false;
    for (size_t i = 0; i < hex.len / 2; i++)
        out[i] = (unsigned char)(hex_digit(md_at(hex, 2 * i)) << 4 | hex_digit(md_at(hex, 2 * i + 1)));
    return true;
}

md_span md_unquoted(md_span value) {
    if (md_at(value, 0) != '"')
        return value;
    value = md_skip(value, 1);
    return md_last(value) == '"' ? md_drop_last(value) : value;
}
