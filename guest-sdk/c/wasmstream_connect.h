/*
 * wasmstream_connect.h: plugins of Connect in C or C++ (abi/SPEC.md, 12). It includes wasmstream.h.
 *
 *     #include "wasmstream_connect.h"
 *
 *     static void shout(ws_ctx *c, ws_change *r) {
 *         ws_writer *w = ws_set_field(r, "name");
 *         if (w) ws_write_string(w, ...);
 *     }
 *
 *     #define COMPONENTS(C) C(transformation, shout, "shout", WS_DESCRIPTION("upper case"))
 *     WS_MODULE("demo", "1.0.0", COMPONENTS)
 *
 *     transformation   void f(ws_ctx *, ws_change *)          what is not set stays as it is; ws_drop, ws_fail
 *     predicate        bool f(ws_ctx *, const ws_change *)
 *     converter, headerConverter    a ws_converter            bytes to data and back
 *     source           a ws_source                            gives records, hears which are safe
 *     sink             a ws_sink                              takes records
 *
 * The last three begin with a ws_processor, whose state_size, init, flush and close they have.
 *
 * A ws_datum is a view of a value: it lies in the frame and is valid until the function returns. Functions that ask for
 * what a value is not answer zero, NULL bytes, a null datum. Values that are written are copied at once.
 *
 * Settings: WS_CONFIG(WS_SETTING("field", WS_REQUIRED) , ...) among the options; ws_open_value(c, "config.field") reads one.
 * Schemas are numbers: those of the input may be given to values that are written, ws_make_schema makes new ones, once for
 * each instance.
 */
#ifndef WASMSTREAM_CONNECT_H
#define WASMSTREAM_CONNECT_H

#define WS_CONNECT
#include "wasmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Values ------------------------------------------------------------------------------------------------------- */

enum {
    WS_TYPE_NULL, WS_TYPE_INT8, WS_TYPE_INT16, WS_TYPE_INT32, WS_TYPE_INT64, WS_TYPE_FLOAT32, WS_TYPE_FLOAT64, WS_TYPE_BOOLEAN,
    WS_TYPE_STRING, WS_TYPE_BYTES, WS_TYPE_ARRAY, WS_TYPE_MAP, WS_TYPE_STRUCT, WS_TYPE_DECIMAL, WS_TYPE_DATE,
    WS_TYPE_BIG_INTEGER, WS__TYPE_KEEP, WS__TYPE_PATCH
};

#define WS_NO_TIMESTAMP INT64_MIN
#define WS__DATUM_HEADER 8u
#define WS__CELL 16u

/* A value: the whole datum, and where in it the cell stands. part NULL is null. */
typedef struct ws_datum {
    const uint8_t *part;
    uint32_t cell;
} ws_datum;

WS__INLINE ws_datum ws_datum_of(ws_bytes part) {
    ws_datum d;
    d.part = part.ptr;
    d.cell = WS__DATUM_HEADER;
    return d;
}

WS__INLINE uint32_t ws_type(ws_datum d) { return d.part ? d.part[d.cell] : WS_TYPE_NULL; }
WS__INLINE uint32_t ws__n(ws_datum d) { return ws__load32(d.part + d.cell + 4); }
WS__INLINE uint64_t ws__v(ws_datum d) { return ws__load64(d.part + d.cell + 8); }

/* A number of int8 to int64, or the milliseconds of a date. */
WS__INLINE int64_t ws_int(ws_datum d) {
    uint32_t t = ws_type(d);
    return (t >= WS_TYPE_INT8 && t <= WS_TYPE_INT64) || t == WS_TYPE_DATE ? (int64_t)ws__v(d) : 0;
}

/* A number of float32 or float64, or of int8 to int64. */
WS__MAYBE double ws_float(ws_datum d) {
    uint64_t v = d.part ? ws__v(d) : 0;
    uint32_t low = (uint32_t)v;
    double wide;
    float narrow;
    switch (ws_type(d)) {
    case WS_TYPE_FLOAT64: __builtin_memcpy(&wide, &v, 8); return wide;
    case WS_TYPE_FLOAT32: __builtin_memcpy(&narrow, &low, 4); return narrow;
    }
    return (double)ws_int(d);
}

WS__INLINE bool ws_bool(ws_datum d) { return ws_type(d) == WS_TYPE_BOOLEAN && ws__v(d) != 0; }

/* Those of a string or bytes, or the unscaled number of a decimal or big integer. */
WS__INLINE ws_bytes ws_data(ws_datum d) {
    switch (ws_type(d)) {
    case WS_TYPE_STRING: case WS_TYPE_BYTES: case WS_TYPE_DECIMAL: case WS_TYPE_BIG_INTEGER:
        return ws_of(d.part + (uint32_t)ws__v(d), ws__n(d));
    }
    return ws_null();
}

WS__INLINE int32_t ws_scale(ws_datum d) { return ws_type(d) == WS_TYPE_DECIMAL ? (int32_t)(ws__v(d) >> 32) : 0; }

/* Elements of an array, entries of a map, fields of a struct. */
WS__INLINE uint32_t ws_len(ws_datum d) {
    uint32_t t = ws_type(d);
    return t >= WS_TYPE_ARRAY && t <= WS_TYPE_STRUCT ? ws__n(d) : 0;
}

WS__INLINE ws_datum ws__child(ws_datum d, uint32_t i) {
    d.cell = (uint32_t)ws__v(d) + i * WS__CELL;
    return d;
}

/* Element i, the value of entry i, field i. */
WS__INLINE ws_datum ws_at(ws_datum d, uint32_t i) {
    if (i >= ws_len(d)) return ws_datum_of(ws_null());
    return ws__child(d, ws_type(d) == WS_TYPE_MAP ? 2 * i + 1 : i);
}

/* The key of entry i of a map. */
WS__INLINE ws_datum ws_key_at(ws_datum d, uint32_t i) {
    if (ws_type(d) != WS_TYPE_MAP || i >= ws_len(d)) return ws_datum_of(ws_null());
    return ws__child(d, 2 * i);
}

