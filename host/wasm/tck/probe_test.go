package tck

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
)

var probePath = filepath.Join(sdks, "c", "testdata", "probe.wasm")

// talk opens the probe and gives it one command after another.
type talk struct {
	*session
	c *component
}

func newTalk(t *testing.T, g *guest) *talk {
	t.Helper()
	manifest := g.module.Manifest()
	c := &component{kit: &g.kit, Component: manifest.Component("probe")}
	s, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.in.Close)
	return &talk{s, c}
}

func (k *talk) say(command string, headers ...[2][]byte) ([]output, error) {
	k.c.input = []record{{key: []byte("key"), value: []byte(command), timestamp: wallTime, headers: headers}}
	return k.c.ask(k.session, k.c.input, 0, shape{})
}

// TestProbe goes through the Processor API of the C header.
func TestProbe(t *testing.T) {
	g := compile(t, probePath)
	k := newTalk(t, g)
	for _, tt := range []struct{ command, want string }{
		{"get a", "(null)"},
		{"put a 1", "0"},
		{"put b 22", "0"},
		{"put c 333", "0"},
		{"get b", "22"},
		{"absent b x", "kept 22"},
		{"absent d 4444", "put (null)"},
		{"range - - 0", "a=1 b=2 c=3 d=4 "},
		{"range b d 0", "b=2 c=3 "},
		{"range b - 1", "b=2 "},
		{"reverse - c 0", "b=2 a=1 "},
		{"delete a", "had 1"},
		{"delete a", "none (null)"},
		{"put b -", "0"},
		{"range - - 0", "c=3 d=4 "},
		{"write x 1 y 2 c -", "0"},
		{"many x c y d", "1 (null) 2 4444 "},
		{"many", ""},
		{"fill large 50000", "0"},
		{"fill zlarger 90000", "0"},
		{"range - - 0", "d=4 large=50000 x=1 y=1 zlarger=90000 "},
		{"meta", fmt.Sprintf("%s %d %d %d %d %d 0_3", inputTopic, inputPartition, firstOffset, wallTime, wallTime, wallTime)},
		{"child first", "1"},
		{"child second", "2"},
		{"child third", "-4"},
		{"config " + configKey, configValue},
		{"config other", "(null)"},
		{"random", "0 other"},
		{"log a warning", "no debug"},
		{"metric m", "0"},
		{"metric m", "0"},
		{"metric n", "1"},
		{"schedule 500", "1"},
		{"cancel", "0"},
		{"cancel", "-4"},
		{"commit", ""},
		{"nonsense", "?"},
	} {
		out, err := k.say(tt.command)
		if err != nil || len(out) != 1 {
			t.Fatalf("%s: %d answers, %v", tt.command, len(out), err)
		}
		if string(out[0].value) != tt.want || string(out[0].key) != "key" || out[0].flags != abi.KeepHeaders|abi.KeepTimestamp {
			t.Errorf("%s: got %q, want %q", tt.command, out[0].value, tt.want)
		}
	}
	if !slices.Equal(k.host.lines, []string{"a warning"}) || k.host.commits != 1 {
		t.Errorf("lines %q, %d commits", k.host.lines, k.host.commits)
	}
}

// TestProbeFunctions asks the functions of several arguments, of sources and of sinks.
func TestProbeFunctions(t *testing.T) {
	g := compile(t, probePath)
	full := record{key: []byte("k"), value: []byte("left"), second: []byte("right"), third: []byte("m"), timestamp: wallTime, headers: [][2][]byte{{[]byte("h"), []byte("1")}}}
	nulls := record{timestamp: wallTime}
	for _, tt := range []struct {
		component string
		in        record
		want      string
	}{
		{"zero", nulls, "0"},
		{"aggregate", full, "k|left|right|m"},
		{"reduce", full, "k|left|right|m"},
		{"merge", full, "k|left|right|m"},
		{"join", full, "k|left|right|m"},
		{"join", nulls, "(null)|(null)|(null)|(null)"},
		{"join", record{key: []byte{}, second: []byte{}}, "|(null)||(null)"},
		{"topic", full, "k"},
	} {
		out, err := g.answers(t, tt.component, tt.in)
		if err != nil || len(out) != 1 || string(out[0].value) != tt.want {
			t.Errorf("%s: %+v, %v; want %q", tt.component, out, err, tt.want)
		}
	}
	out, err := g.answers(t, "later", nulls, full, nulls, record{value: []byte("1")}, nulls)
	var times []int64
	for i := range out {
		times = append(times, out[i].timestamp)
	}
	if want := []int64{0, 4, 5, 1, 6}; err != nil || !slices.Equal(times, want) {
		t.Errorf("later: %v, %v; want %v", times, err, want)
	}
	out, err = g.answers(t, "partition", full, nulls, record{key: []byte("more than seven")})
	var to []int32
	for i := range out {
		to = append(to, int32(out[i].index), out[i].partition)
	}
	if want := []int32{0, 1, 1, 0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 2, -1}; err != nil || !slices.Equal(to, want) {
		t.Errorf("partition: %v, %v; want %v", to, err, want)
	}
}

