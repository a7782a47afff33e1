package streamtest_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmstream/wasmstream/host/stream"
	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// edgeDriver runs what build makes of a builder, with the probe (guest-sdk/c/testdata/probe.c).
func edgeDriver(t *testing.T, c streamtest.Config, build func(b *dsl.StreamsBuilder)) *streamtest.Driver {
	t.Helper()
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	build(b)
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	c.KeySerde, c.ValueSerde, c.Start = topology.String, topology.String, time.UnixMilli(0)
	c.Modules = map[string][]byte{"probe": probe(t)}
	d, err := streamtest.New(topo, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestTimestampsOfUsers: a guest, an expression and Go code say when records happened; a time below 0 drops a record.
func TestTimestampsOfUsers(t *testing.T) {
	lengths := dsl.NativeTimestamps(func(r *topology.Record, partitionTime int64) int64 {
		if r.Value == nil {
			return partitionTime + 1
		}
		return int64(len(r.Value))
	})
	for name, fn := range map[string]dsl.Fn{
		"guest": dsl.Guest("probe", "later"), "native": lengths,
	} {
		for _, size := range []int{1, 10} {
			d := edgeDriver(t, streamtest.Config{FrameSize: size}, func(b *dsl.StreamsBuilder) {
				b.Stream("in", dsl.Consumed{Timestamps: fn}).To("out")
				b.Table("rows", dsl.Consumed{Timestamps: fn}).ToStream().To("out")
			})
			key := []byte("k")
			err := errors.Join(
				d.PipeAll("in", streamtest.Record{Key: key, Value: []byte("four"), Timestamp: 77}, streamtest.Record{Key: key, Timestamp: 77}, streamtest.Record{Key: key, Value: []byte("v"), Timestamp: 77}),
				d.Pipe("rows", key, []byte("seven77"), 77), d.Pipe("in", key, nil, 77),
			)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int64{4, 5, 1, 7, 6}, times(d.ReadOutputs("out"))); diff != "" {
				t.Errorf("%s, frames of %d (-want +got):\n%s", name, size, diff)
			}
		}
	}
}

func times(records []streamtest.Record) (all []int64) {
	for _, r := range records {
		all = append(all, r.Timestamp)
	}
	return all
}

// TestTimestampExpression reads the time out of the value.
func TestTimestampExpression(t *testing.T) {
	d := edgeDriver(t, streamtest.Config{}, func(b *dsl.StreamsBuilder) {
		b.Stream("in", dsl.Consumed{Value: topology.JSON, Timestamps: dsl.Expr("int(value.at)")}).To("out")
	})
	for _, value := range []string{`{"at": 5}`, `{"at": -3}`, `{"at": 8}`} {
		if err := d.Pipe("in", []byte("k"), []byte(value), 77); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{5, 8}, times(d.ReadOutputs("out"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if dropped := d.Metrics().Dropped.Load(); dropped != 1 {
		t.Errorf("%d dropped", dropped)
	}
	if err := d.Pipe("in", []byte("k"), []byte(`{}`), 77); err == nil {
		t.Error("a record without the field has a time")
	}
}

// TestGuestsChooseTopicsAndPartitions has the probe name topics by the key and partitions by its length.
func TestGuestsChooseTopicsAndPartitions(t *testing.T) {
	d := edgeDriver(t, streamtest.Config{}, func(b *dsl.StreamsBuilder) {
		in := b.Stream("in")
		in.ToExtracted(dsl.Guest("probe", "topic"))
		in.To("spread", dsl.Produced{Partitioner: dsl.Guest("probe", "partition")})
		in.Repartition(dsl.Repartitioned{Name: "again", Partitioner: dsl.Guest("probe", "partition")}).To("last")
	})
	for _, key := range []string{"a", "bb", "a"} {
		if err := d.Pipe("in", []byte(key), []byte("v"), 1); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[string]int{"a": 2, "bb": 1, "spread": 3, "last": 3} {
		if got := len(d.ReadOutputs(topic)); got != want {
			t.Errorf("%d records in %s, want %d", got, topic, want)
		}
	}
}

// TestFormsOfTopics: keys and values have another form in topics than in the application.
func TestFormsOfTopics(t *testing.T) {
	form := func(change func([]byte) []byte) dsl.Fn {
		return dsl.Native(func(in, out []topology.Record) ([]topology.Record, error) {
			for i := range in {
				if bytes.HasPrefix(in[i].Value, []byte("!")) {
					return out, errors.New("no such form")
				}
				out = append(out, topology.Record{Index: int32(i), Value: change(in[i].Value)})
			}
			return out, nil
		})
	}
	upper, lower := form(bytes.ToUpper), form(bytes.ToLower)
	build := func(b *dsl.StreamsBuilder) {
		s := b.Stream("in", dsl.Consumed{KeyDeserializer: lower, ValueDeserializer: lower, Value: topology.JSON})
		s.To("plain")
		s.To("formed", dsl.Produced{KeySerializer: upper, ValueSerializer: upper, Partitioner: dsl.Guest("probe", "partition")})
		s.To("guest", dsl.Produced{KeySerializer: dsl.Guest("probe", "form"), ValueSerializer: dsl.Guest("probe", "form")})
	}
	d := edgeDriver(t, streamtest.Config{}, build)
	if err := errors.Join(d.Pipe("in", []byte("KEY"), []byte("[TRUE]"), 5), d.Pipe("in", nil, nil, 6)); err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]string{"plain": "key=[true]", "formed": "KEY=[TRUE]", "guest": "key=[true]"} {
		got := d.ReadOutputs(topic)
		if len(got) != 2 || string(got[0].Key)+"="+string(got[0].Value) != want || got[1].Key != nil || got[1].Value != nil {
			t.Errorf("%s: %v", topic, got)
		}
	}
	// What has no form there goes the way of what cannot be deserialised.
	if err := d.Pipe("in", []byte("KEY"), []byte("!"), 7); !errs.RecordDeserialization.Is(err) {
		t.Errorf("got %v", err)
	}
	skipping := edgeDriver(t, streamtest.Config{Deserialization: stream.LogAndContinue}, build)
	if err := errors.Join(skipping.Pipe("in", []byte("KEY"), []byte("!"), 7), skipping.Pipe("in", []byte("KEY"), []byte("1"), 8)); err != nil {
		t.Fatal(err)
	}
	if got := skipping.ReadOutputs("plain"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestGuestLearnsWhetherItFormsKeys: the same component is opened once for keys and once for values.
func TestGuestLearnsWhetherItFormsKeys(t *testing.T) {
	b := dsl.NewStreamsBuilder()
	form := dsl.Guest("probe", "form")
	b.Stream("in").To("out", dsl.Produced{Name: "sink", KeySerializer: form, ValueSerializer: form.WithConfig(map[string]string{"x": "y"})})
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	var configs []map[string]string
	for _, use := range topo.Guests()["sink"] {
		configs = append(configs, use.Config)
	}
	if diff := cmp.Diff([]map[string]string{{"isKey": "true"}, {"isKey": "false", "x": "y"}}, configs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
