/*
 * wasmstream_streams.h: Kafka Streams' StreamsBuilder for modules in C or C++. It includes wasmstream.h. A module builds its
 * topology with its own functions and brings it along in its manifest, so that it runs without any document:
 *
 *     #include "wasmstream_streams.h"
 *
 *     static bool paid(ws_ctx *c, const ws_record *r) { ... }
 *
 *     static void topology(ws_builder *b) {
 *         ws_kstream orders = ws_streams_stream(b, "orders", &(ws_consumed){.key = WS_STRING, .value = WS_JSON});
 *         ws_kgrouped by_region = ws_kstream_group_by(ws_kstream_filter(orders, ws_guest("paid"), NULL),
 *                                                     ws_out(ws_expr("value.region"), WS_STRING, NULL), NULL);
 *         ws_ktable counts = ws_kgrouped_count(by_region, &(ws_materialized){.name = "orders-by-region"});
 *         ws_kstream_to(ws_ktable_to_stream(counts, NULL), "regions", NULL);
 *     }
 *
 *     #define COMPONENTS(C) C(filter, paid, "paid", WS_WANTS(WS_VALUE))
 *     WS_APPLICATION("shop", "1.0.0", COMPONENTS, "orders-by-region", topology)
 *
 * then wasmstream run --module shop.wasm --bootstrap-server HOST:PORT.
 *
 * The operators have Kafka's names and parameter objects, and give the nodes, the names and the numbers that Kafka's builder
 * gives for the same calls. They run in the host; only functions run in the module. A parameter object that is NULL, and a
 * field that is not given, is Kafka's default; name is the node's name, as Kafka's Named.as, or NULL. Times are milliseconds.
 *
 * The module writes a document and judges nothing: the host finds every fault when it reads the module, all at once, each
 * by the name of its node (wasmstream validate --module F.wasm). Strings must live as long as the module: write literals.
 */
#ifndef WASMSTREAM_STREAMS_H
#define WASMSTREAM_STREAMS_H

#include "wasmstream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Text and JSON ------------------------------------------------------------------------------------------------- */

/* Text that grows. As an object it is fields with commas between them, and gets its brackets when it is put elsewhere. */
typedef struct ws__text {
    uint8_t *ptr;
    uint32_t len, cap;
} ws__text;

WS__COLD void ws__put_bytes(ws__text *t, ws_bytes b) {
    if (t->len + b.len > t->cap) {
        uint32_t cap = 1u << ws__class(t->len + b.len < 64 ? 64 : t->len + b.len);
        uint8_t *p = (uint8_t *)ws_alloc(cap);
        if (!p) __builtin_trap();
        ws_copy(p, t->ptr, t->len);
        ws_free(t->ptr, t->cap);
        t->ptr = p;
        t->cap = cap;
    }
    ws_copy(t->ptr + t->len, b.ptr, b.len);
    t->len += b.len;
}

WS__COLD void ws__put_text(ws__text *t, const char *s) { ws__put_bytes(t, ws_str(s)); }

WS__COLD void ws__put_number(ws__text *t, int64_t n) {
    uint8_t digits[20];
    uint32_t i = sizeof digits;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do digits[--i] = (uint8_t)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0) digits[--i] = '-';
    ws__put_bytes(t, ws_of(digits + i, (uint32_t)sizeof digits - i));
}

WS__COLD void ws__put_quoted(ws__text *t, const char *s) {
    static const char hex[] = "0123456789abcdef";
    ws__put_text(t, "\"");
    for (; *s; s++) {
        char escaped[6] = {'\\', *s, '0', '0', 0, 0};
        if (*s == '"' || *s == '\\') {
            ws__put_bytes(t, ws_of(escaped, 2));
        } else if ((uint8_t)*s < 0x20) {
            escaped[1] = 'u';
            escaped[4] = hex[*s >> 4 & 15];
            escaped[5] = hex[*s & 15];
            ws__put_bytes(t, ws_of(escaped, 6));
        } else {
            ws__put_bytes(t, ws_of(s, 1));
        }
    }
    ws__put_text(t, "\"");
}

WS__COLD void ws__comma(ws__text *t) {
    if (t->len) ws__put_text(t, ",");
}

WS__COLD void ws__field(ws__text *o, const char *key) {
    ws__comma(o);
    ws__put_quoted(o, key);
    ws__put_text(o, ":");
}

WS__COLD void ws__field_text(ws__text *o, const char *key, const char *value) {
    ws__field(o, key);
    ws__put_quoted(o, value);
}

/* A field that may be left out. */
WS__COLD void ws__field_given(ws__text *o, const char *key, const char *value) {
    if (value && *value) ws__field_text(o, key, value);
}

WS__COLD void ws__field_number(ws__text *o, const char *key, int64_t n) {
    ws__field(o, key);
    ws__put_number(o, n);
}

WS__COLD void ws__field_flag(ws__text *o, const char *key, bool set, const char *value) {
    if (!set) return;
    ws__field(o, key);
    ws__put_text(o, value);
}

/* Puts inner between brackets and gives it back. */
WS__COLD void ws__put_inner(ws__text *t, const char *brackets, ws__text *inner) {
    ws__put_bytes(t, ws_of(brackets, 1));
    ws__put_bytes(t, ws_of(inner->ptr, inner->len));
    ws__put_bytes(t, ws_of(brackets + 1, 1));
    ws_free(inner->ptr, inner->cap);
    inner->ptr = NULL;
    inner->len = inner->cap = 0;
}

WS__COLD void ws__field_inner(ws__text *o, const char *key, const char *brackets, ws__text *inner) {
    ws__field(o, key);
    ws__put_inner(o, brackets, inner);
}

/* ---- Functions and serdes ------------------------------------------------------------------------------------------- */

/* How keys or values are written. NULL is the application's default, or what the functions before say. */
#define WS_BYTES_SERDE "bytes"
#define WS_STRING "string"
#define WS_LONG "long"
#define WS_INT "int"
#define WS_SHORT "short"
#define WS_FLOAT "float"
#define WS_DOUBLE "double"
#define WS_BOOLEAN "boolean"
#define WS_UUID "uuid"
#define WS_JSON "json"
#define WS_LIST_OF(inner) "list(" inner ")"
#define WS_TIME_WINDOWED(inner, size_ms) "timeWindowed(" inner "," #size_ms ")"
#define WS_SESSION_WINDOWED(inner) "sessionWindowed(" inner ")"

#define WS_SETTINGS 8 /* of one kind, in one place */

/* What an operator calls. All zero is none. */
typedef struct ws_fn {
    const char *component, *key_expr, *expr;
    const char *out_key, *out_value;
    const char *config[2 * WS_SETTINGS];
} ws_fn;

/* No function, where one may be left out. */
WS__MAYBE ws_fn ws_no_fn(void) {
    ws_fn f;
    __builtin_memset(&f, 0, sizeof f);
    return f;
}

/* A component of this module by its name. */
WS__MAYBE ws_fn ws_guest(const char *component) {
    ws_fn f = ws_no_fn();
    f.component = component;
    return f;
}

/* An expression in CEL over key, value, timestamp and headers (and left and right, or aggregate, where a function has
 * them). The host works it out without a call into the module. */
WS__MAYBE ws_fn ws_expr(const char *source) {
    ws_fn f = ws_no_fn();
    f.expr = source;
    return f;
}

/* The two expressions of a map. */
WS__MAYBE ws_fn ws_map_expr(const char *key, const char *value) {
    ws_fn f = ws_expr(value);
    f.key_expr = key;
    return f;
}

/* Says how the keys and values that the function makes are written; NULL leaves one open. */
WS__MAYBE ws_fn ws_out(ws_fn f, const char *key, const char *value) {
    f.out_key = key;
    f.out_value = value;
    return f;
}