/* ---- Schemas ------------------------------------------------------------------------------------------------------ */

/* Definitions of schemas by number, as they crossed. */
typedef struct ws__schemas {
    ws_bytes *defs;
    uint32_t cap;
} ws__schemas;

/* What a module of Connect keeps between calls. */
typedef struct ws__connect {
    ws__schemas host, own;
    uint32_t made;             /* schemas that the module has made */
    ws__buffer topics, crossing; /* pairs for the output frame: topics that it names, schemas that have not crossed yet */
    uint32_t topics_len, topic_count, crossing_len;
    bool arguments;            /* the records of the output frame have them */
    ws__buffer request, response, offset;
} ws__connect;

__attribute__((weak)) ws__connect ws__cn;

#define WS__OWN_SCHEMA 0x80000000u

/* Keeps a copy of a definition at place i. */
WS__MAYBE void ws__schemas_put(ws__schemas *s, uint32_t i, ws_bytes def) {
    if (i >= s->cap) {
        uint32_t more = 1u << ws__class(i + 1 < 64 ? 64 : i + 1);
        ws_bytes *table = (ws_bytes *)ws_alloc(more * (uint32_t)sizeof(ws_bytes));
        if (!table) __builtin_trap();
        for (uint32_t k = 0; k < more; k++) table[k] = k < s->cap ? s->defs[k] : ws_null();
        ws_free(s->defs, s->cap * (uint32_t)sizeof(ws_bytes));
        s->defs = table;
        s->cap = more;
    }
    uint8_t *copy = (uint8_t *)ws_alloc(def.len);
    if (!copy) __builtin_trap();
    __builtin_memcpy(copy, def.ptr, def.len);
    s->defs[i] = ws_of(copy, def.len);
}

WS__INLINE void ws__learn(ws_bytes def) { ws__schemas_put(&ws__cn.host, ws__load32(def.ptr), def); }

/* The definition of a schema by number, NULL bytes if there is none. */
WS__INLINE ws_bytes ws__schema(uint32_t id) {
    const ws__schemas *s = id & WS__OWN_SCHEMA ? &ws__cn.own : &ws__cn.host;
    uint32_t i = id & ~WS__OWN_SCHEMA;
    return i < s->cap ? s->defs[i] : ws_null();
}

/* A field of a struct, or a parameter. */
typedef struct ws_schema_field {
    const char *name;
    uint32_t schema;
} ws_schema_field;

typedef struct ws_schema_param {
    const char *name, *value;
} ws_schema_param;

/* A schema to be made. Zeroed but for its type it is required and without a name. */
typedef struct ws_new_schema {
    uint32_t type; /* WS_TYPE_INT8 to WS_TYPE_STRUCT */
    bool optional, has_version;
    int32_t version;
    const char *name, *doc; /* NULL is none. Logical types are told by their names */
    uint32_t key, elem;     /* of a map's keys; of its values, or of an array's elements */
    const ws_schema_field *fields;
    uint32_t field_count;
    const ws_schema_param *params;
    uint32_t param_count;
} ws_new_schema;

WS__MAYBE void ws__pair_append(ws__buffer *b, uint32_t *len, ws_bytes key, ws_bytes value) {
    uint32_t n = ws__pair_size(key, value);
    ws__grow(b, *len, *len + n);
    ws__pair_put(b->ptr + *len, key, value);
    *len += n;
}

/* Makes a schema and returns its number. Call it once for each schema: in init, not for each record. */
WS__MAYBE uint32_t ws_make_schema(const ws_new_schema *s) {
    ws__buffer def = {NULL, 0};
    uint32_t n = 32, i = ++ws__cn.made, id = i | WS__OWN_SCHEMA;
    ws__grow(&def, 0, n);
    uint32_t words[8] = {id, s->type | (uint32_t)s->optional << 8 | (uint32_t)s->has_version << 9, (uint32_t)s->version,
                         s->key, s->elem, s->field_count, s->param_count, 0};
    __builtin_memcpy(def.ptr, words, sizeof words);
    for (uint32_t f = 0; f < s->field_count; f++) ws__pair_append(&def, &n, ws_str(s->fields[f].name), ws_of(&s->fields[f].schema, 4));
    for (uint32_t p = 0; p < s->param_count; p++) ws__pair_append(&def, &n, ws_str(s->params[p].name), ws_str(s->params[p].value));
    if (s->name) ws__pair_append(&def, &n, ws_str("name"), ws_str(s->name));
    if (s->doc) ws__pair_append(&def, &n, ws_str("doc"), ws_str(s->doc));
    ws__schemas_put(&ws__cn.own, i, ws_of(def.ptr, n));
    ws__pair_append(&ws__cn.crossing, &ws__cn.crossing_len, ws_str("schema"), ws_of(def.ptr, n));
    ws_free(def.ptr, def.cap);
    return id;
}

/* A schema of a type from WS_TYPE_INT8 to WS_TYPE_BYTES without further properties. */
WS__MAYBE uint32_t ws_primitive(uint32_t type, bool optional) {
    static uint32_t made[2][WS_TYPE_BYTES + 1];
    uint32_t *id = &made[optional][type];
    if (!*id) {
        ws_new_schema s;
        __builtin_memset(&s, 0, sizeof s);
        s.type = type;
        s.optional = optional;
        *id = ws_make_schema(&s);
    }
    return *id;
}

/* The number of a value's schema, as a whole or as a struct; 0 is none. */
WS__INLINE uint32_t ws_schema(ws_datum d) {
    if (ws_type(d) == WS_TYPE_STRUCT) return (uint32_t)(ws__v(d) >> 32);
    return d.part && d.cell == WS__DATUM_HEADER ? ws__load32(d.part) : 0;
}

