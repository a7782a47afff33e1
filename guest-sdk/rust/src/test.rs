//! An in-memory host for tests of components by plain `cargo test`. It runs components through the same frames as the
//! real host. There is one in each thread: the one made last.

use crate::component::{Kind, Module};
use crate::error::{Class, Errno};
use crate::guest::Guest;
use crate::layout::*;
use crate::record::{HeaderBuilder, Headers, Record, Records};
use crate::rows::{SESSION, TIME, VERSIONED, WINDOW};
use crate::store::long_bytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

mod plugin;
pub use plugin::{TestAnswer, TestConnectRecord, TestDatum, TestPlugin, TestSourceRecord};

type Store = BTreeMap<Vec<u8>, Vec<u8>>;

/// What an open iterator has still to give, the next one last.
type Left = Vec<(Vec<u8>, Vec<u8>)>;

/// What the host of this thread knows.
#[derive(Default)]
struct State {
    stores: Vec<(String, Store)>,
    kinds: BTreeMap<usize, i32>, // of stores that were opened as another kind than of keys and values
    kept: BTreeMap<usize, i64>,  // how long, of stores that do not keep everything
    observed: BTreeMap<usize, i64>, // the largest time of a row
    granted: Vec<String>,
    opening: i32, // the handle that the component in init will have
    iterators: Vec<Option<Left>>,
    timers: Vec<Option<HostTimer>>,
    metrics: Vec<(String, i64)>,
    logs: Vec<(i32, String)>,
    commits: usize,
    emitted: Vec<Vec<u64>>,
    discard: bool,
    failure: String,
    times: [i64; 2], // wall clock, stream time
    seed: u64,
    server: Option<plugin::Server>,
    response: Vec<u8>,
    offsets: Vec<(Vec<u8>, Vec<u8>)>, // of a source: partition and offset, as data
}

#[derive(Clone, Copy)]
struct HostTimer {
    handle: i32,
    typ: i32,
    interval: i64,
    next: i64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(f)
}

/// A record that goes into a component, or comes out of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// `None` is null.
    pub key: Option<Vec<u8>>,
    /// `None` is null.
    pub value: Option<Vec<u8>>,
    /// In order; a value of `None` is null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// In milliseconds.
    pub timestamp: i64,
    /// Of the source record; 0 in outputs.
    pub offset: i64,
    /// Of the source record; 0 in outputs.
    pub partition: i32,
    /// The argument of an aggregator (the aggregate), reducer (the new value), merger (the later aggregate) or joiner
    /// (the right value).
    pub second: Option<Vec<u8>>,
    /// The mapped key of a joiner.
    pub third: Option<Vec<u8>>,
}

impl TestRecord {
    /// A record with this value and nothing else.
    pub fn value(value: impl AsRef<[u8]>) -> Self {
        Self { value: Some(value.as_ref().to_vec()), ..Self::default() }
    }
}

/// An answer of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutput {
    /// The answer, with the parts that were kept by reference filled in; empty for a record that failed.
    pub record: TestRecord,
    /// The number of the input record that it came from.
    pub index: Option<usize>,
    /// The child that it goes to, counted from 1; 0 is every child.
    pub child: usize,
    /// What a partitioner chose; -1 is the default, and in the answers of other components.
    pub partition: i32,
    /// Class and message of a record that failed.
    pub error: Option<(Class, String)>,
}

/// How a component is opened.
#[derive(Clone, Debug)]
pub struct TestConfig {
    /// The names of the children.
    pub children: Vec<String>,
    /// What [`crate::Context::config`] gives.
    pub config: Vec<(String, String)>,
    /// How many partitions a partitioner is told of.
    pub partitions: u32,
}

impl Default for TestConfig {
    fn default() -> Self {
        Self { children: vec!["child".to_string()], config: Vec::new(), partitions: 1 }
    }
}

/// A host with a module.
pub struct TestHost {
    guest: Guest,
    /// What [`crate::Context::topic`] gives.
    pub topic: Option<String>,
}

