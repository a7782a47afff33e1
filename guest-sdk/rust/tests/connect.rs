//! Plugins of Connect of every kind in a TestHost.

use std::rc::Rc;
use wasmstream::test::{TestAnswer, TestConnectRecord, TestDatum, TestHost};
use wasmstream::*;

/// Numbers in text, eight bytes of data with a schema each.
struct Number {
    schema: Rc<Schema>,
}

impl Converter for Number {
    fn to_connect(&mut self, topic: &str, bytes: Option<&[u8]>, to: &mut Writer) -> Result<(), Error> {
        let Some(bytes) = bytes else { return Ok(()) };
        let text = core::str::from_utf8(bytes)?;
        let n = text.parse().map_err(|_| Error::dead_letter(format!("{topic}: {text} is no number")))?;
        to.reset(Some(&self.schema));
        to.int64(n);
        Ok(())
    }

    fn from_connect(&mut self, topic: &str, value: Datum<'_>, to: &mut OutPart) -> Result<(), Error> {
        match value.ty() {
            Type::Null => to.set_null(),
            Type::Int64 => to.set(value.int().to_string().as_bytes()),
            _ => return Err(Error::fail(format!("{topic}: no number"))),
        }
        Ok(())
    }
}

/// Counts up to a number, in batches.
struct Counter {
    schema: Rc<Schema>,
    next: i64,
    end: i64,
    acked: i64,
}

fn place(w: &mut Writer, name: &str, value: i64) {
    w.map(1);
    w.str(name);
    w.int64(value);
}

impl Source for Counter {
    fn poll(&mut self, batch: &mut SourceRecords<'_>, budget: usize) -> Result<(), Error> {
        if self.end < 0 {
            return Err(Error::retry("nothing to count"));
        }
        for _ in 0..budget.min((self.end - self.next) as usize) {
            batch.begin("numbers");
            batch.timestamp(self.next);
            batch.key(None).int64(self.next % 2);
            let w = batch.value(Some(&self.schema));
            w.structure(&self.schema);
            w.int64(self.next);
            let acked = self.acked;
            batch.header("acked", None, |w| w.int64(acked));
            place(batch.partition(), "counter", 0);
            self.next += 1;
            place(batch.offset(), "next", self.next);
            batch.end();
        }
        Ok(())
    }

    fn ack(&mut self, partition: Datum<'_>, offset: Datum<'_>) {
        assert_eq!(partition.field("counter").int(), 0);
        self.acked = offset.field("next").int();
    }
}

/// Posts texts.
struct Post;

impl Sink for Post {
    fn put(&mut self, rec: &ConnectRecord<'_>) -> Result<(), Error> {
        match http("POST", "http://there/", &[], rec.value().bytes())?.status {
            200 => Ok(()),
            status => Err(Error::dead_letter(status.to_string())),
        }
    }
}

fn number() -> Rc<Schema> {
    Schema::primitive(Type::Int64, false)
}

fn module() -> Module {
    Module::new("test", "1.0.0")
        .with(converter("number", |ctx| match ctx.config("broken") {
            Some(_) => Err(Error::fail("it is broken")),
            None => Ok(Number { schema: number() }),
        }))
        .with(header_converter("header", |_| Ok(Number { schema: number() })))
        .with(source("counter", |ctx| {
            let next = ctx.offset(|w| place(w, "counter", 0), |d| d.field("next").int())?.unwrap_or_default();
            let end = ctx.config("end").and_then(|e| e.parse().ok()).unwrap_or(-1);
            let field = Schema::primitive(Type::Int64, false).with_default(|w| w.int64(7));
            let schema = Schema::structure("Number", vec![("n".to_string(), field)]);
            Ok(Counter { schema, next, end, acked: -1 })
        }))
        .with(sink("post", |_| Ok(Post)))
        .with(predicate("is-text", |r| r.value().ty() == Type::String))
        .with(transformation("edit", |r| {
            if let Some(w) = r.set_field("name") {
                w.str("kim");
            }
            if let Some(w) = r.set_key_field("id") {
                w.int64(1);
            }
            let names: Vec<String> = r.headers().map(|(name, _)| name.to_string()).collect();
            r.remove_header("old");
            r.add_header("had", None, |w| w.str(&names.join(",")));
            r.set_topic("edited");
        }))
        .with(transformation("no-key", |r| r.set_null_key()))
}

#[test]
fn converters_turn_bytes_into_data_and_back() {
    let mut host = TestHost::new(module());
    let to = host.open_plugin("number", "toConnect", &[]).unwrap();
    let from = host.open_plugin("number", "fromConnect", &[]).unwrap();
    let twelve = host.to_connect(to, "t", Some(b"-12")).unwrap();
    assert_eq!(twelve.get().int(), -12);
    assert_eq!(twelve.get().schema().unwrap().ty, Type::Int64 as u8);
    assert!(host.to_connect(to, "t", None).unwrap().get().is_null());
    assert_eq!(host.to_connect(to, "t", Some(b"x")).err().unwrap(), "t: x is no number");
    assert_eq!(host.from_connect(from, "t", &twelve).unwrap().unwrap(), b"-12");
    assert_eq!(host.from_connect(from, "t", &TestDatum::default()).unwrap(), None);
    assert_eq!(host.from_connect(from, "t", &TestDatum::text("x")).unwrap_err(), "t: no number");
    assert_eq!(host.open_plugin("number", "toConnect", &[("broken", "")]).unwrap_err(), "it is broken");
}