/* The name of a schema, NULL bytes if it has none. */
WS__MAYBE ws_bytes ws_schema_name(uint32_t schema) {
    ws_bytes def = ws__schema(schema), k, v;
    if (!def.ptr) return ws_null();
    uint32_t skip = ws__load32(def.ptr + 20) + ws__load32(def.ptr + 24);
    ws_bytes rest = ws_of(def.ptr + 32, def.len - 32);
    for (uint32_t i = 0; ws_pairs_next(&rest, &k, &v); i++)
        if (i >= skip && ws_equal(k, ws_str("name"))) return v;
    return ws_null();
}

/* The position of a struct's field or of a map's entry with a string key; -1 if there is none. */
WS__MAYBE int32_t ws_index(ws_datum d, ws_bytes name) {
    if (ws_type(d) == WS_TYPE_STRUCT) {
        ws_bytes def = ws__schema(ws_schema(d)), k, v;
        if (!def.ptr) return -1;
        ws_bytes rest = ws_of(def.ptr + 32, def.len - 32);
        for (uint32_t i = 0, n = ws_len(d); i < n && ws_pairs_next(&rest, &k, &v); i++)
            if (ws_equal(k, name)) return (int32_t)i;
        return -1;
    }
    for (uint32_t i = 0, n = ws_type(d) == WS_TYPE_MAP ? ws_len(d) : 0; i < n; i++) {
        ws_datum key = ws_key_at(d, i);
        if (ws_type(key) == WS_TYPE_STRING && ws_equal(ws_data(key), name)) return (int32_t)i;
    }
    return -1;
}

/* A field of a struct, or a value of a map, by name; null if there is none. */
WS__INLINE ws_datum ws_field(ws_datum d, const char *name) { return ws_at(d, (uint32_t)ws_index(d, ws_str(name))); }

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

#define WS__DEPTH 100 /* containers in containers: more than the contract allows do not cross */

/* Takes one value: a scalar, or a container and then its children in order. What is left out is null; what is too much is
 * not written. */
typedef struct ws_writer {
    ws__buffer buf;
    uint32_t len, next, left, depth;
    struct { uint32_t next, left; } stack[WS__DEPTH];
} ws_writer;

/* Room for n bytes more, cleared. */
WS__INLINE uint32_t ws__write_room(ws_writer *w, uint32_t n) {
    uint32_t at = w->len;
    ws__grow(&w->buf, at, at + n);
    for (uint32_t i = 0; i < n; i += 8) ws__store64(w->buf.ptr + at + i, 0);
    w->len += n;
    return at;
}

WS__MAYBE void ws_write_begin(ws_writer *w, uint32_t schema) {
    w->len = w->depth = 0;
    ws__write_room(w, WS__DATUM_HEADER + WS__CELL);
    ws__store32(w->buf.ptr, schema);
    w->next = WS__DATUM_HEADER;
    w->left = 1;
}

/* The place of the next cell, 0 if there is none. */
WS__INLINE uint32_t ws__write_take(ws_writer *w) {
    while (!w->left && w->depth) {
        w->depth--;
        w->next = w->stack[w->depth].next;
        w->left = w->stack[w->depth].left;
    }
    if (!w->left) return 0;
    w->left--;
    w->next += WS__CELL;
    return w->next - WS__CELL;
}

WS__INLINE void ws__write_cell(ws_writer *w, uint32_t at, uint32_t type, uint32_t n, uint64_t v) {
    ws__store64(w->buf.ptr + at, (uint64_t)type | (uint64_t)n << 32);
    ws__store64(w->buf.ptr + at + 8, v);
}

WS__INLINE void ws__write_scalar(ws_writer *w, uint32_t type, uint64_t v) {
    uint32_t at = ws__write_take(w);
    if (at) ws__write_cell(w, at, type, 0, v);
}

WS__MAYBE void ws_write_null(ws_writer *w) { ws__write_scalar(w, WS_TYPE_NULL, 0); }
WS__MAYBE void ws_write_int8(ws_writer *w, int8_t v) { ws__write_scalar(w, WS_TYPE_INT8, (uint64_t)(int64_t)v); }
WS__MAYBE void ws_write_int16(ws_writer *w, int16_t v) { ws__write_scalar(w, WS_TYPE_INT16, (uint64_t)(int64_t)v); }
WS__MAYBE void ws_write_int32(ws_writer *w, int32_t v) { ws__write_scalar(w, WS_TYPE_INT32, (uint64_t)(int64_t)v); }
WS__MAYBE void ws_write_int64(ws_writer *w, int64_t v) { ws__write_scalar(w, WS_TYPE_INT64, (uint64_t)v); }
WS__MAYBE void ws_write_bool(ws_writer *w, bool v) { ws__write_scalar(w, WS_TYPE_BOOLEAN, v); }
WS__MAYBE void ws_write_date(ws_writer *w, int64_t ms) { ws__write_scalar(w, WS_TYPE_DATE, (uint64_t)ms); }
WS__MAYBE void ws_write_float64(ws_writer *w, double v) {
    uint64_t bits;
    __builtin_memcpy(&bits, &v, 8);
    ws__write_scalar(w, WS_TYPE_FLOAT64, bits);
}
WS__MAYBE void ws_write_float32(ws_writer *w, float v) {
    uint32_t bits;
    __builtin_memcpy(&bits, &v, 4);
    ws__write_scalar(w, WS_TYPE_FLOAT32, bits);
}

/* Room for a string (UTF-8), bytes, ... of n bytes, to be filled before the next call; NULL if there is no place. */
WS__MAYBE uint8_t *ws_write_room(ws_writer *w, uint32_t type, uint32_t n) {
    uint32_t at = ws__write_take(w);
    if (!at) return NULL;
    uint32_t to = ws__write_room(w, ws__pad8(n));
    ws__write_cell(w, at, type, n, to);
    return w->buf.ptr + to;
}

