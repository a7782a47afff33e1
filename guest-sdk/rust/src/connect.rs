//! Plugins of Connect: their records, transformations, predicates and sinks.

use crate::component::{ALL, Component, IntoOutcome, Kind, Node};
use crate::context::Context;
use crate::datum::{Datum, Schema, Schemas, Writer};
use crate::error::{Class, Errno, Error};
use crate::host;
use crate::layout::*;
use crate::record::{HeaderBuilder, Record, Records};
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

/// The timestamp of a record that has none.
pub const NO_TIMESTAMP: i64 = i64::MIN;

/// One entry of a plugin's ConfigDef. Without a default it is required, unless it is optional.
#[derive(Debug, Default, Clone)]
pub struct Setting {
    pub(crate) json: String,
}

impl Setting {
    /// A required setting of type STRING.
    pub fn new(name: &str, doc: &str) -> Self {
        let quoted = crate::component::quoted;
        Self { json: format!("\"name\":{},\"doc\":{}", quoted(name), quoted(doc)) }
    }

    fn and(mut self, key: &str, value: &str) -> Self {
        self.json += &format!(",\"{key}\":{}", crate::component::quoted(value));
        self
    }

    /// Kafka's type: BOOLEAN, INT, LONG, DOUBLE, LIST, PASSWORD, ...
    pub fn ty(self, ty: &str) -> Self {
        self.and("type", ty)
    }

    /// The value where none is given.
    pub fn default(self, value: &str) -> Self {
        self.and("default", value)
    }

    /// What the value may be.
    pub fn values(mut self, allowed: &[&str]) -> Self {
        let list: Vec<String> = allowed.iter().map(|v| crate::component::quoted(v)).collect();
        self.json += &format!(",\"values\":[{}]", list.join(","));
        self
    }

    /// HIGH, MEDIUM or LOW.
    pub fn importance(self, importance: &str) -> Self {
        self.and("importance", importance)
    }

    /// The setting may be absent.
    pub fn optional(mut self) -> Self {
        self.json += ",\"optional\":true";
        self
    }
}

/// What becomes of a key or value.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Kept,
    Null,
    New,
    Edited,
}

pub(crate) struct Part {
    state: State,
    pub(crate) writer: Writer,
}

impl Part {
    pub(crate) fn new() -> Self {
        Self { state: State::Kept, writer: Writer::default() }
    }

    fn begin(&mut self, schema: Option<&Rc<Schema>>) -> &mut Writer {
        self.state = State::New;
        self.writer.reset(schema);
        &mut self.writer
    }

    /// What crosses of the part; it is kept by a flag.
    fn answer(&self, flags: &mut u8, keep: u8) -> Option<&[u8]> {
        match self.state {
            State::Kept => {
                *flags |= keep;
                None
            }
            State::Null => None,
            State::New | State::Edited => Some(&self.writer.buf),
        }
    }

    fn field(&mut self, d: Datum<'_>, name: &str) -> Option<&mut Writer> {
        let i = d.index(name)?;
        if self.state != State::Edited {
            self.state = State::Edited;
            self.writer.edit();
        }
        self.writer.child(if d.ty() == crate::datum::Type::Map { 2 * i + 1 } else { i });
        Some(&mut self.writer)
    }
}

/// What a handle reuses from record to record.
struct Scratch {
    key: Part,
    value: Part,
    header: Writer,
    headers: HeaderBuilder,
    topic: String,
}

/// A record of Connect. What is not set stays as it is, and does not cross to the host.
pub struct ConnectRecord<'a> {
    rec: Record<'a>,
    schemas: &'a Schemas,
    topics: &'a [&'a str],
    parts: &'a mut Scratch,
    own_headers: bool,
    own_topic: bool,
    dropped: bool,
    timestamp: i64,
    partition: i32,
}

