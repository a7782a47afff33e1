use crate::error::{Class, Error};
use crate::host;
use crate::layout::*;
use crate::record::Record;
use alloc::vec::Vec;

// Bounds of one output frame. What goes beyond is handed to the host at once, so a component may answer one record
// with millions.
const FLUSH_BYTES: usize = 1 << 20;
const FLUSH_RECORDS: u32 = 65_536;

/// Builds the answer of a call in a buffer that all calls of a handle use again.
#[derive(Default)]
pub(crate) struct Output {
    buf: Vec<u64>, // all of it is room, and begins at a multiple of 8
    n: usize,      // bytes used, the frame's header included
    count: u32,
    code: i32, // the first refusal of the host, 0 if there was none
    /// Pairs of schemas that the frame carries, for plugins of Connect.
    pub aux: Vec<u8>,
    topics: Vec<u8>, // pairs of topics that the frame names
    topic_count: u32,
    /// Whether records have arguments: those of a source have.
    pub arguments: bool,
}

/// Whether a and b are the same bytes in memory, not merely equal ones.
#[inline(always)]
fn same(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => core::ptr::eq(a, b),
        _ => false,
    }
}

impl Output {
    pub fn reset(&mut self) {
        if self.buf.is_empty() {
            self.buf.resize(1 << 10, 0);
        }
        (self.n, self.count, self.code) = (FRAME_HEADER, 0, 0);
        self.topics.clear();
        self.topic_count = 0;
        self.arguments = false;
    }

    /// The number of a topic in the frame that is written.
    fn topic(&mut self, name: &str) -> u32 {
        let (mut rest, mut n) = (self.topics.as_slice(), 0);
        while let Some((_, value)) = next_pair(&mut rest) {
            n += 1;
            if value == Some(name.as_bytes()) {
                return n;
            }
        }
        append_pair(&mut self.topics, b"topic", Some(name.as_bytes()));
        self.topic_count += 1;
        self.topic_count
    }

    /// Answers with a record of Connect, to another topic if there is one.
    #[inline(always)]
    pub fn connect(&mut self, rec: &Record<'_>, flags: u8, topic: Option<&str>) {
        let at = self.n;
        self.put(rec, KIND_RECORD, flags, 0);
        if let Some(topic) = topic {
            // The record may have begun a new frame.
            let at = if self.count == 1 { FRAME_HEADER } else { at };
            let dest = self.topic(topic);
            // SAFETY: the header of the record was written there.
            unsafe {
                self.buf.as_mut_ptr().cast::<u8>().add(at + REC_DEST_AT).cast::<u32>().write_unaligned(dest.to_le())
            };
        }
    }

    /// Gives a record of a source for a topic, with its arguments. Only where `arguments` is set.
    pub fn call(&mut self, rec: &Record<'_>, topic: &str) {
        let [key, value, second, third] = [rec.key, rec.value, rec.second, rec.third].map(Option::unwrap_or_default);
        let parts = [key, value, rec.headers.block, second, third];
        let size = CALL_HEADER + parts.iter().map(|b| pad8(b.len())).sum::<usize>();
        let p = self.room(size);
        let dest = self.topic(topic); // behind room, which may have begun a new frame
        // SAFETY: room gave size bytes, and the parts add up to it; topics are in other memory.
        unsafe {
            store64(p, 0, size as u64 | u64::from(len_of(rec.key)) << 32);
            store64(p, REC_VALUE_LEN_AT, u64::from(len_of(rec.value)) | (rec.headers.block.len() as u64) << 32);
            store64(p, REC_TIMESTAMP_AT, rec.timestamp as u64);
            store64(p, REC_OFFSET_AT, u64::MAX);
            store64(p, REC_INDEX_AT, u64::from(NO_INDEX) | u64::from(rec.headers.count) << 32);
            store64(p, REC_DEST_AT, u64::from(dest) | u64::from(rec.partition as u32) << 32);
            store64(p, REC_SECOND_LEN_AT, u64::from(len_of(rec.second)) | u64::from(len_of(rec.third)) << 32);
            parts.iter().fold(p.add(CALL_HEADER), |p, b| put_padded(p, b));
        }
    }

    /// Appends topics and schemas behind the records, and returns where they begin.
    fn append_aux(&mut self) -> usize {
        let at = self.n;
        let n = at + self.topics.len() + self.aux.len();
        if n.div_ceil(8) > self.buf.len() {
            self.buf.resize(n.div_ceil(8), 0);
        }
        // SAFETY: there is room for n bytes, and the two blocks are elsewhere.
        unsafe {
            let p = self.buf.as_mut_ptr().cast::<u8>().add(at);
            core::ptr::copy_nonoverlapping(self.topics.as_ptr(), p, self.topics.len());
            core::ptr::copy_nonoverlapping(self.aux.as_ptr(), p.add(self.topics.len()), self.aux.len());
        }
        self.n = n;
        self.aux.clear();
        self.topics.clear();
        self.topic_count = 0;
        at
    }

