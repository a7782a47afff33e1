//! Kafka Streams' `StreamsBuilder` for guests: a module builds its topology in Rust, with its own functions, and brings it
//! along in its manifest, so that it runs without any document:
//!
//! ```
//! use wasmstream::streams::{Consumed, Grouped, Materialized, Serde, StreamsBuilder, expr};
//! use wasmstream::{Module, filter};
//!
//! fn module() -> Module {
//!     let b = StreamsBuilder::new("orders-by-region");
//!     b.stream("orders", Consumed::with(Serde::STRING, Serde::JSON))
//!         .filter(filter("paid", |rec| rec.value.is_some_and(|v| !v.is_empty())))
//!         .group_by(expr("value.region"), Grouped::with(Serde::STRING, Serde::JSON))
//!         .count(Materialized::named("orders-by-region"))
//!         .to_stream()
//!         .to("regions", None);
//!     Module::new("shop", "1.0.0").with_topology(b)
//! }
//!
//! wasmstream::export!(module);
//! ```
//!
//! then `wasmstream run --module shop.wasm --bootstrap-server HOST:PORT`.
//!
//! The operators have Kafka's names and parameter objects, and give the nodes, the names and the numbers that Kafka's
//! builder gives for the same calls. They run in the host; only functions run in the module. A function is a component
//! in place, one that [`Module::with`](crate::Module::with) registers by its name ([`component`]), or an expression,
//! which the host works out itself ([`expr`]).
//!
//! The module writes a document and judges nothing: the host finds every fault when it reads the module, all at once,
//! each by the name of its node (`wasmstream validate --module F.wasm`). Tests read the document by
//! [`StreamsBuilder::json`].

mod builder;
mod call;
mod grouped;
mod kstream;
mod ktable;
mod object;
mod params;
mod topology;
mod windows;

pub use builder::{GlobalKTable, Store, StreamsBuilder};
pub use call::{Function, component, expr, map_expr};
pub use grouped::{
    CogroupedKStream, KGroupedStream, KGroupedTable, SessionWindowedCogroupedKStream, SessionWindowedKStream,
    TimeWindowedCogroupedKStream, TimeWindowedKStream,
};
pub use kstream::{BranchedKStream, End, KStream};
pub use ktable::KTable;
pub use params::{
    Consumed, Grouped, JoinStore, Joined, Materialized, Printed, Produced, Repartitioned, Serde, StreamJoined,
    TableJoined,
};
pub use topology::{Keeper, Topology};
pub use windows::{
    BufferConfig, EmitStrategy, JoinWindows, SessionWindows, SlidingWindows, Suppressed, TimeWindows, UnlimitedWindows,
    Windows,
};
