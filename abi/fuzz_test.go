package abi

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// seedGoldens gives a fuzz test the golden frames as a start.
func seedGoldens(f *testing.F, add func([]byte)) {
	for _, g := range goldens() {
		add(g.encode())
	}
}

// FuzzReader wants: no panic, and whatever is accepted lies in the frame and encodes to a frame that is accepted too.
func FuzzReader(f *testing.F) {
	seedGoldens(f, func(b []byte) { f.Add(b, true, 2, 1) })
	seedGoldens(f, func(b []byte) { f.Add(b, false, 0, 0) })
	f.Fuzz(func(t *testing.T, frame []byte, output bool, inputs, children int) {
		expect := Expect{Output: output, Inputs: max(inputs, 0), Children: max(children, 0)}
		var r, again Reader
		if r.Reset(frame, expect) != nil {
			return
		}
		copied := AppendFrameHeader(nil, r.Header())
		var rec, rec2 Record
		n := 0
		for ; r.Next(&rec); n++ {
			copied = appendAs(copied, r.Header(), &rec)
			if output && rec.Index != NoIndex && int64(rec.Index) >= int64(expect.Inputs) {
				t.Fatalf("index %d of %d accepted", rec.Index, expect.Inputs)
			}
			pairs := ReadPairs(rec.Headers)
			for _, _, ok := pairs.Next(); ok; _, _, ok = pairs.Next() {
			}
			if pairs.Err() != nil {
				t.Fatal(pairs.Err())
			}
		}
		if r.Err() != nil {
			return
		}
		if n != r.Header().Count {
			t.Fatalf("%d records of %d", n, r.Header().Count)
		}
		if len(r.Aux()) > 0 {
			// Only the topic is ever written as aux; the bytes of others cannot be made again.
			return
		}
		FinishFrame(copied, 0, n)
		copied[FrameFlagsAt] &^= byte(FrameHasAux)
		if err := again.Reset(copied, expect); err != nil {
			t.Fatal(err)
		}
		for again.Next(&rec2) {
		}
		if again.Err() != nil {
			t.Fatal(again.Err())
		}
		if !sameRecord(&rec, &rec2) {
			t.Fatalf("last record %+v became %+v", rec, rec2)
		}
	})
}

// appendAs appends rec in the form that the frame's header says.
func appendAs(frame []byte, h *FrameHeader, rec *Record) []byte {
	if h.Flags&FrameHasArguments != 0 {
		return AppendCall(frame, rec)
	}
	return AppendRecord(frame, rec)
}

// FuzzPairs wants: no panic, and what is accepted encodes to a block of the same pairs.
func FuzzPairs(f *testing.F) {
	f.Add(AppendNullPair(AppendPair([]byte(nil), "key", "value"), "eight888"))
	f.Add([]byte{1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, block []byte) {
		r := ReadPairs(block)
		var copied []byte
		n := 0
		for key, value, ok := r.Next(); ok; key, value, ok = r.Next() {
			if value == nil {
				copied = AppendNullPair(copied, key)
			} else {
				copied = AppendPair(copied, key, value)
			}
			n++
		}
		if got := countPairs(block); (got >= 0) != (r.Err() == nil) || got >= 0 && got != n {
			t.Fatalf("%d pairs read (%v), %d counted", n, r.Err(), got)
		}
		if r.Err() == nil && (len(copied) != len(block) || countPairs(copied) != n) {
			t.Fatalf("%d bytes of %d pairs became %d of %d", len(block), n, len(copied), countPairs(copied))
		}
	})
}

// FuzzOpen wants no panic and as many pairs as announced.
func FuzzOpen(f *testing.F) {
	f.Add(openFrame())
	f.Add([]byte("WSO1\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := ReadOpen(frame)
		if err != nil {
			return
		}
		for _, _, ok := r.Next(); ok; _, _, ok = r.Next() {
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	})
}

// FuzzManifest wants no panic, and only rules kept in what is accepted.
func FuzzManifest(f *testing.F) {
	valid, err := os.ReadFile(filepath.Join("testdata", "manifest.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add([]byte(`{"abi":1,"name":"n","components":[{"name":"c","kind":"map","wants":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		if m.ABI != Version || nameProblem(m.Name) != "" || len(m.Components) == 0 {
			t.Fatalf("accepted %+v", m)
		}
		for _, c := range m.Components {
			if nameProblem(c.Name) != "" || m.Component(c.Name) == nil || c.Wants&^WantAll != 0 {
				t.Fatalf("accepted %+v", c)
			}
		}
	})
}

func openFrame() []byte {
	frame := AppendOpenHeader(nil)
	frame = AppendPair(frame, OpenComponent, "count-words")
	frame = AppendPair(frame, OpenApplicationID, "streams-wordcount")
	frame = AppendPair(frame, OpenChild, "out")
	frame = AppendPair(frame, OpenConfigPrefix+"limit", "10")
	FinishOpen(frame, 0, 4)
	return frame
}

func TestOpenFrame(t *testing.T) {
	frame := openFrame()
	r, err := ReadOpen(frame)
	if err != nil {
		t.Fatal(err)
	}
	if k, v, ok := r.Next(); !ok || string(k) != OpenComponent || string(v) != "count-words" {
		t.Errorf("first pair %q %q", k, v)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "magic": []byte("WSB1\x00\x00\x00\x00"), "cut": frame[:len(frame)-8], "more": append(bytes.Clone(frame), make([]byte, 8)...),
	} {
		if _, err := ReadOpen(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