/* Gives the component a setting, for ws_config; up to WS_SETTINGS of them. */
WS__MAYBE ws_fn ws_with(ws_fn f, const char *key, const char *value) {
    uint32_t i = 0;
    while (i < 2 * WS_SETTINGS && f.config[i]) i += 2;
    if (i == 2 * WS_SETTINGS) __builtin_trap();
    f.config[i] = key;
    f.config[i + 1] = value;
    return f;
}

WS__MAYBE bool ws__is_set(const ws_fn *f) { return f->component || f->expr; }

WS__COLD void ws__field_settings(ws__text *o, const char *key, const char *const *settings) {
    ws__text all = {NULL, 0, 0};
    for (uint32_t i = 0; i < 2 * WS_SETTINGS && settings[i]; i += 2) ws__field_text(&all, settings[i], settings[i + 1]);
    if (all.len) ws__field_inner(o, key, "{}", &all);
}

/* Adds the fields of the operator's function. */
WS__COLD void ws__call(ws__text *o, const ws_fn *f) {
    if (f->component) {
        ws__field_text(o, "guest", f->component);
    } else if (f->key_expr) {
        ws__text both = {NULL, 0, 0};
        ws__field_text(&both, "key", f->key_expr);
        ws__field_text(&both, "value", f->expr);
        ws__field_inner(o, "expr", "{}", &both);
    } else {
        ws__field_text(o, "expr", f->expr ? f->expr : "");
    }
    ws__field_settings(o, "config", f->config);
}

/* A function that an operator has as a field of its own. */
WS__COLD void ws__field_fn(ws__text *o, const char *key, const ws_fn *f) {
    ws__text fields = {NULL, 0, 0};
    if (!ws__is_set(f)) return;
    ws__call(&fields, f);
    ws__field_inner(o, key, "{}", &fields);
}

WS__COLD void ws__serdes(ws__text *o, const char *key, const char *value) {
    ws__field_given(o, "key", key);
    ws__field_given(o, "value", value);
}

/* How keys or values are written in a topic: by a serde, or in a form of the module's own over one. */
WS__COLD void ws__topic_serde(ws__text *o, const char *key, const char *serde, const ws_fn *form) {
    ws__text fields = {NULL, 0, 0};
    if (!ws__is_set(form)) {
        ws__field_given(o, key, serde);
        return;
    }
    ws__call(&fields, form);
    ws__field_given(&fields, "as", serde);
    ws__field_inner(o, key, "{}", &fields);
}

/* ---- Parameter objects ----------------------------------------------------------------------------------------------- */

/* How a source reads. offset_reset is "earliest", "latest" or "none", or offset_reset_by says how long before now;
 * timestamp_extractor is Kafka's class name without the package, timestamps a function in its place; key and value are the
 * serdes of what deserializers give. */
typedef struct ws_consumed {
    const char *name, *key, *value, *offset_reset, *timestamp_extractor;
    ws_fn timestamps, key_deserializer, value_deserializer;
    int64_t offset_reset_by;
} ws_consumed;

/* How a sink writes. key and value are the serdes of what serializers are given. */
typedef struct ws_produced {
    const char *name, *key, *value;
    ws_fn partitioner, key_serializer, value_serializer;
} ws_produced;

/* How records are regrouped: name gives the repartition topic, and the node that selects the key. */
typedef struct ws_grouped {
    const char *name, *key, *value;
} ws_grouped;

/* How records go through a repartition topic. partitions 0 follows the sources. */
typedef struct ws_repartitioned {
    const char *name, *key, *value;
    uint32_t partitions;
    ws_fn partitioner;
} ws_repartitioned;

/* The store of a table: persistent, cached, logged, under a generated name if nothing is said. history_retention keeps the
 * versions of each row (KIP-889). changelog are settings of its topic, key and value in turns. node is the node's name.
 * in_memory is Kafka's StoreType.IN_MEMORY, persistent its ROCKS_DB; without either dsl.store.suppliers.class says. */
typedef struct ws_materialized {
    const char *name, *key, *value, *node;
    bool in_memory, caching_disabled, logging_disabled;
    int64_t retention, history_retention;
    const char *changelog[2 * WS_SETTINGS];
    bool persistent;
} ws_materialized;

/* How a stream is joined with a table; grace_period holds its records back until the versioned table is complete. */
typedef struct ws_joined {
    const char *name, *key, *value;
    int64_t grace_period;
} ws_joined;

/* A store that a join of streams is given, if it has a name. retention and window_size are those of the join's windows. */
typedef struct ws_join_store {
    const char *name;
    int64_t retention, window_size;
    bool in_memory;
} ws_join_store;

/* How two streams are joined. this_store and other_store are in place of the generated stores. */
typedef struct ws_stream_joined {
    const char *name, *store_name, *key, *value, *other_value;
    bool in_memory, logging_disabled;
    const char *changelog[2 * WS_SETTINGS];
    ws_join_store this_store, other_store;
} ws_stream_joined;

/* How tables are joined by a foreign key. */
typedef struct ws_table_joined {
    const char *name;
    ws_fn partitioner, other_partitioner;
} ws_table_joined;

/* What suppress holds back: until a time has gone by since the first change, or until_window_closes; max_records and
 * max_bytes 0 are without a bound, and a full buffer ends the application unless it may emit_early. */
typedef struct ws_suppressed {
    const char *name;
    bool until_window_closes;
    int64_t until_time_limit, max_records, max_bytes;
    bool emit_early, logging_disabled;
    const char *changelog[2 * WS_SETTINGS];
} ws_suppressed;

/* A store for processors. type is keyValue (NULL), timestampedKeyValue, lru, which keeps max_entries keys, versionedKeyValue, which
 * keeps versions for history_retention, or window, timestampedWindow or session, which keep rows for retention; window_size is the
 * length of windows, segment_interval (0: Kafka's default) what is dropped at once. Times are in milliseconds. */
typedef struct ws_store {
    const char *name, *type, *key, *value;
    bool in_memory, caching, logging_disabled;
    const char *changelog[2 * WS_SETTINGS];
    int64_t max_entries, retention, history_retention, window_size, segment_interval;
    bool retain_duplicates;
} ws_store;

WS__COLD void ws__logged(ws__text *o, bool disabled, const char *const *changelog) {
    ws__field_flag(o, "logging", disabled, "false");
    ws__field_settings(o, "changelog", changelog);
}

WS__COLD void ws__materialized(ws__text *o, const ws_materialized *m) {
    ws__text body = {NULL, 0, 0};
    if (!m) return;
    ws__field_given(&body, "name", m->name);
    ws__serdes(&body, m->key, m->value);
    ws__field_flag(&body, "inMemory", m->in_memory, "true");
    if (m->persistent) ws__field_text(&body, "storeType", "ROCKS_DB");
    ws__field_flag(&body, "caching", m->caching_disabled, "false");
    ws__logged(&body, m->logging_disabled, m->changelog);
    if (m->retention) ws__field_number(&body, "retention", m->retention);
    if (m->history_retention) ws__field_number(&body, "historyRetention", m->history_retention);
    if (body.len) ws__field_inner(o, "materialized", "{}", &body);
}

/* ---- The builder ------------------------------------------------------------------------------------------------------ */

#define WS_PARENTS 16 /* of one operator, cogroup's streams among them */

typedef struct ws__entry ws__entry;

/* An operator of the document, or a branch of one. */
typedef struct ws__node {
    struct ws_builder *b;
    ws__entry *entry;
    int32_t branch; /* 0: the operator itself; -1: its default branch */
} ws__node;

struct ws__entry {
    ws__entry *next;
    const char *op, *name;
    uint32_t id, parents;
    ws__node from[WS_PARENTS];
    ws__text body, branches, rest;
    int32_t branch_count;
};

