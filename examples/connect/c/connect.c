/* Plugins of Connect in C: redact and route transform records, has-field is a predicate. */
#include "wasmstream_connect.h"

static bool is_digit(uint8_t b) { return (uint8_t)(b - '0') < 10; }

/* How many digits begin at b[at], blanks and hyphens between them not counted; end is where they end. */
static uint32_t digits_from(ws_bytes b, uint32_t at, uint32_t *end) {
    uint32_t n = 0;
    for (*end = at; at < b.len && (is_digit(b.ptr[at]) || b.ptr[at] == ' ' || b.ptr[at] == '-'); at++) {
        if (!is_digit(b.ptr[at])) continue;
        n++;
        *end = at + 1;
    }
    return n;
}

/* Copies text with the digits of numbers as long as those of cards (13 to 19) masked but for the last four; false if
 * there are none. */
static bool redacted(ws_bytes text, uint8_t *to) {
    bool any = false;
    ws_copy(to, text.ptr, text.len);
    for (uint32_t at = 0, end; at < text.len; at = end + 1) {
        end = at;
        if (!is_digit(text.ptr[at])) continue;
        uint32_t n = digits_from(text, at, &end);
        if (n < 13 || n > 19) continue;
        any = true;
        for (uint32_t i = at, seen = 0; i < end; i++)
            if (is_digit(text.ptr[i]) && ++seen + 4 <= n) to[i] = '*';
    }
    return any;
}

static void redact_into(ws_writer *w, ws_bytes text) {
    uint8_t *to = ws_scratch(text.len);
    ws_write_string(w, redacted(text, to) ? ws_of(to, text.len) : text);
}

/* Masks card numbers in the value, where it is text, else in the fields that the setting fields names. */
static void redact(ws_ctx *c, ws_change *r) {
    ws_datum value = ws_value_of(r);
    if (ws_type(value) == WS_TYPE_STRING) {
        if (redacted(ws_data(value), ws_scratch(ws_data(value).len))) redact_into(ws_set_value(r, ws_schema(value)), ws_data(value));
        return;
    }
    ws_bytes names = ws_open_value(c, "config.fields");
    for (uint32_t at = 0; at < names.len;) {
        uint32_t end = ws_find(names, at, ',');
        ws_bytes name = ws_of(names.ptr + at, end - at);
        int32_t i = ws_index(value, name);
        if (i >= 0 && ws_type(ws_at(value, (uint32_t)i)) == WS_TYPE_STRING) redact_into(ws_set_field(r, name), ws_data(ws_at(value, (uint32_t)i)));
        at = end + 1;
    }
}

/* Sends each record to <prefix><the text of a field>. One without the field cannot be processed. */
static void route(ws_ctx *c, ws_change *r) {
    ws_bytes prefix = ws_open_value(c, "config.prefix"), name = ws_open_value(c, "config.field");
    ws_datum value = ws_value_of(r), field = ws_at(value, (uint32_t)ws_index(value, name));
    if (ws_type(field) != WS_TYPE_STRING) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the field to route by is not there, or is no text"));
        return;
    }
    ws_bytes text = ws_data(field);
    uint8_t *topic = ws_scratch(prefix.len + text.len);
    ws_copy(topic, prefix.ptr, prefix.len);
    ws_copy(topic + prefix.len, text.ptr, text.len);
    ws_set_topic(r, ws_of(topic, prefix.len + text.len));
}

/* True for records whose value has a field, and not null in it. */
static bool has_field(ws_ctx *c, const ws_change *r) {
    ws_datum value = ws_value_of(r);
    return ws_type(ws_at(value, (uint32_t)ws_index(value, ws_open_value(c, "config.field")))) != WS_TYPE_NULL;
}

#define COMPONENTS(C)                                                                                                  \
    C(transformation, redact, "redact", WS_WANTS(WS_VALUE) WS_DESCRIPTION("masks card numbers in text")                \
      WS_CONFIG(WS_SETTING("fields", WS_TYPE("LIST") WS_DEFAULT("") WS_DOC("The fields to look into, where the value is no text."))))         \
    C(transformation, route, "route", WS_WANTS(WS_VALUE) WS_DESCRIPTION("sends records to topics named by a field")    \
      WS_CONFIG(WS_SETTING("field", WS_DOC("The field that names the topic.")), WS_SETTING("prefix", WS_DEFAULT("") WS_DOC("What the topics begin with.")))) \
    C(predicate, has_field, "has-field", WS_WANTS(WS_VALUE) WS_DESCRIPTION("true for records with a field")            \
      WS_CONFIG(WS_SETTING("field", WS_DOC("The field to look for."))))

WS_MODULE("connect-c", "1.0.0", COMPONENTS)
