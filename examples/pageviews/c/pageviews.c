/*
 * Page views by region: the joiner that puts the region of the user into a page view. Users whose profile is not known,
 * or has no region, are in the region UNKNOWN.
 */
#include "wasmstream.h"

enum { REGION, FIELDS };

static ws_json_query fields;

static void with_region(ws_ctx *c, const ws_record *r) {
    ws_json_field view[FIELDS], user[FIELDS];
    ws_bytes region = ws_str("\"UNKNOWN\"");
    if (!fields.paths) ws_json_add(&fields, "region");
    if (!ws_json_scan(r->value, &fields, view)) {
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the page view is not JSON"));
        return;
    }
    if (!ws_is_null(r->second) && ws_json_scan(r->second, &fields, user) && user[REGION].type == WS_JSON_STRING)
        region = ws_json_raw(r->second, &user[REGION]);
    ws_json_edit edit = {REGION, WS_JSON_SET, region};
    if (ws_json_value(c, r->value, &fields, view, &edit, 1) < 0)
        ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the page view is no object"));
}

#define COMPONENTS(C) \
    C(joiner, with_region, "with-region", WS_WANTS(WS_VALUE) WS_DESCRIPTION("a page view with the region of its user"))

WS_MODULE("pageviews", "1.0.0", COMPONENTS)