/* The module's topology. */
typedef struct ws_builder {
    ws__text config, stores, nodes;
    ws__entry *first, *last;
    uint32_t count;
} ws_builder;

typedef struct ws__beside ws__beside;

/* beside are the streams that ws_kstream_and has put to this one. */
typedef struct ws_kstream {
    ws__node at;
    const ws__beside *beside;
} ws_kstream;

struct ws__beside {
    ws_kstream stream;
    const ws__beside *before;
};

typedef struct ws_ktable { ws__node at; } ws_ktable;
typedef struct ws_gktable { ws__node at; } ws_gktable;
typedef struct ws_kgrouped { ws__node at; } ws_kgrouped;
typedef struct ws_kgrouped_table { ws__node at; } ws_kgrouped_table;
typedef struct ws_branched { ws__node at; } ws_branched;

/* Appends an operator that reads from another or from none. The ids are numbers in the order of the calls, which is the
 * order of Kafka's numbering. */
WS__COLD ws__node ws__add(ws_builder *b, const char *op, const char *name, const ws__node *from) {
    ws__entry *e = (ws__entry *)ws_alloc(sizeof *e);
    if (!e) __builtin_trap();
    __builtin_memset(e, 0, sizeof *e);
    e->op = op;
    e->name = name;
    e->id = ++b->count;
    if (from) e->from[e->parents++] = *from;
    *(b->last ? &b->last->next : &b->first) = e;
    b->last = e;
    ws__node n = {b, e, 0};
    return n;
}

WS__COLD void ws__add_parent(ws__entry *e, ws__node from) {
    if (e->parents == WS_PARENTS) __builtin_trap();
    e->from[e->parents++] = from;
}

/* Adds the streams that were put to one, the first of them first. */
WS__COLD void ws__add_beside(ws__entry *e, const ws__beside *b) {
    if (!b) return;
    ws__add_beside(e, b->before);
    ws__add_parent(e, b->stream.at);
    ws__add_beside(e, b->stream.beside);
}

WS__INLINE ws__node ws__behind(ws__node from, const char *op, const char *name) { return ws__add(from.b, op, name, &from); }

/* An operator that reads a stream. */
WS__COLD ws__node ws__next(ws_kstream s, const char *op, const char *name) {
    ws__node n = ws__behind(s.at, op, name);
    ws__add_beside(n.entry, s.beside);
    return n;
}

WS__INLINE ws_kstream ws__stream(ws__node at) {
    ws_kstream s = {at, NULL};
    return s;
}

WS__COLD void ws__put_id(ws__text *t, const ws__node *n) {
    ws__put_text(t, "\"");
    ws__put_number(t, n->entry->id);
    if (n->branch) ws__put_text(t, ".");
    if (n->branch > 0) ws__put_number(t, n->branch);
    if (n->branch < 0) ws__put_text(t, "default");
    ws__put_text(t, "\"");
}

WS__COLD void ws__put_entry(ws__text *t, ws__entry *e) {
    ws__text o = {NULL, 0, 0}, ids = {NULL, 0, 0};
    ws__node self = {NULL, e, 0};
    ws__field(&o, "id");
    ws__put_id(&o, &self);
    for (uint32_t i = 0; i < e->parents; i++) {
        ws__comma(&ids);
        ws__put_id(&ids, &e->from[i]);
    }
    if (e->parents == 1) {
        ws__field(&o, "from");
        ws__put_bytes(&o, ws_of(ids.ptr, ids.len));
        ws_free(ids.ptr, ids.cap);
    } else if (e->parents) {
        ws__field_inner(&o, "from", "[]", &ids);
    }
    ws__field_given(&o, "name", e->name);
    if (e->branches.len) ws__field_inner(&e->body, "branches", "[]", &e->branches);
    if (e->rest.len) ws__field_inner(&e->body, "default", "{}", &e->rest);
    ws__field_inner(&o, e->op, "{}", &e->body);
    ws__comma(t);
    ws__put_inner(t, "{}", &o);
}

/* Puts the whole document and leaves the builder empty. */
WS__COLD void ws__put_topology(ws__text *t, ws_builder *b, const char *application_id) {
    ws__text doc = {NULL, 0, 0}, operators = {NULL, 0, 0}, metadata = {NULL, 0, 0};
    ws__field_text(&doc, "apiVersion", "wasmstream/v1");
    ws__field_text(&doc, "kind", "Application");
    ws__field_given(&metadata, "name", application_id);
    if (metadata.len) ws__field_inner(&doc, "metadata", "{}", &metadata);
    if (b->config.len) ws__field_inner(&doc, "config", "{}", &b->config);
    if (b->stores.len) ws__field_inner(&doc, "stores", "[]", &b->stores);
    for (ws__entry *e = b->first; e; e = e->next) ws__put_entry(&operators, e);
    if (operators.len || !b->nodes.len) ws__field_inner(&doc, "operators", "[]", &operators);
    if (b->nodes.len) ws__field_inner(&doc, "topology", "[]", &b->nodes);
    ws__put_inner(t, "{}", &doc);
}

/* Gives a setting of the application, by Kafka's name, such as processing.guarantee or default.key.serde. Whoever runs the
 * module may give another. Settings of the machine, the cluster's access and the sandbox are refused. */
WS__MAYBE void ws_streams_config(ws_builder *b, const char *key, const char *value) { ws__field_text(&b->config, key, value); }

WS__COLD ws__text ws__store(const ws_store *s) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", s->name);
    ws__field_given(&o, "type", s->type);
    ws__serdes(&o, s->key, s->value);
    ws__field_flag(&o, "inMemory", s->in_memory, "true");
    ws__field_flag(&o, "caching", s->caching, "true");
    ws__logged(&o, s->logging_disabled, s->changelog);
    if (s->max_entries) ws__field_number(&o, "maxEntries", s->max_entries);
    if (s->retention) ws__field_number(&o, "retention", s->retention);
    if (s->history_retention) ws__field_number(&o, "historyRetention", s->history_retention);
    if (s->window_size) ws__field_number(&o, "windowSize", s->window_size);
    if (s->segment_interval) ws__field_number(&o, "segmentInterval", s->segment_interval);
    ws__field_flag(&o, "retainDuplicates", s->retain_duplicates, "true");
    return o;
}

/* Makes a store for processors (ws_kstream_process) to use. */
WS__MAYBE void ws_streams_add_state_store(ws_builder *b, const ws_store *s) {
    ws__text o = ws__store(s);
    ws__comma(&b->stores);
    ws__put_inner(&b->stores, "{}", &o);
}

WS__COLD void ws__consumed(ws__text *o, const ws_consumed *c) {
    if (!c) return;
    ws__topic_serde(o, "key", c->key, &c->key_deserializer);
    ws__topic_serde(o, "value", c->value, &c->value_deserializer);
    if (c->offset_reset_by) {
        ws__text by = {NULL, 0, 0};
        ws__field_number(&by, "byDuration", c->offset_reset_by);
        ws__field_inner(o, "offsetReset", "{}", &by);
    } else {
        ws__field_given(o, "offsetReset", c->offset_reset);
    }
    ws__field_given(o, "timestampExtractor", c->timestamp_extractor);
    ws__field_fn(o, "timestampExtractor", &c->timestamps);
}

WS__COLD ws__node ws__source(ws_builder *b, const char *op, const char *key, const char *topic, const ws_consumed *c) {
    ws__node n = ws__add(b, op, c ? c->name : NULL, NULL);
    ws__field_text(&n.entry->body, key, topic);
    ws__consumed(&n.entry->body, c);
    return n;
}

