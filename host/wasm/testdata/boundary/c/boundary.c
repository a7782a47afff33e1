/* The two ends of what a guest can do with a record: name it, or copy all of it. For the benchmark of the boundary. */
#include "wasmstream.h"

static void reference(ws_ctx *c, const ws_record *r) {
    (void)r;
    ws_keep(c);
}

static void copied(ws_ctx *c, const ws_record *r) { ws_key_value(c, r->key, r->value); }

#define COMPONENTS(C)                               \
    C(mapValues, reference, "reference", WS_WANTS_NOTHING) \
    C(map, copied, "copied", WS_WANTS(WS_KEY, WS_VALUE))

WS_MODULE("boundary", "1.0.0", COMPONENTS)
