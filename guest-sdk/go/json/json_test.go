package json

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const order = ` { "id" : 17, "customer": {"name": "J\u00fcrgen \"J\" M\/", "tags": ["a", {"deep": true}, null]},
	"amount":-12.50,"big":1e400, "paid" :false,"note":null , "a.b": 1, "id": 18, "": "empty key" } `

func TestGet(t *testing.T) {
	var d Doc
	id, name, deep := d.Field("id"), d.Field("customer.name"), d.Field("customer.tags.1.deep")
	amount, paid, note := d.Field("amount"), d.Field("paid"), d.Field("note")
	dotted, missing, empty := d.FieldAt("a.b"), d.Field("customer.city"), d.Field("")
	big, beyond, tags := d.Field("big"), d.Field("customer.tags.3"), d.Field("customer.tags")
	if d.Field("id") != id {
		t.Error("the same path is another field")
	}
	if err := d.Parse([]byte(order)); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[Field]Kind{
		id: Number, name: String, deep: Bool, amount: Number, paid: Bool, note: Null, dotted: Number, missing: Missing,
		empty: String, big: Number, beyond: Missing, tags: Array, d.Field("customer"): Missing,
	} {
		if got := d.Kind(f); got != want {
			t.Errorf("%v is of kind %d, want %d", d.paths[f], got, want)
		}
	}
	if n, ok := d.Int(id); n != 17 || !ok {
		t.Errorf("id is %d, %v", n, ok)
	}
	if x, ok := d.Float(amount); x != -12.5 || !ok {
		t.Errorf("amount is %v, %v", x, ok)
	}
	if _, ok := d.Int(amount); ok {
		t.Error("amount is whole")
	}
	if x, ok := d.Float(big); !math.IsInf(x, 1) || !ok {
		t.Errorf("1e400 is %v, %v", x, ok)
	}
	if s, ok := d.Text(name); string(s) != `Jürgen "J" M/` || !ok {
		t.Errorf("name is %q, %v", s, ok)
	}
	if !d.Is(name, `Jürgen "J" M/`) || d.Is(name, "Jürgen") || d.Is(id, "17") {
		t.Error("Is is wrong")
	}
	if v, ok := d.Bool(deep); !v || !ok {
		t.Errorf("deep is %v, %v", v, ok)
	}
	if v, ok := d.Bool(paid); v || !ok {
		t.Errorf("paid is %v, %v", v, ok)
	}
	if raw := d.Raw(tags); string(raw) != `["a", {"deep": true}, null]` {
		t.Errorf("tags are %s", raw)
	}
	if !d.IsObject() {
		t.Error("the document is no object")
	}
	if d.Raw(missing) != nil {
		t.Error("a missing field has a value")
	}
}

