package tck

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/abi"
)

// BenchmarkGuests measures the components of the examples in frames of 100 records: call, guest code, and decoding of
// the answer. One operation is one record.
func BenchmarkGuests(b *testing.B) {
	const records = 100
	line := "all streams lead to kafka hello kafka streams join kafka summit and the many other words that lines may have"
	event := `{"user":"u000123","type":"purchase","amount":123.45,"ts":1700000000000,"item":"item-0001","agent":"Mozilla/5.0 (X11; Linux x86_64)"}`
	for _, bm := range []struct{ module, component, value string }{
		{"wordcount", "split-words", line},
		{"wordcount", "count-words", line},
		{"mapvalues", "enrich", event},
		{"mapvalues", "copy", event},
		{"mapvalues", "upper", event},
	} {
		b.Run(bm.component, func(b *testing.B) {
			engine := newEngine(b)
			m, err := engine.Compile(b.Context(), bm.module, readModule(b, examples, bm.module, bm.module+".wasm"))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			manifest := m.Manifest()
			input := make([]record, records)
			for i := range input {
				input[i] = record{key: []byte(fmt.Sprint(i)), value: []byte(bm.value)}
			}
			c := &component{kit: &kit{ctx: b.Context(), module: m}, Component: manifest.Component(bm.component), input: input}
			s, err := c.open()
			if err != nil {
				b.Fatal(err)
			}
			defer s.in.Close()
			s.host.beginCall(times(input, 0))
			frame := encode(input, 0, c.Component, shape{})
			b.SetBytes(int64(len(bm.value)))
			b.ReportAllocs()
			outputs, calls := 0, 0
			for n := 0; b.Loop(); n++ {
				if n%records != 0 {
					continue
				}
				calls++
				outputs += answerOnce(b, s, frame, records)
			}
			b.ReportMetric(float64(outputs)/float64(calls)/records, "outputs/op")
			b.ReportMetric(float64(s.in.Fuel())/records, "fuel/op")
		})
	}
}

// answerOnce gives a frame and decodes what comes back, as a host does.
func answerOnce(b *testing.B, s *session, frame []byte, records int) int {
	last, err := process(s.in, s.handle, frame)
	if err != nil {
		b.Fatal(err)
	}
	var r abi.Reader
	var rec abi.Record
	if err := r.Reset(last, abi.Expect{Output: true, Inputs: records, Children: 2}); err != nil {
		b.Fatal(err)
	}
	n := 0
	for r.Next(&rec) {
		n++
	}
	if r.Err() != nil {
		b.Fatal(r.Err())
	}
	return n
}
