//! Components of every kind in a TestHost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;
use wasmstream::test::{TestConfig, TestHost, TestNode, TestOutput, TestRecord};
use wasmstream::*;

/// Counts the allocations of this thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: all is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Default)]
struct Everything {
    kv: KeyValueStore,
    calls: Metric,
    timer: Option<Timer>,
    headers: HeaderBuilder,
}

impl Processor for Everything {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.kv = ctx.store("kv")?;
        self.calls = ctx.metric(MetricKind::Counter, "calls")?;
        self.timer = Some(ctx.schedule(Duration::from_millis(10), PunctuationType::StreamTime)?);
        Ok(())
    }

    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        self.calls.add(1)?;
        match rec.value.unwrap_or_default() {
            b"forward" => ctx.forward(rec),
            b"to b" => ctx.forward_to("b", &rec.with_timestamp(rec.timestamp + 1))?,
            b"to nobody" => ctx.forward_to("nobody", rec)?,
            b"header" => {
                self.headers.clear();
                self.headers.extend(rec.headers);
                self.headers.push("seen", None);
                ctx.forward(&rec.with_headers(self.headers.headers()));
            }
            b"cancel" => ctx.cancel(self.timer.take().ok_or_else(|| Error::fail("no timer"))?)?,
            b"where" => {
                let text = format!(
                    "{} {} {}",
                    String::from_utf8_lossy(ctx.topic().unwrap_or_default()),
                    rec.partition(),
                    rec.offset()
                );
                ctx.forward(&rec.with_value(Some(text.as_bytes())));
            }
            b"log" => {
                ctx.log(Level::Warn, "seen");
                ctx.commit()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn punctuate(&mut self, ctx: &mut Context, timer: Timer, time: i64) -> Result<(), Error> {
        assert_eq!(Some(timer), self.timer);
        ctx.forward(&Record::new(Some(b"tick"), None, time));
        Ok(())
    }
}

struct ForwardsOther;

impl Processor for ForwardsOther {
    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        ctx.forward(&rec.with_key(Some(b"other")).with_value(Some(b"other")));
        Ok(())
    }
}

#[derive(Default)]
struct Holder(usize);

impl Processor for Holder {
    fn process(&mut self, _: &mut Context, _: &Record<'_>) -> Result<(), Error> {
        self.0 += 1;
        Ok(())
    }
    fn flush(&mut self, ctx: &mut Context) -> Result<(), Error> {
        ctx.forward(&Record::new(None, Some(self.0.to_string().as_bytes()), ctx.epoch()));
        Ok(())
    }
}

struct Refuser;

impl Processor for Refuser {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        ctx.store("not mine").map(drop)
    }
    fn process(&mut self, _: &mut Context, _: &Record<'_>) -> Result<(), Error> {
        Ok(())
    }
}

const FLOOD: usize = 200_001;

struct Flooder;

impl Processor for Flooder {
    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error> {
        (0..FLOOD).for_each(|_| ctx.forward(rec));
        Ok(())
    }
}

fn module() -> Module {
    Module::new("all", "1.2.3")
        .with(filter("odd-length", |rec| rec.value.is_some_and(|v| v.len() % 2 == 1)).wants(&[Part::Value]))
        .with(filter("failing-filter", |_| -> Result<bool, Error> { Err(Error::dead_letter("odd")) }))
        .with(
            map_values("upper", |value, out| out.set(&value.unwrap_or_default().to_ascii_uppercase()))
                .describe("to \"upper\" case"),
        )
        .with(map_values("in-place", |value, out| {
            out.bytes().extend(value.unwrap_or_default().iter().map(u8::to_ascii_uppercase));
        }))
        .with(map_values("same-value", |_, out| out.keep()))
        .with(map_values("to-null", |_, out| out.set_null()))
        .with(flat_map_values("repeat", |value, out| {
            let value = value.unwrap_or_default();
            value.iter().for_each(|_| out.emit(value));
        }))
        .with(flat_map_values("skip-odd", |value, out| {
            let value = value.unwrap_or_default();
            if value.len() % 2 == 1 {
                return Err(Error::skip("odd"));
            }
            out.emit(value);
            Ok(())
        }))
        .with(map("swap", |rec, out| {
            out.key.set(rec.value.unwrap_or_default());
            out.value.set(rec.key.unwrap_or_default());
        }))
        .with(map("drop-value", |_, out| out.value.set_null()))
        .with(flat_map("pairs", |rec, out| {
            out.emit(rec.value, rec.key);
            out.emit(None, None);
        }))
        .with(select_key("value-as-key", |rec, key| key.set(rec.value.unwrap_or_default())))
        .with(select_key("same-key", |_, key| key.keep()))
        .with(foreach("see", |_| ()))
        .with(process("everything", Everything::default).stores(&["kv"]))
        .with(process_values("values", || ForwardsOther))
        .with(process("holds", Holder::default).buffers())
        .with(process("refuses", || Refuser))
        .with(process("flood", || Flooder).wants(&[]))
}