impl<'a> ConnectRecord<'a> {
    fn new(rec: Record<'a>, schemas: &'a Schemas, topics: &'a [&'a str], parts: &'a mut Scratch) -> Self {
        (parts.key.state, parts.value.state) = (State::Kept, State::Kept);
        let (timestamp, partition) = (rec.timestamp, rec.partition());
        Self { rec, schemas, topics, parts, own_headers: false, own_topic: false, dropped: false, timestamp, partition }
    }

    /// The key as it came.
    pub fn key(&self) -> Datum<'a> {
        Datum::root(self.rec.key, self.schemas)
    }

    /// The value as it came.
    pub fn value(&self) -> Datum<'a> {
        Datum::root(self.rec.value, self.schemas)
    }

    /// The topic that the record came from, empty for none.
    pub fn topic(&self) -> &'a str {
        (self.rec.dest as usize).checked_sub(1).and_then(|i| self.topics.get(i).copied()).unwrap_or_default()
    }

    /// Sends the record to another topic.
    pub fn set_topic(&mut self, topic: &str) {
        self.own_topic = true;
        self.parts.topic.clear();
        self.parts.topic.push_str(topic);
    }

    /// The partition, -1 for none.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Sends the record to a partition; -1 leaves the choice to the producer.
    pub fn set_partition(&mut self, partition: i32) {
        self.partition = partition;
    }

    /// The offset in Kafka, -1 for a record of a source.
    pub fn offset(&self) -> i64 {
        self.rec.offset()
    }

    /// Milliseconds since the epoch, or [`NO_TIMESTAMP`].
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Gives the record another timestamp.
    pub fn set_timestamp(&mut self, ms: i64) {
        self.timestamp = ms;
    }

    /// Has the record go no further.
    pub fn drop(&mut self) {
        self.dropped = true;
    }

    /// Begins a new value.
    pub fn set_value(&mut self, schema: Option<&Rc<Schema>>) -> &mut Writer {
        self.parts.value.begin(schema)
    }

    /// Begins a new key.
    pub fn set_key(&mut self, schema: Option<&Rc<Schema>>) -> &mut Writer {
        self.parts.key.begin(schema)
    }

    /// Makes the value null without a schema: a tombstone.
    pub fn set_null_value(&mut self) {
        self.parts.value.state = State::Null;
    }

    /// Makes the key null without a schema.
    pub fn set_null_key(&mut self) {
        self.parts.key.state = State::Null;
    }

    /// Replaces a field of the value by one that is written to what is returned; all others stay, and do not cross.
    pub fn set_field(&mut self, name: &str) -> Option<&mut Writer> {
        let value = Datum::root(self.rec.value, self.schemas);
        self.parts.value.field(value, name)
    }

    /// [`ConnectRecord::set_field`] for the key.
    pub fn set_key_field(&mut self, name: &str) -> Option<&mut Writer> {
        let key = Datum::root(self.rec.key, self.schemas);
        self.parts.key.field(key, name)
    }

    /// The headers, as they came.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Datum<'a>)> + use<'a> {
        let schemas = self.schemas;
        self.rec.headers.iter().map(move |(name, value)| {
            // Names that are no text cannot come from Kafka Connect, which has strings there.
            (core::str::from_utf8(name).unwrap_or_default(), Datum::root(value, schemas))
        })
    }

    /// The last header of a name, as it came.
    pub fn header(&self, name: &str) -> Option<Datum<'a>> {
        self.rec.headers.last(name).map(|part| Datum::root(part, self.schemas))
    }

    /// Adds a header, whose value `write` writes.
    pub fn add_header(&mut self, name: &str, schema: Option<&Rc<Schema>>, write: impl FnOnce(&mut Writer)) {
        self.own_headers();
        self.parts.header.reset(schema);
        write(&mut self.parts.header);
        self.parts.headers.push(name, Some(&self.parts.header.buf));
    }

    /// Removes all headers of a name.
    pub fn remove_header(&mut self, name: &str) {
        self.own_headers();
        let mut left = HeaderBuilder::default();
        for (key, value) in self.parts.headers.headers().iter().filter(|(key, _)| *key != name.as_bytes()) {
            left.push(core::str::from_utf8(key).unwrap_or_default(), value);
        }
        self.parts.headers = left;
    }

    fn own_headers(&mut self) {
        if !self.own_headers {
            self.own_headers = true;
            self.parts.headers.clear();
            self.parts.headers.extend(self.rec.headers);
        }
    }

    /// Writes the record as the answer of a transformation.
    fn answer(self, ctx: &mut Context) {
        if self.dropped {
            return;
        }
        let mut flags = 0;
        let key = self.parts.key.answer(&mut flags, KEEP_KEY);
        let value = self.parts.value.answer(&mut flags, KEEP_VALUE);
        let mut rec = Record { index: self.rec.index, partition: self.partition, ..Record::new(key, value, 0) };
        if self.own_headers {
            rec.headers = self.parts.headers.headers();
        } else {
            flags |= KEEP_HEADERS;
        }
        if self.timestamp == self.rec.timestamp {
            flags |= KEEP_TIMESTAMP;
        } else {
            rec.timestamp = self.timestamp;
        }
        if !self.own_topic && self.partition == self.rec.partition() {
            flags |= KEEP_PLACE;
        }
        let topic = self.own_topic.then_some(self.parts.topic.as_str());
        ctx.out.connect(&rec, flags, topic);
    }
}

