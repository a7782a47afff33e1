/* Orders enriched by foreign-key join: the joiner that puts name and price of the product into an order, and the total. */
#include "wasmstream.h"

enum { QUANTITY, NAME, PRICE, TOTAL, FIELDS };

static ws_json_query fields;

/* Writes a number; one that is whole without a fraction. */
static ws_bytes number(double x, uint8_t text[32]) {
    uint32_t n = ws_put_f64(x, text);
    return ws_of(text, n > 2 && text[n - 2] == '.' && text[n - 1] == '0' ? n - 2 : n);
}

static void enrich(ws_ctx *c, const ws_record *r) {
    ws_json_field order[FIELDS], product[FIELDS];
    double quantity = 0, price = 0;
    uint8_t total[32];
    if (!fields.paths) {
        ws_json_add(&fields, "quantity");
        ws_json_add(&fields, "name");
        ws_json_add(&fields, "price");
        ws_json_add(&fields, "total");
    }
    if (!ws_json_scan(r->value, &fields, order) || !ws_json_scan(r->second, &fields, product) || product[NAME].type == WS_JSON_NONE) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the order or the product is not JSON, or the product has no name"));
        return;
    }
    if (order[QUANTITY].type == WS_JSON_NUMBER) ws_json_f64(ws_json_raw(r->value, &order[QUANTITY]), &quantity);
    if (product[PRICE].type == WS_JSON_NUMBER) ws_json_f64(ws_json_raw(r->second, &product[PRICE]), &price);
    ws_json_edit edits[] = {
        {NAME, WS_JSON_SET, ws_json_raw(r->second, &product[NAME])},
        {TOTAL, WS_JSON_SET, number(quantity * price, total)},
    };
    ws_json_value(c, r->value, &fields, order, edits, 2);
}

#define COMPONENTS(C) C(joiner, enrich, "enrich", WS_WANTS(WS_VALUE) WS_DESCRIPTION("an order with its product's name and the total"))

WS_MODULE("orders", "1.0.0", COMPONENTS)
