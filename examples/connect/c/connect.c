/* Plugins of Connect in C: redact and route transform records, has-field is a predicate, csv is a converter, number one of
 * headers, poll is a source, webhook is a sink. */
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

/* Joins two texts in scratch memory. */
static ws_bytes joined(ws_bytes a, ws_bytes b) {
    uint8_t *to = ws_scratch(a.len + b.len);
    ws_copy(to, a.ptr, a.len);
    ws_copy(to + a.len, b.ptr, b.len);
    return ws_of(to, a.len + b.len);
}

static void fail(ws_ctx *c, uint32_t error_class, const char *what, ws_bytes text) { ws_fail(c, error_class, joined(ws_str(what), text)); }

/* ---- csv: lines without quotes as structs of strings; values must not have commas ---- */

#define COLUMNS 64

typedef struct csv_state {
    uint32_t schema, columns;
} csv_state;

static int32_t csv_init(ws_ctx *c) {
    csv_state *s = (csv_state *)ws_state(c);
    ws_schema_field fields[COLUMNS];
    ws_bytes names = ws_open_value(c, "config.columns");
    uint8_t *text = (uint8_t *)ws_alloc(names.len + 1); /* kept: names of fields are C strings */
    if (!text) return WS_LIMIT;
    ws_copy(text, names.ptr, names.len);
    text[names.len] = 0;
    for (uint32_t at = 0; s->columns < COLUMNS && at <= names.len; s->columns++) {
        uint32_t end = ws_find(names, at, ',');
        text[end] = 0;
        fields[s->columns].name = (const char *)text + at;
        fields[s->columns].schema = ws_primitive(WS_TYPE_STRING, true);
        at = end + 1;
    }
    const ws_new_schema row = {.type = WS_TYPE_STRUCT, .name = "row", .fields = fields, .field_count = s->columns};
    s->schema = ws_make_schema(&row);
    return 0;
}

/* Columns that a line lacks are null. */
static void csv_to(ws_ctx *c, ws_bytes topic, ws_bytes line, ws_writer *to) {
    const csv_state *s = (const csv_state *)ws_state(c);
    (void)topic;
    if (!line.ptr) return;
    if (!ws_is_text(line)) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the line is not UTF-8"));
        return;
    }
    ws_write_begin(to, s->schema);
    ws_write_struct(to, s->schema, s->columns);
    uint32_t n = 0;
    for (uint32_t at = 0; at <= line.len; n++) {
        uint32_t end = ws_find(line, at, ',');
        ws_write_string(to, ws_of(line.ptr + at, end - at));
        at = end + 1;
    }
    if (n > s->columns) {
        uint8_t digits[20];
        fail(c, WS_CLASS_FAIL, "the line has more columns than ", ws_of(digits, (uint32_t)ws_put_i64(s->columns, digits)));
    }
}

static void csv_from(ws_ctx *c, ws_bytes topic, ws_datum value) {
    const csv_state *s = (const csv_state *)ws_state(c);
    (void)topic;
    if (ws_type(value) == WS_TYPE_NULL) {
        ws_null_value(c);
        return;
    }
    uint32_t size = s->columns, n = 0;
    for (uint32_t i = 0; i < s->columns; i++) size += ws_data(ws_at(value, i)).len;
    uint8_t *line = ws_scratch(size);
    for (uint32_t i = 0; i < s->columns; i++) {
        ws_bytes text = ws_data(ws_at(value, i));
        if (ws_find(text, 0, ',') < text.len) {
            ws_fail(c, WS_CLASS_FAIL, ws_str("a column has a comma"));
            return;
        }
        if (i) line[n++] = ',';
        ws_copy(line + n, text.ptr, text.len);
        n += text.len;
    }
    ws_value(c, ws_of(line, n));
}

static const ws_converter csv = {.task = {.state_size = sizeof(csv_state), .init = csv_init}, .to_connect = csv_to, .from_connect = csv_from};

/* ---- number: headers of decimal numbers as INT64 ---- */