/* Whether bytes may be written as a string: whether they are UTF-8. */
WS__MAYBE bool ws_is_text(ws_bytes b) {
    const uint8_t *p = b.ptr, *end = p + b.len;
    while (p < end) {
        uint32_t n = *p < 0x80 ? 1 : ws__utf8(p, end);
        if (!n) return false;
        p += n;
    }
    return true;
}

/* A string. Bytes that may be no UTF-8 are asked by ws_is_text first: the host takes no others. */
WS__MAYBE void ws_write_string(ws_writer *w, ws_bytes b) {
    uint8_t *to = ws_write_room(w, WS_TYPE_STRING, b.len);
    if (to) ws_copy(to, b.ptr, b.len);
}
WS__MAYBE void ws_write_bytes(ws_writer *w, ws_bytes b) {
    uint8_t *to = ws_write_room(w, WS_TYPE_BYTES, b.len);
    if (to) ws_copy(to, b.ptr, b.len);
}

/* A decimal: its unscaled number, big-endian in two's complement, and the digits behind the point. */
WS__MAYBE void ws_write_decimal(ws_writer *w, ws_bytes unscaled, int32_t scale) {
    uint8_t *to = ws_write_room(w, WS_TYPE_DECIMAL, unscaled.len);
    if (!to) return;
    ws_copy(to, unscaled.ptr, unscaled.len);
    ws__store32(w->buf.ptr + w->next - WS__CELL + 12, (uint32_t)scale);
}

WS__MAYBE void ws__write_container(ws_writer *w, uint32_t type, uint32_t n, uint32_t children, uint32_t schema) {
    uint32_t at = ws__write_take(w);
    if (!at || (w->left && w->depth == WS__DEPTH)) return;
    uint32_t first = ws__write_room(w, children * WS__CELL);
    ws__write_cell(w, at, type, n, (uint64_t)first | (uint64_t)schema << 32);
    if (w->left) {
        w->stack[w->depth].next = w->next;
        w->stack[w->depth].left = w->left;
        w->depth++;
    }
    w->next = first;
    w->left = children;
}

/* A struct with a schema of the input, an array, a map: then its fields, elements, keys and values in turn. */
WS__MAYBE void ws_write_struct(ws_writer *w, uint32_t schema, uint32_t fields) { ws__write_container(w, WS_TYPE_STRUCT, fields, fields, schema); }
WS__MAYBE void ws_write_array(ws_writer *w, uint32_t n) { ws__write_container(w, WS_TYPE_ARRAY, n, n, 0); }
WS__MAYBE void ws_write_map(ws_writer *w, uint32_t n) { ws__write_container(w, WS_TYPE_MAP, n, 2 * n, 0); }

/* Child i of the root of the part that is replaced (of a map 2i for a key, 2i+1 for a value), by reference. */
WS__MAYBE void ws_write_keep(ws_writer *w, uint32_t i) { ws__write_scalar(w, WS__TYPE_KEEP, i); }

/* A value with all that is in it. */
WS__MAYBE void ws_write_copy(ws_writer *w, ws_datum d) {
    uint32_t t = ws_type(d), n = ws_len(d);
    ws_bytes b = ws_data(d);
    if (t == WS_TYPE_DECIMAL) {
        ws_write_decimal(w, b, ws_scale(d));
    } else if (b.ptr) {
        uint8_t *to = ws_write_room(w, t, b.len);
        if (to) ws_copy(to, b.ptr, b.len);
    } else if (t >= WS_TYPE_ARRAY && t <= WS_TYPE_STRUCT) {
        uint32_t children = t == WS_TYPE_MAP ? 2 * n : n;
        ws__write_container(w, t, n, children, (uint32_t)(ws__v(d) >> 32));
        for (uint32_t i = 0; i < children; i++) ws_write_copy(w, ws__child(d, i));
    } else {
        ws__write_scalar(w, t, d.part ? ws__v(d) : 0);
    }
}

/* ---- Records ------------------------------------------------------------------------------------------------------ */

typedef struct ws__part {
    ws_writer w;
    bool set, null, edited;
    uint32_t patch; /* where the last patch stands, 0 for none */
} ws__part;

/* Headers that are written: pairs, the last of which may still be open. */
typedef struct ws__headers {
    ws__buffer block;
    uint32_t len, count;
    bool open;
    ws_bytes name; /* of the open one */
    ws_writer w;
} ws__headers;

/* Closes the open header. */
WS__MAYBE void ws__headers_close(ws__headers *h) {
    if (!h->open) return;
    h->open = false;
    h->count++;
    ws__pair_append(&h->block, &h->len, h->name, ws_of(h->w.buf.ptr, h->w.len));
}

WS__MAYBE ws_writer *ws__headers_add(ws__headers *h, ws_bytes name, uint32_t schema) {
    ws__headers_close(h);
    h->open = true;
    h->name = name;
    ws_write_begin(&h->w, schema);
    return &h->w;
}

/* A record of Connect: what came, and what is to become of it. */
typedef struct ws_change {
    const ws_record *in;
    ws__part key, value;
    ws__headers headers; /* where they are not those that came */
    bool own_headers;
    ws_bytes topic; /* another topic, NULL bytes for none */
    bool dropped;
    int64_t timestamp; /* of the record, WS_NO_TIMESTAMP for none; may be set */
    int32_t partition; /* -1 for none; may be set */
} ws_change;

WS__INLINE ws_datum ws_key_of(const ws_change *r) { return ws_datum_of(r->in->key); }
WS__INLINE ws_datum ws_value_of(const ws_change *r) { return ws_datum_of(r->in->value); }

/* The last header of a name, null if there is none. */
WS__MAYBE ws_datum ws_header_of(const ws_change *r, const char *name) { return ws_datum_of(ws_header(r->in, name, NULL)); }

