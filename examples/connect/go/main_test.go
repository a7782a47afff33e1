package main

import (
	"strings"
	"testing"

	wasmstream "github.com/wasmstream/wasmstream/guest-sdk/go"
)

// event is a map without a schema: at and name.
func event(at, name string) wasmstream.TestConnectRecord {
	return wasmstream.TestConnectRecord{Topic: "events", Partition: 2, Timestamp: 5, Value: func(w *wasmstream.Writer) {
		w.Map(2)
		w.String("at")
		w.String(at)
		w.String("name")
		w.String(name)
	}}
}

func TestTimestamp(t *testing.T) {
	p, err := wasmstream.NewTestHost().OpenPlugin("timestamp", map[string]string{"field": "at"})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Process(event("2026-11-23T10:15:00Z", "kim"))
	if got.Err != nil || got.Timestamp != 1795428900000 || got.Topic != "events" || got.Partition != 2 || got.Value.Field("name").Str() != "kim" {
		t.Errorf("%+v", got)
	}
	if got := p.Process(event("noon", "kim")); got.Err == nil || got.Err.Class != wasmstream.ClassDeadLetter || !strings.Contains(got.Err.Error(), "at is no time") {
		t.Errorf("%+v", got)
	}
}

func TestMask(t *testing.T) {
	p, err := wasmstream.NewTestHost().OpenPlugin("mask", map[string]string{"field": "name"})
	if err != nil {
		t.Fatal(err)
	}
	got := p.Process(event("now", "kim"))
	if got.Err != nil || got.Value.Len() != 2 || got.Value.Field("at").Str() != "now" || got.Value.Field("name").Type() != wasmstream.TypeString || got.Value.Field("name").Str() != "" {
		t.Errorf("%+v", got)
	}
	person := wasmstream.StructSchema("person", wasmstream.Field{Name: "name", Schema: wasmstream.Primitive(wasmstream.TypeString, false)},
		wasmstream.Field{Name: "age", Schema: wasmstream.Primitive(wasmstream.TypeInt32, false)})
	got = p.Process(wasmstream.TestConnectRecord{ValueSchema: person, Value: func(w *wasmstream.Writer) {
		w.Struct(person)
		w.String("kim")
		w.Int32(30)
	}})
	if got.Value.Schema() != person || got.Value.Field("name").Str() != "" || got.Value.Field("age").Int() != 30 {
		t.Errorf("%+v", got)
	}
}