WS__COLD void ws__store_of_topic(ws_builder *b, const char *op, const ws_store *s, const char *topic, const ws_consumed *c, const ws_fn *f) {
    ws__text *o = &ws__add(b, op, c ? c->name : NULL, NULL).entry->body, store = ws__store(s);
    ws__field_text(o, "topic", topic);
    ws__field_inner(o, "store", "{}", &store);
    ws__call(o, f);
    ws__consumed(o, c);
}

/* Makes a store of which every instance has the whole: f, a processor, writes it from all partitions of a topic, also when
 * the instance starts. Every processor may read it. */
WS__MAYBE void ws_streams_add_global_store(ws_builder *b, const ws_store *s, const char *topic, const ws_consumed *c, ws_fn f) {
    ws__store_of_topic(b, "addGlobalStore", s, topic, c, &f);
}

/* Makes a store of a topic (KIP-813): f, a processor, writes it, the processors that name it may read it, and the topic is
 * what it is restored from. */
WS__MAYBE void ws_streams_add_read_only_state_store(ws_builder *b, const ws_store *s, const char *topic, const ws_consumed *c, ws_fn f) {
    ws__store_of_topic(b, "addReadOnlyStateStore", s, topic, c, &f);
}

/* Reads a topic. */
WS__MAYBE ws_kstream ws_streams_stream(ws_builder *b, const char *topic, const ws_consumed *c) {
    ws_kstream s = ws__stream(ws__source(b, "stream", "topic", topic, c));
    return s;
}

/* Reads n topics as one stream. */
WS__MAYBE ws_kstream ws_streams_stream_topics(ws_builder *b, const char *const *topics, uint32_t n, const ws_consumed *c) {
    ws_kstream s = ws__stream(ws__add(b, "stream", c ? c->name : NULL, NULL));
    ws__text names = {NULL, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        ws__comma(&names);
        ws__put_quoted(&names, topics[i]);
    }
    ws__field_inner(&s.at.entry->body, "topics", "[]", &names);
    ws__consumed(&s.at.entry->body, c);
    return s;
}

/* Reads every topic whose whole name matches the regular expression (RE2 syntax). */
WS__MAYBE ws_kstream ws_streams_stream_pattern(ws_builder *b, const char *pattern, const ws_consumed *c) {
    ws_kstream s = ws__stream(ws__source(b, "stream", "pattern", pattern, c));
    return s;
}

/* Reads a topic as a table: a null value deletes. */
WS__MAYBE ws_ktable ws_streams_table(ws_builder *b, const char *topic, const ws_consumed *c, const ws_materialized *m) {
    ws_ktable t = {ws__source(b, "table", "topic", topic, c)};
    ws__materialized(&t.at.entry->body, m);
    return t;
}

/* Reads a topic as a table that every instance has as a whole. */
WS__MAYBE ws_gktable ws_streams_global_table(ws_builder *b, const char *topic, const ws_consumed *c, const ws_materialized *m) {
    ws_gktable t = {ws__source(b, "globalTable", "topic", topic, c)};
    ws__materialized(&t.at.entry->body, m);
    return t;
}

/* ---- KStream ---------------------------------------------------------------------------------------------------------- */

WS__COLD ws_kstream ws__stream_call(ws_kstream s, const char *op, ws_fn f, const char *name) {
    ws_kstream next = ws__stream(ws__next(s, op, name));
    ws__call(&next.at.entry->body, &f);
    ws__serdes(&next.at.entry->body, f.out_key, f.out_value);
    return next;
}

#define WS__STREAM_OPERATOR(function, op) \
    WS__MAYBE ws_kstream function(ws_kstream s, ws_fn f, const char *name) { return ws__stream_call(s, op, f, name); }

WS__STREAM_OPERATOR(ws_kstream_filter, "filter")                    /* keeps the records for which f says yes */
WS__STREAM_OPERATOR(ws_kstream_filter_not, "filterNot")             /* drops them */
WS__STREAM_OPERATOR(ws_kstream_map_values, "mapValues")             /* replaces each value */
WS__STREAM_OPERATOR(ws_kstream_flat_map_values, "flatMapValues")    /* replaces each value by any number of values */
WS__STREAM_OPERATOR(ws_kstream_map, "map")                          /* replaces key and value; grouping then repartitions */
WS__STREAM_OPERATOR(ws_kstream_flat_map, "flatMap")                 /* any number of records for each; the same */
WS__STREAM_OPERATOR(ws_kstream_select_key, "selectKey")             /* gives each record another key; the same */
WS__STREAM_OPERATOR(ws_kstream_peek, "peek")                        /* shows each record to f and passes it on */

/* s and other for one operator that is the child of both, as a Topology's addProcessor and addSink take several parents:
 * there is no node between, unlike with ws_kstream_merge. ws_kstream_process, _process_values, _to and _to_extracted take
 * them so. */
WS__MAYBE ws_kstream ws_kstream_and(ws_kstream s, ws_kstream other) {
    ws__beside *b = (ws__beside *)ws_alloc(sizeof *b);
    if (!b) __builtin_trap();
    b->stream = other;
    b->before = s.beside;
    s.beside = b;
    return s;
}

/* Shows each record to f; nothing comes after it. */
WS__MAYBE void ws_kstream_foreach(ws_kstream s, ws_fn f, const char *name) { ws__stream_call(s, "foreach", f, name); }

/* Prints the text that f, of the kind mapValues, gives of each record, for people, behind label; nothing comes after it. */
WS__MAYBE void ws_kstream_print_by(ws_kstream s, ws_fn f, const char *label, const char *name) {
    ws__node n = ws__next(s, "print", name);
    ws__field_given(&n.entry->body, "label", label);
    ws__field_fn(&n.entry->body, "mapper", &f);
}

/* Prints each record for people, behind label; nothing comes after it. */
WS__MAYBE void ws_kstream_print(ws_kstream s, const char *label, const char *name) { ws_kstream_print_by(s, ws_no_fn(), label, name); }

/* The records of both streams, in no order between them. */
WS__MAYBE ws_kstream ws_kstream_merge(ws_kstream s, ws_kstream other, const char *name) {
    ws_kstream next = ws__stream(ws__next(s, "merge", name));
    ws__add_parent(next.at.entry, other.at);
    ws__add_beside(next.at.entry, other.beside);
    return next;
}

/* Divides the stream: each record goes to the first branch whose function says yes. */
WS__MAYBE ws_branched ws_kstream_split(ws_kstream s, const char *name) {
    ws_branched b = {ws__next(s, "split", name)};
    return b;
}

/* The stream of the records for which f says yes and no branch before it did. */
WS__MAYBE ws_kstream ws_branched_branch(ws_branched b, ws_fn f, const char *name) {
    ws__entry *e = b.at.entry;
    ws_kstream s = ws__stream(b.at);
    ws__text body = {NULL, 0, 0};
    s.at.branch = ++e->branch_count;
    ws__field(&body, "id");
    ws__put_id(&body, &s.at);
    ws__field_given(&body, "name", name);
    ws__call(&body, &f);
    ws__comma(&e->branches);
    ws__put_inner(&e->branches, "{}", &body);
    return s;
}

/* The stream of the records that no branch wants; without it they are dropped. */
WS__MAYBE ws_kstream ws_branched_default(ws_branched b, const char *name) {
    ws_kstream s = ws__stream(b.at);
    s.at.branch = -1;
    ws__field(&b.at.entry->rest, "id");
    ws__put_id(&b.at.entry->rest, &s.at);
    ws__field_given(&b.at.entry->rest, "name", name);
    return s;
}

WS__COLD ws__node ws__group_by(ws__node n, ws_fn f, const ws_grouped *g) {
    ws__call(&n.entry->body, &f);
    ws__serdes(&n.entry->body, g && g->key ? g->key : f.out_key, g && g->value ? g->value : f.out_value);
    return n;
}