/// A component that is open in a [`TestHost`].
#[derive(Clone, Copy, Debug)]
pub struct TestNode {
    handle: i32,
    wants: u8,
    kind: Option<Kind>,
    partitions: u32,
}

impl TestHost {
    /// A host that takes the place of the one before in this thread.
    pub fn new(module: Module) -> Self {
        with(|s| *s = State { times: [0, -1], seed: 1, ..State::default() });
        Self { guest: Guest::new(module), topic: None }
    }

    /// What the module says of itself, as JSON.
    pub fn manifest(&self) -> String {
        self.guest.module.manifest()
    }

    /// Opens a component with one child and no configuration.
    pub fn open(&mut self, name: &str) -> Result<TestNode, String> {
        self.open_with(name, &TestConfig::default())
    }

    /// Opens a component.
    pub fn open_with(&mut self, name: &str, config: &TestConfig) -> Result<TestNode, String> {
        let component = self.guest.module.find(name);
        let (wants, stores) = component.map_or((0, Vec::new()), |c| (c.wants, c.stores.clone()));
        let kind = component.map(|c| c.kind);
        let opening = self.guest.next_handle();
        with(|s| (s.granted, s.opening) = (stores, opening));
        let mut frame = Vec::new();
        let fixed = [
            ("component", name),
            ("application.id", "test"),
            ("task.id", "0_0"),
            ("node", name),
            ("mode", "normal"),
            ("epoch", "0"),
            ("features", "5"),
        ];
        let children = config.children.iter().map(|c| ("child".to_string(), c.clone()));
        let settings = config.config.iter().map(|(k, v)| (std::format!("config.{k}"), v.clone()));
        let all: Vec<(String, String)> =
            fixed.iter().map(|(k, v)| (k.to_string(), v.to_string())).chain(children).chain(settings).collect();
        frame.extend_from_slice(&OPEN_MAGIC.to_le_bytes());
        frame.extend_from_slice(&(all.len() as u32).to_le_bytes());
        for (k, v) in &all {
            append_pair(&mut frame, k.as_bytes(), Some(v.as_bytes()));
        }
        let handle = self.guest.open(&frame);
        if handle < 0 {
            Err(refusal(handle))
        } else {
            Ok(TestNode { handle, wants, kind, partitions: config.partitions })
        }
    }

    /// Runs one frame of records and returns the answers in order. Stream time rises to the largest timestamp.
    pub fn process(&mut self, node: TestNode, records: &[TestRecord]) -> Result<Vec<TestOutput>, String> {
        let frame = self.encode(node, records);
        with(|s| {
            s.emitted.clear();
            s.times[1] = records.iter().map(|r| r.timestamp).chain([s.times[1]]).max().unwrap_or(-1);
        });
        let answer = self.guest.process(node.handle, as_bytes(&frame)).map_err(refusal)?;
        Ok(outputs(answer, records))
    }

