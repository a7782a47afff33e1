package connect_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/host/connect"
)

// chainStages are transformations that can work on what the one before them has made, and others between them that cannot.
var chainStages = []map[string]string{
	{"type": "ReplaceField$Value", "renames": "a:b"},
	{"type": "ReplaceField$Value", "renames": "a:z,b:y"},
	{"type": "ReplaceField$Value", "renames": "a:x,b:x"},
	{"type": "ReplaceField$Value", "exclude": "b", "renames": "a:b"},
	{"type": "ReplaceField$Value", "include": "a,c,nested"},
	{"type": "ReplaceField$Value", "exclude": "nested.b", "field.syntax.version": "V2"},
	{"type": "ReplaceField$Key", "renames": "a:k"},
	{"type": "InsertField$Value", "topic.field": "topic", "offset.field": "c"},
	{"type": "InsertField$Value", "static.field": "nested.more", "static.value": "s", "field.syntax.version": "V2"},
	{"type": "InsertField$Key", "partition.field": "p", "timestamp.field": "t"},
	{"type": "MaskField$Value", "fields": "a,missing"},
	{"type": "MaskField$Value", "fields": "nested"}, // of a struct it fails
	{"type": "MaskField$Value", "fields": "nested.a", "field.syntax.version": "V2"},
	{"type": "MaskField$Value", "fields": "b,c", "replacement": "7"},
	{"type": "Cast$Value", "spec": "a:string,c:int64"},
	{"type": "Cast$Value", "spec": "b:int8"},
	{"type": "TimestampConverter$Value", "field": "c", "target.type": "unix"},
	{"type": "HoistField$Value", "field": "nested"},
	{"type": "HoistField$Value", "field": "a"},
	{"type": "ExtractField$Value", "field": "nested"},
	{"type": "HeaderFrom$Value", "fields": "nested", "headers": "h", "operation": "copy"},
	{"type": "ValueToKey", "fields": "a"},
	{"type": "ValueToKey", "fields": "nested"},
	{"type": "ExtractField$Key", "field": "nested"},
	{"type": "InsertField$Value", "topic.field": "p1", "predicate": "named"},
	{"type": "InsertField$Value", "topic.field": "p2", "predicate": "named", "negate": "true"},
}

// chainValues are values in JSON, with and without schemas.
var chainValues = []string{
	`{"a":1,"b":"two","c":3,"nested":{"a":true,"b":[1,{"a":2}]}}`,
	`{"c":1700000000000,"nested":{"b":null},"z":4.5}`,
	`{"a":{"b":1},"x":"y","a b":0,"b":{"c":null}}`,
	`null`,
	`"text"`,
	`{"schema":{"type":"struct","fields":[{"field":"a","type":"int32","optional":true,"default":5},{"field":"b","type":"string","optional":true},{"field":"c","type":"int64"},
	 {"field":"nested","type":"struct","optional":true,"fields":[{"field":"a","type":"boolean"},{"field":"b","type":"int32","optional":true}]}]},
	 "payload":{"a":null,"b":"two","c":3,"nested":{"a":true,"b":8}}}`,
	`{"schema":{"type":"struct","fields":[{"field":"nested","type":"struct","optional":true,"fields":[{"field":"a","type":"int8"}]},{"field":"z","type":"bytes"}]},"payload":{"nested":null,"z":"AAE="}}`,
	`{"schema":{"type":"int64"},"payload":8}`,
}

func chainProps(stages []map[string]string) config.Props {
	props := map[string]string{"predicates": "named", "predicates.named.type": "TopicNameMatches", "predicates.named.pattern": "t1"}
	names := ""
	for i, s := range stages {
		if i > 0 {
			names += ","
		}
		name := fmt.Sprintf("s%d", i)
		names += name
		for k, v := range s {
			props["transforms."+name+"."+k] = v
		}
	}
	props["transforms"] = names
	return config.PropsOf(props)
}