/* Gives each record the key that f answers and groups by it. An aggregation afterwards repartitions. */
WS__MAYBE ws_kgrouped ws_kstream_group_by(ws_kstream s, ws_fn f, const ws_grouped *g) {
    ws_kgrouped k = {ws__group_by(ws__next(s, "groupBy", g ? g->name : NULL), f, g)};
    return k;
}

/* Groups by the key as it is. An aggregation afterwards repartitions only if the key was changed before. */
WS__MAYBE ws_kgrouped ws_kstream_group_by_key(ws_kstream s, const ws_grouped *g) {
    ws_kgrouped k = {ws__next(s, "groupByKey", g ? g->name : NULL)};
    if (g) ws__serdes(&k.at.entry->body, g->key, g->value);
    return k;
}

/* Writes the stream to a topic of its own, by key, and reads it from there. */
WS__MAYBE ws_kstream ws_kstream_repartition(ws_kstream s, const ws_repartitioned *r) {
    ws_kstream next = ws__stream(ws__next(s, "repartition", r ? r->name : NULL));
    ws__text *o = &next.at.entry->body;
    if (!r) return next;
    if (r->partitions) ws__field_number(o, "partitions", r->partitions);
    ws__serdes(o, r->key, r->value);
    ws__field_fn(o, "partitioner", &r->partitioner);
    return next;
}

/* Makes a table of the stream: a null value deletes. */
WS__MAYBE ws_ktable ws_kstream_to_table(ws_kstream s, const ws_materialized *m) {
    ws_ktable t = {ws__next(s, "toTable", m ? m->node : NULL)};
    ws__materialized(&t.at.entry->body, m);
    return t;
}

/* Which records of two streams belong together: those no further apart than difference. before and after, where they are
 * given, say how much earlier or later the right record may be; grace how late records may come. */
typedef struct ws_join_windows {
    int64_t difference, grace;
    const int64_t *before, *after;
} ws_join_windows;

WS__COLD ws__node ws__join(ws__node n, ws__node right, ws_fn f) {
    ws__add_parent(n.entry, right);
    ws__call(&n.entry->body, &f);
    ws__field_given(&n.entry->body, "result", f.out_value);
    return n;
}

WS__COLD void ws__join_store(ws__text *o, const char *key, const ws_join_store *s) {
    ws__text body = {NULL, 0, 0};
    if (!s->name) return;
    ws__field_text(&body, "name", s->name);
    ws__field_number(&body, "retention", s->retention);
    ws__field_number(&body, "windowSize", s->window_size);
    ws__field_flag(&body, "inMemory", s->in_memory, "true");
    ws__field_inner(o, key, "{}", &body);
}

WS__COLD ws_kstream ws__join_streams(ws_kstream s, const char *op, ws_kstream other, ws_fn f, const ws_join_windows *w, const ws_stream_joined *j) {
    ws_kstream next = ws__stream(ws__join(ws__next(s, op, j ? j->name : NULL), other.at, f));
    ws__text *o = &next.at.entry->body, windows = {NULL, 0, 0};
    ws__field_number(&windows, "timeDifference", w->difference);
    if (w->before) ws__field_number(&windows, "before", *w->before);
    if (w->after) ws__field_number(&windows, "after", *w->after);
    ws__field_number(&windows, "grace", w->grace);
    ws__field_inner(o, "windows", "{}", &windows);
    if (!j) return next;
    ws__serdes(o, j->key, j->value);
    ws__field_given(o, "otherValue", j->other_value);
    ws__field_given(o, "storeName", j->store_name);
    ws__field_flag(o, "inMemory", j->in_memory, "true");
    ws__logged(o, j->logging_disabled, j->changelog);
    ws__join_store(o, "thisStore", &j->this_store);
    ws__join_store(o, "otherStore", &j->other_store);
    return next;
}

/* Join records of both streams that are close in time; f sees left and right. Of a left join a record of s that is left
 * alone comes out with a null right value, of an outer join those of both. */
WS__MAYBE ws_kstream ws_kstream_join(ws_kstream s, ws_kstream other, ws_fn f, const ws_join_windows *w, const ws_stream_joined *j) {
    return ws__join_streams(s, "join", other, f, w, j);
}
WS__MAYBE ws_kstream ws_kstream_left_join(ws_kstream s, ws_kstream other, ws_fn f, const ws_join_windows *w, const ws_stream_joined *j) {
    return ws__join_streams(s, "leftJoin", other, f, w, j);
}
WS__MAYBE ws_kstream ws_kstream_outer_join(ws_kstream s, ws_kstream other, ws_fn f, const ws_join_windows *w, const ws_stream_joined *j) {
    return ws__join_streams(s, "outerJoin", other, f, w, j);
}

WS__COLD ws_kstream ws__join_with_table(ws_kstream s, const char *op, ws_ktable t, ws_fn f, const ws_joined *j) {
    ws_kstream next = ws__stream(ws__join(ws__next(s, op, j ? j->name : NULL), t.at, f));
    if (!j) return next;
    ws__serdes(&next.at.entry->body, j->key, j->value);
    if (j->grace_period) ws__field_number(&next.at.entry->body, "gracePeriod", j->grace_period);
    return next;
}

/* Join each record with the row of its key; of a left join records without a row come out with a null right value. */
WS__MAYBE ws_kstream ws_kstream_join_table(ws_kstream s, ws_ktable t, ws_fn f, const ws_joined *j) { return ws__join_with_table(s, "join", t, f, j); }
WS__MAYBE ws_kstream ws_kstream_left_join_table(ws_kstream s, ws_ktable t, ws_fn f, const ws_joined *j) {
    return ws__join_with_table(s, "leftJoin", t, f, j);
}

WS__COLD ws_kstream ws__join_with_global(ws_kstream s, const char *op, ws_gktable t, ws_fn keys, ws_fn f, const char *name) {
    ws_kstream next = ws__stream(ws__join(ws__next(s, op, name), t.at, f));
    ws__field_fn(&next.at.entry->body, "keyMapper", &keys);
    return next;
}

/* Join each record with the row of the key that keys answers. */
WS__MAYBE ws_kstream ws_kstream_join_global_table(ws_kstream s, ws_gktable t, ws_fn keys, ws_fn f, const char *name) {
    return ws__join_with_global(s, "join", t, keys, f, name);
}
WS__MAYBE ws_kstream ws_kstream_left_join_global_table(ws_kstream s, ws_gktable t, ws_fn keys, ws_fn f, const char *name) {
    return ws__join_with_global(s, "leftJoin", t, keys, f, name);
}

/* The names of stores, for processors. */
#define WS_STORE_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

WS__COLD void ws__field_names(ws__text *o, const char *key, const char *const *all) {
    ws__text names = {NULL, 0, 0};
    for (; all && *all; all++) {
        ws__comma(&names);
        ws__put_quoted(&names, *all);
    }
    if (names.len) ws__field_inner(o, key, "[]", &names);
}

WS__COLD void ws__stores(ws__text *o, const char *const *stores) { ws__field_names(o, "stores", stores); }

WS__COLD ws_kstream ws__process_with(ws_kstream s, const char *op, ws_fn f, const char *const *stores, const char *name) {
    ws_kstream next = ws__stream(ws__next(s, op, name));
    ws__call(&next.at.entry->body, &f);
    ws__stores(&next.at.entry->body, stores);
    return next;
}

/* Hands the records to a processor with the stores that it may use, WS_STORE_NAMES(...) or NULL. The key counts as changed,
 * but a stateful operator afterwards does not repartition: say ws_kstream_repartition. */