    /// Encodes records once and returns a function that runs them and throws the answers away: for benchmarks and for
    /// counting allocations.
    pub fn prepare<'a>(&'a mut self, node: TestNode, records: &[TestRecord]) -> impl FnMut() + use<'a> {
        let frame = self.encode(node, records);
        let guest = &mut self.guest;
        with(|s| s.discard = true);
        move || {
            if let Err(code) = guest.process(node.handle, as_bytes(&frame)) {
                panic!("{}", refusal(code));
            }
        }
    }

    /// Moves the wall clock (stream time if `stream`) forward and runs the node's schedules that are due, each once.
    pub fn advance_time(&mut self, node: TestNode, stream: bool, now: i64) -> Result<Vec<TestOutput>, String> {
        let typ = i32::from(!stream);
        let due: Vec<i32> = with(|s| {
            s.emitted.clear();
            let time = &mut s.times[usize::from(stream)];
            *time = now.max(*time);
            let timers = s.timers.iter_mut().enumerate().filter_map(|(i, t)| Some((i, t.as_mut()?)));
            let due = timers.filter(|(_, t)| t.handle == node.handle && t.typ == typ && now >= t.next);
            due.map(|(i, t)| {
                t.next += (now - t.next + t.interval) / t.interval * t.interval;
                i as i32
            })
            .collect()
        });
        let mut all = Vec::new();
        for timer in due {
            let answer = self.guest.punctuate(node.handle, timer, now).map_err(refusal)?;
            all.extend(outputs(answer, &[]));
            with(|s| s.emitted.clear());
        }
        Ok(all)
    }

    /// Tells the component that an epoch ends, as before a commit.
    pub fn flush(&mut self, node: TestNode, epoch: i64) -> Result<Vec<TestOutput>, String> {
        with(|s| s.emitted.clear());
        let answer = self.guest.flush(node.handle, epoch).map_err(refusal)?;
        Ok(outputs(answer, &[]))
    }

    /// Closes a component.
    pub fn close(&mut self, node: TestNode) -> Result<(), String> {
        let code = self.guest.close(node.handle);
        if code < 0 { Err(refusal(code)) } else { Ok(()) }
    }

    /// What a store holds for `key`: of stores whose rows have times the key of a row, with its times (a session's end and
    /// start) as [`crate::long_bytes`].
    pub fn store_get(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        with(|s| {
            let id = s.stores.iter().position(|(n, _)| n == store)?;
            let held = s.stores[id].1.get(key)?;
            if s.kind(id) == VERSIONED { present(held).map(<[u8]>::to_vec) } else { Some(held.clone()) }
        })
    }

    /// Puts a value into a store.
    pub fn store_put(&mut self, store: &str, key: &[u8], value: &[u8]) {
        with(|s| {
            let id = s.store(store);
            s.put(id, key, Some(value));
        });
    }

    /// Says how long a store keeps windows and sessions, by the largest start of a window and end of a session that was
    /// put: older rows are not there, and a put of one does nothing. Of a versioned store it is how far back versions are
    /// known. Without it a store keeps everything.
    pub fn store_keep(&mut self, store: &str, retention: core::time::Duration) {
        with(|s| {
            let id = s.store(store);
            s.kept.insert(id, retention.as_millis() as i64);
        });
    }

    /// The lines that components logged, with their levels.
    pub fn logs(&self) -> Vec<(i32, String)> {
        with(|s| s.logs.clone())
    }

    /// The number of requests for a commit.
    pub fn commits(&self) -> usize {
        with(|s| s.commits)
    }

    /// The sum of what was added to a metric.
    pub fn metric(&self, name: &str) -> i64 {
        with(|s| s.metrics.iter().find(|(n, _)| n == name).map_or(0, |(_, sum)| *sum))
    }

    /// Makes a frame of the parts that the component wants.
    fn encode(&self, node: TestNode, records: &[TestRecord]) -> Vec<u64> {
        let mut body: Vec<u8> = Vec::new();
        for (i, r) in records.iter().enumerate() {
            push_record(&mut body, node, i, r);
        }
        let aux = body.len();
        if let Some(topic) = &self.topic {
            append_pair(&mut body, b"topic", Some(topic.as_bytes()));
        }
        let len = FRAME_HEADER + body.len();
        let mut words = [0u32; FRAME_HEADER / 4];
        words[0] = FRAME_MAGIC;
        words[1] = (FRAME_HEADER | node.record_header() << 16) as u32;
        words[FRAME_LEN_AT / 4] = len as u32;
        words[FRAME_COUNT_AT / 4] = records.len() as u32;
        if node.has_arguments() {
            words[FRAME_FLAGS_AT / 4] = FRAME_HAS_ARGS;
        }
        let first = if node.kind == Some(Kind::TimestampExtractor) { None } else { records.first() };
        let time = with(|s| s.times[1]).max(first.map_or(-1, |r| r.timestamp));
        words[FRAME_TIME_AT / 4] = time as u32;
        words[FRAME_TIME_AT / 4 + 1] = (time >> 32) as u32;
        if aux < body.len() {
            words[FRAME_FLAGS_AT / 4] |= FRAME_HAS_AUX;
            words[FRAME_AUX_OFF_AT / 4] = (FRAME_HEADER + aux) as u32;
            words[FRAME_AUX_LEN_AT / 4] = (body.len() - aux) as u32;
        }
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).chain(body).collect();
        words_of(&bytes)
    }
}