/* The topic that the record came from or goes to. */
WS__MAYBE ws_bytes ws_topic_of(ws_ctx *c, const ws_change *r) {
    uint32_t number = r->in->partitions; /* the field dest */
    ws_bytes rest, k, v;
    if (!number || !c->frame || !(ws__load32(c->frame + 16) & WS_FRAME_HAS_AUX)) return ws_null();
    rest = ws_of(c->frame + ws__load32(c->frame + 20), ws__load32(c->frame + 24));
    while (ws_pairs_next(&rest, &k, &v))
        if (ws_equal(k, ws_str("topic")) && !--number) return v;
    return ws_null();
}

WS__INLINE void ws_drop(ws_change *r) { r->dropped = true; }

/* Sends the record to another topic. The bytes must stay until the function returns. */
WS__INLINE void ws_set_topic(ws_change *r, ws_bytes topic) { r->topic = topic; }

WS__INLINE ws_writer *ws__set(ws__part *p, uint32_t schema) {
    p->set = true;
    p->null = p->edited = false;
    ws_write_begin(&p->w, schema);
    return &p->w;
}

/* Begins a new value, or key, with a schema of the input; 0 is none. */
WS__MAYBE ws_writer *ws_set_value(ws_change *r, uint32_t schema) { return ws__set(&r->value, schema); }
WS__MAYBE ws_writer *ws_set_key(ws_change *r, uint32_t schema) { return ws__set(&r->key, schema); }
WS__MAYBE void ws_set_null_value(ws_change *r) { r->value.set = r->value.null = true; }
WS__MAYBE void ws_set_null_key(ws_change *r) { r->key.set = r->key.null = true; }

/* Takes over the headers that came, but for those of a name; NULL bytes is none. */
WS__MAYBE void ws__take_headers(ws_change *r, ws__headers *to, ws_bytes rest, ws_bytes but) {
    ws_bytes k, v;
    to->len = to->count = 0;
    while (ws_pairs_next(&rest, &k, &v)) {
        if (but.ptr && ws_equal(k, but)) continue;
        ws__pair_append(&to->block, &to->len, k, v);
        to->count++;
    }
    r->own_headers = true;
}

/* Adds a header, whose value is written to what is returned. The name must stay until the function returns. */
WS__MAYBE ws_writer *ws_add_header(ws_change *r, ws_bytes name, uint32_t schema) {
    if (!r->own_headers) ws__take_headers(r, &r->headers, r->in->headers, ws_null());
    return ws__headers_add(&r->headers, name, schema);
}

/* Removes all headers of a name. */
WS__MAYBE void ws_remove_header(ws_change *r, const char *name) {
    ws__headers_close(&r->headers);
    if (!r->own_headers) {
        ws__take_headers(r, &r->headers, r->in->headers, ws_str(name));
        return;
    }
    ws__buffer old = r->headers.block;
    uint32_t len = r->headers.len;
    r->headers.block.ptr = NULL;
    r->headers.block.cap = 0;
    ws__take_headers(r, &r->headers, ws_of(old.ptr, len), ws_str(name));
    ws_free(old.ptr, old.cap);
}

/* Replaces child i of a value that is a struct, map or array by one that is written to what is returned; the others stay. */
WS__MAYBE ws_writer *ws__edit(ws__part *p, ws_datum d, int32_t i) {
    if (i < 0 || (uint32_t)i >= ws_len(d)) return NULL;
    bool map = ws_type(d) == WS_TYPE_MAP;
    if (!p->edited) {
        ws__set(p, 0);
        p->edited = true;
        ws__write_cell(&p->w, WS__DATUM_HEADER, WS__TYPE_PATCH, 0, 0);
        p->patch = 0;
    }
    uint32_t at = ws__write_room(&p->w, 2 * WS__CELL);
    ws__write_cell(&p->w, at, WS_TYPE_INT32, 0, map ? 2 * (uint64_t)i + 1 : (uint64_t)i);
    ws__store32(p->w.buf.ptr + (p->patch ? p->patch + 4 : WS__DATUM_HEADER + 8), at);
    p->patch = at;
    p->w.depth = 0;
    p->w.left = 1;
    p->w.next = at + WS__CELL;
    return &p->w;
}

/* Replaces a field of the value, a struct or map; all others stay, and do not cross. NULL if there is no such field. */
WS__MAYBE ws_writer *ws_set_field(ws_change *r, ws_bytes name) { return ws__edit(&r->value, ws_value_of(r), ws_index(ws_value_of(r), name)); }

WS__MAYBE ws_writer *ws_set_key_field(ws_change *r, ws_bytes name) { return ws__edit(&r->key, ws_key_of(r), ws_index(ws_key_of(r), name)); }

/* The number of a topic in the output frame. */
WS__MAYBE uint32_t ws__topic_number(ws_bytes topic) {
    ws_bytes rest = ws_of(ws__cn.topics.ptr, ws__cn.topics_len), k, v;
    for (uint32_t n = 1; ws_pairs_next(&rest, &k, &v); n++)
        if (ws_equal(v, topic)) return n;
    ws__pair_append(&ws__cn.topics, &ws__cn.topics_len, ws_str("topic"), topic);
    return ++ws__cn.topic_count;
}

/* Called when the header of a frame has been written: topics and schemas go behind the records. */
WS__MAYBE void ws__aux_finish(void) {
    uint32_t n = ws__cn.topics_len, m = ws__cn.crossing_len, at = ws__rt.out_len, flags = 0;
    ws__grow(&ws__rt.out, at, at + n + m);
    uint8_t *p = ws__rt.out.ptr;
    if (ws__cn.arguments) {
        flags = WS_FRAME_HAS_ARGS;
        ws__store32(p + 4, WS_FRAME_HEADER | WS_CALL_HEADER << 16);
    }
    if (n + m) {
        ws_copy(p + at, ws__cn.topics.ptr, n);
        ws_copy(p + at + n, ws__cn.crossing.ptr, m);
        ws__rt.out_len += n + m;
        ws__store32(p + 8, ws__rt.out_len);
        flags |= WS_FRAME_HAS_AUX;
        ws__store32(p + 20, at);
        ws__store32(p + 24, n + m);
    }
    ws__store32(p + 16, flags);
    ws__cn.topics_len = ws__cn.topic_count = ws__cn.crossing_len = 0;
}

