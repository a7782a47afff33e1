use crate::layout::*;
use alloc::vec::Vec;
use core::marker::PhantomData;

/// A record on its way through a component. It borrows its bytes and is cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The serialised key; `None` is Kafka's null. A part that the component does not want is `None`, and stays what
    /// it is when the record is handed on.
    pub key: Option<&'a [u8]>,
    /// The serialised value, as the key.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: Headers<'a>,
    /// In milliseconds since the epoch.
    pub timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) partition: i32,
    pub(crate) index: u32,
    pub(crate) dest: u32,
    // The arguments of functions that have them.
    pub(crate) second: Option<&'a [u8]>,
    pub(crate) third: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// A new record without headers.
    pub fn new(key: Option<&'a [u8]>, value: Option<&'a [u8]>, timestamp: i64) -> Self {
        Self {
            key,
            value,
            headers: Headers::default(),
            timestamp,
            offset: -1,
            partition: -1,
            index: NO_INDEX,
            dest: 0,
            second: None,
            third: None,
        }
    }

    /// The record with another key.
    pub fn with_key<'b>(self, key: Option<&'b [u8]>) -> Record<'b>
    where
        'a: 'b,
    {
        Record { key, ..self }
    }

    /// The record with another value.
    pub fn with_value<'b>(self, value: Option<&'b [u8]>) -> Record<'b>
    where
        'a: 'b,
    {
        Record { value, ..self }
    }

    /// The record with other headers.
    pub fn with_headers<'b>(self, headers: Headers<'b>) -> Record<'b>
    where
        'a: 'b,
    {
        Record { headers, ..self }
    }

    /// The record with another timestamp.
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// The offset of the source record behind this one, -1 if there is none.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The partition of the source record behind this one, -1 if there is none.
    pub fn partition(&self) -> i32 {
        self.partition
    }
}

/// Record headers in the form of the boundary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    pub(crate) block: &'a [u8],
    pub(crate) count: u16,
}

impl<'a> Headers<'a> {
    /// The number of headers.
    pub fn len(&self) -> usize {
        self.count.into()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keys and values in order; a null value is `None`.
    pub fn iter(&self) -> impl Iterator<Item = Pair<'a>> + use<'a> {
        let mut block = self.block;
        core::iter::from_fn(move || next_pair(&mut block))
    }

    /// The value of the last header with this key, as Kafka's lastHeader.
    pub fn last(&self, key: &str) -> Option<Option<&'a [u8]>> {
        self.iter().filter(|(k, _)| *k == key.as_bytes()).map(|(_, v)| v).last()
    }
}

/// Makes [`Headers`] in a buffer that is used again after [`HeaderBuilder::clear`].
#[derive(Debug, Default)]
pub struct HeaderBuilder {
    block: Vec<u8>,
    count: u16,
}

impl HeaderBuilder {
    /// Empties the list.
    pub fn clear(&mut self) {
        self.block.clear();
        self.count = 0;
    }

    /// Appends all of `headers`.
    pub fn extend(&mut self, headers: Headers<'_>) {
        self.block.extend_from_slice(headers.block);
        self.count += headers.count;
    }

    /// Appends one header; `None` is null.
    pub fn push(&mut self, key: &str, value: Option<&[u8]>) {
        append_pair(&mut self.block, key.as_bytes(), value);
        self.count += 1;
    }

    /// The list so far.
    pub fn headers(&self) -> Headers<'_> {
        Headers { block: &self.block, count: self.count }
    }
}

/// Walks over the records of an input frame.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a> {
    next: *const u8,
    header: usize,
    left: u32,
    index: u32,
    arguments: bool,
    frame: *const u8,
    frame_len: usize,
    lifetime: PhantomData<&'a [u8]>,
}

impl<'a> Records<'a> {
    /// `None` if `frame` is no frame.
    pub fn new(frame: &'a [u8]) -> Option<Self> {
        if frame.len() < FRAME_HEADER {
            return None;
        }
        let p = frame.as_ptr();
        // SAFETY: the header lies in the frame.
        let (magic, lens, len, left, flags) = unsafe {
            (load32(p, 0), load32(p, 4), load32(p, FRAME_LEN_AT), load32(p, FRAME_COUNT_AT), load32(p, FRAME_FLAGS_AT))
        };
        if magic != FRAME_MAGIC || len as usize != frame.len() {
            return None;
        }
        let next = p.wrapping_add((lens & 0xFFFF) as usize);
        Some(Self {
            next,
            header: (lens >> 16) as usize,
            left,
            index: 0,
            arguments: flags & FRAME_HAS_ARGS != 0,
            frame: p,
            frame_len: frame.len(),
            lifetime: PhantomData,
        })
    }

