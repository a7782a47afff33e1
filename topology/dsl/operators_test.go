package dsl_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

var (
	short = dsl.NativePredicate(func(r *topology.Record) bool { return len(r.Value) < 3 })
	upper = dsl.NativeMapper(func(r *topology.Record) error {
		r.Value = bytes.ToUpper(r.Value)
		return nil
	})
	swap = dsl.NativeMapper(func(r *topology.Record) error {
		r.Key, r.Value = r.Value, r.Key
		return nil
	})
	letters = dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
		for i := range in {
			for j := range in[i].Value {
				r := in[i]
				r.Index, r.Value = int32(i), in[i].Value[j:j+1:j+1]
				out = append(out, r)
			}
		}
		return out, nil
	})
	valueAsKey = dsl.NativeMapper(func(r *topology.Record) error {
		r.Key = r.Value
		return nil
	})
	nothing = dsl.Native(func(_, out []topology.Record) ([]topology.Record, error) { return out, nil })
)

// operatorCases are all stateless operators, by native functions and by expressions.
var operatorCases = map[string]struct {
	build    func(s *dsl.KStream)
	in, want string
}{
	"filter":             {func(s *dsl.KStream) { s.Filter(short) }, "a=x@1 b=long@2 c=y@3", "a=x @1\nc=y @3\n"},
	"filterNot":          {func(s *dsl.KStream) { s.FilterNot(short) }, "a=x@1 b=long@2 c=y@3", "b=long @2\n"},
	"filter expr":        {func(s *dsl.KStream) { s.Filter(dsl.Expr("value == 'x' || timestamp > 2")) }, "a=x@1 b=y@2 c=z@3", "a=x @1\nc=z @3\n"},
	"mapValues":          {func(s *dsl.KStream) { s.MapValues(upper) }, "a=x@1 null=y@2", "a=X @1\nnull=Y @2\n"},
	"mapValues expr":     {func(s *dsl.KStream) { s.MapValues(dsl.Expr("value + '!' + key")) }, "a=x@1", "a=x!a @1\n"},
	"mapValues constant": {func(s *dsl.KStream) { s.MapValues(dsl.Expr("'c'")) }, "a=x@1 b=null@2", "a=c @1\nb=c @2\n"},
	"mapValues null":     {func(s *dsl.KStream) { s.MapValues(dsl.Expr("null")) }, "a=x@1", "a=null @1\n"},
	"mapValues length":   {func(s *dsl.KStream) { s.MapValues(dsl.Expr("value.size()")) }, "a=xyz@1", "a=3 @1\n"},
	"flatMapValues":      {func(s *dsl.KStream) { s.FlatMapValues(letters) }, "a=xy@1 b=@2 c=z@3", "a=x @1\na=y @1\nc=z @3\n"},
	"flatMapValues expr": {func(s *dsl.KStream) { s.FlatMapValues(dsl.Expr("value.split('-')")) }, "a=x-y@1 c=z@3", "a=x @1\na=y @1\nc=z @3\n"},
	"map":                {func(s *dsl.KStream) { s.Map(swap) }, "a=x@1 null=y@2", "x=a @1\ny=null @2\n"},
	"map expr":           {func(s *dsl.KStream) { s.Map(dsl.MapExpr("value", "key")) }, "a=x@1", "x=a @1\n"},
	"flatMap":            {func(s *dsl.KStream) { s.FlatMap(letters) }, "a=xy@1", "a=x @1\na=y @1\n"},
	"flatMap expr": {func(s *dsl.KStream) {
		s.FlatMap(dsl.Expr("[{'key': value, 'value': 1}, {'key': key}]").Out(topology.String, topology.Long))
	}, "a=x@1", "x=1 @1\na=null @1\n"},
	"selectKey":      {func(s *dsl.KStream) { s.SelectKey(valueAsKey) }, "a=x@1", "x=x @1\n"},
	"selectKey expr": {func(s *dsl.KStream) { s.SelectKey(dsl.Expr("value")) }, "a=x@1 b=null@2", "x=x @1\nnull=null @2\n"},
	"peek":           {func(s *dsl.KStream) { s.Peek(nothing) }, "a=x@1", "a=x @1\n"},
	"foreach":        {func(s *dsl.KStream) { s.Foreach(nothing) }, "a=x@1", ""},
	"branch": {func(s *dsl.KStream) {
		s.Split().Branch(dsl.Expr("value == 'x'")).Branch(dsl.Expr("value != 'y'")).DefaultBranch()
	}, "a=x@1 b=y@2 c=z@3 d=x@4", ""},
}

