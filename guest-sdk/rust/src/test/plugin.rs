//! Plugins of Connect in a [`TestHost`].

use super::{TestHost, as_bytes, refusal, with, words_of};
use crate::connect::Response;
use crate::datum::{Datum, Schema, Schemas, Writer};
use crate::error::Class;
use crate::layout::*;
use crate::output::Output;
use crate::record::{HeaderBuilder, Record, Records};
use std::borrow::ToOwned;
use std::boxed::Box;
use std::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

/// Answers requests: blocks of pairs in and out.
pub(super) type Server = Box<dyn FnMut(&[u8]) -> Vec<u8>>;

/// A value of Connect with what is needed to read it.
#[derive(Clone, Default)]
pub struct TestDatum {
    part: Option<Vec<u8>>,
    schemas: Schemas,
}

impl TestDatum {
    /// A value with a schema, `None` for none, that `write` writes.
    pub fn new(schema: Option<&Rc<Schema>>, write: impl FnOnce(&mut Writer)) -> Self {
        let mut w = Writer::default();
        w.reset(schema);
        write(&mut w);
        let mut out = Self { part: Some(w.buf), ..Self::default() };
        out.schemas.know(schema);
        out
    }

    /// A text without a schema.
    pub fn text(text: &str) -> Self {
        Self::new(None, |w| w.str(text))
    }

    /// A view of it.
    pub fn get(&self) -> Datum<'_> {
        Datum::root(self.part.as_deref(), &self.schemas)
    }
}

/// A record for a plugin. What is `Default` is null without a schema.
#[derive(Clone)]
pub struct TestConnectRecord {
    /// The topic.
    pub topic: String,
    /// -1 for none.
    pub partition: i32,
    /// In milliseconds, or [`crate::NO_TIMESTAMP`].
    pub timestamp: i64,
    /// The key.
    pub key: TestDatum,
    /// The value.
    pub value: TestDatum,
    /// In order.
    pub headers: Vec<(String, TestDatum)>,
}

impl TestConnectRecord {
    /// A record with this value and nothing else.
    pub fn new(topic: &str, value: TestDatum) -> Self {
        let (topic, key, headers) = (topic.to_string(), TestDatum::default(), Vec::new());
        Self { topic, partition: -1, timestamp: crate::NO_TIMESTAMP, key, value, headers }
    }
}

/// What a plugin makes of a record.
pub enum TestAnswer {
    /// It goes on, as it is here.
    Record(TestConnectRecord),
    /// It goes no further: a transformation dropped it, a predicate does not hold, a sink took it.
    Dropped,
    /// It failed.
    Failed(Class, String),
}

/// A record of a source.
pub struct TestSourceRecord {
    /// The record.
    pub record: TestConnectRecord,
    /// Where it comes from.
    pub partition: TestDatum,
    /// The place there.
    pub offset: TestDatum,
}

/// A plugin that is open in a [`TestHost`].
#[derive(Clone, Copy, Debug)]
pub struct TestPlugin {
    handle: i32,
}

impl Schemas {
    /// Has the schema, and those inside it, found by their numbers.
    fn know(&mut self, schema: Option<&Rc<Schema>>) {
        let Some(s) = schema else { return };
        s.fields.iter().map(|(_, f)| f).chain(&s.key).chain(&s.elem).for_each(|inner| self.know(Some(inner)));
        self.put(s.clone());
    }
}

impl TestHost {
    /// Opens a plugin with settings; `direction` is `toConnect` or `fromConnect` for converters, else empty.
    pub fn open_plugin(
        &mut self,
        name: &str,
        direction: &str,
        settings: &[(&str, &str)],
    ) -> Result<TestPlugin, String> {
        let mut frame = [OPEN_MAGIC.to_le_bytes(), [0; 4]].concat();
        let fixed = [("component", name), ("application.id", "test"), ("node", name), ("direction", direction)];
        for (k, v) in fixed {
            append_pair(&mut frame, k.as_bytes(), Some(v.as_bytes()));
        }
        for (k, v) in settings {
            append_pair(&mut frame, std::format!("config.{k}").as_bytes(), Some(v.as_bytes()));
        }
        let handle = self.guest.open(&frame);
        if handle < 0 { Err(refusal(handle)) } else { Ok(TestPlugin { handle }) }
    }

