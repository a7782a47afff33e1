/*
 * mapValues over JSON in C:
 *
 *   enrich  adds the field total = round(amount * 119) / 100, makes the field type upper case, drops the field agent
 *   copy    lets every record pass by reference
 *   upper   makes the letters of any value upper case
 *
 * enrich changes no other byte of the value. What it cannot process - a value that is not a JSON object, a type that is
 * not a string - is an error of that record, as an exception would be in Java. It differs from Java with Jackson in this:
 * numbers and strings that are not touched keep their text (Jackson writes 1.50 as 1.5 and \u0041 as A, which is the
 * same content); upper case is that of ASCII letters; text behind the object is an error; of a key that occurs twice the
 * first counts.
 *
 * Build: clang-19 --target=wasm32 -O2 -nostdlib -ffreestanding -mbulk-memory -msign-ext -Wl,--no-entry \
 *     -Wl,--strip-debug -Wl,-z,stack-size=65536 -I guest-sdk/c -o examples/mapvalues/mapvalues.wasm examples/mapvalues/c/mapvalues.c
 */
#include "wasmstream.h"

enum { AMOUNT, TYPE, AGENT, TOTAL, FIELDS };

static ws_json_query fields;

static void find_fields(void) {
    if (fields.paths) return;
    ws_json_add(&fields, "amount");
    ws_json_add(&fields, "type");
    ws_json_add(&fields, "agent");
    ws_json_add(&fields, "total");
}

/* Upper case of a JSON string with its quotes. What stands behind a backslash stays, but for the codes of small letters,
 * \u0061 to \u007a. */
static ws_bytes upper_string(ws_bytes raw) {
    uint8_t *to = ws_scratch(raw.len);
    ws_upper(to, raw.ptr, raw.len);
    for (uint32_t i = ws_find(raw, 0, '\\'); i < raw.len; i = ws_find(raw, i, '\\')) {
        uint32_t n = raw.ptr[i + 1] == 'u' ? 6 : 2;
        ws_copy(to + i, raw.ptr + i, n);
        if (n == 6 && ws__hex4(raw.ptr + i + 2) - 'a' < 26) to[i + 4] -= 2;
        i += n;
    }
    return ws_of(to, raw.len);
}

/* Java's Math.round: to the nearest whole number, halves up, as far as 64 bits reach. */
static double round_half_up(double x) {
    double down = __builtin_floor(x);
    if (x - down >= 0.5) down += 1;
    if (down > 9223372036854775807.0) return 9223372036854775807.0;
    if (down < -9223372036854775808.0) return -9223372036854775808.0;
    return down + 0.0;
}

static void enrich(ws_ctx *c, const ws_record *r) {
    ws_json_field f[FIELDS];
    uint8_t total[32];
    double amount = 0;
    find_fields();
    if (ws_is_null(r->value) || !ws_json_scan(r->value, &fields, f) || f[AMOUNT].parent_type != WS_JSON_OBJECT) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the value is not a JSON object"));
        return;
    }
    if (f[TYPE].type != WS_JSON_STRING) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the field type is not a string"));
        return;
    }
    if (f[AMOUNT].type == WS_JSON_NUMBER) ws_json_f64(ws_json_raw(r->value, &f[AMOUNT]), &amount);
    double cents = round_half_up(amount * 119);
    ws_json_edit edits[] = {
        {TOTAL, WS_JSON_SET, ws_of(total, ws_put_f64(cents / 100, total))},
        {TYPE, WS_JSON_SET, upper_string(ws_json_raw(r->value, &f[TYPE]))},
        {AGENT, WS_JSON_REMOVE, ws_null()},
    };
    ws_json_value(c, r->value, &fields, f, edits, 3);
}

static void copy(ws_ctx *c, const ws_record *r) {
    (void)r;
    ws_keep(c);
}

static void upper(ws_ctx *c, const ws_record *r) {
    if (ws_is_null(r->value)) {
        ws_keep(c);
        return;
    }
    ws_upper(ws_value_begin(c, r->value.len), r->value.ptr, r->value.len);
    ws_value_end(c, r->value.len);
}

#define COMPONENTS(C)                                                                                                \
    C(mapValues, enrich, "enrich", WS_WANTS(WS_VALUE) WS_DESCRIPTION("adds total, upper-cases type, drops agent"))   \
    C(mapValues, copy, "copy", WS_WANTS_NOTHING WS_DESCRIPTION("lets every record pass by reference"))               \
    C(mapValues, upper, "upper", WS_WANTS(WS_VALUE) WS_DESCRIPTION("makes ASCII letters upper case"))

WS_MODULE("mapvalues", "1.0.0", COMPONENTS)
