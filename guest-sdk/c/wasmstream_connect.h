/*
 * wasmstream_connect.h: transformations and predicates of Connect in C or C++ (abi/SPEC.md, 12). It includes wasmstream.h.
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
 *
 * A ws_datum is a view of a value: it lies in the frame and is valid until the function returns. Functions that ask for
 * what a value is not answer zero, NULL bytes, a null datum. Values that are written are copied at once.
 *
 * Settings: WS_CONFIG(WS_SETTING("field", WS_REQUIRED) , ...) among the options; ws_config(c, "field") reads one.
 * Schemas are read, and those of the input may be given to values that are written. New ones are made with the SDKs for
 * Go and Rust.
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

/* What a module of Connect keeps between calls: the schemas of the host by number, as they crossed. */
typedef struct ws__connect {
    ws_bytes *schemas;
    uint32_t schema_cap;
    ws__buffer topics; /* pairs of topics that the output frame names */
    uint32_t topics_len, topic_count;
} ws__connect;

__attribute__((weak)) ws__connect ws__cn;

WS__MAYBE void ws__learn(ws_bytes def) {
    uint32_t id = ws__load32(def.ptr), cap = ws__cn.schema_cap;
    if (id >= cap) {
        uint32_t more = 1u << ws__class(id + 1 < 64 ? 64 : id + 1);
        ws_bytes *table = (ws_bytes *)ws_alloc(more * (uint32_t)sizeof(ws_bytes));
        if (!table) __builtin_trap();
        for (uint32_t i = 0; i < more; i++) table[i] = i < cap ? ws__cn.schemas[i] : ws_null();
        ws_free(ws__cn.schemas, cap * (uint32_t)sizeof(ws_bytes));
        ws__cn.schemas = table;
        ws__cn.schema_cap = more;
    }
    uint8_t *copy = (uint8_t *)ws_alloc(def.len);
    if (!copy) __builtin_trap();
    __builtin_memcpy(copy, def.ptr, def.len);
    ws__cn.schemas[id] = ws_of(copy, def.len);
}

/* The definition of a schema by number, NULL bytes if there is none. */
WS__INLINE ws_bytes ws__schema(uint32_t id) { return id < ws__cn.schema_cap ? ws__cn.schemas[id] : ws_null(); }

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

#define WS__DEPTH 16 /* containers that a writer keeps open */

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

WS__MAYBE void ws_write_string(ws_writer *w, ws_bytes b) {
    uint8_t *to = ws_write_room(w, WS_TYPE_STRING, b.len);
    if (to) ws_copy(to, b.ptr, b.len);
}
WS__MAYBE void ws_write_bytes(ws_writer *w, ws_bytes b) {
    uint8_t *to = ws_write_room(w, WS_TYPE_BYTES, b.len);
    if (to) ws_copy(to, b.ptr, b.len);
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
    uint32_t t = ws_type(d), n = ws_len(d), at;
    ws_bytes b = ws_data(d);
    if (b.ptr) {
        at = w->next;
        uint8_t *to = ws_write_room(w, t, b.len);
        if (!to) return;
        ws_copy(to, b.ptr, b.len);
        if (t == WS_TYPE_DECIMAL) ws__store32(w->buf.ptr + at + 12, (uint32_t)ws_scale(d));
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

/* A record of Connect: what came, and what is to become of it. */
typedef struct ws_change {
    const ws_record *in;
    ws__part key, value;
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

/* The number of a topic in the output frame. */
WS__MAYBE uint32_t ws__topic_number(ws_bytes topic) {
    ws_bytes rest = ws_of(ws__cn.topics.ptr, ws__cn.topics_len), k, v;
    for (uint32_t n = 1; ws_pairs_next(&rest, &k, &v); n++)
        if (ws_equal(v, topic)) return n;
    uint32_t size = ws__pair_size(ws_str("topic"), topic);
    ws__grow(&ws__cn.topics, ws__cn.topics_len, ws__cn.topics_len + size);
    ws__pair_put(ws__cn.topics.ptr + ws__cn.topics_len, ws_str("topic"), topic);
    ws__cn.topics_len += size;
    return ++ws__cn.topic_count;
}

/* Called when the header of a frame has been written: the topics go behind the records. */
WS__MAYBE void ws__aux_finish(void) {
    uint32_t n = ws__cn.topics_len, at = ws__rt.out_len;
    if (!n) return;
    ws__grow(&ws__rt.out, at, at + n);
    uint8_t *p = ws__rt.out.ptr;
    ws_copy(p + at, ws__cn.topics.ptr, n);
    ws__rt.out_len += n;
    ws__store32(p + 8, ws__rt.out_len);
    ws__store32(p + 16, WS_FRAME_HAS_AUX);
    ws__store32(p + 20, at);
    ws__store32(p + 24, n);
    ws__cn.topics_len = ws__cn.topic_count = 0;
}

#define WS__KEEP_PLACE 16u

WS__MAYBE void ws__answer(ws_ctx *c, ws_change *r) {
    uint32_t flags = WS_KEEP_HEADERS, n = 0, klen = WS_NULL, vlen = WS_NULL;
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
    if (vlen != WS_NULL) ws_copy(part, r->value.w.buf.ptr, vlen);
    ws__out_header(c, p, flags, klen, vlen, n);
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
    r->key.set = r->key.edited = r->value.set = r->value.edited = r->dropped = false;
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

#define WS__RUN_transformation(c, frame, f) ws__run_transformation(c, frame, f)
#define WS__RUN_predicate(c, frame, f) ws__run_test(c, frame, f)
#define WS__PROCESSOR_transformation(f) NULL
#define WS__PROCESSOR_predicate(f) NULL

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