// answers are what a fresh instance of a component says to records in one frame.
func (g *guest) answers(t *testing.T, name string, records ...record) ([]output, error) {
	t.Helper()
	manifest := g.module.Manifest()
	c := &component{kit: &g.kit, Component: manifest.Component(name), input: records}
	s, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.in.Close()
	return c.ask(s, records, 0, shape{})
}

// TestProbeHeaders reads headers: the last of a name counts.
func TestProbeHeaders(t *testing.T) {
	k := newTalk(t, compile(t, probePath))
	headers := [][2][]byte{{[]byte("h"), []byte("1")}, {[]byte("n"), nil}, {[]byte("h"), []byte("2")}}
	for command, want := range map[string]string{"header h": "found 2", "header n": "found (null)", "header x": "none (null)"} {
		out, err := k.say(command, headers...)
		if err != nil || len(out) != 1 || string(out[0].value) != want {
			t.Errorf("%s: %+v, %v; want %s", command, out, err, want)
		}
	}
}

// TestProbeForward shows whole messages, destinations and what comes without a record.
func TestProbeForward(t *testing.T) {
	k := newTalk(t, compile(t, probePath))
	out, err := k.say("message")
	if err != nil || len(out) != 1 {
		t.Fatalf("%d answers, %v", len(out), err)
	}
	o := &out[0]
	if string(o.key) != "made" || o.flags != abi.KeepValue || o.dest != 2 || o.timestamp != wallTime+1 || o.headerCounts != 3 {
		t.Errorf("message: %+v", o)
	}
	if diff := cmp.Diff([]string{"h=one", "h=null", "="}, pairTexts(o.headers)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if out, err = k.say("to second"); err != nil || len(out) != 1 || out[0].dest != 2 || string(out[0].value) != "routed" {
		t.Errorf("to second: %+v, %v", out, err)
	}
	k.host.beginCall(nil)
	last, err := k.in.Punctuate(k.handle, 0, 77)
	if err != nil {
		t.Fatal(err)
	}
	out, err = collect(nil, last, 0, 0)
	if err != nil || len(out) != 1 || string(out[0].value) != "0 77" || out[0].index != abi.NoIndex || out[0].timestamp != wallTime {
		t.Errorf("punctuate: %+v, %v", out, err)
	}
	if last, err = k.in.Flush(k.handle, 1); err != nil {
		t.Fatal(err)
	}
	if out, err = collect(nil, last, 0, 0); err != nil || len(out) != 1 || string(out[0].value) != "2" {
		t.Errorf("flush: %+v, %v", out, err)
	}
}

func pairTexts(block []byte) (texts []string) {
	r := abi.ReadPairs(block)
	for k, v, ok := r.Next(); ok; k, v, ok = r.Next() {
		if v == nil {
			v = []byte("null")
		}
		texts = append(texts, string(k)+"="+string(v))
	}
	return texts
}

// TestProbeErrors shows the ways to fail: one record, the call, the instance.
func TestProbeErrors(t *testing.T) {
	g := compile(t, probePath)
	k := newTalk(t, g)
	out, err := k.say("fail 1 went wrong")
	if err != nil || len(out) != 1 || out[0].kind != abi.KindError || out[0].dest != uint32(abi.ClassDeadLetter) || string(out[0].value) != "went wrong" {
		t.Errorf("fail: %+v, %v", out, err)
	}
	if _, err = k.say("abort -12"); !errors.Is(err, abi.Fenced) {
		t.Errorf("abort: %v", err)
	}
	if _, err = k.say("foreign"); !errors.Is(err, abi.Denied) {
		t.Errorf("a store that is not declared: %v", err)
	}
	if err := k.in.CloseHandle(k.handle, abi.CloseFailed); err != nil || !slices.Equal(k.host.lines, []string{"closed"}) {
		t.Errorf("close: %v, %q", err, k.host.lines)
	}
	k = newTalk(t, g)
	_, err = k.say("trap")
	trap, ok := errors.AsType[*wasm.TrapError](k.in.Err())
	if err == nil || !ok || !slices.ContainsFunc(trap.Stack, func(f string) bool { return strings.Contains(f, "probe") }) {
		t.Errorf("trap: %v, stack %v", err, trap)
	}
}

// one asks a component for the answer to one value: its bytes, or the text of the error.
func one(t rapid.TB, g *guest, component, in string) (string, bool) {
	t.Helper()
	out, _ := g.ask(t, component, []record{{value: []byte(in)}})
	if len(out) != 1 {
		t.Fatalf("%s %q: %d answers", component, in, len(out))
	}
	if out[0].nullValue {
		return "(null)", true
	}
	return string(out[0].value), out[0].kind == abi.KindRecord
}

// TestJSONGet shows paths.
func TestJSONGet(t *testing.T) {
	g := compile(t, probePath)
	const doc = ` {"a":{"b":[10,{"c":"x\"}"},[]]," ":true},"é":null,"\u0061b":-1.5e3,"a.b":0,"":"e"} `
	for path, want := range map[string]string{
		"a": `{"b":[10,{"c":"x\"}"},[]]," ":true}`, "a.b": `[10,{"c":"x\"}"},[]]`, "a.b.0": "10", "a.b.1.c": `"x\"}"`, "a.b.2": "[]", "a.b.3": "(null)",
		"a. ": "true", "é": "null", "ab": "-1.5e3", "x": "(null)", "a.b.c": "(null)", "a.b.0.1": "(null)", "": `"e"`, "a.b.1": `{"c":"x\"}"}`, "a.b.01": "(null)",
	} {
		if got, ok := one(t, g, "json-get", path+"\n"+doc); !ok || got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	// Of a key that occurs twice the first counts, on every level.
	if got, _ := one(t, g, "json-get", "a.b\n"+`{"a":{"b":1,"b":2},"a":{"b":3}}`); got != "1" {
		t.Errorf("twice: %s", got)
	}
}

// TestJSONEdit shows edits: set, add, remove, several in one object, inside of what is replaced.
func TestJSONEdit(t *testing.T) {
	g := compile(t, probePath)
	for _, tt := range []struct{ edits, doc, want string }{
		{"a=2", `{"a":1}`, `{"a":2}`},
		{"b=2", `{"a":1}`, `{"a":1,"b":2}`},
		{"b=2", `{ }`, `{ "b":2}`},
		{"a-", `{"a":1}`, `{}`},
		{"a-", `{"a":1,"b":2}`, `{"b":2}`},
		{"b-", `{"a":1 , "b":2}`, `{"a":1 }`},
		{"a-;b-", `{"a":1,"b":2,"c":3}`, `{"c":3}`},
		{"b-;c-", `{"a":1,"b":2,"c":3}`, `{"a":1}`},
		{"c-;a-", `{"a":1,"b":2,"c":3}`, `{"b":2}`},
		{"a-;b-;c=9", `{"a":1,"b":2}`, `{"c":9}`},
		{"x=1;y=2;a-", `{"a":1}`, `{"x":1,"y":2}`},
		{"a.b=[1];a.c=2;d-", `{"a":{"b":{}},"d":[]}`, `{"a":{"b":[1],"c":2}}`},
		{"a=0;a.b=1", `{"a":{"b":2}}`, `{"a":0}`},
		{"a-;a.b=1", `{"a":{"b":2},"c":1}`, `{"c":1}`},
		{"a-;a.z=1", `{"c":1,"a":{"b":2}}`, `{"c":1}`},
		{"a.1=x;a.0-", `{"a":[1,2,3]}`, `{"a":[x,3]}`},
		{"a.2-", `{"a":[1,2,3]}`, `{"a":[1,2]}`},
		{"q\"\\=1", `{}`, `{"q\"\\":1}`},
		{"none-", `[1]`, `[1]`},
		{"a.b=1", `{}`, "no such object"},
		{"a.b=1", `{"a":[]}`, "no such object"},
		{"a=1", `[]`, "no such object"},
		{"a=1", `{"a":}`, "not JSON"},
	} {
		if got, _ := one(t, g, "json-edit", tt.edits+"\n"+tt.doc); got != tt.want {
			t.Errorf("%s of %s\n got %s\nwant %s", tt.edits, tt.doc, got, tt.want)
		}
	}
}

// TestJSONEditAny removes and sets members of any object and compares with a map.
func TestJSONEditAny(t *testing.T) {
	g := compile(t, probePath)
	rapid.Check(t, func(t *rapid.T) {
		doc := drawObject(t, 2, nil)
		var want map[string]any
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(err)
		}
		var edits []string
		for i := range 6 {
			key := fmt.Sprintf("k%d", i)
			switch rapid.IntRange(0, 2).Draw(t, key) {
			case 0:
				edits = append(edits, key+"-")
				delete(want, key)
			case 1:
				edits = append(edits, key+`="new"`)
				want[key] = "new"
			}
		}
		text := strings.Join(rapid.Permutation(edits).Draw(t, "order"), ";")
		out, _ := one(t, g, "json-edit", text+"\n"+doc)
		var got map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s of %s: %s: %v", text, doc, out, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s of %s: %s (-want +got):\n%s", text, doc, out, diff)
		}
	})
}

