package guestbuild_test

import (
	"context"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// event is a document of the size that the benchmark's generator makes.
const event = `{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245",` +
	`"session":"0123456789abcdef","agent":"0123456789abcdef0123456789abcdef0123456789abcdef"}`

// BenchmarkGuests is the time of one record in the guests of all languages, metered, in frames of 100. That of
// go-stdlib is enrich with encoding/json, by a struct and by a map.
func BenchmarkGuests(b *testing.B) {
	engine, err := wasm.NewEngine(context.Background(), wasm.Config{CacheDir: b.TempDir(), Limits: wasm.DefaultLimits()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { engine.Close(context.Background()) })
	const line = "all streams lead to kafka and the words of this line are twenty as in the generator of the benchmark jobs"
	for _, c := range []struct{ component, guest, value string }{
		{"enrich", "mapvalues-c", event},
		{"enrich", "mapvalues-rust", event},
		{"enrich", "mapvalues-go", event},
		{"enrich", "mapvalues-go-stdlib", event},
		{"enrich-map", "mapvalues-go-stdlib", event},
		{"copy", "mapvalues-c", event},
		{"copy", "mapvalues-rust", event},
		{"copy", "mapvalues-go", event},
		{"split-words", "wordcount-c", line},
		{"split-words", "wordcount-rust", line},
		{"split-words", "wordcount-go", line},
	} {
		b.Run(c.component+"/"+c.guest, func(b *testing.B) {
			g := openGuest(b, engine, c.guest, c.component)
			benchFrame(b, g, []byte(c.value))
		})
	}
}

// benchFrame counts each record as one operation.
func benchFrame(b *testing.B, g *guest, value []byte) {
	const records = 100
	frame := abi.AppendFrameHeader(nil, &abi.FrameHeader{})
	for i := range records {
		frame = abi.AppendRecord(frame, &abi.Record{Value: value, Index: uint32(i)})
	}
	abi.FinishFrame(frame, 0, records)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%records != 0 {
			continue
		}
		in, err := g.instance.Reserve(len(frame))
		if err != nil {
			b.Fatal(err)
		}
		copy(in, frame)
		if _, err := g.instance.Process(g.handle, len(frame)); err != nil {
			b.Fatal(err)
		}
	}
}