/// Bytes, a multiple of 8, at a multiple of 8.
pub(crate) fn words_of(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|c| u64::from_ne_bytes(c.try_into().unwrap_or_default())).collect()
}

pub(crate) fn as_bytes(words: &[u64]) -> &[u8] {
    // SAFETY: any byte of a word is a byte.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

impl TestNode {
    fn has_arguments(self) -> bool {
        self.kind.is_some_and(Kind::has_arguments)
    }

    fn record_header(self) -> usize {
        if self.has_arguments() { CALL_HEADER } else { RECORD_HEADER }
    }

    /// What the host writes there: the number of partitions for a partitioner.
    fn dest(self) -> u32 {
        if self.kind == Some(Kind::Partitioner) { self.partitions } else { 0 }
    }
}

fn push_record(body: &mut Vec<u8>, node: TestNode, index: usize, r: &TestRecord) {
    let wants = node.wants;
    let key = r.key.as_deref().filter(|_| wants & 1 != 0);
    let value = r.value.as_deref().filter(|_| wants & 2 != 0);
    let mut headers = HeaderBuilder::default();
    if wants & 4 != 0 {
        r.headers.iter().for_each(|(k, v)| headers.push(k, v.as_deref()));
    }
    let Headers { block, count } = headers.headers();
    let pad = |b: Option<&[u8]>| pad8(b.map_or(0, <[u8]>::len));
    let (second, third) = (r.second.as_deref(), r.third.as_deref());
    let arguments = if node.has_arguments() { pad(second) + pad(third) } else { 0 };
    let size = node.record_header() + pad(key) + pad(value) + block.len() + arguments;
    for word in [size as u32, len_of(key), len_of(value), block.len() as u32] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    body.extend_from_slice(&r.timestamp.to_le_bytes());
    body.extend_from_slice(&r.offset.to_le_bytes());
    for word in [index as u32, count.into(), node.dest(), r.partition as u32] {
        body.extend_from_slice(&word.to_le_bytes());
    }
    if node.has_arguments() {
        for word in [len_of(second), len_of(third)] {
            body.extend_from_slice(&word.to_le_bytes());
        }
    }
    for part in [key, value].into_iter().flatten() {
        body.extend_from_slice(part);
        body.resize(pad8(body.len()), 0);
    }
    body.extend_from_slice(block);
    for part in [second, third].into_iter().flatten().filter(|_| node.has_arguments()) {
        body.extend_from_slice(part);
        body.resize(pad8(body.len()), 0);
    }
}

fn refusal(code: i32) -> String {
    let failure = with(|s| core::mem::take(&mut s.failure));
    if failure.is_empty() { Errno(code).to_string() } else { failure }
}

/// Decodes all frames of a call in order.
fn outputs(answer: &[u8], inputs: &[TestRecord]) -> Vec<TestOutput> {
    let emitted = with(|s| core::mem::take(&mut s.emitted));
    let frames = emitted.iter().map(|f| as_bytes(f)).chain([answer]);
    frames
        .filter_map(Records::new)
        .flat_map(|mut records| core::iter::from_fn(move || records.raw_output()))
        .map(|o| output(o, inputs))
        .collect()
}

impl<'a> Records<'a> {
    /// The next record of an output frame, with its index as it stands there.
    fn raw_output(&mut self) -> Option<(Record<'a>, u8, u8, u32)> {
        let index = self.peek_index();
        let (rec, kind, flags, dest) = self.raw()?;
        Some((Record { index, ..rec }, kind, flags, dest))
    }
}

fn output((rec, kind, flags, dest): (Record<'_>, u8, u8, u32), inputs: &[TestRecord]) -> TestOutput {
    let index = (rec.index != NO_INDEX).then_some(rec.index as usize);
    if kind == KIND_ERROR {
        let class = [Class::Skip, Class::DeadLetter, Class::Fail, Class::Retry][dest as usize];
        let message = String::from_utf8_lossy(rec.value.unwrap_or_default()).to_string();
        return TestOutput {
            record: TestRecord::default(),
            index,
            child: 0,
            partition: -1,
            error: Some((class, message)),
        };
    }
    let mut record = TestRecord {
        key: rec.key.map(<[u8]>::to_vec),
        value: rec.value.map(<[u8]>::to_vec),
        headers: rec
            .headers
            .iter()
            .map(|(k, v)| (String::from_utf8_lossy(k).to_string(), v.map(<[u8]>::to_vec)))
            .collect(),
        timestamp: rec.timestamp,
        ..TestRecord::default()
    };
    if let Some(input) = index.map(|i| &inputs[i]) {
        if flags & KEEP_KEY != 0 {
            record.key.clone_from(&input.key);
        }
        if flags & KEEP_VALUE != 0 {
            record.value.clone_from(&input.value);
        }
        if flags & KEEP_HEADERS != 0 {
            record.headers.clone_from(&input.headers);
        }
        if flags & KEEP_TIMESTAMP != 0 {
            record.timestamp = input.timestamp;
        }
    }
    TestOutput { record, index, child: dest as usize, partition: rec.partition, error: None }
}

impl State {
    fn store(&mut self, name: &str) -> usize {
        if let Some(i) = self.stores.iter().position(|(n, _)| n == name) {
            return i;
        }
        self.stores.push((name.to_string(), Store::new()));
        self.stores.len() - 1
    }

    fn kind(&self, store: usize) -> i32 {
        self.kinds.get(&store).copied().unwrap_or(0)
    }

    /// How a store keeps a value: a version has a byte before it that says whether there is one.
    fn held(&self, store: usize, value: Option<&[u8]>) -> Option<Vec<u8>> {
        if self.kind(store) != VERSIONED {
            return value.map(<[u8]>::to_vec);
        }
        let mut held = vec![u8::from(value.is_some())];
        held.extend_from_slice(value.unwrap_or_default());
        Some(held)
    }

    /// The rows of a key in a versioned store, by time.
    fn versions(&self, store: usize, key: &[u8]) -> Vec<&[u8]> {
        let all = self.stores[store].1.keys().map(Vec::as_slice);
        all.filter(|row| row.len() == key.len() + TIME && row.starts_with(key)).collect()
    }

    /// Where a version ends.
    fn valid_to(&self, store: usize, row: &[u8]) -> i64 {
        let key = &row[..row.len() - TIME];
        let next = self.versions(store, key).into_iter().find(|v| *v > row);
        next.map_or(i64::MAX, |v| time_at(v, key.len()))
    }

    /// A row of a versioned store as it crosses; `None` if its key is absent from its time on.
    fn version(&self, store: usize, row: &[u8]) -> Option<Vec<u8>> {
        let value = present(&self.stores[store].1[row])?;
        let mut v = row[row.len() - TIME..].to_vec();
        v.extend_from_slice(&long_bytes(self.valid_to(store, row)));
        v.extend_from_slice(value);
        Some(v)
    }

    /// What a get of `key` gives.
    fn get(&self, store: usize, key: &[u8]) -> Option<Vec<u8>> {
        if self.kind(store) != VERSIONED {
            return self.stores[store].1.get(key).cloned();
        }
        let last = self.versions(store, &key[..key.len() - TIME]).into_iter().rfind(|v| *v <= key)?;
        let known = !self.late(store, key) || self.valid_to(store, last) == i64::MAX;
        self.version(store, last).filter(|_| known)
    }

    /// Puts a value, if it does not come too late.
    fn put(&mut self, store: usize, key: &[u8], value: Option<&[u8]>) {
        if self.late(store, key) {
            return;
        }
        let held = self.held(store, value);
        let entries = &mut self.stores[store].1;
        match (entries.get_mut(key), held.as_deref()) {
            // Room is used again, so that counting in place allocates nothing.
            (Some(old), Some(v)) => {
                old.clear();
                old.extend_from_slice(v);
            }
            (None, Some(v)) => drop(entries.insert(key.to_vec(), v.to_vec())),
            (_, None) => drop(entries.remove(key)),
        }
        self.observe(store, key);
    }

    /// Makes it a store of a kind; its rows may have been put before.
    fn open_as(&mut self, store: usize, kind: i32) {
        if self.kinds.insert(store, kind) == Some(kind) {
            return;
        }
        let rows = core::mem::take(&mut self.stores[store].1);
        rows.iter().for_each(|(row, value)| self.put(store, row, Some(value)));
    }

    /// Moves a store's time on to that of a row, and forgets what is too old then.
    fn observe(&mut self, store: usize, row: &[u8]) {
        let Some(at) = self.when(store, row) else { return };
        let observed = self.observed.entry(store).or_insert(0);
        *observed = at.max(*observed);
        if !self.kept.contains_key(&store) {
            return;
        }
        let rows = self.stores[store].1.keys();
        let versioned = self.kind(store) == VERSIONED;
        let gone =
            |row: &Vec<u8>| self.late(store, row) && (!versioned || self.valid_to(store, row) <= self.oldest(store));
        let gone: Vec<Vec<u8>> = rows.filter(|row| gone(row)).cloned().collect();
        self.stores[store].1.retain(|row, _| !gone.contains(row));
    }

    /// The time that decides whether a row is too old: a window's start, a session's end, a version's timestamp.
    fn when(&self, store: usize, row: &[u8]) -> Option<i64> {
        let times = match self.kind(store) {
            WINDOW | VERSIONED => TIME,
            SESSION => 2 * TIME,
            _ => return None,
        };
        Some(time_at(row, row.len() - times))
    }

    /// The earliest time that rows may have, and the earliest moment of which versions are known.
    fn oldest(&self, store: usize) -> i64 {
        let observed = self.observed.get(&store).copied().unwrap_or(0);
        match (self.kept.get(&store), self.kind(store)) {
            (Some(history), VERSIONED) => observed - history,
            (Some(retention), _) => observed - retention + 1,
            (None, _) => 0,
        }
    }

    fn late(&self, store: usize, row: &[u8]) -> bool {
        self.when(store, row).is_some_and(|at| at < self.oldest(store))
    }

    /// Opens an iterator over a list.
    fn iterate(&mut self, mut list: Left, flags: i32, limit: i32) -> i32 {
        if flags & 1 == 0 {
            list.reverse();
        }
        if limit > 0 && list.len() > limit as usize {
            list.drain(..list.len() - limit as usize);
        }
        self.iterators.push(Some(list));
        self.iterators.len() as i32 - 1
    }

    /// What of a row is asked for by its times: its value.
    fn asked(&self, store: usize, row: &[u8], value: &[u8], from: i64, to: i64) -> Option<Vec<u8>> {
        let last = time_at(row, row.len() - TIME);
        let asked = match self.kind(store) {
            SESSION => time_at(row, row.len() - 2 * TIME) >= from && last <= to,
            VERSIONED => {
                let held = self.valid_to(store, row);
                let known = held == i64::MAX || to >= self.oldest(store);
                return self.version(store, row).filter(|_| last <= to && held > from && known);
            }
            _ => from <= last && last <= to,
        };
        asked.then(|| value.to_vec())
    }
}

/// The value of a version, if there is one.
fn present(held: &[u8]) -> Option<&[u8]> {
    held.split_first().and_then(|(present, value)| (*present != 0).then_some(value))
}

fn time_at(row: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(row[at..at + TIME].try_into().unwrap_or_default())
}

/// The functions of the host.
pub(crate) mod host {
    use super::*;

    /// The rule of all answers: the length, and the bytes if they fit.
    fn fit(answer: &[u8], buf: &mut [u8]) -> i32 {
        if let Some(place) = buf.get_mut(..answer.len()) {
            place.copy_from_slice(answer);
        }
        answer.len() as i32
    }

    pub fn emit(frame: &[u8]) -> i32 {
        with(|s| {
            if !s.discard {
                s.emitted.push(words_of(frame));
            }
        });
        0
    }
    pub fn set_error(_index: i32, _class: u32, message: &str) -> i32 {
        with(|s| s.failure = message.to_string());
        0
    }
    pub fn log_enabled(_level: i32) -> i32 {
        1
    }
    pub fn log(level: i32, message: &str) -> i32 {
        with(|s| s.logs.push((level, message.to_string())));
        0
    }
    pub fn metric(_kind: i32, name: &str) -> i32 {
        with(|s| {
            let i = s.metrics.iter().position(|(n, _)| n == name).unwrap_or_else(|| {
                s.metrics.push((name.to_string(), 0));
                s.metrics.len() - 1
            });
            i as i32
        })
    }
    pub fn metric_add(handle: i32, delta: i64) -> i32 {
        with(|s| match s.metrics.get_mut(handle as usize) {
            Some((_, sum)) => {
                *sum += delta;
                0
            }
            None => Errno::INVALID_ARG.0,
        })
    }
    pub fn time(which: i32, _index: i32) -> i64 {
        with(|s| s.times[which as usize])
    }
    pub fn random(_index: i32, buf: &mut [u8]) -> i32 {
        with(|s| {
            for b in buf {
                // splitmix64 from a fixed seed: the same in every run
                s.seed = s.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let z = (s.seed ^ s.seed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                *b = (z >> 56) as u8;
            }
        });
        0
    }
    pub fn schedule(interval: i64, typ: i32, start: i64) -> i32 {
        if interval <= 0 {
            return Errno::INVALID_ARG.0;
        }
        with(|s| {
            // Kafka's grid: stream time from 0 on, wall-clock time one interval from now.
            let next = if start >= 0 {
                start
            } else if typ == 1 {
                s.times[0] + interval
            } else {
                0
            };
            s.timers.push(Some(HostTimer { handle: s.opening, typ, interval, next }));
            s.timers.len() as i32 - 1
        })
    }
    pub fn cancel(timer: i32) -> i32 {
        with(|s| match s.timers.get_mut(timer as usize).and_then(Option::take) {
            Some(_) => 0,
            None => Errno::NOT_FOUND.0,
        })
    }
    pub fn request_commit() -> i32 {
        with(|s| s.commits += 1);
        0
    }
    pub fn state_open(name: &str) -> i32 {
        with(|s| if s.granted.iter().any(|g| g == name) { s.store(name) as i32 } else { Errno::DENIED.0 })
    }
    pub fn state_get(store: i32, key: &[u8], buf: &mut [u8]) -> i32 {
        with(|s| s.get(store as usize, key).map_or(Errno::NOT_FOUND.0, |v| fit(&v, buf)))
    }
    pub fn state_put(store: i32, key: &[u8], value: Option<&[u8]>) -> i32 {
        with(|s| s.put(store as usize, key, value));
        0
    }
    pub fn state_put_if_absent(store: i32, key: &[u8], value: &[u8], buf: &mut [u8]) -> i32 {
        let n = state_get(store, key, buf);
        if n == Errno::NOT_FOUND.0 {
            state_put(store, key, Some(value));
        }
        n
    }
    pub fn state_delete(store: i32, key: &[u8], buf: &mut [u8]) -> i32 {
        let n = state_get(store, key, buf);
        if n >= 0 && n as usize <= buf.len() {
            state_put(store, key, None);
        }
        n
    }
    pub fn state_get_many(store: i32, mut block: &[u8], buf: &mut [u8]) -> i32 {
        let mut answer = Vec::new();
        while let Some((key, _)) = next_pair(&mut block) {
            with(|s| append_pair(&mut answer, b"", s.get(store as usize, key).as_deref()));
        }
        fit(&answer, buf)
    }
    pub fn state_write_many(store: i32, mut block: &[u8]) -> i32 {
        while let Some((key, value)) = next_pair(&mut block) {
            state_put(store, key, value);
        }
        0
    }
    pub fn iter_open(store: i32, from: Option<&[u8]>, to: Option<&[u8]>, flags: i32, limit: i32) -> i32 {
        with(|s| {
            let all = s.stores[store as usize].1.iter();
            let inside =
                all.filter(|(k, _)| from.is_none_or(|f| k.as_slice() >= f) && to.is_none_or(|t| k.as_slice() < t));
            // The next entry is the last of the list.
            let list = inside.map(|(k, v)| (k.clone(), v.clone())).collect();
            s.iterate(list, flags, limit)
        })
    }
    pub fn state_open_as(name: &str, kind: i32, _flags: i32) -> i32 {
        let id = state_open(name);
        if id >= 0 {
            with(|s| s.open_as(id as usize, kind));
        }
        id
    }
    pub fn state_put_version(store: i32, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> i64 {
        let mut row = key.to_vec();
        row.extend_from_slice(&long_bytes(timestamp));
        if with(|s| s.late(store as usize, &row)) {
            return Errno::NOT_FOUND.0.into();
        }
        state_put(store, &row, value);
        with(|s| s.valid_to(store as usize, &row))
    }
    pub fn iter_open_span(
        store: i32,
        from: Option<&[u8]>,
        to: Option<&[u8]>,
        time_from: i64,
        time_to: i64,
        flags: i32,
        limit: i32,
    ) -> i32 {
        with(|s| {
            let id = store as usize;
            let times = match s.kind(id) {
                SESSION => 2 * TIME,
                WINDOW | VERSIONED => TIME,
                _ => return Errno::UNSUPPORTED.0,
            };
            let inside = s.stores[id].1.iter().filter(|(row, _)| {
                let key = &row[..row.len() - times];
                from.is_none_or(|f| key >= f) && to.is_none_or(|t| key <= t)
            });
            let list =
                inside.filter_map(|(row, v)| Some((row.clone(), s.asked(id, row, v, time_from, time_to)?))).collect();
            s.iterate(list, flags, limit)
        })
    }
    pub fn iter_next_many(it: i32, buf: &mut [u8]) -> i32 {
        with(|s| {
            let Some(Some(list)) = s.iterators.get_mut(it as usize) else { return Errno::INVALID_ARG.0 };
            let mut block = Vec::new();
            while let Some((k, v)) = list.last() {
                let before = block.len();
                append_pair(&mut block, k, Some(v));
                if block.len() > buf.len() {
                    if before == 0 {
                        return block.len() as i32;
                    }
                    block.truncate(before);
                    break;
                }
                list.pop();
            }
            fit(&block, buf)
        })
    }
    pub fn iter_close(it: i32) -> i32 {
        with(|s| match s.iterators.get_mut(it as usize).and_then(Option::take) {
            Some(_) => 0,
            None => Errno::INVALID_ARG.0,
        })
    }
    pub fn offset_get(partition: &[u8], buf: &mut [u8]) -> i32 {
        let found = with(|s| s.offsets.iter().find(|(p, _)| p == partition).map(|(_, offset)| fit(offset, buf)));
        found.unwrap_or(Errno::NOT_FOUND.0)
    }
    pub fn http(request: &[u8]) -> i32 {
        // The server may use the host, so it is out of its place meanwhile.
        let Some(mut server) = with(|s| s.server.take()) else { return Errno::DENIED.0 };
        let response = server(request);
        with(|s| {
            s.server = Some(server);
            s.response = response;
            s.response.len() as i32
        })
    }
    pub fn http_response(buf: &mut [u8]) -> i32 {
        with(|s| fit(&s.response, buf))
    }
}