static bool parsed(ws_bytes text, int64_t *n) {
    uint32_t at = text.len && text.ptr[0] == '-';
    uint64_t v = 0;
    if (at == text.len || text.len - at > 18) return false;
    for (; at < text.len; at++) {
        if (!is_digit(text.ptr[at])) return false;
        v = 10 * v + (uint64_t)(text.ptr[at] - '0');
    }
    *n = text.ptr[0] == '-' ? -(int64_t)v : (int64_t)v;
    return true;
}

static void no_number(ws_ctx *c, ws_bytes name) {
    uint32_t n = 0;
    const ws_bytes parts[3] = {ws_str("header "), name, ws_str(" is no number")};
    uint8_t *text = ws_scratch(name.len + 32);
    for (uint32_t i = 0; i < 3; n += parts[i++].len) ws_copy(text + n, parts[i].ptr, parts[i].len);
    ws_fail(c, WS_CLASS_FAIL, ws_of(text, n));
}

static void number_to(ws_ctx *c, ws_bytes name, ws_bytes text, ws_writer *to) {
    int64_t n;
    if (!text.ptr) return;
    if (!parsed(text, &n)) {
        no_number(c, name);
        return;
    }
    ws_write_begin(to, ws_primitive(WS_TYPE_INT64, false));
    ws_write_int64(to, n);
}

static void number_from(ws_ctx *c, ws_bytes name, ws_datum value) {
    uint8_t digits[20];
    uint32_t t = ws_type(value);
    if (t == WS_TYPE_NULL) ws_null_value(c);
    else if (t >= WS_TYPE_INT8 && t <= WS_TYPE_INT64) ws_value(c, ws_of(digits, ws_put_i64(ws_int(value), digits)));
    else no_number(c, name);
}

static const ws_converter number = {.to_connect = number_to, .from_connect = number_from};

/* ---- poll and webhook: what both do with a server ---- */

/* Sends a request with the bearer token, if there is one; true if the server answers 2xx. Else it fails: what may pass by
 * with retry, what will not with otherwise. */
static bool ask(ws_ctx *c, ws_request *q, uint32_t otherwise, ws_response *answer) {
    uint8_t bearer[128] = "Bearer ";
    ws_bytes token = ws_open_value(c, "config.token");
    const ws_new_header headers[2] = {{ws_str("content-type"), ws_str("application/json")}, {ws_str("authorization"), ws_of(bearer, 7 + token.len)}};
    q->headers = headers;
    q->header_count = token.ptr && token.len < sizeof bearer - 7 ? 2 : 1;
    if (q->header_count == 2) ws_copy(bearer + 7, token.ptr, token.len);
    int32_t code = ws_http(q, answer);
    if (code == WS_RETRY) fail(c, WS_CLASS_RETRY, "no answer of ", q->url);
    else if (code == WS_DENIED) fail(c, WS_CLASS_FAIL, "it is not allowed to reach ", q->url);
    else if (code < 0) fail(c, WS_CLASS_FAIL, "the host refuses ", q->url);
    else if (answer->status == 429 || answer->status >= 500) fail(c, WS_CLASS_RETRY, "the server cannot answer now: ", q->url);
    else if (answer->status / 100 != 2) fail(c, otherwise, "the server refuses ", q->url);
    else return true;
    return false;
}

typedef struct poll_state {
    int64_t seen;
} poll_state;

static void poll_partition(ws_ctx *c, ws_writer *w) {
    ws_write_map(w, 1);
    ws_write_string(w, ws_str("url"));
    ws_write_string(w, ws_open_value(c, "config.url"));
}

static int32_t poll_init(ws_ctx *c) {
    static ws_writer partition;
    ws_datum offset;
    ws_write_begin(&partition, 0);
    poll_partition(c, &partition);
    int32_t code = ws_offset(&partition, &offset);
    ((poll_state *)ws_state(c))->seen = ws_int(ws_field(offset, "line"));
    return code == WS_DENIED ? 0 : code; /* denied where only the settings are tried */
}

