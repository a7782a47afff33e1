// WordCount as a guest in Go, in two forms: split-words is the function of the DSL's flatMapValues, count-words a
// processor that splits, counts in its own store and forwards every update.
package main

import (
	"errors"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func init() {
	wasmstream.Module("wordcount", "1.0.0")
	wasmstream.FlatMapValues("split-words", func(line []byte, emit func([]byte)) { split(line, emit) },
		wasmstream.Description("the words of a line of text, in lower case"))
	wasmstream.Process("count-words", func() wasmstream.Processor { return new(counter) },
		wasmstream.Wants(wasmstream.Value), wasmstream.Stores("counts"),
		wasmstream.Description("counts the words of lines of text and forwards each new count"))
}

func main() {}

// counter is the processor: key = word, value = its count so far, as Kafka's LongSerializer writes it.
type counter struct {
	counts *wasmstream.KeyValueStore
	out    wasmstream.Record
	value  [8]byte
	err    error
	count  func(word []byte)
}

// Init opens the store.
func (c *counter) Init(ctx *wasmstream.Context) (err error) {
	c.counts, err = ctx.Store("counts")
	c.count = func(word []byte) {
		if c.err == nil {
			c.err = c.add(ctx, word)
		}
	}
	return err
}

// Process counts the words of one line.
func (c *counter) Process(_ *wasmstream.Context, rec *wasmstream.Record) error {
	c.out = *rec
	c.err = nil
	split(rec.Value, c.count)
	return c.err
}

// Close has nothing to give back.
func (c *counter) Close() error { return nil }

var errNotALong = errors.New("the store holds a value that is not a long of 8 bytes")

// add reads, adds one, writes and forwards.
func (c *counter) add(ctx *wasmstream.Context, word []byte) error {
	old, err := c.counts.Get(word)
	if err != nil {
		return err
	}
	n, ok := wasmstream.Long(old)
	if old != nil && !ok {
		return errNotALong
	}
	value := wasmstream.AppendLong(c.value[:0], n+1)
	if err := c.counts.Put(word, value); err != nil {
		return err
	}
	c.out.Key, c.out.Value = word, value
	ctx.Forward(&c.out)
	return nil
}