func TestEdit(t *testing.T) {
	for _, c := range []struct {
		doc, edits, want string // edits: path=value sets, path- removes
	}{
		{`{"a":1}`, ``, `{"a":1}`},
		{`{"a":1}`, `a=2`, `{"a":2}`},
		{`{"a":1}`, `b=2`, `{"a":1,"b":2}`},
		{`{}`, `b=2 c=3`, `{"b":2,"c":3}`},
		{`{ }`, `b=2`, `{ "b":2}`},
		{` {"a":{}} `, `a.b=2`, ` {"a":{"b":2}} `},
		{`{"a":1,"b":2,"c":3}`, `a-`, `{"b":2,"c":3}`},
		{`{"a":1,"b":2,"c":3}`, `b-`, `{"a":1,"c":3}`},
		{`{"a":1,"b":2,"c":3}`, `c-`, `{"a":1,"b":2}`},
		{`{"a":1,"b":2,"c":3}`, `a- b-`, `{"c":3}`},
		{`{"a":1,"b":2,"c":3}`, `b- c-`, `{"a":1}`},
		{`{"a":1,"b":2,"c":3}`, `c- a-`, `{"b":2}`},
		{`{"a":1,"b":2,"c":3}`, `a- b- c-`, `{}`},
		{`{"a":1,"b":2}`, `a- b- c=3`, `{"c":3}`},
		{`{"a":1,"b":2}`, `b- c=3 a=0`, `{"a":0,"c":3}`},
		{`{"a" : 1 , "b" : 2}`, `a-`, `{ "b" : 2}`},
		{`{"a" : 1 , "b" : 2}`, `b-`, `{"a" : 1 }`},
		{`{"a":[1,2,3]}`, `a.0- a.2-`, `{"a":[2]}`},
		{`{"a":[1,2,3]}`, `a.1=[]`, `{"a":[1,[],3]}`},
		{`{"a":{"b":1},"c":2}`, `a=0 a.b=5 a.d=6 c-`, `{"a":0}`},
		{`{"a":{"b":1},"c":2}`, `a- a.b=5 a.d=6`, `{"c":2}`},
		{`{"a":{"b":1},"c":2}`, `a.d=6 e=7 a.b-`, `{"a":{"d":6},"c":2,"e":7}`},
		{`{"a":1,"a":2}`, `a=3`, `{"a":3,"a":2}`},
		{`{"\u0061":1}`, `a=3`, `{"\u0061":3}`},
		{`{"a":1}`, `x- a.b-`, `{"a":1}`},
		{`[{"a":1},{"a":2}]`, `1.a=5`, `[{"a":1},{"a":5}]`},
	} {
		got, err := apply([]byte(c.doc), strings.Fields(c.edits))
		if err != nil || string(got) != c.want {
			t.Errorf("%s with %s gives %s, %v; want %s", c.doc, c.edits, got, err, c.want)
		}
	}
}

// apply does edits of the form that TestEdit uses.
func apply(doc []byte, edits []string) ([]byte, error) {
	var d Doc
	fields := make([]Field, len(edits))
	for i, e := range edits {
		path, _, _ := strings.Cut(strings.TrimSuffix(e, "-"), "=")
		fields[i] = d.Field(path)
	}
	if err := d.Parse(doc); err != nil {
		return nil, err
	}
	for i, e := range edits {
		if _, value, isSet := strings.Cut(e, "="); isSet {
			d.SetRaw(fields[i], []byte(value))
		} else {
			d.Remove(fields[i])
		}
	}
	return d.Bytes()
}

func TestSetKinds(t *testing.T) {
	var d Doc
	a := d.Field("a")
	for _, c := range []struct {
		set  func()
		want string
	}{
		{func() { d.SetText(a, []byte("\"\\\b\f\n\r\t\x00\x1fé한\xff")) }, `{"a":"\"\\\b\f\n\r\t\u0000\u001Fé한�"}`},
		{func() { d.SetString(a, "x") }, `{"a":"x"}`},
		{func() { d.SetInt(a, math.MinInt64) }, `{"a":-9223372036854775808}`},
		{func() { d.SetFloat(a, 0.1) }, `{"a":0.1}`},
		{func() { d.SetBool(a, true) }, `{"a":true}`},
		{func() { d.SetNull(a) }, `{"a":null}`},
		{func() { d.SetInt(a, 1); d.SetInt(a, 2) }, `{"a":2}`},
		{func() { d.SetInt(a, 1); d.Remove(a) }, `{}`},
	} {
		if err := d.Parse([]byte(`{"a":0}`)); err != nil {
			t.Fatal(err)
		}
		c.set()
		if got, err := d.Bytes(); string(got) != c.want || err != nil {
			t.Errorf("got %s, %v; want %s", got, err, c.want)
		}
	}
}

func TestNoParent(t *testing.T) {
	for doc, path := range map[string]string{`{"a":1}`: "a.b", `{}`: "a.b", `[1]`: "1", `1`: "a"} {
		if _, err := apply([]byte(doc), []string{path + "=1"}); !errors.Is(err, ErrNoParent) {
			t.Errorf("%s in %s: %v", path, doc, err)
		}
	}
}

