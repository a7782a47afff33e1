package tck

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/abi"
)

// guest is a compiled module of the examples for tests of what its components mean.
type guest struct {
	kit
}

func compile(t *testing.T, path ...string) *guest {
	t.Helper()
	engine := newEngine(t)
	m, err := engine.Compile(t.Context(), path[len(path)-1], readModule(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &guest{kit{ctx: t.Context(), module: m}}
}

// ask opens a component on a fresh instance and gives it records in one frame.
func (g *guest) ask(t rapid.TB, name string, records []record) ([]output, *host) {
	t.Helper()
	manifest := g.module.Manifest()
	c := &component{kit: &g.kit, Component: manifest.Component(name), input: records}
	s, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.in.Close()
	out, err := c.ask(s, records, 0, shape{})
	if err != nil {
		t.Fatal(err)
	}
	return out, s.host
}

// words is the rule for words, by way of strings.Split and then what Java's split does to the end.
func words(line []byte) []string {
	if line == nil {
		return nil
	}
	if len(line) == 0 {
		return []string{""}
	}
	var lower []byte
	for _, c := range line {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower = append(lower, c)
	}
	all := strings.Split(string(lower), " ")
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

var lines = [][]byte{
	nil,
	{},
	[]byte(" "), []byte("   "), []byte("all streams lead to kafka"), []byte("Hello  KAFKA   Streams "), []byte("  leading"), []byte("one"),
	[]byte("스트림 처리  한국어 스트림"), []byte("@[`{AZaz09"),
	{0xFF, 'A', ' ', 0x00, ' ', 0xC3},
	[]byte("tab\tis no blank"),
}

func linesRecords(lines [][]byte) []record {
	out := make([]record, len(lines))
	for i, l := range lines {
		out[i] = record{key: []byte{byte(i)}, value: l, timestamp: wallTime + int64(i)}
	}
	return out
}

func checkSplit(t rapid.TB, g *guest, lines [][]byte) {
	t.Helper()
	out, _ := g.ask(t, "split-words", linesRecords(lines))
	got := make([][]string, len(lines))
	for i := range out {
		o := &out[i]
		if o.flags != abi.KeepKey|abi.KeepHeaders|abi.KeepTimestamp || o.kind != abi.KindRecord {
			t.Fatalf("output %d: flags %#x, kind %d", i, o.flags, o.kind)
		}
		got[o.index] = append(got[o.index], string(o.value))
	}
	for i, l := range lines {
		if want := words(l); !slices.Equal(got[i], want) {
			t.Fatalf("%.200q: got %.200q, want %.200q", l, got[i], want)
		}
	}
}

func checkCount(t rapid.TB, g *guest, lines [][]byte) {
	t.Helper()
	out, h := g.ask(t, "count-words", linesRecords(lines))
	counts, n := map[string]uint64{}, 0
	for i, l := range lines {
		for _, w := range words(l) {
			counts[w]++
			want := output{index: uint32(i), partition: -1, flags: abi.KeepHeaders | abi.KeepTimestamp, key: []byte(w), value: binary.BigEndian.AppendUint64(nil, counts[w])}
			if n >= len(out) || !out[n].equal(&want) {
				t.Fatalf("output %d is not %q = %d", n, w, counts[w])
			}
			n++
		}
	}
	if n != len(out) || len(h.stores[0]) != len(counts) {
		t.Fatalf("%d outputs, %d stored; want %d, %d", len(out), len(h.stores[0]), n, len(counts))
	}
	for w, c := range counts {
		if stored := h.stores[0][w]; binary.BigEndian.Uint64(stored) != c {
			t.Fatalf("stored %q = %x, want %d", w, stored, c)
		}
	}
}

// TestWordCount holds both forms of the C guest to the rule for words.
func TestWordCount(t *testing.T) {
	g := compile(t, examples, "wordcount", "wordcount.wasm")
	checkSplit(t, g, lines)
	checkCount(t, g, lines)
	rapid.Check(t, func(t *rapid.T) {
		blanks := rapid.SliceOf(rapid.SampledFrom([]byte("  aAbBzZ@[\x00\xff")))
		lines := rapid.SliceOfN(blanks, 0, 8).Draw(t, "lines")
		checkSplit(t, g, lines)
		checkCount(t, g, lines)
	})
}

// TestWordCountMegabyte gives lines of one MB: of words of one letter, which take several frames of output, of one
// word, and of blanks.
func TestWordCountMegabyte(t *testing.T) {
	g := compile(t, examples, "wordcount", "wordcount.wasm")
	letters := bytes.Repeat([]byte("a B "), 1<<18)
	checkSplit(t, g, [][]byte{letters})
	checkSplit(t, g, [][]byte{bytes.Repeat([]byte{'X'}, 1<<20), bytes.Repeat([]byte{' '}, 1<<20), append(bytes.Repeat([]byte{' '}, 1<<20), 'x')})
	checkCount(t, g, [][]byte{letters[:1<<18], bytes.Repeat([]byte{'X'}, 1<<20)})
}

// enriched is what enrich makes of a decoded object, as a reference.
func enriched(doc map[string]any) map[string]any {
	amount, _ := doc["amount"].(float64)
	x := amount * 119
	cents := math.Floor(x)
	if x-cents >= 0.5 {
		cents++
	}
	doc["total"] = max(min(cents, 0x1p63), -0x1p63) / 100
	doc["type"] = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, doc["type"].(string))
	delete(doc, "agent")
	return doc
}

func values(texts ...string) []record {
	out := make([]record, len(texts))
	for i, s := range texts {
		out[i] = record{key: []byte("k"), value: []byte(s)}
	}
	return out
}

func checkEnriched(t rapid.TB, in string, o *output) {
	t.Helper()
	var doc, got map[string]any
	if err := json.Unmarshal([]byte(in), &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(o.value, &got); err != nil {
		t.Fatalf("%s became %s: %v", in, o.value, err)
	}
	if diff := cmp.Diff(enriched(doc), got); diff != "" {
		t.Fatalf("%s became %s (-want +got):\n%s", in, o.value, diff)
	}
}

// TestEnrich shows what becomes of documents, byte for byte.
func TestEnrich(t *testing.T) {
	g := compile(t, examples, "mapvalues", "mapvalues.wasm")
	for _, tt := range []struct{ in, want string }{
		{`{"user":"u","type":"buy","amount":12.50,"agent":"x"}`, `{"user":"u","type":"BUY","amount":12.50,"total":14.88}`},
		{`{"agent":{"a":[1,"}"]}, "type":"a" , "n" : null}`, `{ "type":"A" , "n" : null,"total":0.0}`},
		{`{"type":"x","agent":1}`, `{"type":"X","total":0.0}`},
		{`{"total":"old","type":"x","amount":-3}`, `{"total":-3.57,"type":"X","amount":-3}`},
		{`{"type":"a\n\u0061\"\\u0061\t\u00e9é","amount":1e2}`, `{"type":"A\n\u0041\"\\U0061\t\u00e9é","amount":1e2,"total":119.0}`},
		{`{"type":"t","amount":100000}`, `{"type":"T","amount":100000,"total":119000.0}`},
		{`{"type":"t","amount":12345678.9}`, `{"type":"T","amount":12345678.9,"total":1.469135789E7}`},
		{`{"x":{"type":"inner","agent":2},"type":"","amount":"5"}`, `{"x":{"type":"inner","agent":2},"type":"","amount":"5","total":0.0}`},
		{`{"t\u0079pe":"q","amount":0.01}`, `{"t\u0079pe":"Q","amount":0.01,"total":0.01}`},
		{`{"type":"t","amount":1e400}`, `{"type":"T","amount":1e400,"total":9.223372036854776E16}`},
	} {
		out, _ := g.ask(t, "enrich", values(tt.in))
		if len(out) != 1 || string(out[0].value) != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, out[0].value, tt.want)
		}
		if !strings.Contains(tt.in, "e400") {
			checkEnriched(t, tt.in, &out[0])
		}
	}
	for _, in := range []string{"", "[]", "7", `{"type":1}`, `{"amount":1}`, `{"type":"x"`, `{"type":"x"}}`, `{"type":"x",}`, `{"type":"\x"}`, "{\"type\":\"\xff\"}", `{"type":"x","a":01}`} {
		out, _ := g.ask(t, "enrich", values(in))
		if len(out) != 1 || out[0].kind != abi.KindError || out[0].dest != uint32(abi.ClassFail) {
			t.Errorf("%q: %+v", in, out)
		}
	}
}

// drawJSON makes any JSON value as text, with blanks and escapes.
func drawJSON(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t"})
	switch kind := rapid.IntRange(0, 5+min(depth, 1)*2).Draw(t, "kind"); kind {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word")
	case 1, 2:
		return drawNumber(t)
	case 6:
		return "[" + space.Draw(t, "s") + strings.Join(drawList(t, depth), space.Draw(t, "s")+","+space.Draw(t, "s")) + space.Draw(t, "s") + "]"
	case 7:
		return drawObject(t, depth, nil)
	default:
		return drawString(t)
	}
}

func drawNumber(t *rapid.T) string {
	return rapid.StringMatching(`-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?`).Draw(t, "number")
}

func drawString(t *rapid.T) string {
	text, err := json.Marshal(rapid.String().Draw(t, "string"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func drawList(t *rapid.T, depth int) []string {
	list := make([]string, rapid.IntRange(0, 4).Draw(t, "n"))
	for i := range list {
		list[i] = drawJSON(t, depth-1)
	}
	return list
}

// drawObject makes an object with the given members among others, in any order.
func drawObject(t *rapid.T, depth int, members []string) string {
	for i := range rapid.IntRange(0, 4).Draw(t, "n") {
		members = append(members, fmt.Sprintf(`"k%d":%s`, i, drawJSON(t, depth-1)))
	}
	members = rapid.Permutation(members).Draw(t, "order")
	space := rapid.SampledFrom([]string{"", "", " ", "\r\n"})
	return "{" + space.Draw(t, "s") + strings.Join(members, space.Draw(t, "s")+","+space.Draw(t, "s")) + space.Draw(t, "s") + "}"
}

// TestEnrichAny compares any documents with the reference.
func TestEnrichAny(t *testing.T) {
	g := compile(t, examples, "mapvalues", "mapvalues.wasm")
	rapid.Check(t, func(t *rapid.T) {
		members := []string{`"type":` + drawString(t)}
		for _, name := range []string{"amount", "agent", "total"} {
			if rapid.Bool().Draw(t, name) {
				members = append(members, fmt.Sprintf("%q:%s", name, drawJSON(t, 2)))
			}
		}
		in := drawObject(t, 3, members)
		out, _ := g.ask(t, "enrich", values(in))
		checkEnriched(t, in, &out[0])
	})
}

// TestCopyUpper shows the two plain components.
func TestCopyUpper(t *testing.T) {
	g := compile(t, examples, "mapvalues", "mapvalues.wasm")
	records := append(values("aZ é1", ""), record{key: []byte("null")})
	out, _ := g.ask(t, "copy", records)
	for i := range out {
		if out[i].flags != abi.KeepAll {
			t.Errorf("copy %d: flags %#x", i, out[i].flags)
		}
	}
	out, _ = g.ask(t, "upper", records)
	if len(out) != 3 || string(out[0].value) != "AZ é1" || string(out[1].value) != "" || out[1].nullValue || out[2].flags != abi.KeepAll {
		t.Errorf("upper: %+v", out)
	}
}