#[test]
fn converters_of_headers_hear_the_name_of_the_header() {
    let mut host = TestHost::new(module());
    let to = host.open_plugin("header", "toConnect", &[]).unwrap();
    assert_eq!(host.to_connect(to, "retries", Some(b"many")).err().unwrap(), "retries: many is no number");
}

#[test]
fn sources_give_records_and_go_on_from_what_is_safe() {
    let mut host = TestHost::new(module());
    let counter = host.open_plugin("counter", "", &[("end", "3")]).unwrap();
    let batch = host.poll(counter, 2).unwrap();
    assert_eq!(batch.len(), 2);
    let last = &batch[1];
    assert_eq!((last.record.topic.as_str(), last.record.timestamp, last.record.partition), ("numbers", 1, -1));
    assert_eq!((last.record.key.get().int(), last.record.value.get().field("n").int()), (1, 1));
    assert_eq!(last.record.value.get().schema().unwrap().name, "Number");
    assert_eq!(last.record.headers[0].1.get().int(), -1);
    assert_eq!((last.partition.get().field("counter").int(), last.offset.get().field("next").int()), (0, 2));
    host.ack(counter, &last.partition, &last.offset).unwrap();
    assert_eq!(host.poll(counter, 2).unwrap()[0].record.headers[0].1.get().int(), 2);
    assert!(host.poll(counter, 2).unwrap().is_empty());

    let again = host.open_plugin("counter", "", &[("end", "3")]).unwrap();
    let rest = host.poll(again, 10).unwrap();
    assert_eq!((rest.len(), rest[0].record.value.get().field("n").int()), (1, 2));
    let none = host.open_plugin("counter", "", &[]).unwrap();
    assert_eq!(host.poll(none, 1).err().unwrap(), "nothing to count");
}

#[test]
fn many_records_of_a_source_cross_in_parts() {
    let mut host = TestHost::new(module());
    let counter = host.open_plugin("counter", "", &[("end", "50000")]).unwrap();
    let batch = host.poll(counter, 50_000).unwrap();
    assert_eq!(batch.len(), 50_000);
    assert!(batch.iter().enumerate().all(|(i, r)| r.record.topic == "numbers" && r.record.timestamp == i as i64));
}

#[test]
fn what_is_no_source_cannot_be_polled() {
    let mut host = TestHost::new(module());
    let sink = host.open_plugin("post", "", &[]).unwrap();
    assert_eq!(host.poll(sink, 1).err().unwrap(), "no such source");
}

#[test]
fn sinks_reach_a_server() {
    let mut host = TestHost::new(module());
    let sink = host.open_plugin("post", "", &[]).unwrap();
    let record = |text: &str| TestConnectRecord::new("t", TestDatum::text(text));
    assert!(
        matches!(host.transform(sink, &record("a")), Ok(TestAnswer::Failed(Class::Fail, text)) if text.contains("denied"))
    );
    host.serve(|method, url, body| {
        assert_eq!((method, url), ("POST", "http://there/"));
        Response { status: if body == b"bad" { 400 } else { 200 }, body: Vec::new(), headers: Vec::new() }
    });
    assert!(matches!(host.transform(sink, &record("a")), Ok(TestAnswer::Dropped)));
    assert!(
        matches!(host.transform(sink, &record("bad")), Ok(TestAnswer::Failed(Class::DeadLetter, text)) if text == "400")
    );
}

#[test]
fn predicates_hold_or_not() {
    let mut host = TestHost::new(module());
    let is_text = host.open_plugin("is-text", "", &[]).unwrap();
    let record = TestConnectRecord::new("t", TestDatum::text("a"));
    assert!(
        matches!(host.transform(is_text, &record), Ok(TestAnswer::Record(r)) if r.topic == "t" && r.partition == -1)
    );
    let record = TestConnectRecord::new("t", TestDatum::default());
    assert!(matches!(host.transform(is_text, &record), Ok(TestAnswer::Dropped)));
}

#[test]
fn edits_leave_the_rest_as_it_came() {
    let mut host = TestHost::new(module());
    let edit = host.open_plugin("edit", "", &[]).unwrap();
    let text = Schema::primitive(Type::String, false);
    let schema = Schema::structure("Person", vec![("name".to_string(), text.clone()), ("city".to_string(), text)]);
    let value = TestDatum::new(Some(&schema), |w| {
        w.structure(&schema);
        w.str("lee");
        w.str("Seoul");
    });
    let key = TestDatum::new(None, |w| place(w, "id", 9));
    let headers = vec![("old".to_string(), TestDatum::text("x")), ("kept".to_string(), TestDatum::text("y"))];
    let record = TestConnectRecord { key, headers, ..TestConnectRecord::new("t", value) };
    let Ok(TestAnswer::Record(got)) = host.transform(edit, &record) else { panic!("no record") };
    let value = got.value.get();
    assert_eq!((value.field("name").str(), value.field("city").str()), ("kim", "Seoul"));
    assert_eq!(value.schema().unwrap().name, "Person");
    assert_eq!((got.key.get().field("id").int(), got.topic.as_str()), (1, "edited"));
    let headers: Vec<(&str, &str)> = got.headers.iter().map(|(name, d)| (name.as_str(), d.get().str())).collect();
    assert_eq!(headers, [("kept", "y"), ("had", "old,kept")]);
    let no_key = host.open_plugin("no-key", "", &[]).unwrap();
    let Ok(TestAnswer::Record(got)) = host.transform(no_key, &record) else { panic!("no record") };
    assert!(got.key.get().is_null() && got.value.get().field("name").str() == "lee");
}
