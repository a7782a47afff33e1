package guest

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// benchBatch is how many records go through a chain at once, as a poll brings them.
const benchBatch = 500

// steps are transformations that empty one text: Kafka's MaskField, and the same in guests.
func steps(b *testing.B) map[string]connectors.Transformation {
	b.Helper()
	out := map[string]connectors.Transformation{}
	native, err := builtin.Plugins().Find("MaskField$Value", connectors.KindTransformation)
	if err != nil {
		b.Fatal(err)
	}
	out["native"] = native.Transformation()
	if err := out["native"].Configure(config.PropsOf(map[string]string{"fields": "agent"})); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"connect-rust", "connect-go"} {
		l, _ := newLoader(b, built(b, name), EgressConfig{})
		out[name[len("connect-"):]] = newTransformation(b, l, "wasm:connect.wasm#mask", map[string]string{"field": "agent"})
	}
	return out
}

const benchSchema = `{"type":"struct","optional":false,"name":"event","fields":[{"field":"user","type":"string","optional":false},{"field":"type","type":"string","optional":false},
{"field":"amount","type":"double","optional":false},{"field":"ts","type":"int64","optional":false},{"field":"country","type":"string","optional":true},{"field":"agent","type":"string","optional":false}]}`

const benchPayload = `{"user":"u0012345","type":"click","amount":482.17,"ts":1700000000123,"country":"DE","agent":"Mozilla/5.0 (X11; Linux x86_64)"}`

// benchJSON is an event as the JsonConverter has it, with its schema or without.
func benchJSON(schemas bool) []byte {
	if !schemas {
		return []byte(benchPayload)
	}
	return []byte(`{"schema":` + benchSchema + `,"payload":` + benchPayload + `}`)
}

func jsonConverter(b *testing.B, schemas bool) connectors.Converter {
	b.Helper()
	p, err := builtin.Plugins().Find("JsonConverter", connectors.KindConverter)
	if err != nil {
		b.Fatal(err)
	}
	c := p.Converter()
	if err := c.Configure(config.PropsOf(map[string]string{"schemas.enable": fmt.Sprint(schemas)}), false); err != nil {
		b.Fatal(err)
	}
	return c
}

func apply(b *testing.B, tr connectors.Transformation, rs []*connectors.Record, out []connectors.Outcome) {
	if batch, ok := tr.(connectors.BatchTransformation); ok {
		clear(out)
		if err := batch.ApplyBatch(rs, out); err != nil {
			b.Fatal(err)
		}
		if out[0].Err != nil || out[0].Drop {
			b.Fatal(out[0])
		}
		return
	}
	for _, r := range rs {
		if _, err := tr.Apply(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChain is the time of one record in a whole chain: JsonConverter, one transformation, JsonConverter.
func BenchmarkChain(b *testing.B) {
	for _, form := range []string{"json", "json-schemas"} {
		for name, tr := range steps(b) {
			b.Run(form+"/"+name, func(b *testing.B) {
				in := benchJSON(form == "json-schemas")
				from, to := jsonConverter(b, form == "json-schemas"), jsonConverter(b, form == "json-schemas")
				records, rs, out := make([]connectors.Record, benchBatch), make([]*connectors.Record, benchBatch), make([]connectors.Outcome, benchBatch)
				var buf []byte
				b.ReportAllocs()
				reportCPU(b)
				n := 0
				for b.Loop() {
					if n++; n%benchBatch != 0 {
						continue
					}
					for i := range records {
						v, err := from.ToConnectData("t", nil, in)
						if err != nil {
							b.Fatal(err)
						}
						records[i] = connectors.Record{Topic: "t", Value: v, Offset: int64(i)}
						rs[i] = &records[i]
					}
					apply(b, tr, rs, out)
					for i := range records {
						var err error
						if buf, _, err = to.FromConnectData(buf[:0], "t", nil, records[i].Value); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// BenchmarkStep is the time of one record in the transformation alone: across the boundary, the guest, and back.
func BenchmarkStep(b *testing.B) {
	for _, form := range []string{"map", "struct"} {
		for name, tr := range steps(b) {
			b.Run(form+"/"+name, func(b *testing.B) {
				v, err := jsonConverter(b, form == "struct").ToConnectData("t", nil, benchJSON(form == "struct"))
				if err != nil {
					b.Fatal(err)
				}
				records, rs, out := make([]connectors.Record, benchBatch), make([]*connectors.Record, benchBatch), make([]connectors.Outcome, benchBatch)
				b.ReportAllocs()
				reportCPU(b)
				n := 0
				for b.Loop() {
					if n++; n%benchBatch != 0 {
						continue
					}
					for i := range records {
						records[i] = connectors.Record{Topic: "t", Value: v, Offset: int64(i)}
						rs[i] = &records[i]
					}
					apply(b, tr, rs, out)
				}
				if s := records[0].Value.Value; s.Map().Get("agent").Str() != "" || s.Type() == data.TypeNull {
					b.Fatal("not masked")
				}
			})
		}
	}
}