func TestNotJSON(t *testing.T) {
	bad := []string{
		``, ` `, `{`, `}`, `[`, `]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,]`, `{"a":1]`, `[1}`, `1 2`, `{} x`,
		`{a:1}`, `{"a" 1}`, `"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\x01\"", "\"\xff\"", "\"\xed\xa0\x80\"", `tru`, `nul`,
		`falsee`, `-`, `01`, `1.`, `.1`, `1e`, `1e+`, `+1`, `--1`, `NaN`, "\"12345678\n\"", `[1 2]`, `{"a":1 "b":2}`,
		strings.Repeat("[", MaxNesting+1) + strings.Repeat("]", MaxNesting+1),
	}
	for _, doc := range bad {
		var d Doc
		a := d.Field("a")
		var syntax SyntaxError
		if err := d.Parse([]byte(doc)); !errors.As(err, &syntax) || int(syntax) > len(doc) {
			t.Errorf("%q: %v", doc, err)
		}
		if d.Kind(a) != Missing || d.Raw(a) != nil {
			t.Errorf("%q still has fields", doc)
		}
	}
	var d Doc
	deepest := strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting)
	if err := d.Parse([]byte(deepest)); err != nil {
		t.Errorf("%d arrays in each other: %v", MaxNesting, err)
	}
}

func TestAppendFloat(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.0", 1: "1.0", -1: "-1.0", 0.1: "0.1", 12.5: "12.5", 100: "100.0", 1234567: "1234567.0", 9999999: "9999999.0",
		1e7: "1.0E7", 12345678.5: "1.23456785E7", 0.001: "0.001", 0.00123: "0.00123", 0.0001: "1.0E-4", 1.5e-10: "1.5E-10",
		1e21: "1.0E21", math.MaxFloat64: "1.7976931348623157E308", math.SmallestNonzeroFloat64: "5.0E-324",
		1.0 / 3: "0.3333333333333333", 2.0 / 3 * 1e6: "666666.6666666666", 1189.99: "1189.99", 1088.64: "1088.64", 71105.18: "71105.18", 4.35: "4.35", 118.98810000000002: "118.98810000000002",
		math.Inf(1): "null", math.NaN(): "null",
	} {
		if got := string(AppendFloat(nil, x)); got != want {
			t.Errorf("%g is %s, want %s", x, got, want)
		}
	}
	if got := string(AppendFloat(nil, math.Copysign(0, -1))); got != "-0.0" {
		t.Errorf("minus zero is %s", got)
	}
}

func TestNoAllocation(t *testing.T) {
	var d Doc
	name, amount, tags, city := d.Field("customer.name"), d.Field("amount"), d.Field("customer.tags"), d.Field("customer.city")
	doc := []byte(order)
	work := func() {
		if err := d.Parse(doc); err != nil {
			t.Fatal(err)
		}
		text, _ := d.Text(name)
		x, _ := d.Float(amount)
		d.SetFloat(amount, x*3)
		d.SetText(city, text)
		d.Remove(tags)
		if _, err := d.Bytes(); err != nil {
			t.Fatal(err)
		}
	}
	work()
	if n := testing.AllocsPerRun(100, work); n != 0 {
		t.Errorf("%v allocations for a document, want none", n)
	}
}

// value is a document as encoding/json reads it, with the order of members and the first of equal keys.
type value struct {
	kind    Kind
	text    string // of strings and numbers, "true" and "false"
	keys    []string
	members []*value
}

func read(dec *stdjson.Decoder) (*value, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := tok.(type) {
	case stdjson.Delim:
		return readContainer(dec, v)
	case string:
		return &value{kind: String, text: v}, nil
	case stdjson.Number:
		return &value{kind: Number, text: v.String()}, nil
	case bool:
		return &value{kind: Bool, text: strconv.FormatBool(v)}, nil
	}
	return &value{kind: Null}, nil
}

func readContainer(dec *stdjson.Decoder, open stdjson.Delim) (*value, error) {
	c := &value{kind: Object}
	if open == '[' {
		c.kind = Array
	}
	for dec.More() {
		key := strconv.Itoa(len(c.keys))
		if c.kind == Object {
			tok, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key = tok.(string)
		}
		m, err := read(dec)
		if err != nil {
			return nil, err
		}
		c.keys, c.members = append(c.keys, key), append(c.members, m)
	}
	_, err := dec.Token()
	return c, err
}

// parseAll is false if data is not JSON.
func parseAll(data []byte) (*value, bool) {
	if !stdjson.Valid(data) || !utf8.Valid(data) {
		return nil, false
	}
	dec := stdjson.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := read(dec)
	return v, err == nil
}

func (v *value) index(key string) int {
	for i, k := range v.keys {
		if k == key {
			return i
		}
	}
	return -1
}

// at is the value at a path, nil if there is none.
func (v *value) at(path []string) *value {
	for _, key := range path {
		i := v.index(key)
		if i < 0 {
			return nil
		}
		v = v.members[i]
	}
	return v
}

// set and remove are the edits that Doc is held against. set is false if there is no object to add to.
func (v *value) set(path []string, to *value) bool {
	parent := v.at(path[:len(path)-1])
	if parent == nil {
		return false
	}
	last := path[len(path)-1]
	if i := parent.index(last); i >= 0 {
		parent.members[i] = to
		return true
	}
	if parent.kind != Object {
		return false
	}
	parent.keys, parent.members = append(parent.keys, last), append(parent.members, to)
	return true
}

func (v *value) remove(path []string) {
	parent := v.at(path[:len(path)-1])
	if parent == nil {
		return
	}
	if i := parent.index(path[len(path)-1]); i >= 0 {
		parent.keys = append(parent.keys[:i:i], parent.keys[i+1:]...)
		parent.members = append(parent.members[:i:i], parent.members[i+1:]...)
	}
	if parent.kind == Array {
		for i := range parent.keys {
			parent.keys[i] = strconv.Itoa(i)
		}
	}
}

func (v *value) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d%q", v.kind, v.text)
	for i, m := range v.members {
		fmt.Fprintf(&b, "(%q %v)", v.keys[i], m)
	}
	return b.String()
}

// FuzzDoc holds Parse, the getters and two edits against encoding/json.
func FuzzDoc(f *testing.F) {
	f.Add([]byte(order), "customer.name", "amount", true, false)
	f.Add([]byte(`{"a":{"b":[1,2,{"c":"\ud83d\ude00\ud800x"}]},"d":1}`), "a.b.2.c", "d", false, false)
	f.Add([]byte(`{"a":1,"b":2}`), "a", "b", false, false)
	f.Add([]byte(`[0,1,2]`), "0", "2", false, true)
	f.Add([]byte(`{"x":1,"x":2}`), "x", "y", true, true)
	f.Fuzz(func(t *testing.T, data []byte, first, second string, setFirst, setSecond bool) {
		if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > MaxNesting {
			return
		}
		var d Doc
		a, b := d.Field(first), d.Field(second)
		want, valid := parseAll(data)
		err := d.Parse(data)
		if (err == nil) != valid {
			t.Fatalf("%q: Parse says %v, encoding/json %v", data, err, valid)
		}
		if !valid {
			return
		}
		compareField(t, &d, a, want.at(strings.Split(first, ".")))
		compareField(t, &d, b, want.at(strings.Split(second, ".")))
		if a == b || nested(first, second) || !utf8.ValidString(first) || !utf8.ValidString(second) {
			return
		}
		editBoth(t, &d, want, []step{{a, first, setFirst}, {b, second, setSecond}})
	})
}

type step struct {
	field Field
	path  string
	set   bool
}

// nested tells whether one path leads through the other, or both into one array, whose indices move at a removal.
func nested(a, b string) bool {
	if strings.HasPrefix(a+".", b+".") || strings.HasPrefix(b+".", a+".") {
		return true
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			_, errX := strconv.Atoi(x[i])
			_, errY := strconv.Atoi(y[i])
			return errX == nil && errY == nil
		}
	}
	return true
}

func editBoth(t *testing.T, d *Doc, want *value, steps []step) {
	before := want.String()
	possible := true
	for _, s := range steps {
		if s.set {
			d.SetString(s.field, "new")
			possible = want.set(strings.Split(s.path, "."), &value{kind: String, text: "new"}) && possible
		} else {
			d.Remove(s.field)
			want.remove(strings.Split(s.path, "."))
		}
	}
	out, err := d.Bytes()
	if (err == nil) != possible {
		t.Fatalf("Bytes says %v, the edit is possible: %v", err, possible)
	}
	if err != nil {
		return
	}
	got, valid := parseAll(out)
	if !valid || got.String() != want.String() {
		t.Fatalf("%s with %+v is %q\n%v, want\n%v", before, steps, out, got, want)
	}
}

func compareField(t *testing.T, d *Doc, f Field, want *value) {
	if want == nil {
		if d.Kind(f) != Missing {
			t.Fatalf("%q is there: %s", d.paths[f], d.Raw(f))
		}
		return
	}
	if d.Kind(f) != want.kind {
		t.Fatalf("%q is of kind %d, want %d", d.paths[f], d.Kind(f), want.kind)
	}
	if text, ok := d.Text(f); ok && string(text) != want.text || ok != (want.kind == String) || ok && !d.Is(f, want.text) {
		t.Fatalf("%q is %q, want %q", d.paths[f], text, want.text)
	}
	if want.kind != Number {
		return
	}
	x, _ := strconv.ParseFloat(want.text, 64)
	if got, ok := d.Float(f); !ok || got != x {
		t.Fatalf("%s is read as %v, want %v", want.text, got, x)
	}
	n, err := strconv.ParseInt(want.text, 10, 64)
	if got, ok := d.Int(f); ok != (err == nil) || ok && got != n {
		t.Fatalf("%s is read as %v (%v), want %v", want.text, got, ok, n)
	}
}

func FuzzAppendFloat(f *testing.F) {
	for _, x := range []float64{0, 1, 0.1, 1189.99, 1e7, 1e-3, 4.35, 123456.789, 5e-324} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		text := AppendFloat(nil, x)
		if back, err := strconv.ParseFloat(string(text), 64); err != nil || back != x || !stdjson.Valid(text) {
			t.Fatalf("%g is written as %s and read as %g", x, text, back)
		}
		digits := func(s string) string {
			mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
			return strings.Trim(strings.ReplaceAll(strings.TrimPrefix(mantissa, "-"), ".", ""), "0")
		}
		if short := strconv.FormatFloat(x, 'e', -1, 64); digits(short) != digits(string(text)) {
			t.Fatalf("%s has not the digits of %s", text, short)
		}
	})
}

// event is a document like those of the benchmark's generator.
const event = `{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"country":"DE","page":"/item/31245",` +
	`"session":"0123456789abcdef","agent":"0123456789abcdef0123456789abcdef0123456789abcdef"}`

func BenchmarkEnrich(b *testing.B) {
	b.Run("sdk", func(b *testing.B) {
		var d Doc
		kind, amount, agent, total := d.Field("type"), d.Field("amount"), d.Field("agent"), d.Field("total")
		data := []byte(event)
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Parse(data); err != nil {
				b.Fatal(err)
			}
			x, _ := d.Float(amount)
			d.SetFloat(total, math.Floor(x*119+0.5)/100)
			d.SetString(kind, "CLICK")
			d.Remove(agent)
			if _, err := d.Bytes(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		data := []byte(event)
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]any
			if err := stdjson.Unmarshal(data, &m); err != nil {
				b.Fatal(err)
			}
			m["total"] = math.Floor(m["amount"].(float64)*119+0.5) / 100
			m["type"] = strings.ToUpper(m["type"].(string))
			delete(m, "agent")
			if _, err := stdjson.Marshal(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
