//! A topology in a module: paid orders counted by region. The module needs no YAML beside it.

use wasmstream::json::Query;
use wasmstream::streams::{Consumed, Materialized, Serde, StreamsBuilder, expr};
use wasmstream::{Error, Module, Part, filter};

fn module() -> Module {
    let mut order = Query::new();
    let is_paid = order.field("paid");
    let paid = filter("paid", move |rec| {
        let doc = order.parse(rec.value.unwrap_or_default()).map_err(|_| Error::fail("the order is not JSON"))?;
        Ok(doc.bool(is_paid).unwrap_or(false))
    });

    let b = StreamsBuilder::new("orders-by-region");
    b.stream("orders", Consumed::with(Serde::STRING, Serde::JSON))
        .filter(paid.wants(&[Part::Value]).describe("orders that are paid"))
        .group_by(expr("value.region").out(Serde::STRING, Serde::DEFAULT), None)
        .count(Materialized::named("orders-by-region"))
        .to_stream()
        .to("regions", None);
    Module::new("topology", "1.0.0").with_topology(b)
}

wasmstream::export!(module);