    /// Has requests answered by `serve(method, url, body)`; without it they are denied.
    pub fn serve(&mut self, mut serve: impl FnMut(&str, &str, &[u8]) -> Response + 'static) {
        let server: Server = Box::new(move |mut request| {
            let (mut method, mut url, mut body) = (Default::default(), Default::default(), Vec::new());
            while let Some((key, value)) = next_pair(&mut request) {
                let value = value.unwrap_or_default();
                match key {
                    b"method" => method = String::from_utf8_lossy(value),
                    b"url" => url = String::from_utf8_lossy(value),
                    b"body" => body = value.to_owned(),
                    _ => {}
                }
            }
            let response = serve(&method, &url, &body);
            let mut out = Vec::new();
            append_pair(&mut out, b"status", Some(response.status.to_string().as_bytes()));
            append_pair(&mut out, b"body", Some(&response.body));
            for (name, value) in &response.headers {
                append_pair(&mut out, std::format!("header.{name}").as_bytes(), Some(value.as_bytes()));
            }
            out
        });
        with(|s| s.server = Some(server));
    }

    /// Gives a transformation, predicate or sink one record.
    pub fn transform(&mut self, plugin: TestPlugin, r: &TestConnectRecord) -> Result<TestAnswer, String> {
        let mut headers = HeaderBuilder::default();
        r.headers.iter().for_each(|(name, value)| headers.push(name, value.part.as_deref()));
        let (key, value) = (r.key.part.as_deref(), r.value.part.as_deref());
        let mut rec = Record { index: 0, partition: r.partition, ..Record::new(key, value, r.timestamp) };
        rec.headers = headers.headers();
        let parts = [&r.key, &r.value].into_iter().chain(r.headers.iter().map(|(_, v)| v));
        self.know(parts);
        let answer = self.one(plugin, &rec, &r.topic)?;
        let Some(mut records) = Records::new(as_bytes(&answer)) else { return Ok(TestAnswer::Dropped) };
        let topics = crate::connect::topics_of(&records);
        let Some((out, kind, flags, dest)) = records.raw() else { return Ok(TestAnswer::Dropped) };
        if kind == KIND_ERROR {
            return Ok(failed(&out, dest));
        }
        let mut to = r.clone();
        if flags & KEEP_KEY == 0 {
            to.key = self.part(out.key, Some(r.key.get()));
        }
        if flags & KEEP_VALUE == 0 {
            to.value = self.part(out.value, Some(r.value.get()));
        }
        if flags & KEEP_HEADERS == 0 {
            to.headers = self.headers(&out);
        }
        if flags & KEEP_TIMESTAMP == 0 {
            to.timestamp = out.timestamp;
        }
        if flags & KEEP_PLACE == 0 && (dest > 0 || out.partition >= 0) {
            to.partition = out.partition;
            if let Some(topic) = (dest as usize).checked_sub(1).and_then(|i| topics.get(i)) {
                to.topic = topic.to_string();
            }
        }
        Ok(TestAnswer::Record(to))
    }

    /// Has a converter opened for `toConnect` read bytes. `about` is the topic, or the name of the header.
    pub fn to_connect(&mut self, plugin: TestPlugin, about: &str, bytes: Option<&[u8]>) -> Result<TestDatum, String> {
        let rec = Record { index: 0, ..Record::new(Some(about.as_bytes()), bytes, crate::NO_TIMESTAMP) };
        let answer = self.one(plugin, &rec, about)?;
        let out = answered(&answer)?;
        Ok(self.part(out.value, None))
    }

    /// Has a converter opened for `fromConnect` write a value; `None` is null.
    pub fn from_connect(
        &mut self,
        plugin: TestPlugin,
        about: &str,
        value: &TestDatum,
    ) -> Result<Option<Vec<u8>>, String> {
        let part = value.part.as_deref();
        let rec = Record { index: 0, ..Record::new(Some(about.as_bytes()), part, crate::NO_TIMESTAMP) };
        self.know([value]);
        let answer = self.one(plugin, &rec, about)?;
        Ok(answered(&answer)?.value.map(<[u8]>::to_vec))
    }