/// A plugin that is open, with the function that works on its records.
struct Plugin<F> {
    work: F,
    scratch: Scratch,
}

/// What a plugin does with its records.
trait Work {
    fn one(&mut self, ctx: &mut Context, rec: ConnectRecord<'_>) -> Result<(), Error>;
    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<W: Work> Node for Plugin<W> {
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let schemas = ctx.schemas.clone();
        let schemas = &*schemas.borrow();
        let topics = topics_of(&records);
        for rec in records {
            let r = ConnectRecord::new(rec, schemas, &topics, &mut self.scratch);
            if let Err(e) = self.work.one(ctx, r) {
                ctx.out.fail(rec.index, &e);
            }
            for w in [&mut self.scratch.key.writer, &mut self.scratch.value.writer, &mut self.scratch.header] {
                ctx.out.aux.append(&mut w.defs);
            }
        }
        ctx.failed = self.work.end().err();
    }

    fn flush(&mut self, _ctx: &mut Context) -> Result<(), Error> {
        self.work.flush()
    }
}

/// The topics that the records of a frame name by number.
pub(crate) fn topics_of<'a>(records: &Records<'a>) -> Vec<&'a str> {
    let mut topics = Vec::new();
    let mut aux = records.aux();
    while let Some((key, value)) = next_pair(&mut aux) {
        if key == b"topic" {
            topics.push(core::str::from_utf8(value.unwrap_or_default()).unwrap_or_default());
        }
    }
    topics
}

/// Makes a component whose node is made anew for each handle, from its settings.
pub(crate) fn plugin<M>(name: &str, kind: Kind, wants: u8, make: M) -> Component
where
    M: Fn(&Context) -> Result<Box<dyn Node>, Error> + 'static,
{
    let make = Rc::new(make);
    Component::new(name, kind, wants, move || Box::new(Unopened { make: make.clone(), open: None }))
}

/// A node for work on records of Connect.
fn records(work: impl Work + 'static) -> Box<dyn Node> {
    let scratch = Scratch {
        key: Part::new(),
        value: Part::new(),
        header: Writer::default(),
        headers: HeaderBuilder::default(),
        topic: String::new(),
    };
    Box::new(Plugin { work, scratch })
}

/// A plugin that opens when it learns its settings.
struct Unopened<M> {
    make: Rc<M>,
    open: Option<Box<dyn Node>>,
}

impl<M: Fn(&Context) -> Result<Box<dyn Node>, Error>> Node for Unopened<M> {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.open = Some((self.make)(ctx)?);
        Ok(())
    }

    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        if let Some(node) = &mut self.open {
            node.process(ctx, records);
        }
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.open.as_mut().map_or(Ok(()), |node| node.flush(ctx))
    }

    fn poll(&mut self, ctx: &mut Context, budget: usize) -> Option<Result<(), Error>> {
        self.open.as_mut()?.poll(ctx, budget)
    }
}

struct Transform<F>(F);

impl<F: FnMut(&mut ConnectRecord<'_>) -> Result<(), Error>> Work for Transform<F> {
    #[inline]
    fn one(&mut self, ctx: &mut Context, mut rec: ConnectRecord<'_>) -> Result<(), Error> {
        (self.0)(&mut rec)?;
        rec.answer(ctx);
        Ok(())
    }
}

