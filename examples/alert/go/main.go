// Alert with punctuation: a processor that remembers when it last heard of each device, and a punctuator by the wall clock
// that tells of the devices which have been silent for too long, once each.
package main

import (
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func init() {
	wasmstream.Module("alert", "1.0.0")
	wasmstream.Process("watch", func() wasmstream.Processor { return new(watch) },
		wasmstream.Wants(wasmstream.Key), wasmstream.Stores("heard"),
		wasmstream.Description("tells of devices that are silent for silence.ms (30 seconds)"))
}

func main() {}

// watch is the processor. heard has the time of the last record of each device.
type watch struct {
	heard   *wasmstream.KeyValueStore
	silence int64
	told    wasmstream.Batch
	now     [8]byte
	alert   []byte
}

// Init opens the store and begins to check.
func (w *watch) Init(ctx *wasmstream.Context) (err error) {
	if w.heard, err = ctx.Store("heard"); err != nil {
		return err
	}
	w.silence = setting(ctx, "silence.ms", 30_000)
	_, err = ctx.Schedule(time.Duration(setting(ctx, "check.ms", 10_000))*time.Millisecond, wasmstream.WallClockTime)
	return err
}

func setting(ctx *wasmstream.Context, key string, otherwise int64) int64 {
	text, _ := ctx.Config(key)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return otherwise
}

// Process notes that the device of the key is alive.
func (w *watch) Process(ctx *wasmstream.Context, rec *wasmstream.Record) error {
	if rec.Key == nil {
		return nil
	}
	return w.heard.Put(rec.Key, wasmstream.AppendLong(w.now[:0], ctx.Time()))
}

// Punctuate tells of devices that have been silent, and forgets them.
func (w *watch) Punctuate(ctx *wasmstream.Context, _ wasmstream.Timer, now int64) error {
	all, err := w.heard.All()
	if err != nil {
		return err
	}
	defer all.Close()
	w.told.Reset()
	for all.Next() {
		last, _ := wasmstream.Long(all.Value())
		if silent := now - last; silent >= w.silence {
			w.alert = append(strconv.AppendInt(append(w.alert[:0], `{"silent_for_ms":`...), silent, 10), '}')
			ctx.Forward(&wasmstream.Record{Key: all.Key(), Value: w.alert, Timestamp: ctx.StreamTime()})
			w.told.Key(all.Key())
		}
	}
	if err := all.Err(); err != nil {
		return err
	}
	return w.heard.WriteMany(&w.told)
}

// Close has nothing to give back.
func (w *watch) Close() error { return nil }
