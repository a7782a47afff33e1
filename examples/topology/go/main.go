// A topology in a module: paid orders counted by region. The module needs no YAML beside it.
package main

import (
	"github.com/wasmstream/wasmstream/guest-sdk/go"
	"github.com/wasmstream/wasmstream/guest-sdk/go/json"
	"github.com/wasmstream/wasmstream/guest-sdk/go/streams"
)

var (
	order    json.Doc
	paidFlag = order.Field("paid")
)

func init() {
	wasmstream.Module("topology", "1.0.0")
	b := streams.NewStreamsBuilder("orders-by-region")
	b.Stream("orders", streams.Consumed{Key: streams.String, Value: streams.JSON}).
		Filter(wasmstream.Filter("paid", paid, wasmstream.Wants(wasmstream.Value), wasmstream.Description("orders that are paid"))).
		GroupBy(wasmstream.Expr("value.region").Out(streams.String, "")).
		Count(streams.Materialized{Name: "orders-by-region"}).
		ToStream().
		To("regions")
}

func main() {}

func paid(rec *wasmstream.Record) (bool, error) {
	if err := order.Parse(rec.Value); err != nil {
		return false, err
	}
	yes, _ := order.Bool(paidFlag)
	return yes, nil
}