WS__MAYBE ws_kstream ws_kstream_process(ws_kstream s, ws_fn f, const char *const *stores, const char *name) {
    return ws__process_with(s, "process", f, stores, name);
}

/* The same for a processor that leaves keys alone. */
WS__MAYBE ws_kstream ws_kstream_process_values(ws_kstream s, ws_fn f, const char *const *stores, const char *name) {
    return ws__process_with(s, "processValues", f, stores, name);
}

WS__COLD void ws__produced(ws__text *o, const ws_produced *p) {
    if (!p) return;
    ws__topic_serde(o, "key", p->key, &p->key_serializer);
    ws__topic_serde(o, "value", p->value, &p->value_serializer);
    ws__field_fn(o, "partitioner", &p->partitioner);
}

/* Writes the stream to a topic that exists. */
WS__MAYBE void ws_kstream_to(ws_kstream s, const char *topic, const ws_produced *p) {
    ws__node n = ws__next(s, "to", p ? p->name : NULL);
    ws__field_text(&n.entry->body, "topic", topic);
    ws__produced(&n.entry->body, p);
}

/* Writes each record to the topic that f answers for it. The topics must exist. */
WS__MAYBE void ws_kstream_to_extracted(ws_kstream s, ws_fn f, const ws_produced *p) {
    ws__node n = ws__next(s, "to", p ? p->name : NULL);
    ws__field_fn(&n.entry->body, "topicExtractor", &f);
    ws__produced(&n.entry->body, p);
}

/* ---- Aggregations ------------------------------------------------------------------------------------------------------ */

WS__COLD ws_ktable ws__table_behind(ws__node from, const char *op, const ws_materialized *m) {
    ws_ktable t = {ws__behind(from, op, m ? m->node : NULL)};
    return t;
}

WS__COLD ws_ktable ws__count(ws__node from, const ws_materialized *m) {
    ws_ktable t = ws__table_behind(from, "count", m);
    ws__materialized(&t.at.entry->body, m);
    return t;
}

WS__COLD ws_ktable ws__reduce(ws__node from, ws_fn f, const ws_materialized *m) {
    ws_ktable t = ws__table_behind(from, "reduce", m);
    ws__call(&t.at.entry->body, &f);
    ws__materialized(&t.at.entry->body, m);
    return t;
}

/* An aggregation by up to three functions, each with its name; the serde of what the first of them gives that says one is
 * that of the table, if the store says none. */
WS__COLD ws_ktable ws__aggregate(ws__node from, const char *const names[3], const ws_fn *const fns[3], const ws_materialized *m) {
    ws_ktable t = ws__table_behind(from, "aggregate", m);
    const char *value = NULL;
    for (int i = 0; i < 3 && names[i]; i++) {
        ws__field_fn(&t.at.entry->body, names[i], fns[i]);
        if (!value && !(m && m->value)) value = fns[i]->out_value;
    }
    ws__field_given(&t.at.entry->body, "value", value);
    ws__materialized(&t.at.entry->body, m);
    return t;
}

#define WS__AGGREGATE(from, m, name1, f1, name2, f2, name3, f3)        \
    do {                                                               \
        const char *const names_[3] = {name1, name2, name3};           \
        const ws_fn *const fns_[3] = {f1, f2, f3};                     \
        return ws__aggregate(from, names_, fns_, m);                   \
    } while (0)

/* Count the records of each key, combine their values, or aggregate them beginning with what initializer answers. */
WS__MAYBE ws_ktable ws_kgrouped_count(ws_kgrouped g, const ws_materialized *m) { return ws__count(g.at, m); }
WS__MAYBE ws_ktable ws_kgrouped_reduce(ws_kgrouped g, ws_fn f, const ws_materialized *m) { return ws__reduce(g.at, f, m); }
WS__MAYBE ws_ktable ws_kgrouped_aggregate(ws_kgrouped g, ws_fn initializer, ws_fn aggregator, const ws_materialized *m) {
    WS__AGGREGATE(g.at, m, "initializer", &initializer, "aggregator", &aggregator, NULL, NULL);
}

/* The same of a table whose rows are grouped anew: adder adds a new row, subtractor takes an old one out. */
WS__MAYBE ws_ktable ws_kgrouped_table_count(ws_kgrouped_table g, const ws_materialized *m) { return ws__count(g.at, m); }
WS__MAYBE ws_ktable ws_kgrouped_table_reduce(ws_kgrouped_table g, ws_fn adder, ws_fn subtractor, const ws_materialized *m) {
    ws_ktable t = ws__table_behind(g.at, "reduce", m);
    ws__field_fn(&t.at.entry->body, "adder", &adder);
    ws__field_fn(&t.at.entry->body, "subtractor", &subtractor);
    ws__materialized(&t.at.entry->body, m);
    return t;
}
WS__MAYBE ws_ktable ws_kgrouped_table_aggregate(ws_kgrouped_table g, ws_fn initializer, ws_fn adder, ws_fn subtractor, const ws_materialized *m) {
    WS__AGGREGATE(g.at, m, "initializer", &initializer, "adder", &adder, "subtractor", &subtractor);
}

/* Several grouped streams that become one table. */
typedef struct ws_cogrouped {
    ws__node from[WS_PARENTS];
    ws_fn aggregators[WS_PARENTS];
    uint32_t count;
} ws_cogrouped;

/* Adds a grouped stream with its aggregator, up to WS_PARENTS of them. */
WS__MAYBE void ws_cogrouped_add(ws_cogrouped *k, ws_kgrouped g, ws_fn aggregator) {
    if (k->count == WS_PARENTS) __builtin_trap();
    k->from[k->count] = g.at;
    k->aggregators[k->count++] = aggregator;
}

/* Begins an aggregation of several grouped streams into one table. */
WS__MAYBE ws_cogrouped ws_kgrouped_cogroup(ws_kgrouped g, ws_fn aggregator) {
    ws_cogrouped k;
    k.count = 0;
    ws_cogrouped_add(&k, g, aggregator);
    return k;
}

WS__COLD ws__node ws__cogroup(const ws_cogrouped *k) {
    ws__node n = ws__add(k->from[0].b, "cogroup", NULL, NULL);
    ws__text all = {NULL, 0, 0};
    for (uint32_t i = 0; i < k->count; i++) {
        ws__text one = {NULL, 0, 0};
        ws__add_parent(n.entry, k->from[i]);
        ws__call(&one, &k->aggregators[i]);
        ws__comma(&all);
        ws__put_inner(&all, "{}", &one);
    }
    ws__field_inner(&n.entry->body, "aggregators", "[]", &all);
    return n;
}

WS__MAYBE ws_ktable ws_cogrouped_aggregate(const ws_cogrouped *k, ws_fn initializer, const ws_materialized *m) {
    WS__AGGREGATE(ws__cogroup(k), m, "initializer", &initializer, NULL, NULL, NULL, NULL);
}

/* ---- Windows ----------------------------------------------------------------------------------------------------------- */

#define WS_ON_WINDOW_UPDATE "on-window-update"
#define WS_ON_WINDOW_CLOSE "on-window-close"

/* Time, sliding or unlimited windows, or sessions. */
typedef struct ws_windows {
    const char *kind, *length; /* the names of both in documents */
    int64_t size, advance, grace;
} ws_windows;

WS__MAYBE ws_windows ws__windows(const char *kind, const char *length, int64_t size, int64_t advance, int64_t grace) {
    ws_windows w = {kind, length, size, advance, grace};
    return w;
}