fn open(name: &str) -> (TestHost, TestNode) {
    let mut host = TestHost::new(module());
    let node = host.open(name).unwrap();
    (host, node)
}

/// A record whose parts are all there.
fn input(value: &str) -> TestRecord {
    TestRecord {
        key: Some(b"k".to_vec()),
        headers: vec![("h".into(), Some(b"1".to_vec())), ("n".into(), None)],
        timestamp: 5,
        offset: 12,
        partition: 3,
        ..TestRecord::value(value)
    }
}

/// `input` with another key and value, as an answer.
fn given(key: Option<&str>, value: Option<&str>) -> TestOutput {
    let bytes = |s: &str| s.as_bytes().to_vec();
    let record = TestRecord { key: key.map(bytes), value: value.map(bytes), offset: 0, partition: 0, ..input("") };
    TestOutput { record, index: Some(0), child: 0, partition: -1, error: None }
}

#[test]
fn functions() {
    let k = Some("k");
    let cases: [(&str, TestRecord, Vec<TestOutput>); 17] = [
        ("odd-length", input("abc"), vec![given(k, Some("abc"))]),
        ("odd-length", input("ab"), vec![]),
        ("upper", input("abc"), vec![given(k, Some("ABC"))]),
        ("upper", input(""), vec![given(k, Some(""))]),
        ("in-place", input("abc"), vec![given(k, Some("ABC"))]),
        ("same-value", input("abc"), vec![given(k, Some("abc"))]),
        ("to-null", input("v"), vec![given(k, None)]),
        ("repeat", input("ab"), vec![given(k, Some("ab")); 2]),
        ("repeat", input(""), vec![]),
        ("swap", input("v"), vec![given(Some("v"), k)]),
        ("drop-value", input("v"), vec![given(k, None)]),
        ("pairs", input("v"), vec![given(Some("v"), k), given(None, None)]),
        ("value-as-key", input("v"), vec![given(Some("v"), Some("v"))]),
        ("same-key", input("v"), vec![given(k, Some("v"))]),
        ("see", input("v"), vec![]),
        ("values", input("v"), vec![given(k, Some("other"))]),
        ("pairs", TestRecord { key: None, ..input("v") }, vec![given(Some("v"), None), given(None, None)]),
    ];
    for (component, record, want) in cases {
        let (mut host, node) = open(component);
        assert_eq!(host.process(node, &[record]).unwrap(), want, "{component}");
    }
}

#[test]
fn errors_of_records() {
    let (mut host, node) = open("failing-filter");
    let outs = host.process(node, &[input("v")]).unwrap();
    assert_eq!(outs[0].error, Some((Class::DeadLetter, "odd".into())));
    let (mut host, node) = open("skip-odd");
    let outs = host.process(node, &[input("ab"), input("a"), input("cd")]).unwrap();
    assert_eq!(outs.iter().map(|o| o.index).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert_eq!(outs[1].error, Some((Class::Skip, "odd".into())));
}

#[test]
fn processor() {
    let mut host = TestHost::new(module());
    let config = TestConfig { children: vec!["a".into(), "b".into()], ..TestConfig::default() };
    let node = host.open_with("everything", &config).unwrap();
    host.topic = Some("t".into());
    let outs = host.process(node, &["forward", "to b", "to nobody", "header", "where", "log"].map(input)).unwrap();
    assert_eq!(outs.len(), 5);
    assert_eq!((outs[0].child, outs[0].record.value.as_deref()), (0, Some(&b"forward"[..])));
    assert_eq!((outs[1].child, outs[1].record.timestamp), (2, 6));
    assert_eq!(outs[2].error, Some((Class::Fail, "host: not found".into())));
    assert_eq!(outs[3].record.headers.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), ["h", "n", "seen"]);
    assert_eq!(outs[4].record.value.as_deref(), Some(&b"t 3 12"[..]));
    assert_eq!((host.metric("calls"), host.commits(), host.logs()), (6, 1, vec![(2, "seen".into())]));
    host.close(node).unwrap();
    assert!(host.process(node, &[input("forward")]).is_err());
}

#[test]
fn punctuate() {
    let (mut host, node) = open("everything");
    for (now, want) in [(0, 1), (9, 0), (10, 1), (45, 1), (49, 0), (50, 1)] {
        let outs = host.advance_time(node, true, now).unwrap();
        assert_eq!(outs.len(), want, "at {now}");
        assert!(outs.iter().all(|o| o.index.is_none() && o.record.timestamp == now));
    }
    host.process(node, &[input("cancel")]).unwrap();
    assert!(host.advance_time(node, true, 1000).unwrap().is_empty());
}