/// A transformation: `f(record)` changes it or drops it, and returns `()` or `Result<(), Error>`.
pub fn transformation<F, R>(name: &str, f: F) -> Component
where
    F: Fn(&mut ConnectRecord<'_>) -> R + 'static,
    R: IntoOutcome<()>,
{
    let f = Rc::new(f);
    transformation_with(name, move |_| {
        let f = f.clone();
        Ok(move |r: &mut ConnectRecord<'_>| f(r).into_outcome())
    })
}

/// A transformation with settings: `make(context)` reads them and returns the function, or an error that refuses them.
pub fn transformation_with<M, F>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<F, Error> + 'static,
    F: FnMut(&mut ConnectRecord<'_>) -> Result<(), Error> + 'static,
{
    plugin(name, Kind::Transformation, ALL, move |ctx| Ok(records(Transform(make(ctx)?))))
}

struct Test<F>(F);

impl<F: FnMut(&ConnectRecord<'_>) -> Result<bool, Error>> Work for Test<F> {
    fn one(&mut self, ctx: &mut Context, rec: ConnectRecord<'_>) -> Result<(), Error> {
        if (self.0)(&rec)? {
            ctx.out.keep(rec.rec.index);
        }
        Ok(())
    }
}

/// A predicate: `f(record)` tells whether it holds, as `bool` or `Result<bool, Error>`.
pub fn predicate<F, R>(name: &str, f: F) -> Component
where
    F: Fn(&ConnectRecord<'_>) -> R + 'static,
    R: IntoOutcome<bool>,
{
    let f = Rc::new(f);
    predicate_with(name, move |_| {
        let f = f.clone();
        Ok(move |r: &ConnectRecord<'_>| f(r).into_outcome())
    })
}

/// A predicate with settings: `make(context)` returns the function that tells whether it holds.
pub fn predicate_with<M, F>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<F, Error> + 'static,
    F: FnMut(&ConnectRecord<'_>) -> Result<bool, Error> + 'static,
{
    plugin(name, Kind::Predicate, ALL, move |ctx| Ok(records(Test(make(ctx)?))))
}

/// Writes records somewhere.
pub trait Sink {
    /// Takes one record. An error is that of the record; one made by [`Error::retry`] has all records of the batch come
    /// again.
    fn put(&mut self, rec: &ConnectRecord<'_>) -> Result<(), Error>;
    /// The batch ends: an error is that of all of it.
    fn end_batch(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Offsets are to be committed. One that keeps records until then is registered with [`Component::buffers`].
    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

struct SinkWork<S>(S);

impl<S: Sink> Work for SinkWork<S> {
    fn one(&mut self, _ctx: &mut Context, rec: ConnectRecord<'_>) -> Result<(), Error> {
        self.0.put(&rec)
    }
    fn end(&mut self) -> Result<(), Error> {
        self.0.end_batch()
    }
    fn flush(&mut self) -> Result<(), Error> {
        self.0.flush()
    }
}

/// A sink: `make(context)` reads its settings.
pub fn sink<M, S>(name: &str, make: M) -> Component
where
    M: Fn(&Context) -> Result<S, Error> + 'static,
    S: Sink + 'static,
{
    plugin(name, Kind::Sink, ALL, move |ctx| Ok(records(SinkWork(make(ctx)?))))
}

/// An answer to a request.
#[derive(Debug)]
pub struct Response {
    /// The status, as 200.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Headers, their names in lower case.
    pub headers: Vec<(String, String)>,
}

/// Sends a request to a place that the worker's configuration allows. A setting of type PASSWORD is put in by the host
/// where its value stands in a header. Redirects are answers.
pub fn http(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response, Errno> {
    let mut block = Vec::new();
    append_pair(&mut block, b"method", Some(method.as_bytes()));
    append_pair(&mut block, b"url", Some(url.as_bytes()));
    for (name, value) in headers {
        append_pair(&mut block, format!("header.{name}").as_bytes(), Some(value.as_bytes()));
    }
    append_pair(&mut block, b"body", Some(body));
    let n = Errno::check(host::http(&block))?;
    let mut buf = alloc::vec![0; n as usize];
    Errno::check(host::http_response(&mut buf))?;
    let mut out = Response { status: 0, body: Vec::new(), headers: Vec::new() };
    let mut rest = buf.as_slice();
    while let Some((key, value)) = next_pair(&mut rest) {
        let value = value.unwrap_or_default();
        let text = || String::from_utf8_lossy(value).to_string();
        match key {
            b"status" => out.status = text().parse().unwrap_or(0),
            b"body" => out.body = value.to_vec(),
            _ => {
                if let Some(name) = key.strip_prefix(b"header.") {
                    out.headers.push((String::from_utf8_lossy(name).to_string(), text()));
                }
            }
        }
    }
    Ok(out)
}

/// Why a call as a whole fails.
pub(crate) fn code_of(e: &Error) -> Errno {
    if e.class == Class::Retry { Errno::RETRY } else { Errno::UNKNOWN }
}

/// The schemas of a guest, shared by its handles.
pub(crate) type SharedSchemas = Rc<RefCell<Schemas>>;
