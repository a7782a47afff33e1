//! The SDK for guests of wasmstream in Rust: functions and processors over Kafka records, built with
//! `cargo build --release --target wasm32-unknown-unknown` as a `cdylib`.
//!
//! ```
//! use wasmstream::{Module, filter, flat_map_values};
//!
//! fn module() -> Module {
//!     Module::new("shop", "1.0.0")
//!         .with(filter("paid", |rec| rec.value.is_some_and(|v| !v.is_empty())))
//!         .with(flat_map_values("words", |value, out| {
//!             for word in value.unwrap_or_default().split(|c| *c == b' ') {
//!                 out.emit(word);
//!             }
//!         }))
//! }
//!
//! wasmstream::export!(module);
//! ```
//!
//! Bytes that come in are borrowed from the frame; what is handed out is copied before the call returns. A part of a
//! record that is handed on unchanged - the very slice that came in - does not cross the boundary: the host takes it
//! from the input. Nothing is allocated per record.
//!
//! On other platforms than wasm the crate runs against [`test::TestHost`], an in-memory host, so that components are
//! tested by plain `cargo test`.
//!
//! The crate knows the contract of host and guest (abi/SPEC.md of wasmstream) and nothing of Kafka. It has no
//! dependencies and needs no `std`.
#![cfg_attr(not(any(feature = "std", test, not(target_family = "wasm"))), no_std)]

extern crate alloc;

mod component;
mod connect;
mod context;
mod converter;
mod datum;
mod error;
mod function;
#[doc(hidden)]
pub mod guest;
mod host;
pub mod json;
mod layout;
mod output;
mod record;
mod rows;
mod source;
mod store;
pub mod streams;
#[cfg(not(target_family = "wasm"))]
pub mod test;

pub use component::{
    Component, IntoOutcome, Kind, Module, Part, Processor, filter, flat_map, flat_map_values, foreach, map, map_values,
    process, process_values, select_key,
};
pub use connect::{
    ConnectRecord, NO_TIMESTAMP, Response, Setting, Sink, http, predicate, predicate_with, sink, transformation,
    transformation_with,
};
pub use context::{Context, Level, Metric, MetricKind, PunctuationType, Timer, log, log_enabled};
pub use converter::{Converter, converter, header_converter};
pub use datum::{Datum, Schema, Type, Writer};
pub use error::{Class, Errno, Error};
pub use function::{
    Partitions, aggregator, deserializer, initializer, joiner, joiner_with_key, joiner_with_mapped_key, merger,
    partitioner, reducer, serializer, timestamp_extractor, topic_name_extractor,
};
pub use output::{KeyValue, KeyValues, Part as OutPart, Values};
pub use record::{HeaderBuilder, Headers, Record};
pub use rows::{
    Session, SessionIter, SessionStore, Timestamped, TimestampedKeyValueStore, Version, VersionIter, VersionPut,
    VersionedKeyValueStore, Window, WindowIter, WindowStore, split_timestamped,
};
pub use source::{Source, SourceRecords, source};
pub use store::{Batch, Entry, Iter, KeyValueStore, long_bytes, long_from};

/// How this SDK names itself in manifests.
pub const SDK: &str = "rust/1.0.0";

/// Exports the module that a function makes: `wasmstream::export!(module);` with `fn module() -> Module`.
#[macro_export]
macro_rules! export {
    ($module:path) => {
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Module = $module;

        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::guest::exports as ws;

            #[unsafe(no_mangle)]
            extern "C" fn ws_abi_v1() -> i32 {
                1
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_describe(buf: *mut u8, cap: u32) -> i32 {
                ws::describe($module, buf, cap)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_reserve(n: u32) -> *mut u8 {
                ws::reserve($module, n)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_open(ptr: *const u8, len: u32) -> i32 {
                ws::open($module, ptr, len)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_process(handle: i32, ptr: *const u8, len: u32) -> i64 {
                ws::process($module, handle, ptr, len)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_punctuate(handle: i32, timer: i32, time: i64) -> i64 {
                ws::punctuate($module, handle, timer, time)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_poll(handle: i32, budget: i32) -> i64 {
                ws::poll($module, handle, budget)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_ack(handle: i32, ptr: *const u8, len: u32) -> i32 {
                ws::ack($module, handle, ptr, len)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_flush(handle: i32, epoch: i64) -> i64 {
                ws::flush($module, handle, epoch)
            }
            #[unsafe(no_mangle)]
            extern "C" fn ws_close(handle: i32, _reason: i32) -> i32 {
                ws::close($module, handle)
            }
        };
    };
}