// TestJSONValid compares what is taken as JSON with encoding/json, over documents with a byte changed.
func TestJSONValid(t *testing.T) {
	g := compile(t, probePath)
	check := func(t rapid.TB, doc string) {
		want := json.Valid([]byte(doc)) && utf8.ValidString(doc)
		if _, ok := one(t, g, "json-get", "k\n"+doc); ok != want {
			t.Fatalf("%q: taken as JSON is %v, want %v", doc, ok, want)
		}
	}
	for _, doc := range []string{
		"", " ", "{", "[", "]", "[1,]", "[,1]", "{,}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, "tru", "truer", "nul", "-", "01", "-01", "1.", ".1", "1e", "1e+", "+1", "0x1",
		`"`, `"\`, `"\u12"`, `"\u12g4"`, `"\ud800"`, "\"\x1f\"", "\"\x7f\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", `"é😀"`, "1 2", "[]]", "{}}", "[}", "{]", "\ufeff1",
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		check(t, doc)
	}
	if _, ok := one(t, g, "json-get", "k\n"+strings.Repeat("[", 1001)+strings.Repeat("]", 1001)); ok {
		t.Error("1001 containers in each other were taken")
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := []byte(drawJSON(t, 3))
		check(t, string(doc))
		doc[rapid.IntRange(0, len(doc)-1).Draw(t, "at")] = rapid.OneOf(rapid.SampledFrom([]byte(`{}[]",:\0-.eE `)), rapid.Byte()).Draw(t, "byte")
		check(t, string(doc))
	})
}

