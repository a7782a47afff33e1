package guest

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// newLoader has modules of the examples, as files of their names, in a folder.
func newLoader(t testing.TB, files map[string]string, egress EgressConfig) (l *Loader, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, from := range files {
		install(t, filepath.Join(dir, name), from)
	}
	l, err := NewLoader(Config{Paths: []string{dir}, Wasm: wasm.DefaultConfig(), Egress: egress, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, dir
}

const committed = "../../../examples/connect/connect.wasm"

// install copies a module to a file, as whole as a rename is.
func install(t testing.TB, to, from string) {
	t.Helper()
	code, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, code)
}

func write(t testing.TB, to string, code []byte) {
	t.Helper()
	if err := os.WriteFile(to+".new", code, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func newTransformation(t testing.TB, l *Loader, class string, props map[string]string) connectors.BatchTransformation {
	t.Helper()
	p, found, err := l.Load(connectors.KindTransformation, class)
	if err != nil || !found {
		t.Fatal(found, err)
	}
	tr := p.Transformation().(connectors.BatchTransformation)
	if err := tr.Configure(config.PropsOf(props)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// sinkRecord is a record as a sink's chain gets it.
func sinkRecord(offset int64, key, value data.SchemaAndValue) *connectors.Record {
	return &connectors.Record{Topic: "in", Partition: 3, Key: key, Value: value, Timestamp: 1000 + offset, Offset: offset}
}

func text(s string) data.SchemaAndValue {
	return data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue(s)}
}

var person = data.NewStructSchema().Name("Person").Field("name", data.StringSchema).Field("card", data.OptionalStringSchema).
	Field("balance", data.NewDecimalSchema(2).MustBuild()).Field("born", data.OptionalDateSchema).
	Field("tags", data.NewArraySchema(data.StringSchema).Optional().MustBuild()).
	Field("scores", data.NewMapSchema(data.StringSchema, data.Int32Schema).Optional().MustBuild()).MustBuild()

func kim(t testing.TB, card string) *data.Struct {
	t.Helper()
	s, err := data.NewStruct(person)
	if err != nil {
		t.Fatal(err)
	}
	balance, err := data.ParseDecimal("12.34")
	if err != nil {
		t.Fatal(err)
	}
	s.SetAt(0, data.StringValue("kim"))
	s.SetAt(1, data.StringValue(card))
	s.SetAt(2, data.DecimalValue(balance))
	s.SetAt(3, data.DateValue(data.MillisPerDay))
	s.SetAt(4, data.ArrayValue([]data.Value{data.StringValue("a"), data.StringValue("b")}))
	s.SetAt(5, data.MapValue(data.Of("x", data.Int32Value(7))))
	return s
}

const card, masked = "4111 1111 1111 1111", "**** **** **** 1111"

func TestTransformationKeepsWhatItDoesNotChange(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#redact", map[string]string{"fields": "card,nothing"})
	want := kim(t, masked)
	headers := connectors.Headers{{Key: "h", Value: text("v")}}
	r := sinkRecord(5, text("key"), data.SchemaAndValue{Schema: person, Value: data.StructValue(kim(t, card))})
	r.Headers = headers
	keep, err := tr.Apply(r)
	if err != nil || !keep {
		t.Fatal(keep, err)
	}
	if !r.Value.Equal(data.SchemaAndValue{Schema: person, Value: data.StructValue(want)}) || r.Value.Schema != person {
		t.Errorf("got %v", r.Value.Value.Struct())
	}
	if r.Topic != "in" || r.Partition != 3 || r.Offset != 5 || r.Timestamp != 1005 || !r.Key.Equal(text("key")) || len(r.Headers) != 1 {
		t.Errorf("other parts were changed: %+v", r)
	}
}

func TestTransformationOfEveryKindOfValue(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#redact", map[string]string{"fields": "card"})
	schemaless := data.Of("card", data.StringValue(card), "n", data.Int64Value(1), "null", data.Null)
	for _, c := range []struct{ name, want string }{{"text", masked}} {
		r := sinkRecord(0, data.SchemaAndValue{}, text(card))
		if keep, err := tr.Apply(r); err != nil || !keep || r.Value.Value.Str() != c.want || r.Value.Schema != data.StringSchema {
			t.Errorf("%s: %v %v %v", c.name, keep, err, r.Value)
		}
	}
	r := sinkRecord(0, data.SchemaAndValue{}, data.SchemaAndValue{Value: data.MapValue(schemaless)})
	if keep, err := tr.Apply(r); err != nil || !keep || r.Value.Schema != nil {
		t.Fatal(keep, err)
	}
	if want := data.Of("card", data.StringValue(masked), "n", data.Int64Value(1), "null", data.Null); !r.Value.Value.Map().Equal(want) {
		t.Errorf("%v", r.Value.Value)
	}
	r = sinkRecord(0, data.SchemaAndValue{}, data.SchemaAndValue{}) // a tombstone
	if keep, err := tr.Apply(r); err != nil || !keep || r.Value.Schema != nil || !r.Value.Value.IsNull() {
		t.Error(keep, err, r.Value)
	}
	r = sinkRecord(0, data.SchemaAndValue{}, data.SchemaAndValue{Schema: data.OptionalStringSchema}) // null with a schema
	if keep, err := tr.Apply(r); err != nil || !keep || r.Value.Schema != data.OptionalStringSchema {
		t.Error(keep, err, r.Value)
	}
}

func TestTransformationRoutes(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#route", map[string]string{"field": "to", "prefix": "out."})
	var rs []*connectors.Record
	for i := range 1200 { // several frames
		v := data.Of("to", data.StringValue(string(rune('a'+i%3))))
		if i%100 == 50 {
			v = data.Of("other", data.Int8Value(1))
		}
		r := sinkRecord(int64(i), data.SchemaAndValue{}, data.SchemaAndValue{Value: data.MapValue(v)})
		r.Topic = "in" + string(rune('0'+i%7))
		rs = append(rs, r)
	}
	out := make([]connectors.Outcome, len(rs))
	if err := tr.ApplyBatch(rs, out); err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		if i%100 == 50 {
			if err := out[i].Err; err == nil || !strings.HasPrefix(err.Error(), "E-GUEST-ERROR in"+string(rune('0'+i%7))+"-3@") || !strings.Contains(err.Error(), "route by") {
				t.Fatalf("record %d: %v", i, err)
			}
			continue
		}
		if want := "out." + string(rune('a'+i%3)); r.Topic != want || out[i].Err != nil || r.Partition != 3 {
			t.Fatalf("record %d: topic %s, want %s (%v)", i, r.Topic, want, out[i].Err)
		}
	}
}

func TestPredicate(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	p, found, err := l.Load(connectors.KindPredicate, "wasm:connect.wasm#has-field")
	if err != nil || !found {
		t.Fatal(found, err)
	}
	pr := p.Predicate()
	if err := pr.Configure(config.PropsOf(map[string]string{"field": "card"})); err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	for _, c := range []struct {
		v    data.SchemaAndValue
		want bool
	}{
		{data.SchemaAndValue{Schema: person, Value: data.StructValue(kim(t, card))}, true},
		{data.SchemaAndValue{Value: data.MapValue(data.Of("other", data.Null))}, false},
		{text("card"), false},
		{data.SchemaAndValue{}, false},
	} {
		if got, err := pr.Test(sinkRecord(0, data.SchemaAndValue{}, c.v)); err != nil || got != c.want {
			t.Errorf("%v: %v %v", c.v, got, err)
		}
	}
}

func TestSchemasMadeForEachRecordAreToldOnce(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#redact", map[string]string{"fields": "card"}).(*transformation)
	for i := range 3 * maxKnown {
		schema := data.NewStructSchema().Field("card", data.StringSchema).MustBuild()
		s, _ := data.NewStruct(schema)
		s.SetAt(0, data.StringValue(card))
		r := sinkRecord(int64(i), data.SchemaAndValue{}, data.SchemaAndValue{Schema: schema, Value: data.StructValue(s)})
		if _, err := tr.Apply(r); err != nil || r.Value.Value.Struct().At(0).Str() != masked || !r.Value.Schema.Equal(schema) {
			t.Fatal(i, err, r.Value)
		}
	}
	if n := len(tr.c.live.enc.sent); n != 2 {
		t.Errorf("%d schemas crossed, want 2", n)
	}
}

func TestListShowsComponentsWithTheirSettings(t *testing.T) {
	l, dir := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	if err := os.MkdirAll(filepath.Join(dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	install(t, filepath.Join(dir, "more", "again.wasm"), committed)
	write(t, filepath.Join(dir, "broken.wasm"), []byte("no module"))
	var classes []string
	for _, p := range l.List() {
		classes = append(classes, p.Class)
		if p.Class == "wasm:connect.wasm#route" {
			if p.Version != "1.0.0" || p.Kind != connectors.KindTransformation {
				t.Errorf("%+v", p)
			}
			def := p.ConfigDef()
			if k := def.Key("field"); k == nil || !k.Required() || def.Key("prefix").Default != "" {
				t.Errorf("%v", def.Names())
			}
		}
	}
	var want []string
	for _, file := range []string{"connect.wasm", "more/again.wasm"} {
		for _, name := range strings.Fields("redact route has-field csv number poll webhook") {
			want = append(want, "wasm:"+file+"#"+name)
		}
	}
	if !slices.Equal(classes, want) {
		t.Errorf("got %s", classes)
	}
}

func TestLoadTellsWhatIsWrong(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed, "hello.wasm": "../../../examples/hello/hello.wasm"}, EgressConfig{})
	for _, c := range []struct {
		kind       connectors.Kind
		name, says string
	}{
		{connectors.KindTransformation, "wasm:connect.wasm", "wasm:FILE#COMPONENT"},
		{connectors.KindTransformation, "wasm:conect.wasm#redact", `did you mean "connect.wasm"?`},
		{connectors.KindTransformation, "wasm:connect.wasm#redct", `did you mean "redact"?`},
		{connectors.KindTransformation, "wasm:../connect.wasm#redact", "no such module"},
		{connectors.KindTransformation, "wasm:/etc/passwd#redact", "no such module"},
		{connectors.KindTransformation, "wasm:sha256:0123#redact", "too short"},
		{connectors.KindTransformation, "wasm:sha256:0123456789ab#redact", "no module under plugin.path has this digest"},
		{connectors.KindTransformation, "wasm:hello.wasm#shout", "E-CONNECT-PLUGIN"},
	} {
		_, _, err := l.Load(c.kind, c.name)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "E-CONNECT-PLUGIN") {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if _, found, err := l.Load(connectors.KindPredicate, "wasm:connect.wasm#redact"); found || err != nil {
		t.Error("a transformation was found as a predicate", err)
	}
	if _, found, err := l.Load(connectors.KindTransformation, "org.example.Cast"); found || err != nil {
		t.Error("a class was found as a module", err)
	}
	m, err := l.module("connect.wasm")
	if err != nil {
		t.Fatal(err)
	}
	_, digest, err := m.describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := l.Load(connectors.KindTransformation, "wasm:"+digest[:20]+"#redact"); !found || err != nil {
		t.Error("not found by its digest", err)
	}
}

func TestSettingsAreValidated(t *testing.T) {
	l, _ := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	p, _, err := l.Load(connectors.KindTransformation, "wasm:connect.wasm#route")
	if err != nil {
		t.Fatal(err)
	}
	tr := p.Transformation()
	if err := tr.Configure(config.Props{}); err == nil || !strings.Contains(err.Error(), `Missing required configuration "field"`) {
		t.Error(err)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
}

func classes(l *Loader) (out []string) {
	for _, p := range l.List() {
		out = append(out, p.Class)
	}
	return out
}

// TestCodeIsHeldWhileItIsUsed: what is only listed is not compiled, and the last plugin that is closed takes the code along.
func TestCodeIsHeldWhileItIsUsed(t *testing.T) {
	l, dir := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	const redact = "wasm:connect.wasm#redact"
	if !slices.Contains(classes(l), redact) || l.mu.engine != nil {
		t.Fatal("listing made an engine")
	}
	configured := func(class string) connectors.Transformation {
		p, found, err := l.Load(connectors.KindTransformation, class)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		tr := p.Transformation()
		if err := tr.Configure(config.PropsOf(nil)); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	ended := func(tr connectors.Transformation) {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
	m := l.known(file{"connect.wasm", filepath.Join(dir, "connect.wasm")})
	first, second := configured(redact), configured(redact)
	code := m.running()
	ended(first)
	if code == nil || m.running() != code {
		t.Error("the code of a plugin that runs is gone")
	}
	ended(second)
	if m.running() != nil || code.refs != 0 {
		t.Errorf("%d references to code that nobody uses", code.refs)
	}
	bytes1, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "connect.wasm"), bytes.ReplaceAll(bytes1, []byte(`"redact"`), []byte(`"retire"`)))
	if done, err := l.Reload(t.Context(), ""); err != nil || len(done) != 1 || done[0].Error != "" || done[0].Old == done[0].New || done[0].Running != 0 {
		t.Errorf("%+v %v", done, err)
	}
	if got := classes(l); slices.Contains(got, redact) || !slices.Contains(got, "wasm:connect.wasm#retire") {
		t.Errorf("%v", got)
	}
	write(t, filepath.Join(dir, "connect.wasm"), []byte("no module any more"))
	if done, err := l.Reload(t.Context(), ""); err != nil || len(done) != 1 || done[0].Code != "E-RELOAD-FAILED" {
		t.Errorf("%+v %v", done, err)
	}
	if got := classes(l); len(got) != 0 {
		t.Errorf("%v", got)
	}
	write(t, filepath.Join(dir, "connect.wasm"), bytes1)
	ended(configured(redact))
}

func TestReload(t *testing.T) {
	l, dir := newLoader(t, map[string]string{"connect.wasm": committed}, EgressConfig{})
	tr := newTransformation(t, l, "wasm:connect.wasm#redact", nil)
	apply := func() string {
		r := sinkRecord(0, data.SchemaAndValue{}, text(card))
		if _, err := tr.Apply(r); err != nil {
			t.Fatal(err)
		}
		return r.Value.Value.Str()
	}
	if apply() != masked {
		t.Fatal(apply())
	}
	code, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "connect.wasm")
	reload := func(code []byte) Reloaded {
		write(t, file, code)
		done, err := l.Reload(t.Context(), "connect.wasm")
		if err != nil || len(done) != 1 {
			t.Fatal(done, err)
		}
		return done[0]
	}
	if done := reload(code); done.Error != "" || done.Old != done.New {
		t.Errorf("the same module: %+v", done)
	}
	if done := reload([]byte("no module")); done.Code != "E-RELOAD-FAILED" || done.Old != done.New {
		t.Errorf("a broken module: %+v", done)
	}
	// Names of the same length keep the module whole.
	if done := reload(bytes.ReplaceAll(code, []byte(`"redact"`), []byte(`"retire"`))); done.Code != "E-RELOAD-REFUSED" || !strings.Contains(done.Error, "no component redact") {
		t.Errorf("a module without the component: %+v", done)
	}
	if apply() != masked {
		t.Fatal("the running version is gone")
	}
	// '*' becomes '#', in the code: i32.const 42 and i32.store8.
	changed := append([]byte(nil), code...)
	if n := swapStar(changed); n == 0 {
		t.Fatal("the module has no '*'")
	}
	if done := reload(changed); done.Error != "" || done.Old == done.New || done.Running != 1 {
		t.Errorf("a new module: %+v", done)
	}
	if got := apply(); got != strings.ReplaceAll(masked, "*", "#") {
		t.Errorf("after the reload: %s", got)
	}
	if _, err := l.Reload(t.Context(), "other.wasm"); err == nil {
		t.Error("a module that is not there was reloaded")
	}
}

// swapStar replaces the operand of every i32.const 42 that is stored as a byte at once.
func swapStar(code []byte) (n int) {
	const i32Const, store8 = 0x41, 0x3a
	for i := 0; i+2 < len(code); i++ {
		if code[i] == i32Const && code[i+1] == '*' && code[i+2] == store8 {
			code[i+1] = '#'
			n++
		}
	}
	return n
}
