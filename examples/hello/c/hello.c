/* The smallest guest in C: one function for mapValues. */
#include "wasmstream.h"

static void greet(ws_ctx *c, const ws_record *r) {
    uint32_t n = 7 + r->value.len;
    uint8_t *line = ws_value_begin(c, n);
    ws_copy(line, "hello, ", 7);
    ws_copy(line + 7, r->value.ptr, r->value.len);
    ws_value_end(c, n);
}

#define COMPONENTS(C) C(mapValues, greet, "greet", WS_WANTS(WS_VALUE) WS_DESCRIPTION("hello, NAME"))
WS_MODULE("hello", "1.0.0", COMPONENTS)