// TestNumbers compares reading and writing of numbers with strconv, bit for bit.
func TestNumbers(t *testing.T) {
	g := compile(t, probePath)
	check := func(t rapid.TB, in string) {
		want := nearest(t, in)
		text, ok := one(t, g, "f64", in)
		if math.IsInf(want, 0) {
			if text != "null" {
				t.Fatalf("%s became %s, want null", in, text)
			}
			return
		}
		got, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s became %s, want %v", in, text, want)
		}
		if a, b := digitCount(text), digitCount(strconv.FormatFloat(want, 'e', -1, 64)); a > b+1 {
			t.Fatalf("%s became %s: %d digits, %d suffice", in, text, a, b)
		}
	}
	for _, in := range []string{
		"0", "-0", "0.0", "1", "-1.5", "0.1", "123456789", "1e22", "1e23", "8.5e22", "9007199254740993", "9007199254740992.999", "5e-324", "2e-324", "3e-324",
		"2.2250738585072011e-308", "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623159e308", "1e400", "-1e400", "1e-400", "0e999999999", "1e-999999999",
		"179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622842914819860834936475292719074168444365510704342711559699508093042880",
		"0." + strings.Repeat("0", 300) + strings.Repeat("123456789", 100), strings.Repeat("9", 900) + "e-900", "1" + strings.Repeat("0", 1200) + "e-1200",
		"9007199254740993" + strings.Repeat("0", 800) + "1e-800",
	} {
		check(t, in)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, drawNumber(t)) })
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint64().Draw(t, "bits")
		v := math.Float64frombits(bits)
		text, _ := one(t, g, "f64-bits", string(binary.LittleEndian.AppendUint64(nil, bits)))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if text != "null" {
				t.Fatalf("%v became %s", v, text)
			}
			return
		}
		if got, err := strconv.ParseFloat(text, 64); err != nil || math.Float64bits(got) != bits {
			t.Fatalf("%v became %s", v, text)
		}
	})
}

