package converters_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func newJSON(t testing.TB, settings ...string) *converters.JSON {
	t.Helper()
	props := config.Props{}
	for i := 0; i < len(settings); i += 2 {
		props.Set(settings[i], settings[i+1])
	}
	c := &converters.JSON{}
	if err := c.Configure(props, false); err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzJSON: whatever comes, there is an error or a value; a value is written as JSON that reads as the same value.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"schema":{"type":"struct","fields":[{"field":"a","type":"int32","default":1}]},"payload":{"a":null}}`,
		`{"a":[1,2.5e3,"\ud83d\ude00",null,true,{}]}`, `[[[`, `"\u12`, "{\"a\":1,\"a\":2}", "007", "-", "1e999999999", "\xff",
		`{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":1e5}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, schemas := range []string{"true", "false"} {
			c := newJSON(t, "schemas.enable", schemas, "decimal.format", "NUMERIC")
			sv, err := c.ToConnectData("t", nil, bytes.Clone(b))
			if err != nil {
				if !fault.Data.Is(err) {
					t.Fatalf("%T %v", err, err)
				}
				continue
			}
			out, null, err := c.FromConnectData(nil, "t", nil, sv)
			if err != nil || null || bytes.Contains(out, []byte("Infinity")) {
				continue // a number that is too large is written as text, as Kafka does
			}
			if !json.Valid(out) {
				t.Fatalf("%q", out)
			}
			again, err := c.ToConnectData("t", nil, out)
			if err != nil || !again.Value.Equal(sv.Value) {
				t.Fatalf("%v: %s, then %s", err, sv.Value, again.Value)
			}
		}
	})
}

// TestDepth wants nesting without end to be an error and not the end of the process.
func TestDepth(t *testing.T) {
	for _, open := range []string{"[", `{"a":`} {
		c := newJSON(t, "schemas.enable", "false")
		if _, err := c.ToConnectData("t", nil, []byte(strings.Repeat(open, 1_000_000))); !fault.Data.Is(err) {
			t.Errorf("%s: %v", open, err)
		}
		c = newJSON(t)
		if _, err := c.ToConnectData("t", nil, []byte(`{"schema":null,"payload":`+strings.Repeat(open, 1_000_000))); !fault.Data.Is(err) {
			t.Errorf("%s in an envelope: %v", open, err)
		}
	}
}

// TestManyMembers wants a large object read in time, with the last of equal names.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		b.WriteString(`,"k` + strings.Repeat("0", i%7) + string(rune('a'+i%26)) + json.Number("1").String() + string(rune('0'+i%10)) + `":1`)
	}
	c := newJSON(t, "schemas.enable", "false")
	v, err := c.ToConnectData("t", nil, []byte("{"+b.String()[1:]+`,"ka10":7}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Value.Map().Get("ka10"); got.Int() != 7 {
		t.Errorf("%s", got)
	}
}

// TestSchemaContent: with a schema in the settings payloads come without an envelope (KIP-1054).
func TestSchemaContent(t *testing.T) {
	c := newJSON(t, "schema.content", `{"type":"struct","fields":[{"field":"a","type":"int8"}]}`)
	v, err := c.ToConnectData("t", nil, []byte(`{"a":3}`))
	if err != nil || v.Schema == nil || v.Value.Struct().At(0).Type() != data.TypeInt8 {
		t.Errorf("%v %s", err, v.Value)
	}
	bad := &converters.JSON{}
	if err := bad.Configure(config.PropsOf(map[string]string{"schema.content": "{"}), false); !fault.Config.Is(err) {
		t.Errorf("%v", err)
	}
}
