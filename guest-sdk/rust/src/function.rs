//! Functions of more than a record (aggregations and joins), and of sources and sinks. What they answer is left in
//! their last argument, which begins as empty bytes; they return `()` or `Result<(), Error>`.

use crate::component::{ALL, Component, IntoOutcome, Kind, Node, Part, function};
use crate::context::Context;
use crate::error::Error;
use crate::output::{Output, Part as OutPart};
use crate::record::{Record, Records};
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;

/// A component that answers each record with one value.
fn answering<F>(name: &str, kind: Kind, wants: u8, mut f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut OutPart) -> Result<(), Error> + 'static,
{
    let mut value = OutPart::default();
    function(name, kind, wants, move |rec, out| {
        value.reset();
        f(rec, &mut value)?;
        if value.is_kept() {
            out.keep(rec.index);
        } else {
            out.value(rec.index, value.resolve(None));
        }
        Ok(())
    })
}

const KEY_VALUE: u8 = Part::Key as u8 | Part::Value as u8;

/// Begins an aggregate: `f(out)`.
pub fn initializer<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Initializer, 0, move |_, out| f(out).into_outcome())
}

/// Adds a value to an aggregate, or takes one out of it (the adder and the subtractor of a grouped table are aggregators
/// too): `f(key, value, aggregate, out)`. Null deletes the aggregate.
pub fn aggregator<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Aggregator, KEY_VALUE, move |r, out| f(r.key, r.value, r.second, out).into_outcome())
}

/// Makes the aggregates of two sessions one: `f(key, earlier, later, out)`.
pub fn merger<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Merger, KEY_VALUE, move |r, out| f(r.key, r.value, r.second, out).into_outcome())
}

/// Combines the aggregate so far with a new value: `f(aggregate, value, out)`. [`OutPart::keep`] keeps the aggregate.
pub fn reducer<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Reducer, Part::Value as u8, move |r, out| f(r.value, r.second, out).into_outcome())
}

/// Joins two values: `f(left, right, out)`. A side without a match is `None`; [`OutPart::keep`] answers the left one.
pub fn joiner<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Joiner, Part::Value as u8, move |r, out| f(r.value, r.second, out).into_outcome())
}

/// A [`joiner`] that sees the key: `f(key, left, right, out)`. In a join with a global table that is the key of the
/// stream's record.
pub fn joiner_with_key<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Joiner, KEY_VALUE, move |r, out| f(r.key, r.value, r.second, out).into_outcome())
}

/// A [`joiner`] of a stream and a global table that sees the key that was looked up: `f(mapped_key, left, right, out)`.
pub fn joiner_with_mapped_key<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, Option<&[u8]>, Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::Joiner, Part::Value as u8, move |r, out| f(r.third, r.value, r.second, out).into_outcome())
}

/// Gives keys or values the form of a topic: `f(data, out)`. Null stays null.
pub fn serializer<F, R>(name: &str, f: F) -> Component
where
    F: FnMut(&[u8], &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    converting(name, Kind::Serializer, f)
}

/// Takes keys or values out of the form of a topic: `f(data, out)`. Null stays null. What it refuses goes the way of
/// records that cannot be deserialised.
pub fn deserializer<F, R>(name: &str, f: F) -> Component
where
    F: FnMut(&[u8], &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    converting(name, Kind::Deserializer, f)
}

fn converting<F, R>(name: &str, kind: Kind, mut f: F) -> Component
where
    F: FnMut(&[u8], &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, kind, Part::Value as u8, move |r, out| match r.value {
        None => {
            out.keep();
            Ok(())
        }
        Some(data) => f(data, out).into_outcome(),
    })
}

/// Says which topic a record is written to: `f(record, out)`.
pub fn topic_name_extractor<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    answering(name, Kind::TopicNameExtractor, ALL, move |r, out| f(r, out).into_outcome())
}

/// Says when a record happened, in milliseconds: `f(record, partition_time)`, where the latter is the largest timestamp
/// of the partition so far, -1 before the first. `f` returns `i64` or `Result<i64, Error>`; below 0 drops the record.
pub fn timestamp_extractor<F, R>(name: &str, f: F) -> Component
where
    F: FnMut(&Record<'_>, i64) -> R + 'static,
    R: IntoOutcome<i64>,
{
    let shared = Rc::new(RefCell::new(f));
    Component::new(name, Kind::TimestampExtractor, ALL, move || Box::new(Extractor(shared.clone())))
}

struct Extractor<F>(Rc<RefCell<F>>);

impl<R: IntoOutcome<i64>, F: FnMut(&Record<'_>, i64) -> R> Node for Extractor<F> {
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let f = &mut *self.0.borrow_mut();
        let mut partition_time = records.stream_time();
        for rec in records {
            match f(&rec, partition_time).into_outcome() {
                Ok(timestamp) => {
                    partition_time = partition_time.max(timestamp);
                    ctx.out.timestamp(rec.index, timestamp);
                }
                Err(e) => ctx.out.fail(rec.index, &e),
            }
        }
    }
}

/// Where a [`partitioner`] leaves the partitions that a record goes to.
pub struct Partitions<'a> {
    out: &'a mut Output,
    topic: Option<&'a [u8]>,
    index: u32,
    count: u32,
}

impl Partitions<'_> {
    /// How many partitions the topic has.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The topic that is written to, if the host says.
    pub fn topic(&self) -> Option<&[u8]> {
        self.topic
    }

    /// Sends the record to this partition; several may be named.
    pub fn send(&mut self, partition: u32) {
        self.out.partition(self.index, partition as i32);
    }

    /// Sends the record to the partition that Kafka takes by default.
    pub fn send_default(&mut self) {
        self.out.partition(self.index, -1);
    }
}

/// Says which partitions a record is written to: `f(record, partitions)`. A record that is sent to none is dropped. `f`
/// returns `()` or `Result<(), Error>`.
pub fn partitioner<F, R>(name: &str, f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut Partitions<'_>) -> R + 'static,
    R: IntoOutcome<()>,
{
    let shared = Rc::new(RefCell::new(f));
    Component::new(name, Kind::Partitioner, ALL, move || Box::new(Partitioner(shared.clone())))
}

struct Partitioner<F>(Rc<RefCell<F>>);

impl<R: IntoOutcome<()>, F: FnMut(&Record<'_>, &mut Partitions<'_>) -> R> Node for Partitioner<F> {
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let f = &mut *self.0.borrow_mut();
        let topic = records.topic();
        for rec in records {
            let mut to = Partitions { out: &mut ctx.out, topic, index: rec.index, count: rec.dest };
            if let Err(e) = f(&rec, &mut to).into_outcome() {
                ctx.out.fail(rec.index, &e);
            }
        }
    }
}