// nearest is the double nearest to a number; strconv misplaces the point of whole numbers with more than 800 digits.
func nearest(t rapid.TB, in string) float64 {
	if len(in) < 800 {
		v, _ := strconv.ParseFloat(in, 64)
		return v
	}
	r, ok := new(big.Rat).SetString(in)
	if !ok {
		t.Fatalf("%s is no number", in)
	}
	v, _ := r.Float64()
	return v
}

func digitCount(s string) int {
	s, _, _ = strings.Cut(strings.ToLower(s), "e")
	s = strings.Trim(strings.ReplaceAll(strings.TrimLeft(s, "-"), ".", ""), "0")
	return len(s)
}

// TestNumberForm shows the form of Java's Double.toString.
func TestNumberForm(t *testing.T) {
	g := compile(t, probePath)
	for in, want := range map[string]string{
		"0": "0.0", "-0.0": "-0.0", "1": "1.0", "12.50": "12.5", "100": "100.0", "0.001": "0.001", "0.00099": "9.9E-4", "9999999": "9999999.0", "10000000": "1.0E7",
		"123456789.25": "1.2345678925E8", "1e300": "1.0E300", "-5e-324": "-4.9E-324", "3.141592653589793": "3.141592653589793", "0.1": "0.1", "0.30000000000000004": "0.30000000000000004",
	} {
		got, _ := one(t, g, "f64", in)
		if got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "not a whole number", "-9223372036854775809": "not a whole number", "1.0": "not a whole number", "": "not a whole number", "-": "not a whole number", "99999999999999999999": "not a whole number",
	} {
		if got, _ := one(t, g, "i64", in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestQuote takes any text to JSON and back.
func TestQuote(t *testing.T) {
	g := compile(t, probePath)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		quoted, _ := one(t, g, "quote", text)
		var got string
		if err := json.Unmarshal([]byte(quoted), &got); err != nil || got != text {
			t.Fatalf("%q became %s: %v", text, quoted, err)
		}
		encoded, _ := json.Marshal(text)
		if got, ok := one(t, g, "unquote", string(encoded)); !ok || got != text {
			t.Fatalf("%s became %q", encoded, got)
		}
	})
	for in, want := range map[string]string{`"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\ude00x"`: "\ufffdx", `"\ud83dA"`: "\ufffdA", `"\/\b\f\n\r\t\"\\"`: "/\b\f\n\r\t\"\\", `"\u0000"`: "\x00"} {
		if got, _ := one(t, g, "unquote", in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// TestFunctions shows the other kinds.
func TestFunctions(t *testing.T) {
	g := compile(t, probePath)
	in := []record{{key: []byte("a"), value: []byte("xyz")}, {key: nil, value: []byte("even")}, {key: []byte{}, value: nil}}
	type want struct {
		index      uint32
		flags      uint8
		key, value []byte
	}
	around := abi.KeepHeaders | abi.KeepTimestamp
	for component, wants := range map[string][]want{
		"odd-length":   {{0, abi.KeepAll, nil, nil}},
		"swap":         {{0, around, []byte("xyz"), []byte("a")}, {1, around, []byte("even"), nil}, {2, around, nil, []byte{}}},
		"value-as-key": {{0, around | abi.KeepValue, []byte("xyz"), nil}, {1, around | abi.KeepValue, []byte("even"), nil}, {2, around | abi.KeepValue, nil, nil}},
		"twice": {
			{0, abi.KeepAll, nil, nil},
			{0, around, []byte("a"), nil},
			{1, abi.KeepAll, nil, nil},
			{1, around, nil, nil},
			{2, abi.KeepAll, nil, nil},
			{2, around, []byte{}, nil},
		},
		"nothing": nil,
	} {
		out, _ := g.ask(t, component, in)
		if len(out) != len(wants) {
			t.Errorf("%s: %d answers, want %d", component, len(out), len(wants))
			continue
		}
		for i, w := range wants {
			o := &out[i]
			if o.index != w.index || o.flags != w.flags || !bytes.Equal(o.key, w.key) || !bytes.Equal(o.value, w.value) || o.nullKey != (w.key == nil) || o.nullValue != (w.value == nil) {
				t.Errorf("%s, answer %d: %+v, want %+v", component, i, o, w)
			}
		}
	}
}