    #[inline(always)]
    fn room(&mut self, size: usize) -> *mut u8 {
        if self.n + size > self.buf.len() * 8 || self.count == FLUSH_RECORDS {
            self.make_room(size);
        }
        let at = self.n;
        self.n += size;
        self.count += 1;
        // SAFETY: there is room for size bytes from at on.
        unsafe { self.buf.as_mut_ptr().cast::<u8>().add(at) }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, size: usize) {
        if self.count > 0 && (self.n + size > FLUSH_BYTES || self.count == FLUSH_RECORDS) {
            let code = host::emit(self.finish());
            if code < 0 && self.code == 0 {
                self.code = code;
            }
            (self.n, self.count) = (FRAME_HEADER, 0);
        }
        let need = (self.n + size).div_ceil(8);
        if need > self.buf.len() {
            self.buf.resize(need.max(2 * self.buf.len()), 0);
        }
    }

    /// Writes the header of the frame and returns it.
    fn finish(&mut self) -> &[u8] {
        let records = self.n;
        if !self.topics.is_empty() || !self.aux.is_empty() {
            self.append_aux();
        }
        let n = self.n;
        let head = &mut self.buf[..FRAME_HEADER / 8];
        head.fill(0);
        let word = |low: u32, high: u32| (u64::from(low) | u64::from(high) << 32).to_le();
        let header = if self.arguments { CALL_HEADER } else { RECORD_HEADER };
        head[0] = word(FRAME_MAGIC, (FRAME_HEADER | header << 16) as u32);
        head[1] = word(n as u32, self.count);
        head[FRAME_PARTITION_AT / 8] = word(u32::MAX, 0);
        let flags = if self.arguments { FRAME_HAS_ARGS } else { 0 };
        head[FRAME_FLAGS_AT / 8] = word(flags, 0);
        if n > records {
            head[FRAME_FLAGS_AT / 8] = word(FRAME_HAS_AUX | flags, records as u32);
            head[FRAME_AUX_LEN_AT / 8] = word((n - records) as u32, 0);
        }
        // SAFETY: the first n bytes of the buffer are written.
        unsafe { core::slice::from_raw_parts(self.buf.as_ptr().cast::<u8>(), n) }
    }

    /// The answer of the call: a frame, nothing for none, or the host's refusal of an earlier part.
    pub fn result(&mut self) -> Result<&[u8], i32> {
        match (self.code, self.count) {
            (code, _) if code < 0 => Err(code),
            (_, 0) => Ok(&[]),
            _ => Ok(self.finish()),
        }
    }

    /// Writes one record, null parts and kept ones as they stand in `rec`.
    #[inline(always)]
    fn put(&mut self, rec: &Record<'_>, kind: u8, flags: u8, dest: u32) {
        let (k, v, h) = (rec.key.unwrap_or_default(), rec.value.unwrap_or_default(), rec.headers);
        let size = RECORD_HEADER + pad8(k.len()) + pad8(v.len()) + h.block.len();
        let p = self.room(size);
        let tail = u64::from(h.count) | u64::from(kind) << 16 | u64::from(flags) << 24;
        // SAFETY: room gave size bytes, and the parts add up to it.
        unsafe {
            store64(p, 0, size as u64 | u64::from(len_of(rec.key)) << 32);
            store64(p, REC_VALUE_LEN_AT, u64::from(len_of(rec.value)) | (h.block.len() as u64) << 32);
            store64(p, REC_TIMESTAMP_AT, rec.timestamp as u64);
            store64(p, REC_OFFSET_AT, u64::MAX);
            store64(p, REC_INDEX_AT, u64::from(rec.index) | tail << 32);
            store64(p, REC_DEST_AT, u64::from(dest) | u64::from(rec.partition as u32) << 32);
            let p = put_padded(p.add(RECORD_HEADER), k);
            let p = put_padded(p, v);
            put_padded(p, h.block);
        }
    }

    /// Answers with input record `index` as it is.
    #[inline(always)]
    pub fn keep(&mut self, index: u32) {
        self.put(&Record { index, ..Record::new(None, None, 0) }, KIND_RECORD, KEEP_ALL, 0);
    }

    /// Answers with input record `index` and another value.
    #[inline(always)]
    pub fn value(&mut self, index: u32, value: Option<&[u8]>) {
        self.put(&Record { index, ..Record::new(None, value, 0) }, KIND_RECORD, KEEP_ALL & !KEEP_VALUE, 0);
    }

    /// Answers with input record `index` and another key.
    #[inline(always)]
    pub fn key(&mut self, index: u32, key: Option<&[u8]>) {
        self.put(&Record { index, ..Record::new(key, None, 0) }, KIND_RECORD, KEEP_ALL & !KEEP_KEY, 0);
    }

