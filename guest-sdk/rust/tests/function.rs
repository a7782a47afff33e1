//! Functions of several arguments, of sources and of sinks in a TestHost.

use wasmstream::test::{TestConfig, TestHost, TestOutput, TestRecord};
use wasmstream::*;

/// What a function was given, with bars between; null is a dash.
fn put(out: &mut OutPart, parts: &[Option<&[u8]>]) {
    let bytes = out.bytes();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            bytes.push(b'|');
        }
        bytes.extend_from_slice(part.unwrap_or(b"-"));
    }
}

fn module() -> Module {
    Module::new("functions", "1.0.0")
        .with(initializer("zero", |out| out.set(b"0")))
        .with(aggregator("append", |k, v, a, out| put(out, &[k, v, a])))
        .with(aggregator("delete", |_, _, _, out| out.set_null()))
        .with(aggregator("refuse", |_, _, _, _| -> Result<(), Error> { Err(Error::skip("odd")) }))
        .with(reducer("longer", |aggregate, value, out| {
            if aggregate.map_or(0, <[u8]>::len) >= value.map_or(0, <[u8]>::len) {
                out.keep();
            } else {
                out.set(value.unwrap_or_default());
            }
        }))
        .with(merger("both", |k, one, two, out| put(out, &[k, one, two])))
        .with(joiner("pair", |l, r, out| put(out, &[l, r])))
        .with(joiner_with_key("pair-key", |k, l, r, out| put(out, &[k, l, r])))
        .with(joiner_with_mapped_key("pair-mapped", |k, l, r, out| put(out, &[k, l, r])))
        .with(timestamp_extractor("later", |rec, partition_time| {
            rec.value.map_or(partition_time + 1, |v| v.len() as i64)
        }))
        .with(topic_name_extractor("by-key", |rec, out| put(out, &[Some(b"t"), rec.key])))
        .with(partitioner("last", |rec, to| match rec.key {
            None => to.send_default(),
            Some(b"all") => (0..to.count()).for_each(|p| to.send(p)),
            Some(b"topic") if to.topic() == Some(b"t") => to.send(1),
            Some(b"none") => {}
            Some(_) => to.send(to.count() - 1),
        }))
        .with(serializer("out", |data, out| put(out, &[Some(data), Some(b"out")])))
        .with(deserializer("in", |data, out| out.set(data.strip_suffix(b"|out").unwrap_or(data))))
}

fn ask(component: &str, records: &[TestRecord]) -> Vec<TestOutput> {
    let mut host = TestHost::new(module());
    host.topic = Some("t".into());
    let node = host.open_with(component, &TestConfig { partitions: 3, ..TestConfig::default() }).expect("it opens");
    host.process(node, records).expect("it answers")
}

fn bytes(s: &str) -> Option<Vec<u8>> {
    Some(s.as_bytes().to_vec())
}

fn full() -> TestRecord {
    let headers = vec![("h".to_string(), None)];
    TestRecord {
        key: bytes("k"),
        value: bytes("left"),
        second: bytes("right"),
        third: bytes("m"),
        headers,
        ..TestRecord::default()
    }
}

#[test]
fn answers() {
    let alone = TestRecord { second: None, third: None, ..full() };
    let cases = [
        ("zero", TestRecord::default(), Some("0")),
        ("append", full(), Some("k|left|right")),
        ("append", alone.clone(), Some("k|left|-")),
        ("delete", full(), None),
        ("longer", full(), Some("right")),
        ("longer", alone.clone(), Some("left")),
        ("both", full(), Some("k|left|right")),
        ("pair", full(), Some("left|right")),
        ("pair", alone, Some("left|-")),
        ("pair-key", full(), Some("k|left|right")),
        ("pair-mapped", full(), Some("m|left|right")),
        ("by-key", full(), Some("t|k")),
        ("out", full(), Some("left|out")),
        ("out", TestRecord::default(), None),
        ("in", TestRecord::value("left|out"), Some("left")),
    ];
    for (component, record, want) in cases {
        let out = ask(component, &[record]);
        assert_eq!(out.len(), 1, "{component}");
        assert_eq!(out[0].record.value, want.and_then(bytes), "{component}");
    }
    assert_eq!(ask("refuse", &[full()])[0].error, Some((Class::Skip, "odd".to_string())));
}

#[test]
fn partition_time_follows_the_answers() {
    let none = TestRecord::default;
    let out = ask("later", &[none(), TestRecord::value("12345"), none(), TestRecord::value("1"), none()]);
    let times: Vec<i64> = out.iter().map(|o| o.record.timestamp).collect();
    assert_eq!(times, [0, 5, 6, 1, 7]);
}

#[test]
fn partitions() {
    let key = |k: &str| TestRecord { key: bytes(k), ..TestRecord::default() };
    let out = ask("last", &[key("a"), key("none"), key("all"), TestRecord::default(), key("topic")]);
    let to: Vec<(usize, i32)> = out.iter().map(|o| (o.index.expect("an index"), o.partition)).collect();
    assert_eq!(to, [(0, 2), (2, 0), (2, 1), (2, 2), (3, -1), (4, 1)]);
}