func TestOperators(t *testing.T) {
	for name, c := range operatorCases {
		if name == "branch" {
			continue // its supplier is not the last one
		}
		ctx := newContext()
		p := start(t, supplier(t, c.build), ctx)
		if err := p.Process(records(c.in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := ctx.text(); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

// TestFramesOfOneAndMany: what is forwarded to each child does not depend on how long the frames are.
func TestFramesOfOneAndMany(t *testing.T) {
	suppliers := map[string]topology.ProcessorSupplier{"notNull": dsl.NotNullKey{}, "branch": branchSupplier(true), "branch without default": branchSupplier(false)}
	for name, c := range operatorCases {
		if name != "branch" {
			suppliers[name] = supplier(t, c.build)
		}
	}
	for name, s := range suppliers {
		rapid.Check(t, func(t *rapid.T) {
			word := rapid.SampledFrom([]string{"x", "y", "z", "long"})
			var text strings.Builder
			for range rapid.IntRange(1, 20).Draw(t, "records") {
				key := rapid.SampledFrom([]string{"a", "b", "null"}).Draw(t, "key")
				if strings.Contains(name, "expr") && strings.HasPrefix(name, "mapValues") {
					key = "a" // text and null do not add up
				}
				text.WriteString(key + "=" + word.Draw(t, "value") + "@1 ")
			}
			in := records(text.String())
			many, one := byChild(t, s, in, len(in)), byChild(t, s, in, 1)
			if many != one {
				t.Fatalf("%s: frames of %d gave\n%sframes of 1\n%s", name, len(in), many, one)
			}
		})
	}
}

func branchSupplier(def bool) topology.ProcessorSupplier {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	split := b.Stream("in").Split("split").Branch(short).Branch(dsl.Expr("value != 'y'"))
	if def {
		split.DefaultBranch()
	} else {
		split.NoDefaultBranch()
	}
	topo, err := b.Build()
	if err != nil {
		panic(err)
	}
	return topo.Node("split").Supplier
}

func byChild(t *rapid.T, s topology.ProcessorSupplier, in []topology.Record, size int) string {
	ctx := newContext()
	p, err := s.New()
	if err == nil {
		err = p.Init(ctx)
	}
	for i := 0; i < len(in) && err == nil; i += size {
		err = p.Process(in[i:min(i+size, len(in))])
	}
	if err != nil {
		t.Fatal(err)
	}
	all := ctx.sent
	var out string
	for child := -1; child < 3; child++ {
		for _, r := range all {
			if r.child == child {
				ctx.sent = append(ctx.sent[:0:0], r)
				out += ctx.text()
			}
		}
	}
	return out
}

func TestBranchOrder(t *testing.T) {
	ctx := newContext()
	p := start(t, branchSupplier(true), ctx)
	if err := p.Process(records("a=long@1 b=y@2 c=abc@3 d=zz@4 e=null@5")); err != nil {
		t.Fatal(err)
	}
	want := "0: b=y @2\n0: d=zz @4\n0: e=null @5\n1: a=long @1\n1: c=abc @3\n"
	if got := ctx.text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestWrongAnswers: each operator refuses answers that its kind does not allow.
func TestWrongAnswers(t *testing.T) {
	answer := func(change func(out []topology.Record) []topology.Record) dsl.Fn {
		return dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
			for i := range in {
				r := in[i]
				r.Index = int32(i)
				out = append(out, r)
			}
			return change(out), nil
		})
	}
	twice := answer(func(out []topology.Record) []topology.Record { return append(out, out[len(out)-1]) })
	none := answer(func(out []topology.Record) []topology.Record { return out[:1] })
	key := answer(func(out []topology.Record) []topology.Record { out[1].Key = []byte("other"); return out })
	value := answer(func(out []topology.Record) []topology.Record { out[1].Value = nil; return out })
	timestamp := answer(func(out []topology.Record) []topology.Record { out[1].Timestamp++; return out })
	headers := answer(func(out []topology.Record) []topology.Record {
		out[1].Headers = []topology.Header{{Key: "h"}}
		return out
	})
	index := answer(func(out []topology.Record) []topology.Record { out[1].Index = 2; return out })
	backwards := answer(func(out []topology.Record) []topology.Record { out[0].Index, out[1].Index = 1, 0; return out })
	negative := answer(func(out []topology.Record) []topology.Record { out[0].Index = -1; return out })
	for name, build := range map[string]func(s *dsl.KStream){
		"mapValues twice":         func(s *dsl.KStream) { s.MapValues(twice) },
		"mapValues none":          func(s *dsl.KStream) { s.MapValues(none) },
		"mapValues key":           func(s *dsl.KStream) { s.MapValues(key) },
		"mapValues timestamp":     func(s *dsl.KStream) { s.MapValues(timestamp) },
		"mapValues headers":       func(s *dsl.KStream) { s.MapValues(headers) },
		"mapValues index":         func(s *dsl.KStream) { s.MapValues(index) },
		"mapValues backwards":     func(s *dsl.KStream) { s.MapValues(backwards) },
		"flatMapValues key":       func(s *dsl.KStream) { s.FlatMapValues(key) },
		"flatMapValues negative":  func(s *dsl.KStream) { s.FlatMapValues(negative) },
		"map twice":               func(s *dsl.KStream) { s.Map(twice) },
		"flatMap timestamp":       func(s *dsl.KStream) { s.FlatMap(timestamp) },
		"selectKey value":         func(s *dsl.KStream) { s.SelectKey(value) },
		"selectKey none":          func(s *dsl.KStream) { s.SelectKey(none) },
		"filter index":            func(s *dsl.KStream) { s.Filter(index) },
		"peek answers":            func(s *dsl.KStream) { s.Peek(none) },
		"foreach answers":         func(s *dsl.KStream) { s.Foreach(none) },
		"groupBy's key and value": func(s *dsl.KStream) { s.SelectKey(value) },
	} {
		ctx := newContext()
		err := start(t, supplier(t, build), ctx).Process(records("a=x@1 b=y@2"))
		if !errs.GuestAnswer.Is(err) {
			t.Errorf("%s: got %v, want %s", name, err, errs.GuestAnswer.ID)
		}
		if len(ctx.sent) > 0 {
			t.Errorf("%s: forwarded %s", name, ctx.text())
		}
	}
}

// skipping is a guest that answers all but the second record, which it cannot process.
type skipping struct{ silent bool }

func (f skipping) Call(in, out []topology.Record) ([]topology.Record, error) {
	for i := range in {
		if i != 1 && !f.silent {
			r := in[i]
			r.Index = int32(i)
			out = append(out, r)
		}
	}
	return out, nil
}

func (skipping) Skipped() []int32 { return []int32{1} }

// TestSkippedRecords: a record that a guest could not process is dropped, also where no answer means something else.
func TestSkippedRecords(t *testing.T) {
	fn, quiet := dsl.Guest("m", "skips"), dsl.Guest("m", "quiet")
	for name, c := range map[string]struct {
		build func(s *dsl.KStream)
		want  string
	}{
		"filter":    {func(s *dsl.KStream) { s.Filter(fn) }, "a=1 @1\nc=3 @3\n"},
		"filterNot": {func(s *dsl.KStream) { s.FilterNot(quiet) }, "a=1 @1\nc=3 @3\n"},
		"mapValues": {func(s *dsl.KStream) { s.MapValues(fn) }, "a=1 @1\nc=3 @3\n"},
		"peek":      {func(s *dsl.KStream) { s.Peek(quiet) }, "a=1 @1\nc=3 @3\n"},
	} {
		ctx := newContext()
		ctx.guests = map[topology.GuestRef]topology.Function{fn.Guest: skipping{}, quiet.Guest: skipping{silent: true}}
		if err := start(t, supplier(t, c.build), ctx).Process(records("a=1@1 b=2@2 c=3@3")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := ctx.text(); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

// echo is a guest processor that sends each record where its value says, or changes its key.
type echo struct{ key string }

func (f echo) Call(in, out []topology.Record) ([]topology.Record, error) {
	for i := range in {
		r := in[i]
		r.Index, r.Dest = int32(i), int32(r.Value[0]-'0')
		if f.key != "" {
			r.Key = []byte(f.key)
		}
		out = append(out, r)
	}
	return out, nil
}

func TestProcess(t *testing.T) {
	ctx := newContext()
	s := dsl.GuestProcessor("m", "p")
	ctx.guests = map[topology.GuestRef]topology.Function{s.Guest: echo{}}
	if err := start(t, s, ctx).Process(records("a=1@1 b=1@2 c=0@3 d=2@4")); err != nil {
		t.Fatal(err)
	}
	if want, got := "0: a=1 @1\n0: b=1 @2\nc=0 @3\n1: d=2 @4\n", ctx.text(); got != want || ctx.frames != 3 {
		t.Errorf("got %d frames\n%swant 3\n%s", ctx.frames, got, want)
	}
	ctx.guests[s.Guest] = echo{key: "other"}
	if err := start(t, s, ctx).Process(records("a=0@1")); err != nil {
		t.Errorf("process may change the key: %v", err)
	}
	err := start(t, dsl.GuestValuesProcessor("m", "p"), ctx).Process(records("a=0@1"))
	if !errs.GuestAnswer.Is(err) {
		t.Errorf("processValues may not change the key: %v", err)
	}
}

// TestPlainData: suppliers can be written down.
func TestPlainData(t *testing.T) {
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	b.Stream("in").FlatMapValues(words.WithConfig(map[string]string{"a": "b"})).GroupBy(dsl.Expr("value")).Count().ToStream().To("out")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range topo.Nodes() {
		if n.Supplier != nil {
			text, err := json.Marshal(n.Supplier)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
	}
	want := []string{
		`{"guest":{"module":"wordcount","component":"split-words"},"config":{"a":"b"},"kind":"flatMapValues","keySerde":"string","valueSerde":"string"}`,
		`{"expr":"value","kind":"selectKey","keySerde":"string","valueSerde":"string"}`,
		`{}`,
		`{"store":"KSTREAM-AGGREGATE-STATE-STORE-0000000003"}`,
		`{}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	uses := topo.Guests()["KSTREAM-FLATMAPVALUES-0000000001"]
	if len(uses) != 1 || uses[0].Kind != "flatMapValues" || uses[0].Config["a"] != "b" {
		t.Errorf("guests = %+v", uses)
	}
}

func TestBuilderFaults(t *testing.T) {
	for name, c := range map[string]struct {
		build func(b *dsl.StreamsBuilder)
		code  errs.Code
	}{
		"no source":        {func(*dsl.StreamsBuilder) {}, errs.TopologyNoSource},
		"no topics":        {func(b *dsl.StreamsBuilder) { b.StreamTopics(nil) }, errs.TopologyInvalid},
		"overlap":          {func(b *dsl.StreamsBuilder) { b.StreamTopics([]string{"a", "b"}); b.Stream("b") }, errs.TopologyTopicTaken},
		"different resets": {func(b *dsl.StreamsBuilder) { b.Stream("a"); b.Stream("a", dsl.Consumed{OffsetReset: "latest"}) }, errs.TopologyTopicTaken},
		"pattern and name": {func(b *dsl.StreamsBuilder) { b.Stream("abc"); b.StreamPattern("a.*") }, errs.TopologyTopicTaken},
		"name and pattern": {func(b *dsl.StreamsBuilder) { b.StreamPattern("a.*"); b.Stream("abc") }, errs.TopologyTopicTaken},
		"patterns":         {func(b *dsl.StreamsBuilder) { b.StreamPattern("a.*"); b.StreamPattern("aa.*") }, errs.TopologyTopicTaken},
		"no pattern":       {func(b *dsl.StreamsBuilder) { b.StreamPattern("(") }, errs.TopologyInvalid},
		"no function":      {func(b *dsl.StreamsBuilder) { b.Stream("a").Filter(dsl.Fn{}) }, errs.TopologyInvalid},
		"bad name":         {func(b *dsl.StreamsBuilder) { b.Stream("a").Filter(words, "a b") }, errs.TopologyInvalid},
		"long name":        {func(b *dsl.StreamsBuilder) { b.Stream("a").Filter(words, dsl.Named(strings.Repeat("x", 250))) }, errs.TopologyInvalid},
		"dots":             {func(b *dsl.StreamsBuilder) { b.Stream("a").Filter(words, "..") }, errs.TopologyInvalid},
		"name twice":       {func(b *dsl.StreamsBuilder) { b.Stream("a").Filter(words, "n").Filter(words, "n") }, errs.TopologyDuplicateName},
		"unknown store":    {func(b *dsl.StreamsBuilder) { b.Stream("a").Process(dsl.GuestProcessor("m", "p"), "", "s") }, errs.TopologyUnknownNode},
		"store twice": {func(b *dsl.StreamsBuilder) {
			b.AddStateStore(topology.StoreSpec{Name: "s"}).AddStateStore(topology.StoreSpec{Name: "s"}).Stream("a")
		}, errs.TopologyStoreClash},
		"counts in one store": {func(b *dsl.StreamsBuilder) {
			g := b.Stream("a").GroupByKey()
			g.Count(dsl.Materialized{Name: "s"})
			g.Count(dsl.Materialized{Name: "s"})
		}, errs.TopologyStoreClash},
		"expression": {func(b *dsl.StreamsBuilder) {
			b.Stream("a", dsl.Consumed{Key: topology.String, Value: topology.Long}).Filter(dsl.Expr("value"))
		}, errs.TopologyExpression},
		"peek by expression": {func(b *dsl.StreamsBuilder) {
			b.Stream("a", dsl.Consumed{Key: topology.String, Value: topology.Long}).Peek(dsl.Expr("value"))
		}, errs.TopologyExpression},
		"written as another type": {func(b *dsl.StreamsBuilder) {
			b.Stream("a").GroupByKey().Count().ToStream().To("b", dsl.Produced{Value: topology.String})
		}, errs.TopologyInvalid},
	} {
		b := dsl.NewStreamsBuilder()
		c.build(b)
		if topo, err := b.Build(); !c.code.Is(err) || topo != nil {
			t.Errorf("%s: got %v, want %s", name, err, c.code.ID)
		}
	}
}