    /// Answers with input record `index` at another time.
    pub fn timestamp(&mut self, index: u32, timestamp: i64) {
        self.put(&Record { index, ..Record::new(None, None, timestamp) }, KIND_RECORD, KEEP_ALL & !KEEP_TIMESTAMP, 0);
    }

    /// Answers with input record `index` for a partition of the topic that is written to.
    pub fn partition(&mut self, index: u32, partition: i32) {
        self.put(&Record { index, partition, ..Record::new(None, None, 0) }, KIND_RECORD, KEEP_ALL, 0);
    }

    /// Answers with `rec`; parts that are those of `input` are kept by reference.
    #[inline(always)]
    pub fn record(&mut self, rec: &Record<'_>, input: Option<&Record<'_>>, dest: u32) {
        let mut flags = 0;
        let mut rec = Record { index: NO_INDEX, partition: -1, ..*rec };
        if let Some(input) = input {
            rec.index = input.index;
            if same(rec.key, input.key) {
                (flags, rec.key) = (flags | KEEP_KEY, None);
            }
            if same(rec.value, input.value) {
                (flags, rec.value) = (flags | KEEP_VALUE, None);
            }
            if same(Some(rec.headers.block), Some(input.headers.block)) {
                (flags, rec.headers) = (flags | KEEP_HEADERS, Default::default());
            }
            if rec.timestamp == input.timestamp {
                flags |= KEEP_TIMESTAMP;
            }
        }
        self.put(&rec, KIND_RECORD, flags, dest);
    }

    /// Answers input record `index` with an error record.
    #[cold]
    pub fn fail(&mut self, index: u32, error: &Error) {
        let rec = Record { index, ..Record::new(None, Some(error.message.as_bytes()), 0) };
        self.put(&rec, KIND_ERROR, 0, error.class as Class as u32);
    }
}

/// Copies `b` to `p` and fills up with zeros to a multiple of 8; returns the place behind.
#[inline(always)]
unsafe fn put_padded(p: *mut u8, b: &[u8]) -> *mut u8 {
    if b.is_empty() {
        return p;
    }
    let n = pad8(b.len());
    // SAFETY: the caller has room for n bytes.
    unsafe {
        store64(p, n - 8, 0);
        core::ptr::copy_nonoverlapping(b.as_ptr(), p, b.len());
        p.add(n)
    }
}

/// A key or value that a function answers. It begins as empty bytes.
#[derive(Debug, Default)]
pub struct Part {
    bytes: Vec<u8>,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Bytes,
    Null,
    Keep,
}

impl Part {
    /// The bytes, to be written to.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        self.state = State::Bytes;
        &mut self.bytes
    }

    /// Replaces the bytes.
    pub fn set(&mut self, bytes: &[u8]) {
        let b = self.bytes();
        b.clear();
        b.extend_from_slice(bytes);
    }

    /// Makes it null.
    pub fn set_null(&mut self) {
        self.state = State::Null;
    }

    /// Leaves the part as it came; the bytes do not cross.
    pub fn keep(&mut self) {
        self.state = State::Keep;
    }

    /// Makes it empty bytes.
    pub(crate) fn reset(&mut self) {
        self.bytes.clear();
        self.state = State::Bytes;
    }

    /// The part as it is handed on; `came` is what came in.
    pub(crate) fn resolve<'a>(&'a self, came: Option<&'a [u8]>) -> Option<&'a [u8]> {
        match self.state {
            State::Bytes => Some(&self.bytes),
            State::Null => None,
            State::Keep => came,
        }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.state == State::Keep
    }
}

/// The key and the value that a `map` answers. Both begin as what came in.
#[derive(Debug, Default)]
pub struct KeyValue {
    /// The key.
    pub key: Part,
    /// The value.
    pub value: Part,
}

/// Where a `flat_map_values` gives its values; they are copied at once.
pub struct Values<'a> {
    pub(crate) out: &'a mut Output,
    pub(crate) index: u32,
}

impl Values<'_> {
    /// Answers one record with this value.
    #[inline(always)]
    pub fn emit(&mut self, value: &[u8]) {
        self.out.value(self.index, Some(value));
    }

    /// Answers one record with the value null.
    pub fn emit_null(&mut self) {
        self.out.value(self.index, None);
    }
}

/// Where a `flat_map` gives its keys and values; they are copied at once. `None` is null.
pub struct KeyValues<'a> {
    pub(crate) out: &'a mut Output,
    pub(crate) input: Record<'a>,
}

impl KeyValues<'_> {
    /// Answers one record with this key and value; timestamp and headers are those that came.
    #[inline(always)]
    pub fn emit(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let rec = self.input;
        // Null is said in so many words: kept would be what came in.
        let kept = Record { key: rec.key.or(Some(&[])), value: rec.value.or(Some(&[])), ..rec };
        self.out.record(&Record { key, value, ..rec }, Some(&kept), 0);
    }
}