#define WS__KEEP_PLACE 16u

WS__MAYBE void ws__answer(ws_ctx *c, ws_change *r) {
    uint32_t flags = 0, n = 0, klen = WS_NULL, vlen = WS_NULL, hlen = 0;
    ws__headers_close(&r->headers);
    if (!r->own_headers) flags |= WS_KEEP_HEADERS;
    else n += hlen = r->headers.len;
    if (!r->key.set) flags |= WS_KEEP_KEY;
    else if (!r->key.null) n += klen = r->key.w.len;
    if (!r->value.set) flags |= WS_KEEP_VALUE;
    else if (!r->value.null) n += vlen = r->value.w.len;
    if (r->timestamp == r->in->timestamp) flags |= WS_KEEP_TIMESTAMP;
    if (!r->topic.ptr && r->partition == r->in->partition) flags |= WS__KEEP_PLACE;
    uint8_t *p = ws__out_record(c, n), *part = p + WS_RECORD_HEADER;
    if (klen != WS_NULL) {
        ws_copy(part, r->key.w.buf.ptr, klen);
        part += klen;
    }
    if (vlen != WS_NULL) {
        ws_copy(part, r->value.w.buf.ptr, vlen);
        part += vlen;
    }
    if (hlen) ws_copy(part, r->headers.block.ptr, hlen);
    ws__out_header(c, p, flags, klen, vlen, n);
    if (hlen) {
        ws__store32(p + 12, hlen);
        ws__store32(p + 36, r->headers.count | flags << 24);
    }
    if (!(flags & WS_KEEP_TIMESTAMP)) ws__store64(p + 16, (uint64_t)r->timestamp);
    if (!(flags & WS__KEEP_PLACE)) {
        ws__store32(p + 40, r->topic.ptr ? ws__topic_number(r->topic) : 0);
        ws__store32(p + 44, (uint32_t)r->partition);
    }
}

/* Takes the schemas of a frame. */
WS__MAYBE void ws__learn_all(const uint8_t *frame) {
    if (!(ws__load32(frame + 16) & WS_FRAME_HAS_AUX)) return;
    ws_bytes rest = ws_of(frame + ws__load32(frame + 20), ws__load32(frame + 24)), k, v;
    while (ws_pairs_next(&rest, &k, &v))
        if (ws_equal(k, ws_str("schema"))) ws__learn(v);
}

__attribute__((weak)) ws_change ws__change;

WS__INLINE ws_change *ws__change_of(const ws_record *in) {
    ws_change *r = &ws__change;
    r->in = in;
    r->key.set = r->key.edited = r->value.set = r->value.edited = r->dropped = r->own_headers = r->headers.open = false;
    r->topic = ws_null();
    r->timestamp = in->timestamp;
    r->partition = in->partition;
    return r;
}

typedef void (*ws_transformation)(ws_ctx *, ws_change *);
typedef bool (*ws_test)(ws_ctx *, const ws_change *);

/* One record: a function that failed the record has answered it already. */
WS__INLINE void ws__transform(ws_ctx *c, const ws_record *in, ws_transformation f) {
    ws_change *r = ws__change_of(in);
    uint32_t before = ws__rt.out_count;
    f(c, r);
    if (!r->dropped && ws__rt.out_count == before) ws__answer(c, r);
}

WS__INLINE void ws__run_transformation(ws_ctx *c, const uint8_t *frame, ws_transformation f) {
    ws__learn_all(frame);
    ws__cn.topics_len = ws__cn.topic_count = 0;
    WS__LOOP(c, frame, ws__transform(c, &r, f));
}

WS__INLINE void ws__run_test(ws_ctx *c, const uint8_t *frame, ws_test f) {
    ws__learn_all(frame);
    WS__LOOP(c, frame, if (f(c, ws__change_of(&r))) ws_keep(c));
}

/* ---- Converters --------------------------------------------------------------------------------------------------- */

/* Turns bytes into data and back; it is opened for one direction. about is the topic, or the name of the header.
 * ws_open_value(c, "config.isKey") is "true" where it is for keys. */
typedef struct ws_converter {
    ws_processor task;
    /* Writes what bytes (NULL bytes: null) hold to to, which has been begun without a schema: ws_write_begin gives it one. */
    void (*to_connect)(ws_ctx *c, ws_bytes about, ws_bytes bytes, ws_writer *to);
    /* Answers by one of ws_value, ws_null_value. */
    void (*from_connect)(ws_ctx *c, ws_bytes about, ws_datum value);
} ws_converter;

__attribute__((weak)) ws_writer ws__converted;

WS__INLINE void ws__to_connect(ws_ctx *c, const ws_converter *k, ws_bytes about, ws_bytes bytes) {
    uint32_t before = ws__rt.out_count;
    ws_write_begin(&ws__converted, 0);
    k->to_connect(c, about, bytes, &ws__converted);
    if (ws__rt.out_count == before) ws_value(c, ws_of(ws__converted.buf.ptr, ws__converted.len));
}

WS__INLINE void ws__run_converter(ws_ctx *c, const uint8_t *frame, const ws_converter *k, bool headers) {
    ws_change at; /* for its topic only */
    bool back = ws_equal(ws_open_value(c, "direction"), ws_str("fromConnect"));
    ws__learn_all(frame);
    ws__cn.topics_len = ws__cn.topic_count = 0;
    WS__LOOP(c, frame, {
        at.in = &r;
        ws_bytes about = headers ? r.key : ws_topic_of(c, &at);
        if (back) k->from_connect(c, about, ws_datum_of(r.value));
        else ws__to_connect(c, k, about, r.value);
    });
}

/* ---- Sinks and sources --------------------------------------------------------------------------------------------- */

/* Writes records somewhere. Records without ws_fail are delivered when task.flush returns; a sink that keeps records until
 * then says WS_BUFFERS. */