    /// The stream time of the frame, -1 if there is none yet.
    pub fn stream_time(&self) -> i64 {
        // SAFETY: new has seen that the header lies in the frame.
        unsafe { load64(self.frame, FRAME_TIME_AT) as i64 }
    }

    /// The topic that the frame names.
    pub fn topic(&self) -> Option<&'a [u8]> {
        // SAFETY: these are the pointer and the length of the frame that new was given.
        frame_topic(unsafe { core::slice::from_raw_parts(self.frame, self.frame_len) })
    }

    /// The aux block, empty if there is none.
    pub fn aux(&self) -> &'a [u8] {
        // SAFETY: these are the pointer and the length of the frame that new was given, whose header lies in it.
        let (frame, flags, at, n) = unsafe {
            (
                core::slice::from_raw_parts(self.frame, self.frame_len),
                load32(self.frame, FRAME_FLAGS_AT),
                load32(self.frame, FRAME_AUX_OFF_AT) as usize,
                load32(self.frame, FRAME_AUX_LEN_AT) as usize,
            )
        };
        if flags & FRAME_HAS_AUX == 0 { &[] } else { frame.get(at..at + n).unwrap_or_default() }
    }

    /// The index that the next record of an output frame names.
    #[cfg(not(target_family = "wasm"))]
    pub fn peek_index(&self) -> u32 {
        // SAFETY: while records are left, next is at one.
        if self.left == 0 { NO_INDEX } else { unsafe { load32(self.next, REC_INDEX_AT) } }
    }

    /// The next record and its kind byte, flags byte and dest, whatever its kind.
    #[inline(always)]
    pub fn raw(&mut self) -> Option<(Record<'a>, u8, u8, u32)> {
        if self.left == 0 {
            return None;
        }
        let p = self.next;
        // SAFETY: the host wrote `count` whole records behind each other; all parts lie in the frame.
        unsafe {
            let part = |at: *const u8, len: u32| (len != NULL).then(|| core::slice::from_raw_parts(at, len as usize));
            let key = part(p.add(self.header), load32(p, REC_KEY_LEN_AT));
            let at = self.header + pad8(key.map_or(0, <[u8]>::len));
            let value = part(p.add(at), load32(p, REC_VALUE_LEN_AT));
            let at = at + pad8(value.map_or(0, <[u8]>::len));
            let tail = load32(p, REC_HEADER_COUNT_AT);
            let block = core::slice::from_raw_parts(p.add(at), load32(p, REC_HEADERS_LEN_AT) as usize);
            let dest = load32(p, REC_DEST_AT);
            let (mut second, mut third) = (None, None);
            if self.arguments {
                let at = at + block.len();
                second = part(p.add(at), load32(p, REC_SECOND_LEN_AT));
                third = part(p.add(at + pad8(second.map_or(0, <[u8]>::len))), load32(p, REC_THIRD_LEN_AT));
            }
            let rec = Record {
                key,
                value,
                headers: Headers { block, count: tail as u16 },
                timestamp: load64(p, REC_TIMESTAMP_AT) as i64,
                offset: load64(p, REC_OFFSET_AT) as i64,
                partition: load32(p, REC_PARTITION_AT) as i32,
                index: self.index,
                dest,
                second,
                third,
            };
            self.next = p.add(load32(p, 0) as usize);
            self.left -= 1;
            self.index += 1;
            Some((rec, (tail >> 16) as u8, (tail >> 24) as u8, dest))
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    /// The next record of a kind that this version knows.
    #[inline(always)]
    fn next(&mut self) -> Option<Record<'a>> {
        loop {
            let (rec, kind, ..) = self.raw()?;
            if kind == KIND_RECORD {
                return Some(rec);
            }
        }
    }
}

/// The topic that the frame's records were read from, if the host says.
pub(crate) fn frame_topic(frame: &[u8]) -> Option<&[u8]> {
    let p = frame.as_ptr();
    // SAFETY: callers hold a frame that Records::new accepted.
    let (flags, at, n) =
        unsafe { (load32(p, FRAME_FLAGS_AT), load32(p, FRAME_AUX_OFF_AT), load32(p, FRAME_AUX_LEN_AT)) };
    if flags & FRAME_HAS_AUX == 0 {
        return None;
    }
    let mut block = frame.get(at as usize..(at + n) as usize)?;
    core::iter::from_fn(|| next_pair(&mut block)).find(|(k, _)| *k == b"topic").and_then(|(_, v)| v)
}