/* Asks for the lines behind those seen. A line without its end comes whole with the next poll. */
static void poll_poll(ws_ctx *c, ws_polled *b, uint32_t budget) {
    poll_state *s = (poll_state *)ws_state(c);
    uint8_t url[2048], *end = url;
    ws_bytes base = ws_open_value(c, "config.url");
    if (base.len > sizeof url - 32) {
        ws_fail(c, WS_CLASS_FAIL, ws_str("the url is too long"));
        return;
    }
    ws_copy(url, base.ptr, base.len);
    ws_copy(url + base.len, "?after=", 7);
    end += base.len + 7;
    end += ws_put_i64(s->seen, end);
    ws_request q = {.method = ws_str("GET"), .url = ws_of(url, (uint32_t)(end - url))};
    ws_response answer;
    if (!ask(c, &q, WS_CLASS_FAIL, &answer)) return;
    for (uint32_t at = 0, n = 0; n < budget; n++) {
        uint32_t line = ws_find(answer.body, at, '\n');
        if (line >= answer.body.len) break;
        ws_polled_begin(b, ws_open_value(c, "config.topic"));
        ws_write_string(ws_polled_value(b, ws_primitive(WS_TYPE_STRING, false)), ws_of(answer.body.ptr + at, line - at));
        poll_partition(c, ws_polled_partition(b));
        ws_writer *offset = ws_polled_offset(b);
        ws_write_map(offset, 1);
        ws_write_string(offset, ws_str("line"));
        ws_write_int64(offset, ++s->seen);
        ws_polled_end(c, b);
        at = line + 1;
    }
}

static const ws_source poll = {.task = {.state_size = sizeof(poll_state), .init = poll_init}, .poll = poll_poll};

/* Posts each record, text, to a URL. */
static void webhook_put(ws_ctx *c, const ws_change *r) {
    ws_response answer;
    ws_request q = {.method = ws_str("POST"), .url = ws_open_value(c, "config.url"), .body = ws_data(ws_value_of(r))};
    if (ws_type(ws_value_of(r)) == WS_TYPE_STRING) ask(c, &q, WS_CLASS_DEAD_LETTER, &answer);
    else ws_fail(c, WS_CLASS_DEAD_LETTER, ws_str("the value is no text"));
}

static const ws_sink webhook = {.put = webhook_put};

#define TOKEN WS_SETTING("token", WS_TYPE("PASSWORD") WS_OPTIONAL WS_DOC("A bearer token."))

#define COMPONENTS(C)                                                                                                  \
    C(transformation, redact, "redact", WS_WANTS(WS_VALUE) WS_DESCRIPTION("masks card numbers in text")                \
      WS_CONFIG(WS_SETTING("fields", WS_TYPE("LIST") WS_DEFAULT("") WS_DOC("The fields to look into, where the value is no text."))))         \
    C(transformation, route, "route", WS_WANTS(WS_VALUE) WS_DESCRIPTION("sends records to topics named by a field")    \
      WS_CONFIG(WS_SETTING("field", WS_DOC("The field that names the topic.")), WS_SETTING("prefix", WS_DEFAULT("") WS_DOC("What the topics begin with.")))) \
    C(predicate, has_field, "has-field", WS_WANTS(WS_VALUE) WS_DESCRIPTION("true for records with a field")            \
      WS_CONFIG(WS_SETTING("field", WS_DOC("The field to look for."))))                                                \
    C(converter, csv, "csv", WS_WANTS(WS_VALUE) WS_DESCRIPTION("lines of comma-separated values as structs of strings") \
      WS_CONFIG(WS_SETTING("columns", WS_TYPE("LIST") WS_DOC("The names of the columns."))))                           \
    C(headerConverter, number, "number", WS_WANTS(WS_KEY, WS_VALUE) WS_DESCRIPTION("headers of decimal numbers as INT64")) \
    C(source, poll, "poll", WS_DESCRIPTION("polls a URL for lines behind the last one seen")                           \
      WS_CONFIG(WS_SETTING("url", WS_DOC("What is asked for; the number of lines seen is added as ?after=N. wasm.egress.allow of the worker must allow it.")), \
                WS_SETTING("topic", WS_DOC("The topic that the lines go to.")), TOKEN))                                \
    C(sink, webhook, "webhook", WS_DESCRIPTION("posts records to a URL")                                               \
      WS_CONFIG(WS_SETTING("url", WS_DOC("Where records are posted to; wasm.egress.allow of the worker must allow it.")), TOKEN))

WS_MODULE("connect-c", "1.0.0", COMPONENTS)
