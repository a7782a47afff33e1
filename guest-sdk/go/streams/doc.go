// Package streams is Kafka Streams' StreamsBuilder for guests: a module builds its topology in Go, with its own
// functions, and brings it along in its manifest, so that it runs without any document:
//
//	func init() {
//		wasmstream.Module("shop", "1.0.0")
//		b := streams.NewStreamsBuilder("orders-by-region")
//		orders := b.Stream("orders", streams.Consumed{Key: streams.String, Value: streams.JSON})
//		orders.
//			Filter(wasmstream.Filter("paid", func(rec *wasmstream.Record) bool { return len(rec.Value) > 0 })).
//			GroupBy(wasmstream.Expr("value.region")).
//			Count(streams.Materialized{Name: "orders-by-region"}).
//			ToStream().
//			To("regions")
//	}
//
//	func main() {}
//
// then wasmstream run --module shop.wasm --bootstrap-server HOST:PORT.
//
// The operators have Kafka's names and parameter objects, those of topology/dsl of wasmstream, and give the nodes, the
// names and the numbers that Kafka's builder gives for the same calls. They run in the host; only functions run in the
// module. A function is a component that is registered by package wasmstream, by its name or in place, or an
// expression, which the host works out itself.
//
// The package writes a document and judges nothing: the host finds every fault when it reads the module, all at once,
// each by the name of its node (wasmstream validate --module F.wasm). Tests read the document by StreamsBuilder.JSON.
package streams
