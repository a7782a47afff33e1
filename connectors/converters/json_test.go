package converters_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

func newJSON(t rapid.TB, settings ...string) *converters.JSON {
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

// TestNamesThatComeTwice compares objects of few names with what encoding/json makes of them: the last value of a name counts.
func TestNamesThatComeTwice(t *testing.T) {
	c := newJSON(t, "schemas.enable", "false")
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringMatching(`[abz]{0,2}|\\u0061|field_[0-9]{1,2}`), 0, 45).Draw(t, "names")
		var b bytes.Buffer
		for i, name := range names {
			b.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + `"` + name + `":` + strconv.Itoa(i-3))
		}
		text := "{}"
		if b.Len() > 0 {
			text = b.String() + "}"
		}
		var want map[string]int64
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		v, err := c.ToConnectData("t", nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, e := range v.Value.Map().Entries() {
			got[e.Key.Str()] = e.Value.Int()
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != v.Value.Map().Len() {
			t.Fatalf("%s is read as %s\n%s", text, v.Value, diff)
		}
	})
}

// TestIntegers compares integers around the bounds of what is read without strconv with what strconv makes of them.
func TestIntegers(t *testing.T) {
	c := newJSON(t, "schemas.enable", "false")
	for _, text := range []string{"0", "-0", "007", "-1", "999999999999999999", "-99999999999999999", "-999999999999999999", "9223372036854775807", "-9223372036854775808"} {
		want, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.ToConnectData("t", nil, []byte(text)); err != nil || v.Value.Int() != want {
			t.Errorf("%s is read as %s, %v", text, v.Value, err)
		}
	}
}

// TestSchemaThatIsKnown holds that a message is read as by a converter that has never seen its schema, whatever is wrong with it.
func TestSchemaThatIsKnown(t *testing.T) {
	const message = `{"schema":{"type":"struct","fields":[{"field":"a","type":"int32","optional":true,"default":4},{"field":"b","type":"array","items":{"type":"string"}}]},` +
		`"payload":{"a":null,"b":["x","y"]}}`
	at := strings.Index(message, `,"payload"`)
	rapid.Check(t, func(t *rapid.T) {
		warm := newJSON(t)
		if _, err := warm.ToConnectData("t", nil, []byte(message)); err != nil {
			t.Fatal(err)
		}
		text := message
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			from := rapid.SampledFrom([]int{0, at, at, at}).Draw(t, "from")
			i := rapid.IntRange(min(from, len(text)), len(text)).Draw(t, "start")
			j := rapid.IntRange(i, min(len(text), i+12)).Draw(t, "end")
			text = text[:i] + rapid.SampledFrom([]string{"", " ", "}", `"`, ",", "null", "1", "]", "[", `,"payload":{"b":[]}`, `,"c":1`, "\xff"}).Draw(t, "new") + text[j:]
		}
		want, wantErr := newJSON(t).ToConnectData("t", nil, []byte(text))
		got, err := warm.ToConnectData("t", nil, []byte(text))
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !got.Schema.Equal(want.Schema) || !got.Value.Equal(want.Value) {
			t.Fatalf("%s\nis read as %s, %v\nwant %s, %v", text, got.Value, err, want.Value, wantErr)
		}
	})
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
