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

/* Cuts the next word off line, which is trimmed. False when there is none left. */
static inline bool next_word(ws_bytes line, uint32_t *at, ws_bytes *word) {
    uint32_t start = *at;
    if (start > line.len) return false;
    uint32_t end = ws_find(line, start, ' ');
    *word = ws_of(line.ptr + start, end - start);
    *at = end + 1;
    return true;
}

/* The words of a value as one line in lower case, trimmed; false if it has none: a null, or blanks alone. */
static inline bool words_of(ws_bytes value, ws_bytes *line) {
    uint32_t n = trimmed(value);
    if (ws_is_null(value) || (!n && value.len)) return false;
    uint8_t *copy = ws_scratch(n);
    ws_lower(copy, value.ptr, n);
    *line = ws_of(copy, n);
    return true;
}

static void split_words(ws_ctx *c, const ws_record *r) {
    ws_bytes line, word;
    uint32_t at = 0;
    if (!words_of(r->value, &line)) return;
    while (next_word(line, &at, &word)) ws_value(c, word);
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
    ws_bytes line, word, old;
    uint32_t at = 0;
    if (!words_of(r->value, &line)) return;
    while (!c->error && next_word(line, &at, &word)) {
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