/* Windows of a size that take records for grace after their end. */
WS__MAYBE ws_windows ws_tumbling_windows(int64_t size, int64_t grace) { return ws__windows("timeWindows", "size", size, 0, grace); }
/* The same, where one begins each advance. */
WS__MAYBE ws_windows ws_hopping_windows(int64_t size, int64_t advance, int64_t grace) { return ws__windows("timeWindows", "size", size, advance, grace); }
/* All windows of a time difference that hold different records. */
WS__MAYBE ws_windows ws_sliding_windows(int64_t difference, int64_t grace) { return ws__windows("slidingWindows", "timeDifference", difference, 0, grace); }
/* One window without an end, from start on. */
WS__MAYBE ws_windows ws_unlimited_windows(int64_t start) { return ws__windows("unlimitedWindows", "start", start, 0, -1); }
/* Sessions of records no further apart than gap. */
WS__MAYBE ws_windows ws_session_windows(int64_t gap, int64_t grace) { return ws__windows("sessionWindows", "inactivityGap", gap, 0, grace); }

/* Groups in windows. The operator is written with the aggregation. */
typedef struct ws_windowed {
    ws__node from;
    ws_windows windows;
    const char *emit;
} ws_windowed;

/* Divides the groups into windows or sessions. emit says when results come: NULL, WS_ON_WINDOW_UPDATE, WS_ON_WINDOW_CLOSE. */
WS__MAYBE ws_windowed ws_kgrouped_windowed_by(ws_kgrouped g, ws_windows w, const char *emit) {
    ws_windowed t = {g.at, w, emit};
    return t;
}
WS__MAYBE ws_windowed ws_cogrouped_windowed_by(const ws_cogrouped *k, ws_windows w) {
    ws_windowed t = {ws__cogroup(k), w, NULL};
    return t;
}

WS__COLD ws__node ws__windowed(const ws_windowed *t) {
    ws__node n = ws__behind(t->from, "windowedBy", NULL);
    ws__text w = {NULL, 0, 0};
    ws__field_number(&w, t->windows.length, t->windows.size);
    if (t->windows.advance) ws__field_number(&w, "advance", t->windows.advance);
    if (t->windows.grace >= 0) ws__field_number(&w, "grace", t->windows.grace);
    ws__field_inner(&n.entry->body, t->windows.kind, "{}", &w);
    ws__field_given(&n.entry->body, "emit", t->emit);
    return n;
}

/* Count, combine or aggregate the values of each window. merger combines the aggregates of sessions that become one, and is
 * ws_no_fn() for other windows; so is the aggregator of cogrouped streams, which have their own. */
WS__MAYBE ws_ktable ws_windowed_count(ws_windowed t, const ws_materialized *m) { return ws__count(ws__windowed(&t), m); }
WS__MAYBE ws_ktable ws_windowed_reduce(ws_windowed t, ws_fn f, const ws_materialized *m) { return ws__reduce(ws__windowed(&t), f, m); }
WS__MAYBE ws_ktable ws_windowed_aggregate(ws_windowed t, ws_fn initializer, ws_fn aggregator, ws_fn merger, const ws_materialized *m) {
    WS__AGGREGATE(ws__windowed(&t), m, "initializer", &initializer, "aggregator", &aggregator, "merger", &merger);
}

/* ---- KTable ------------------------------------------------------------------------------------------------------------ */

WS__COLD ws_ktable ws__table_call(ws_ktable t, const char *op, ws_fn f, const ws_materialized *m) {
    ws_ktable next = ws__table_behind(t.at, op, m);
    ws__call(&next.at.entry->body, &f);
    ws__field_given(&next.at.entry->body, "value", f.out_value);
    ws__materialized(&next.at.entry->body, m);
    return next;
}

/* Keep or drop the rows for which f says yes, or replace each value. A row that is kept no more is deleted. */
WS__MAYBE ws_ktable ws_ktable_filter(ws_ktable t, ws_fn f, const ws_materialized *m) { return ws__table_call(t, "filter", f, m); }
WS__MAYBE ws_ktable ws_ktable_filter_not(ws_ktable t, ws_fn f, const ws_materialized *m) { return ws__table_call(t, "filterNot", f, m); }
WS__MAYBE ws_ktable ws_ktable_map_values(ws_ktable t, ws_fn f, const ws_materialized *m) { return ws__table_call(t, "mapValues", f, m); }

/* Replaces each value by the one that f answers, which may use stores: then it is of the kind processValues. It is asked
 * about deletions too, with a null value. */
WS__MAYBE ws_ktable ws_ktable_transform_values(ws_ktable t, ws_fn f, const char *const *stores, const ws_materialized *m) {
    ws_ktable next = ws__table_behind(t.at, "transformValues", m);
    ws__call(&next.at.entry->body, &f);
    ws__stores(&next.at.entry->body, stores);
    ws__materialized(&next.at.entry->body, m);
    return next;
}

/* The changes of the table as a stream. */
WS__MAYBE ws_kstream ws_ktable_to_stream(ws_ktable t, const char *name) {
    ws_kstream s = ws__stream(ws__behind(t.at, "toStream", name));
    return s;
}

/* Gives each row the key and the value that f answers and groups by the key. */
WS__MAYBE ws_kgrouped_table ws_ktable_group_by(ws_ktable t, ws_fn f, const ws_grouped *g) {
    ws_kgrouped_table k = {ws__group_by(ws__behind(t.at, "groupBy", g ? g->name : NULL), f, g)};
    return k;
}

WS__COLD ws_ktable ws__join_tables(ws_ktable t, const char *op, ws_ktable other, ws_fn f, const ws_materialized *m) {
    ws_ktable next = {ws__join(ws__behind(t.at, op, m ? m->node : NULL), other.at, f)};
    ws__materialized(&next.at.entry->body, m);
    return next;
}

/* Join rows of the same key; f sees left and right. */
WS__MAYBE ws_ktable ws_ktable_join(ws_ktable t, ws_ktable other, ws_fn f, const ws_materialized *m) { return ws__join_tables(t, "join", other, f, m); }
WS__MAYBE ws_ktable ws_ktable_left_join(ws_ktable t, ws_ktable other, ws_fn f, const ws_materialized *m) { return ws__join_tables(t, "leftJoin", other, f, m); }
WS__MAYBE ws_ktable ws_ktable_outer_join(ws_ktable t, ws_ktable other, ws_fn f, const ws_materialized *m) { return ws__join_tables(t, "outerJoin", other, f, m); }

WS__COLD ws_ktable ws__join_foreign(ws_ktable t, const char *op, ws_ktable other, ws_fn key, ws_fn f, const ws_table_joined *j, const ws_materialized *m) {
    ws_ktable next = {ws__join(ws__behind(t.at, op, j ? j->name : NULL), other.at, f)};
    ws__text *o = &next.at.entry->body;
    ws__field_fn(o, "foreignKey", &key);
    if (j) ws__field_fn(o, "partitioner", &j->partitioner);
    if (j) ws__field_fn(o, "otherPartitioner", &j->other_partitioner);
    ws__materialized(o, m);
    return next;
}

/* Join each row with the row of other whose key foreign_key answers: of the kind selectKey, or an expression over key and
 * value. */
WS__MAYBE ws_ktable ws_ktable_join_foreign_key(ws_ktable t, ws_ktable other, ws_fn foreign_key, ws_fn f, const ws_table_joined *j, const ws_materialized *m) {
    return ws__join_foreign(t, "join", other, foreign_key, f, j, m);
}
WS__MAYBE ws_ktable ws_ktable_left_join_foreign_key(ws_ktable t, ws_ktable other, ws_fn foreign_key, ws_fn f, const ws_table_joined *j, const ws_materialized *m) {
    return ws__join_foreign(t, "leftJoin", other, foreign_key, f, j, m);
}

