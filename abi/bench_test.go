package abi

import "testing"

// benchFrame is a frame of n records with a key of 8 and a value of 92 bytes.
func benchFrame(n int, keep bool) []byte {
	rec := Record{Key: make([]byte, 8), Value: make([]byte, 92), Partition: -1, Offset: -1}
	if keep {
		rec = Record{Flags: KeepAll, Partition: -1, Offset: -1}
	}
	frame := AppendFrameHeader(nil, &FrameHeader{})
	for i := range n {
		rec.Index = uint32(i)
		frame = AppendRecord(frame, &rec)
	}
	FinishFrame(frame, 0, n)
	return frame
}

func BenchmarkAppendRecord(b *testing.B) {
	for _, c := range []struct {
		name string
		rec  Record
	}{
		{"copied", Record{Key: make([]byte, 8), Value: make([]byte, 92)}},
		{"reference", Record{Flags: KeepAll}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64<<10)
			for b.Loop() {
				if cap(buf)-len(buf) < 256 {
					buf = buf[:0]
				}
				c.rec.Index++
				buf = AppendRecord(buf, &c.rec)
			}
		})
	}
}

// The time of one operation is that of one record.
func BenchmarkDecode(b *testing.B) {
	const records = 100
	for _, c := range []struct {
		name string
		keep bool
	}{{"copied", false}, {"reference", true}} {
		frame := benchFrame(records, c.keep)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var r Reader
			var rec Record
			var n int
			for b.Loop() {
				if n == 0 {
					if err := r.Reset(frame, Expect{Output: true, Inputs: records}); err != nil {
						b.Fatal(err)
					}
					n = records
				}
				n--
				if !r.Next(&rec) {
					b.Fatal(r.Err())
				}
			}
		})
	}
}
