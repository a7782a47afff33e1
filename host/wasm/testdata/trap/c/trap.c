/* A guest that traps at a line that the test knows by its comment. */
#include "wasmstream.h"

__attribute__((noinline)) static int divide(int a, int b) {
    return a / b; // TRAPS HERE
}

__attribute__((noinline)) static int average(const ws_record *r, int n) {
    int sum = 0;
    for (uint32_t i = 0; i < r->value.len; i++)
        sum += ((const unsigned char *)r->value.ptr)[i];
    return divide(sum, n) // CALLS IT
           + 1;
}

static bool mean(ws_ctx *c, const ws_record *r) {
    (void)c;
    return average(r, (int)r->value.len) < 256;
}

#define COMPONENTS(C) C(filter, mean, "mean", WS_WANTS(WS_VALUE) WS_DESCRIPTION("that of no bytes is a division by zero"))

WS_MODULE("trap", "1.0.0", COMPONENTS)