typedef struct ws_sink {
    ws_processor task;
    void (*put)(ws_ctx *c, const ws_change *r);
    void (*end_batch)(ws_ctx *c); /* may be NULL; ws_fail is for the whole batch there */
} ws_sink;

WS__INLINE void ws__run_sink(ws_ctx *c, const uint8_t *frame, const ws_sink *s) {
    ws__learn_all(frame);
    WS__LOOP(c, frame, s->put(c, ws__change_of(&r)));
    c->index = WS_NO_INDEX;
    if (s->end_batch && !c->error) s->end_batch(c);
}

/* Takes the records of a source. */
typedef struct ws_polled {
    ws_bytes topic;
    int64_t timestamp; /* WS_NO_TIMESTAMP for none; may be set */
    bool has_key;
    ws_writer key, value, partition, offset;
    ws__headers headers;
} ws_polled;

/* Reads from somewhere. */
typedef struct ws_source {
    ws_processor task;
    /* Gives records to b, about budget at most. None is no error: it is called again after poll.interval.ms. ws_fail with
     * WS_CLASS_RETRY has it called again by the rules of errors.retry.timeout; any other class ends the task. */
    void (*poll)(ws_ctx *c, ws_polled *b, uint32_t budget);
    void (*ack)(ws_ctx *c, ws_datum partition, ws_datum offset); /* the last one that is safe in Kafka; may be NULL */
} ws_source;

__attribute__((weak)) ws_polled ws__polled;

/* Begins a record for a topic: without key, timestamp, headers, partition and offset, with a value that is null. The bytes
 * of the topic must stay until ws_polled_end. */
WS__MAYBE void ws_polled_begin(ws_polled *b, ws_bytes topic) {
    b->topic = topic;
    b->timestamp = WS_NO_TIMESTAMP;
    b->has_key = b->headers.open = false;
    b->headers.len = b->headers.count = 0;
    ws_write_begin(&b->value, 0);
    ws_write_begin(&b->partition, 0);
    ws_write_begin(&b->offset, 0);
}

WS__MAYBE ws_writer *ws_polled_key(ws_polled *b, uint32_t schema) {
    b->has_key = true;
    ws_write_begin(&b->key, schema);
    return &b->key;
}
WS__MAYBE ws_writer *ws_polled_value(ws_polled *b, uint32_t schema) {
    ws_write_begin(&b->value, schema);
    return &b->value;
}
/* Partition of the source and offset in it: each a map of strings to scalars. */
WS__MAYBE ws_writer *ws_polled_partition(ws_polled *b) { return &b->partition; }
WS__MAYBE ws_writer *ws_polled_offset(ws_polled *b) { return &b->offset; }
/* A header, whose name must stay until the next header or ws_polled_end. */
WS__MAYBE ws_writer *ws_polled_header(ws_polled *b, ws_bytes name, uint32_t schema) { return ws__headers_add(&b->headers, name, schema); }

/* Gives the record to the host. */
WS__MAYBE void ws_polled_end(ws_ctx *c, ws_polled *b) {
    ws__headers_close(&b->headers);
    ws_bytes parts[5] = {b->has_key ? ws_of(b->key.buf.ptr, b->key.len) : ws_null(), ws_of(b->value.buf.ptr, b->value.len),
                         ws_of(b->headers.block.ptr, b->headers.len), ws_of(b->partition.buf.ptr, b->partition.len),
                         ws_of(b->offset.buf.ptr, b->offset.len)};
    uint32_t n = WS_CALL_HEADER - WS_RECORD_HEADER;
    for (uint32_t i = 0; i < 5; i++) n += parts[i].len; /* data and pairs are padded already */
    uint8_t *p = ws__out_record(c, n), *to = p + WS_CALL_HEADER;
    uint32_t topic = ws__topic_number(b->topic); /* behind ws__out_record, which may have begun a new frame */
    for (uint32_t i = 0; i < 5; i++) {
        ws_copy(to, parts[i].ptr, parts[i].len);
        to += parts[i].len;
    }
    ws__out_header(c, p, 0, parts[0].ptr ? parts[0].len : WS_NULL, parts[1].len, n);
    ws__store32(p + 12, parts[2].len);
    ws__store64(p + 16, (uint64_t)b->timestamp);
    ws__store32(p + 36, b->headers.count);
    ws__store32(p + 40, topic);
    ws__store32(p + 48, parts[3].len);
    ws__store32(p + 52, parts[4].len);
}

/* Reads the last committed offset of a partition of the source, which the writer holds; null if there is none. It is valid
 * until the next call. Returns a number < 0 if the host refuses. */
WS__MAYBE int32_t ws_offset(const ws_writer *partition, ws_datum *offset) {
    *offset = ws_datum_of(ws_null());
    ws__grow(&ws__cn.offset, 0, 256);
    for (;;) {
        int32_t n = ws1_offset_get(partition->buf.ptr, partition->len, ws__cn.offset.ptr, ws__cn.offset.cap);
        if (n == WS_NOT_FOUND) return 0;
        if (n < 0) return n;
        if ((uint32_t)n <= ws__cn.offset.cap) {
            *offset = ws_datum_of(ws_of(ws__cn.offset.ptr, (uint32_t)n));
            return 0;
        }
        ws__grow(&ws__cn.offset, 0, (uint32_t)n);
    }
}

WS__INLINE void ws__run_source(ws_ctx *c, const uint8_t *frame, const ws_source *s) {
    ws__learn_all(frame);
    if (s->ack) WS__LOOP(c, frame, (ws__read_arguments(frame, p_, &r), s->ack(c, ws_datum_of(r.second), ws_datum_of(r.third))));
}

WS__MAYBE int64_t ws__poll(ws_ctx *c, const ws_source *s, int32_t budget) {
    ws__call_start(c, NULL);
    ws__cn.topics_len = ws__cn.topic_count = 0;
    ws__cn.arguments = true;
    s->poll(c, &ws__polled, (uint32_t)budget);
    int64_t answer = ws__call_end(c);
    ws__cn.arguments = false;
    return answer;
}

