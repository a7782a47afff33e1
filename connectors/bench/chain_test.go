// Package bench_test measures whole chains of converter, transformations and converter, as a sink and a source together have
// them. ns/op is a record; the allocations are those of the record too.
package bench_test

import (
	"fmt"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/builtin"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/connectorconfig"
)

// order is a record of 180 bytes.
const order = `{"ordertime":1497014222380,"orderid":18,"itemid":"Item_184","orderunits":4.25,"express":true,"note":"leave at the door","address":{"city":"Mountain View","state":"CA","zipcode":94041}}`

const orderSchema = `{"type":"struct","fields":[{"field":"ordertime","type":"int64"},{"field":"orderid","type":"int32"},{"field":"itemid","type":"string"},{"field":"orderunits","type":"double"},{"field":"express","type":"boolean"},{"field":"note","type":"string","optional":true},{"field":"address","type":"struct","fields":[{"field":"city","type":"string"},{"field":"state","type":"string"},{"field":"zipcode","type":"int64"}]}],"name":"order"}`

func BenchmarkChain(b *testing.B) {
	chains := map[string]map[string]string{
		"none": {},
		"twoSMTs": {
			"transforms": "i,m", "transforms.i.type": "InsertField$Value", "transforms.i.topic.field": "source",
			"transforms.m.type": "MaskField$Value", "transforms.m.fields": "note",
		},
		"heavy": {
			"transforms": "f,r,c,k", "transforms.f.type": "Flatten$Value", "transforms.r.type": "ReplaceField$Value", "transforms.r.renames": "itemid:item,orderid:id",
			"transforms.c.type": "Cast$Value", "transforms.c.spec": "id:int64,orderunits:float32", "transforms.k.type": "ValueToKey", "transforms.k.fields": "id",
		},
	}
	for _, schemas := range []string{"false", "true"} {
		text := order
		if schemas == "true" {
			text = `{"schema":` + orderSchema + `,"payload":` + order + `}`
		}
		for name, settings := range chains {
			b.Run(fmt.Sprintf("schemas=%s/%s", schemas, name), func(b *testing.B) { chain(b, schemas, settings, []byte(text)) })
		}
	}
}

func chain(b *testing.B, schemas string, settings map[string]string, text []byte) {
	table := builtin.Plugins()
	p, err := table.Find("JsonConverter", connectors.KindConverter)
	if err != nil {
		b.Fatal(err)
	}
	c := p.Converter()
	if err := c.Configure(config.PropsOf(map[string]string{"schemas.enable": schemas}), false); err != nil {
		b.Fatal(err)
	}
	stages, err := connectorconfig.New(table).Stages(config.PropsOf(settings))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		r := connectors.Record{Topic: "orders", Timestamp: 1, Offset: 1}
		if r.Value, err = c.ToConnectData("orders", nil, text); err != nil {
			b.Fatal(err)
		}
		for i := range stages {
			if _, err := stages[i].Apply(&r); err != nil {
				b.Fatal(err)
			}
		}
		if out, _, err = c.FromConnectData(out[:0], "orders", nil, r.Value); err != nil {
			b.Fatal(err)
		}
	}
}