// chainRecord is a record of two of the values. Its data is its own.
func chainRecord(t *rapid.T, key, value, topic string) connectors.Record {
	read := func(text string) data.SchemaAndValue {
		c := &converters.JSON{}
		schemas := fmt.Sprint(len(text) > 10 && text[:9] == `{"schema"`)
		if err := c.Configure(config.PropsOf(map[string]string{"schemas.enable": schemas}), false); err != nil {
			t.Fatal(err)
		}
		v, err := c.ToConnectData("", nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return connectors.Record{Topic: topic, Partition: 2, Offset: 7, Timestamp: 1700000000000, Key: read(key), Value: read(value)}
}

// still is a clock by which no time passes.
type still struct{}

// Now implements connect.Clock.
func (still) Now() time.Time { return time.Unix(0, 0) }

// Sleep implements connect.Clock.
func (still) Sleep(context.Context, time.Duration) bool { return true }

func recordText(r *connectors.Record) string {
	s := fmt.Sprintf("%s-%d key %s %s value %s %s", r.Topic, r.Partition, schemaText(r.Key.Schema), r.Key.Value.String(), schemaText(r.Value.Schema), r.Value.Value.String())
	for _, h := range r.Headers {
		s += fmt.Sprintf(" header %s %s %s", h.Key, schemaText(h.Value.Schema), h.Value.Value.String())
	}
	return s
}

func schemaText(s *data.Schema) string {
	text, err := converters.SchemaText(s)
	if err != nil {
		return err.Error()
	}
	return text
}

// TestChainChangesNothingShared holds that a chain, which changes in place what its own transformations have made, gives the
// results of its transformations one by one, and leaves the data of the records that it was given as it was.
func TestChainChangesNothingShared(t *testing.T) {
	plugins := builtin.Plugins()
	rapid.Check(t, func(t *rapid.T) {
		props := chainProps(rapid.SliceOfN(rapid.SampledFrom(chainStages), 1, 7).Draw(t, "stages"))
		key, value := rapid.SampledFrom(chainValues).Draw(t, "key"), rapid.SampledFrom(chainValues).Draw(t, "value")
		topic := rapid.SampledFrom([]string{"t1", "t2"}).Draw(t, "topic")
		chain, err := connect.NewChain(plugins, props, connect.Tolerance{All: true}, still{})
		if err != nil {
			t.Fatal(err)
		}
		stages, err := connectorconfig.New(plugins).Stages(props)
		if err != nil {
			t.Fatal(err)
		}
		given, shared := chainRecord(t, key, value, topic), chainRecord(t, key, value, topic)
		before := recordText(&given)
		// Two records share their data, as those of a source may.
		got := []connectors.Record{given, given}
		out := make([]connectors.Outcome, len(got))
		if err := chain.Apply(context.Background(), []*connectors.Record{&got[0], &got[1]}, out); err != nil {
			t.Fatal(err)
		}
		want := oneByOne(stages, &shared)
		for i := range got {
			var failed *connect.Failed
			if errors.As(out[i].Err, &failed) {
				if want == nil || failed.Cause.Error() != want.Error() {
					t.Fatalf("record %d failed with %v, want %v", i, failed.Cause, want)
				}
			} else if want != nil || out[i].Err != nil {
				t.Fatalf("record %d: error %v, want %v", i, out[i].Err, want)
			}
			if a, b := recordText(&got[i]), recordText(&shared); a != b {
				t.Fatalf("record %d is\n%s, want\n%s", i, a, b)
			}
		}
		if after := recordText(&given); after != before {
			t.Fatalf("the record that was given has become\n%s, was\n%s", after, before)
		}
	})
}

// oneByOne applies stages. A record that one of them refuses is left as that stage got it.
func oneByOne(stages []connectors.Stage, r *connectors.Record) error {
	for i := range stages {
		saved := *r
		if _, err := stages[i].Apply(r); err != nil {
			*r = saved
			return err
		}
	}
	return nil
}