/* Holds the changes of the table back. */
WS__MAYBE ws_ktable ws_ktable_suppress(ws_ktable t, const ws_suppressed *s) {
    ws_ktable next = {ws__behind(t.at, "suppress", s->name)};
    ws__text *o = &next.at.entry->body;
    ws__field_flag(o, "untilWindowCloses", s->until_window_closes, "true");
    if (!s->until_window_closes) ws__field_number(o, "untilTimeLimit", s->until_time_limit);
    if (s->max_records) ws__field_number(o, "maxRecords", s->max_records);
    if (s->max_bytes) ws__field_number(o, "maxBytes", s->max_bytes);
    ws__field_flag(o, "emitEarly", s->emit_early, "true");
    ws__logged(o, s->logging_disabled, s->changelog);
    return next;
}

/* ---- Topology ----------------------------------------------------------------------------------------------------------
 *
 * Kafka's low-level API: nodes with names of one's own, on top of what the operators make or without any. Parents are named,
 * WS_NODE_NAMES(...), and stand before their children; a store may be added before or after those that use it. The names in
 * ws_consumed and ws_produced are of no use here. */

/* The names of nodes. */
#define WS_NODE_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Appends a call of a method. */
WS__COLD void ws__node_call(ws_builder *b, const char *method, ws__text *body) {
    ws__text entry = {NULL, 0, 0};
    ws__field_inner(&entry, method, "{}", body);
    ws__comma(&b->nodes);
    ws__put_inner(&b->nodes, "{}", &entry);
}

/* Adds a node that reads topics, WS_NODE_NAMES(...). */
WS__MAYBE void ws_topology_add_source(ws_builder *b, const char *name, const ws_consumed *c, const char *const *topics) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", name);
    ws__field_names(&o, "topics", topics);
    ws__consumed(&o, c);
    ws__node_call(b, "addSource", &o);
}

/* Adds a node that reads every topic whose whole name matches the regular expression (RE2 syntax). */
WS__MAYBE void ws_topology_add_source_pattern(ws_builder *b, const char *name, const ws_consumed *c, const char *pattern) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", name);
    ws__field_text(&o, "pattern", pattern);
    ws__consumed(&o, c);
    ws__node_call(b, "addSource", &o);
}

/* Adds a node that hands what its parents forward to a processor, with the stores that it may use: WS_STORE_NAMES(...) or
 * NULL. */
WS__MAYBE void ws_topology_add_processor(ws_builder *b, const char *name, ws_fn f, const char *const *stores, const char *const *parents) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", name);
    ws__field_names(&o, "parents", parents);
    ws__call(&o, &f);
    ws__stores(&o, stores);
    ws__node_call(b, "addProcessor", &o);
}

/* Adds a node that writes what its parents forward to a topic that exists. */
WS__MAYBE void ws_topology_add_sink(ws_builder *b, const char *name, const char *topic, const ws_produced *p, const char *const *parents) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", name);
    ws__field_names(&o, "parents", parents);
    ws__field_text(&o, "topic", topic);
    ws__produced(&o, p);
    ws__node_call(b, "addSink", &o);
}

/* Adds a sink that writes each record to the topic that f answers for it. The topics must exist. */
WS__MAYBE void ws_topology_add_sink_extracted(ws_builder *b, const char *name, ws_fn f, const ws_produced *p, const char *const *parents) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "name", name);
    ws__field_names(&o, "parents", parents);
    ws__field_fn(&o, "topicExtractor", &f);
    ws__produced(&o, p);
    ws__node_call(b, "addSink", &o);
}

/* Adds a store and connects it to processors, WS_NODE_NAMES(...) or NULL. */
WS__MAYBE void ws_topology_add_state_store(ws_builder *b, const ws_store *s, const char *const *processors) {
    ws__text o = {NULL, 0, 0}, store = ws__store(s);
    ws__field_inner(&o, "store", "{}", &store);
    ws__field_names(&o, "processors", processors);
    ws__node_call(b, "addStateStore", &o);
}

/* Lets a processor use stores, WS_STORE_NAMES(...). */
WS__MAYBE void ws_topology_connect_processor_and_state_stores(ws_builder *b, const char *processor, const char *const *stores) {
    ws__text o = {NULL, 0, 0};
    ws__field_text(&o, "processor", processor);
    ws__stores(&o, stores);
    ws__node_call(b, "connectProcessorAndStateStores", &o);
}

WS__COLD void ws__keeper(ws_builder *b, const char *method, const ws_store *s, const char *source_name, const ws_consumed *c, const char *topic,
                         const char *processor_name, const ws_fn *f) {
    ws__text o = {NULL, 0, 0}, store = ws__store(s);
    ws__field_inner(&o, "store", "{}", &store);
    ws__field_text(&o, "sourceName", source_name);
    ws__field_text(&o, "topic", topic);
    ws__field_text(&o, "processorName", processor_name);
    ws__call(&o, f);
    ws__consumed(&o, c);
    ws__node_call(b, method, &o);
}

/* Adds a store of which every instance has the whole, with the node that reads its topic and the processor f that writes it
 * from all partitions. Every processor may read it. */
WS__MAYBE void ws_topology_add_global_store(ws_builder *b, const ws_store *s, const char *source_name, const ws_consumed *c, const char *topic,
                                            const char *processor_name, ws_fn f) {
    ws__keeper(b, "addGlobalStore", s, source_name, c, topic, processor_name, &f);
}

/* Adds a store of a topic (KIP-813), with the node that reads the topic and the processor f that writes the store. The topic
 * is what it is restored from. */
WS__MAYBE void ws_topology_add_read_only_state_store(ws_builder *b, const ws_store *s, const char *source_name, const ws_consumed *c,
                                                     const char *topic, const char *processor_name, ws_fn f) {
    ws__keeper(b, "addReadOnlyStateStore", s, source_name, c, topic, processor_name, &f);
}

/* ---- The module -------------------------------------------------------------------------------------------------------- */

/* Components as they stand in the manifest, but with the quotes escaped: options are written for the assembler. */
#define WS__DESCRIBED(kind, fn, name, options) ",{" WS__S("name") ":" WS__S(name) "," WS__S("kind") ":" WS__S(#kind) options "}"

typedef void (*ws_topology)(ws_builder *b);

/* Builds the manifest at the first call and copies it if there is room; returns its length. */
WS__COLD int32_t ws__describe(const char *head, const char *components, const char *application_id, ws_topology build, uint8_t *buf, uint32_t cap) {
    static ws__text manifest;
    if (!manifest.len) {
        ws_builder b;
        __builtin_memset(&b, 0, sizeof b);
        build(&b);
        ws__put_text(&manifest, head);
        for (const char *c = *components ? components + 1 : components; *c; c++) {
            if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) c++;
            ws__put_bytes(&manifest, ws_of(c, 1));
        }
        ws__put_text(&manifest, "],\"topology\":");
        ws__put_topology(&manifest, &b, application_id);
        ws__put_text(&manifest, "}");
    }
    if (manifest.len <= cap) ws_copy(buf, manifest.ptr, manifest.len);
    return (int32_t)manifest.len;
}

/* Declares a module that is an application, in place of WS_MODULE: application_id is its application.id unless whoever runs
 * it says another, "" takes the module's name; topology is a function that describes it. A module has a component at least. */
#define WS_APPLICATION(name, version, components, application_id, topology)                                        \
    WS__EXPORT(ws_describe) int32_t ws_describe(uint8_t *buf, uint32_t cap) {                                      \
        return ws__describe("{\"abi\":1,\"name\":\"" name "\",\"version\":\"" version                              \
                            "\",\"language\":\"c\",\"sdk\":\"" WS_SDK "\",\"components\":[",                       \
                            "" components(WS__DESCRIBED), application_id, topology, buf, cap);                     \
    }                                                                                                              \
    WS__EXPORTS(components)

#ifdef __cplusplus
}
#endif

#endif /* WASMSTREAM_STREAMS_H */