    /// Asks a source for records.
    pub fn poll(&mut self, plugin: TestPlugin, budget: i32) -> Result<Vec<TestSourceRecord>, String> {
        with(|s| s.emitted.clear());
        let last = words_of(self.guest.poll(plugin.handle, budget).map_err(refusal)?);
        let mut frames = with(|s| core::mem::take(&mut s.emitted));
        frames.push(last);
        let mut out = Vec::new();
        for frame in &frames {
            let Some(mut records) = Records::new(as_bytes(frame)) else { continue };
            self.guest.schemas.borrow_mut().learn(records.aux());
            let topics = crate::connect::topics_of(&records);
            while let Some((rec, _, _, dest)) = records.raw() {
                let record = TestConnectRecord {
                    topic: topics[dest as usize - 1].to_string(),
                    partition: rec.partition,
                    timestamp: rec.timestamp,
                    key: self.part(rec.key, None),
                    value: self.part(rec.value, None),
                    headers: self.headers(&rec),
                };
                let (partition, offset) = (self.part(rec.second, None), self.part(rec.third, None));
                out.push(TestSourceRecord { record, partition, offset });
            }
        }
        Ok(out)
    }

    /// Tells a source that an offset of a partition is safe; sources that are opened from now on find it.
    pub fn ack(&mut self, plugin: TestPlugin, partition: &TestDatum, offset: &TestDatum) -> Result<(), String> {
        let (p, o) = (partition.part.clone().unwrap_or_default(), offset.part.clone().unwrap_or_default());
        let mut rec = Record::new(None, None, crate::NO_TIMESTAMP);
        (rec.second, rec.third) = (Some(p.as_slice()), Some(o.as_slice()));
        let mut frame = Output::default();
        frame.reset();
        frame.arguments = true;
        frame.call(&rec, "");
        let code = self.guest.ack(plugin.handle, frame.result().unwrap_or_default());
        with(|s| {
            s.offsets.retain(|(known, _)| *known != p);
            s.offsets.push((p, o));
        });
        if code < 0 { Err(refusal(code)) } else { Ok(()) }
    }

    /// Has the guest know the schemas of data.
    fn know<'a>(&mut self, parts: impl IntoIterator<Item = &'a TestDatum>) {
        parts.into_iter().for_each(|part| self.guest.schemas.borrow_mut().join(&part.schemas));
    }

    /// Sends a frame of one record.
    fn one(&mut self, plugin: TestPlugin, rec: &Record<'_>, topic: &str) -> Result<Vec<u64>, String> {
        let mut frame = Output::default();
        frame.reset();
        frame.connect(rec, 0, Some(topic));
        let answer = self.guest.process(plugin.handle, frame.result().unwrap_or_default()).map_err(refusal)?;
        let answer = words_of(answer);
        if let Some(records) = Records::new(as_bytes(&answer)) {
            self.guest.schemas.borrow_mut().learn(records.aux());
        }
        Ok(answer)
    }

    /// A part of an answer, what it keeps of the input filled in.
    fn part(&self, part: Option<&[u8]>, from: Option<Datum<'_>>) -> TestDatum {
        let schemas = self.guest.schemas.borrow().clone();
        let part = part.map(|b| match from {
            Some(from) => Datum::root(Some(b), &schemas).resolved(from),
            None => b.to_vec(),
        });
        TestDatum { part, schemas }
    }

    fn headers(&self, rec: &Record<'_>) -> Vec<(String, TestDatum)> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).to_string();
        rec.headers.iter().map(|(name, value)| (text(name), self.part(value, None))).collect()
    }
}

fn failed(rec: &Record<'_>, class: u32) -> TestAnswer {
    let message = String::from_utf8_lossy(rec.value.unwrap_or_default()).to_string();
    TestAnswer::Failed([Class::Skip, Class::DeadLetter, Class::Fail, Class::Retry][class as usize], message)
}

/// The one record that a converter answers.
fn answered(answer: &[u64]) -> Result<Record<'_>, String> {
    match Records::new(as_bytes(answer)).and_then(|mut records| records.raw()) {
        None => Err("no answer".to_string()),
        Some((rec, KIND_ERROR, ..)) => Err(String::from_utf8_lossy(rec.value.unwrap_or_default()).to_string()),
        Some((rec, ..)) => Ok(rec),
    }
}