/* ---- Requests ----------------------------------------------------------------------------------------------------- */

/* A request to a place that the worker's configuration allows. The value of a setting of type PASSWORD is put in by the
 * host where it stands in a header. */
typedef struct ws_request {
    ws_bytes method, url, body;
    const ws_new_header *headers;
    uint32_t header_count;
} ws_request;

/* Its answer, valid until the next request. */
typedef struct ws_response {
    uint32_t status;
    ws_bytes body, block;
} ws_response;

/* Sends a request and waits for the answer. WS_DENIED: the place is not allowed. WS_RETRY: the network failed. Redirects
 * are answers. */
WS__MAYBE int32_t ws_http(const ws_request *q, ws_response *answer) {
    uint32_t len = 0;
    ws_bytes rest, k, v;
    ws__pair_append(&ws__cn.request, &len, ws_str("method"), q->method);
    ws__pair_append(&ws__cn.request, &len, ws_str("url"), q->url);
    for (uint32_t i = 0; i < q->header_count; i++) {
        uint8_t name[7 + 256] = "header.";
        ws_bytes key = q->headers[i].key;
        if (key.len > 256) return WS_INVALID_ARG;
        ws_copy(name + 7, key.ptr, key.len);
        ws__pair_append(&ws__cn.request, &len, ws_of(name, 7 + key.len), q->headers[i].value);
    }
    if (q->body.ptr) ws__pair_append(&ws__cn.request, &len, ws_str("body"), q->body);
    int32_t n = ws1_http(ws__cn.request.ptr, len);
    if (n < 0) return n;
    ws__grow(&ws__cn.response, 0, (uint32_t)n);
    if ((n = ws1_http_response(ws__cn.response.ptr, (uint32_t)n)) < 0) return n;
    answer->block = rest = ws_of(ws__cn.response.ptr, (uint32_t)n);
    answer->status = 0;
    answer->body = ws_null();
    while (ws_pairs_next(&rest, &k, &v)) {
        if (ws_equal(k, ws_str("body"))) answer->body = v;
        if (!ws_equal(k, ws_str("status"))) continue;
        for (uint32_t i = 0; i < v.len; i++) answer->status = 10 * answer->status + (v.ptr[i] - '0');
    }
    return 0;
}

/* A header of an answer by its name in lower case, NULL bytes if there is none. */
WS__MAYBE ws_bytes ws_response_header(const ws_response *answer, const char *name) {
    ws_bytes rest = answer->block, k, v, want = ws_str(name);
    while (ws_pairs_next(&rest, &k, &v))
        if (k.len > 7 && ws_equal(ws_of(k.ptr, 7), ws_str("header.")) && ws_equal(ws_of(k.ptr + 7, k.len - 7), want)) return v;
    return ws_null();
}

/* ---- Kinds and exports --------------------------------------------------------------------------------------------- */

#define WS__RUN_transformation(c, frame, f) ws__run_transformation(c, frame, f)
#define WS__RUN_predicate(c, frame, f) ws__run_test(c, frame, f)
#define WS__RUN_converter(c, frame, k) ws__run_converter(c, frame, &k, false)
#define WS__RUN_headerConverter(c, frame, k) ws__run_converter(c, frame, &k, true)
#define WS__RUN_sink(c, frame, s) ws__run_sink(c, frame, &s)
#define WS__RUN_source(c, frame, s) ws__run_source(c, frame, &s)
#define WS__PROCESSOR_transformation(f) NULL
#define WS__PROCESSOR_predicate(f) NULL
#define WS__PROCESSOR_converter(k) &k.task
#define WS__PROCESSOR_headerConverter(k) &k.task
#define WS__PROCESSOR_sink(s) &s.task
#define WS__PROCESSOR_source(s) &s.task

/* Which components are sources: their ws_processor is the beginning of a ws_source. */
#define WS__IS_SOURCE(kind, fn, name, options) __builtin_strcmp(#kind, "source") == 0,

#define WS__CONNECT_EXPORTS(components)                                                                            \
    static const ws_source *ws__source_of(int32_t handle) {                                                        \
        static const bool sources[] = {components(WS__IS_SOURCE) false};                                           \
        ws_ctx *c = ws__handle(handle);                                                                            \
        return c && sources[c->component - ws__components] ? (const ws_source *)c->component->processor : NULL;    \
    }                                                                                                              \
    WS__EXPORT(ws_poll) int64_t ws_poll(int32_t handle, int32_t budget) {                                          \
        const ws_source *s = ws__source_of(handle);                                                                \
        return s ? ws__poll(ws__handle(handle), s, budget) : WS_INVALID_ARG;                                       \
    }                                                                                                              \
    WS__EXPORT(ws_ack) int32_t ws_ack(int32_t handle, const uint8_t *ptr, uint32_t len) {                          \
        return ws__source_of(handle) ? (int32_t)ws__process(handle, ptr, len) : WS_INVALID_ARG;                    \
    }

/* Settings of a component, up to 8: WS_CONFIG(WS_SETTING("field", WS_REQUIRED WS_DOC("..."))). */
#define WS_CONFIG(...) "," WS__S("config") ":[" WS__LIST(WS__SAME, __VA_ARGS__) "]"
#define WS_SETTING(name, more) "{" WS__S("name") ":" WS__S(name) more "}"
#define WS_REQUIRED ""
#define WS_OPTIONAL "," WS__S("optional") ":true"
#define WS_DEFAULT(text) "," WS__S("default") ":" WS__S(text)
#define WS_DOC(text) "," WS__S("doc") ":" WS__S(text)
#define WS_TYPE(type) "," WS__S("type") ":" WS__S(type)

#ifdef __cplusplus
}
#endif

#endif /* WASMSTREAM_CONNECT_H */
