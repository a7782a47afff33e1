//! Sources of Connect.

use crate::component::{ALL, Component, Kind, Node};
use crate::connect::plugin;
use crate::context::Context;
use crate::datum::{Datum, Schema, Writer};
use crate::error::{Errno, Error};
use crate::host;
use crate::record::{HeaderBuilder, Record, Records};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

/// Reads from somewhere.
pub trait Source {
    /// Gives records to `batch`, about `budget` at most. Nothing to give is no error: it is called again after
    /// poll.interval.ms. One made by [`Error::retry`] has it called again by the rules of errors.retry.timeout; any
    /// other error ends the task.
    fn poll(&mut self, batch: &mut SourceRecords<'_>, budget: usize) -> Result<(), Error>;
    /// Hears the last offset of a partition that is safe in Kafka.
    fn ack(&mut self, _partition: Datum<'_>, _offset: Datum<'_>) {}
}

/// A source: `make(context)` reads its settings.
pub fn source<M, S>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<S, Error> + 'static,
    S: Source + 'static,
{
    plugin(name, Kind::Source, ALL, move |ctx| Ok(Box::new(Polled { source: make(ctx)?, scratch: Scratch::default() })))
}

/// What a source reuses from record to record.
#[derive(Default)]
struct Scratch {
    key: Writer,
    value: Writer,
    header: Writer,
    partition: Writer,
    offset: Writer,
    headers: HeaderBuilder,
    topic: String,
}

/// Takes the records of a [`Source::poll`].
pub struct SourceRecords<'a> {
    ctx: &'a mut Context,
    parts: &'a mut Scratch,
    has_key: bool,
    timestamp: i64,
}

impl SourceRecords<'_> {
    /// The context of the source.
    pub fn context(&self) -> &Context {
        self.ctx
    }

    /// Begins a record for a topic: without key, timestamp, headers, partition and offset, with a value that is null.
    pub fn begin(&mut self, topic: &str) {
        (self.has_key, self.timestamp) = (false, crate::NO_TIMESTAMP);
        self.parts.topic.clear();
        self.parts.topic.push_str(topic);
        self.parts.headers.clear();
        for w in [&mut self.parts.value, &mut self.parts.partition, &mut self.parts.offset] {
            w.reset(None);
        }
    }

    /// Sets the timestamp, in milliseconds since the epoch.
    pub fn timestamp(&mut self, ms: i64) {
        self.timestamp = ms;
    }

    /// Begins the key.
    pub fn key(&mut self, schema: Option<&Rc<Schema>>) -> &mut Writer {
        self.has_key = true;
        self.parts.key.reset(schema);
        &mut self.parts.key
    }

    /// Begins the value.
    pub fn value(&mut self, schema: Option<&Rc<Schema>>) -> &mut Writer {
        self.parts.value.reset(schema);
        &mut self.parts.value
    }

    /// Adds a header, whose value `write` writes.
    pub fn header(&mut self, name: &str, schema: Option<&Rc<Schema>>, write: impl FnOnce(&mut Writer)) {
        self.parts.header.reset(schema);
        write(&mut self.parts.header);
        self.parts.headers.push(name, Some(&self.parts.header.buf));
    }

    /// Begins the partition of the source: a Map of strings to scalars.
    pub fn partition(&mut self) -> &mut Writer {
        self.parts.partition.reset(None);
        &mut self.parts.partition
    }

    /// Begins the offset in the source: a Map of strings to scalars.
    pub fn offset(&mut self) -> &mut Writer {
        self.parts.offset.reset(None);
        &mut self.parts.offset
    }

    /// Gives the record to the host.
    pub fn end(&mut self) {
        let p = &mut *self.parts;
        let key = self.has_key.then_some(p.key.buf.as_slice());
        let mut rec = Record::new(key, Some(&p.value.buf), self.timestamp);
        rec.headers = p.headers.headers();
        (rec.second, rec.third) = (Some(p.partition.buf.as_slice()), Some(p.offset.buf.as_slice()));
        self.ctx.out.call(&rec, &p.topic);
        for w in [&mut p.key, &mut p.value, &mut p.header] {
            self.ctx.out.aux.append(&mut w.defs);
        }
    }
}

/// A source that is open.
struct Polled<S> {
    source: S,
    scratch: Scratch,
}

impl<S: Source> Node for Polled<S> {
    /// What is safe in Kafka: a record for each partition.
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let schemas = ctx.schemas.borrow();
        for rec in records {
            self.source.ack(Datum::root(rec.second, &schemas), Datum::root(rec.third, &schemas));
        }
    }

    fn poll(&mut self, ctx: &mut Context, budget: usize) -> Option<Result<(), Error>> {
        let (has_key, timestamp) = (false, crate::NO_TIMESTAMP);
        let mut batch = SourceRecords { ctx, parts: &mut self.scratch, has_key, timestamp };
        Some(self.source.poll(&mut batch, budget))
    }
}

impl Context {
    /// Reads the last offset that was committed for a partition of the source, which `partition` writes as
    /// [`SourceRecords::partition`] takes it. `None` if there is none.
    pub fn offset<R>(
        &self,
        partition: impl FnOnce(&mut Writer),
        read: impl FnOnce(Datum<'_>) -> R,
    ) -> Result<Option<R>, Errno> {
        let mut w = Writer::default();
        w.reset(None);
        partition(&mut w);
        let mut buf = alloc::vec![0; 256];
        loop {
            match Errno::check(host::offset_get(&w.buf, &mut buf)) {
                Err(Errno::NOT_FOUND) => return Ok(None),
                Err(e) => return Err(e),
                Ok(n) if n as usize <= buf.len() => {
                    return Ok(Some(read(Datum::root(Some(&buf[..n as usize]), &self.schemas.borrow()))));
                }
                Ok(n) => buf.resize(n as usize, 0),
            }
        }
    }
}