#[test]
fn flush() {
    let (mut host, node) = open("holds");
    assert!(host.process(node, &[input("a"), input("b")]).unwrap().is_empty());
    let outs = host.flush(node, 9).unwrap();
    assert_eq!((outs[0].record.value.as_deref(), outs[0].record.timestamp, outs[0].index), (Some(&b"2"[..]), 9, None));
    assert!(
        host.manifest().contains(
            r#""name":"holds","kind":"process","wants":["key","value","headers"],"stores":[],"buffers":true"#
        )
    );
    assert!(host.manifest().contains(r#""description":"to \"upper\" case""#));
}

#[test]
fn init_fails() {
    let mut host = TestHost::new(module());
    assert_eq!(host.open("refuses").unwrap_err(), "store not mine: host: denied");
    assert_eq!(host.open("unheard of").unwrap_err(), "no component unheard of");
}

#[test]
fn flood() {
    let (mut host, node) = open("flood");
    let outs = host.process(node, &[input("x"), TestRecord::default()]).unwrap();
    assert_eq!(outs.len(), 2 * FLOOD);
    assert_eq!((outs[FLOOD - 1].index, outs[FLOOD].index), (Some(0), Some(1)));
}

type StoreTest = Box<dyn FnMut(&mut KeyValueStore) -> Result<(), Error>>;

/// Runs a test with a store in hand.
struct Storing(Option<StoreTest>);

impl Processor for Storing {
    fn process(&mut self, ctx: &mut Context, _: &Record<'_>) -> Result<(), Error> {
        let mut store = ctx.store("s")?;
        self.0.take().ok_or_else(|| Error::fail("ran before"))?(&mut store)
    }
}

fn with_store(test: impl Fn(&mut KeyValueStore) -> Result<(), Error> + Clone + 'static) {
    let component = process("storing", move || Storing(Some(Box::new(test.clone())))).stores(&["s"]);
    let mut host = TestHost::new(Module::new("m", "1").with(component));
    let node = host.open("storing").unwrap();
    assert_eq!(host.process(node, &[input("x")]).unwrap(), []);
}

#[test]
fn store_one_key() {
    with_store(|s| {
        let big = vec![b'x'; 10_000];
        assert_eq!(s.get(b"k")?, None);
        assert_eq!(s.put_if_absent(b"k", b"")?, None);
        assert_eq!(s.get(b"k")?, Some(&b""[..]));
        s.put(b"k", Some(&big))?;
        assert_eq!(s.put_if_absent(b"k", b"other")?, Some(&big[..]));
        assert_eq!(s.delete(b"k")?, Some(&big[..]));
        assert_eq!(s.delete(b"k")?, None);
        s.put(b"k", Some(b"v"))?;
        s.put(b"k", None)?;
        assert_eq!(s.get(b"k")?, None);
        Ok(())
    });
}

#[test]
fn store_many() {
    with_store(|s| {
        let mut batch = Batch::default();
        for i in 0..300 {
            batch.put(i.to_string().as_bytes(), Some(&vec![b'v'; i]));
        }
        batch.put(b"7", None);
        s.write_many(&batch)?;
        batch.clear();
        (0..300).for_each(|i| batch.key(i.to_string().as_bytes()));
        let mut seen = Vec::new();
        s.get_many(&batch, |i, v| seen.push((i, v.map(<[u8]>::len))))?;
        assert_eq!(seen, (0..300).map(|i| (i, (i != 7).then_some(i))).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn store_ranges() {
    with_store(|s| {
        for k in ["a", "b", "c", "d"] {
            s.put(k.as_bytes(), Some(k.repeat(5000).as_bytes()))?;
        }
        let walk = |from: Option<&str>, to: Option<&str>, reverse| -> Result<String, Error> {
            let mut keys = String::new();
            let mut it = s.range(from.map(str::as_bytes), to.map(str::as_bytes), reverse)?;
            while let Some((k, v)) = it.next()? {
                assert_eq!(v.len(), 5000);
                keys.push_str(std::str::from_utf8(k)?);
            }
            Ok(keys)
        };
        assert_eq!(walk(None, None, false)?, "abcd");
        assert_eq!(walk(Some("b"), Some("d"), false)?, "bc");
        assert_eq!(walk(Some("b"), None, false)?, "bcd");
        assert_eq!(walk(None, Some("b"), true)?, "a");
        assert_eq!(walk(None, None, true)?, "dcba");
        assert_eq!(walk(Some("x"), None, false)?, "");
        Ok(())
    });
}

#[test]
fn longs() {
    for n in [0, 1, -1, 1 << 40, i64::MIN] {
        assert_eq!(long_from(&long_bytes(n)), Some(n));
    }
    assert_eq!((long_bytes(258), long_from(b"short")), ([0, 0, 0, 0, 0, 0, 1, 2], None));
}

#[test]
fn no_allocation_per_record() {
    let records = vec![input("forward"); 100];
    for component in
        ["odd-length", "in-place", "same-value", "repeat", "swap", "pairs", "value-as-key", "everything", "values"]
    {
        let (mut host, node) = open(component);
        let mut run = host.prepare(node, &records);
        run();
        let before = ALLOCATIONS.get();
        run();
        assert_eq!(ALLOCATIONS.get() - before, 0, "{component}");
    }
}
