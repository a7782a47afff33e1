/*
 * WordCount in C, in two forms:
 *
 *   split-words  the function of flatMapValues: a line to its words; groupBy and count are the host's
 *   count-words  a processor that does it all: splits a line and counts its words in the store "counts"
 *
 * The rule for words: ASCII letters to lower case, split at blanks as Java's split(" ") does. Words between two blanks
 * may be empty, empty ones at the end go, an empty line is one empty word, a line of blanks alone has no words.
 *
 * Build: clang-19 --target=wasm32 -O2 -nostdlib -ffreestanding -mbulk-memory -msign-ext -Wl,--no-entry \
 *     -Wl,--strip-debug -Wl,-z,stack-size=65536 -I guest-sdk/c -o examples/wordcount/wordcount.wasm examples/wordcount/c/wordcount.c
 */
#include "wasmstream.h"

/* The length of line without the blanks at its end; words that are empty end there. */
static uint32_t trimmed(ws_bytes line) {
    uint32_t n = line.len;
    while (n && line.ptr[n - 1] == ' ') n--;
    return n;
}

/* Copies a word in lower case. 'A' to 'Z' differ from the small letters in one bit. */
static inline void lower(uint8_t *to, const uint8_t *from, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint8_t c = from[i];
        to[i] = c | (uint8_t)((uint8_t)(c - 'A') < 26) << 5;
    }
}

/* Cuts the next word off line[*at, n), where n is trimmed. False when there is none left. */
static inline bool next_word(ws_bytes line, uint32_t *at, uint32_t n, ws_bytes *word) {
    uint32_t start = *at, i = start;
    if (start > n) return false;
    while (i < n && line.ptr[i] != ' ') i++;
    *word = ws_of(line.ptr + start, i - start);
    *at = i + 1;
    return true;
}

/* Whether a line has words at all: one of blanks alone and a null have none, an empty one has one. */
static inline bool has_words(ws_bytes line, uint32_t n) { return !ws_is_null(line) && (n || !line.len); }

static void split_words(ws_ctx *c, const ws_record *r) {
    uint32_t n = trimmed(r->value), at = 0;
    ws_bytes word;
    if (!has_words(r->value, n)) return;
    while (next_word(r->value, &at, n, &word)) {
        lower(ws_value_begin(c, word.len), word.ptr, word.len);
        ws_value_end(c, word.len);
    }
}

typedef struct counter {
    int32_t counts;
} counter;

static int32_t counter_init(ws_ctx *c) {
    counter *self = (counter *)ws_state(c);
    self->counts = ws_store_open(c, "counts");
    return self->counts;
}

static void counter_process(ws_ctx *c, const ws_record *r) {
    counter *self = (counter *)ws_state(c);
    uint32_t n = trimmed(r->value), at = 0;
    ws_bytes word, old;
    if (!has_words(r->value, n)) return;
    uint8_t *copy = ws_scratch(n);
    lower(copy, r->value.ptr, n);
    ws_bytes line = ws_of(copy, n);
    while (!c->error && next_word(line, &at, n, &word)) {
        uint8_t count[8];
        ws_store_get(c, self->counts, word, &old);
        ws_put_long(count, ws_long(old) + 1);
        ws_store_put(c, self->counts, word, ws_of(count, 8));
        ws_forward(c, word, ws_of(count, 8));
    }
}

static const ws_processor count_words = {sizeof(counter), counter_init, counter_process, NULL, NULL, NULL};

#define COMPONENTS(C)                                                                                     \
    C(flatMapValues, split_words, "split-words", WS_WANTS(WS_VALUE) WS_DESCRIPTION("a line to its words")) \
    C(process, count_words, "count-words",                                                                \
      WS_WANTS(WS_VALUE) WS_STORES("counts") WS_DESCRIPTION("counts the words of lines"))

WS_MODULE("wordcount", "1.0.0", COMPONENTS)
