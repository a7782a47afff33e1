package main

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/guest-sdk/go"
)

func run(t testing.TB, component string, value []byte) wasmstream.TestOutput {
	t.Helper()
	node, err := wasmstream.NewTestHost().Open(component)
	if err != nil {
		t.Fatal(err)
	}
	outs, err := node.Process(wasmstream.TestRecord{Key: []byte("k"), Value: value})
	if err != nil || len(outs) != 1 {
		t.Fatalf("%d answers, %v", len(outs), err)
	}
	return outs[0]
}

const sample = `{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245",` +
	`"session":"0123456789abcdef","agent":"0123456789abcdef0123456789abcdef0123456789abcdef"}`

func TestEnrich(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{sample, `{"user":"u0012345","type":"CLICK","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245","session":"0123456789abcdef","total":573.78}`},
		{`{"type":"a"}`, `{"type":"A","total":0.0}`},
		{`{"agent":1,"type":"Buy \u0061\u004b\n\u00e4\\u0061 ä","amount":1.50}`, `{"type":"BUY \u0041\u004b\n\u00e4\\U0061 ä","amount":1.50,"total":1.79}`},
		{` { "type" : "\u007A\u007B\u0060" , "agent" : {} } `, ` { "type" : "\u005A\u007B\u0060"  ,"total":0.0} `},
		{`{"type":"x","amount":"12"}`, `{"type":"X","amount":"12","total":0.0}`},
		{`{"type":"x","amount":-0.5,"total":[1]}`, `{"type":"X","amount":-0.5,"total":-0.59}`},
		{`{"type":"x","amount":1e300}`, `{"type":"X","amount":1e300,"total":9.223372036854776E16}`},
		{`{"type":"x","amount":-1e300}`, `{"type":"X","amount":-1e300,"total":-9.223372036854776E16}`},
	} {
		out := run(t, "enrich", []byte(c.in))
		if out.Err != nil || string(out.Record.Value) != c.want || string(out.Record.Key) != "k" {
			t.Errorf("%s gives\n%s (%v), want\n%s", c.in, out.Record.Value, out.Err, c.want)
		}
	}
}

func TestEnrichRefuses(t *testing.T) {
	for _, in := range [][]byte{nil, {}, []byte("x"), []byte("[1]"), []byte(`{"type":1}`), []byte(`{}`), []byte(sample + "}")} {
		out := run(t, "enrich", in)
		if out.Err == nil || out.Err.Class != wasmstream.ClassFail {
			t.Errorf("%s gives %+v", in, out)
		}
	}
}

// The content of the answer is that of a program with encoding/json.
func TestEnrichAgainstEncodingJSON(t *testing.T) {
	var want, got map[string]any
	if err := json.Unmarshal([]byte(sample), &want); err != nil {
		t.Fatal(err)
	}
	want["total"] = math.Floor(want["amount"].(float64)*119+0.5) / 100
	want["type"] = strings.ToUpper(want["type"].(string))
	delete(want, "agent")
	if err := json.Unmarshal(run(t, "enrich", []byte(sample)).Record.Value, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCopyKeepsAll(t *testing.T) {
	for _, value := range [][]byte{nil, {}, []byte("v")} {
		if out := run(t, "copy", value); !reflect.DeepEqual(out.Record.Value, value) || string(out.Record.Key) != "k" {
			t.Errorf("%q becomes %+v", value, out)
		}
	}
}

func TestUpper(t *testing.T) {
	for in, want := range map[string]string{"": "", "abcxyz": "ABCXYZ", "`{@[é": "`{@[é"} {
		if out := run(t, "upper", []byte(in)); string(out.Record.Value) != want {
			t.Errorf("%q becomes %q", in, out.Record.Value)
		}
	}
	if out := run(t, "upper", nil); out.Record.Value != nil {
		t.Errorf("null becomes %q", out.Record.Value)
	}
}

func TestNoAllocationPerRecord(t *testing.T) {
	records := make([]wasmstream.TestRecord, 100)
	for i := range records {
		records[i].Value = []byte(sample)
	}
	for _, component := range []string{"enrich", "copy", "upper"} {
		node, err := wasmstream.NewTestHost().Open(component)
		if err != nil {
			t.Fatal(err)
		}
		run := node.Prepare(records...)
		run()
		if n := testing.AllocsPerRun(20, run); n != 0 {
			t.Errorf("%s: %v allocations for %d records, want none", component, n, len(records))
		}
	}
}

func BenchmarkEnrich(b *testing.B) {
	node, err := wasmstream.NewTestHost().Open("enrich")
	if err != nil {
		b.Fatal(err)
	}
	run := node.Prepare(wasmstream.TestRecord{Value: []byte(sample)})
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
