use crate::error::Errno;
use crate::host;
use crate::layout::{append_pair, next_pair};
use alloc::vec;
use alloc::vec::Vec;

/// A store of the task. Keys and values are bytes; keys are ordered byte by byte. What a record writes is seen at once
/// by the same task, and becomes durable with the record's outputs. Values that a store returns are borrowed from it.
#[derive(Debug, Default)]
pub struct KeyValueStore {
    id: i32,
    buf: Vec<u8>,
}

impl KeyValueStore {
    pub(crate) fn new(id: i32) -> Self {
        Self { id, buf: vec![0; 256] }
    }

    /// Makes a call with a buffer that is large enough. The host does nothing when an answer does not fit, so the call
    /// can be made again.
    #[inline(always)]
    fn answer(&mut self, call: impl Fn(i32, &mut [u8]) -> i32) -> Result<Option<&[u8]>, Errno> {
        let mut n = call(self.id, &mut self.buf);
        if n > self.buf.len() as i32 {
            self.buf.resize(n as usize * 2, 0);
            n = call(self.id, &mut self.buf);
        }
        match Errno::check(n) {
            Ok(n) => Ok(Some(&self.buf[..n as usize])),
            Err(Errno::NOT_FOUND) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The value of `key`.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Errno> {
        self.answer(|id, buf| host::state_get(id, key, buf))
    }

    /// Sets the value of `key`; `None` deletes it.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
        Errno::check(host::state_put(self.id, key, value)).map(drop)
    }

    /// Sets the value of `key` if it has none, and returns the value that it had: `None` if it was set.
    pub fn put_if_absent(&mut self, key: &[u8], value: &[u8]) -> Result<Option<&[u8]>, Errno> {
        self.answer(|id, buf| host::state_put_if_absent(id, key, value, buf))
    }

    /// Removes `key` and returns the value that it had.
    pub fn delete(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Errno> {
        self.answer(|id, buf| host::state_delete(id, key, buf))
    }

    /// Gets all keys of the batch and calls `visit` with the number of each, counted from 0, and its value.
    pub fn get_many(&mut self, keys: &Batch, mut visit: impl FnMut(usize, Option<&[u8]>)) -> Result<(), Errno> {
        let block = self.answer(|id, buf| host::state_get_many(id, &keys.block, buf))?;
        let mut block = block.unwrap_or_default();
        let mut i = 0;
        while let Some((_, value)) = next_pair(&mut block) {
            visit(i, value);
            i += 1;
        }
        Ok(())
    }

    /// Does all writes of the batch, in order.
    pub fn write_many(&mut self, batch: &Batch) -> Result<(), Errno> {
        Errno::check(host::state_write_many(self.id, &batch.block)).map(drop)
    }

    /// Iterates over the keys from `from` up to, but without, `to`, in their order or backwards; `None` is an open end.
    pub fn range(&self, from: Option<&[u8]>, to: Option<&[u8]>, reverse: bool) -> Result<Iter, Errno> {
        Iter::opened(host::iter_open(self.id, from, to, reverse.into(), 0))
    }
}

/// A list of writes, or of keys to get, that crosses to the host in one call.
#[derive(Debug, Default)]
pub struct Batch {
    block: Vec<u8>,
}

impl Batch {
    /// Empties the batch, to be used again.
    pub fn clear(&mut self) {
        self.block.clear();
    }

    /// Adds a write; `None` deletes.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        append_pair(&mut self.block, key, value);
    }

    /// Adds a key to get.
    pub fn key(&mut self, key: &[u8]) {
        self.put(key, None);
    }
}

/// A key and its value, borrowed from an iterator.
pub type Entry<'a> = (&'a [u8], &'a [u8]);

/// An iterator over entries of a store. It is closed when it is dropped; it ends with the call in which it was opened.
#[derive(Debug)]
pub struct Iter {
    id: i32,
    buf: Vec<u8>,
    at: usize,
    end: usize,
}

impl Iter {
    /// The iterator that the host opened, or its refusal.
    pub(crate) fn opened(id: i32) -> Result<Self, Errno> {
        Ok(Self { id: Errno::check(id)?, buf: vec![0; 8 << 10], at: 0, end: 0 })
    }

    /// The next key and value, borrowed until the next call; `None` at the end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Errno> {
        if self.at == self.end && !self.fetch()? {
            return Ok(None);
        }
        let whole = &self.buf[self.at..self.end];
        let mut rest = whole;
        let (key, value) = next_pair(&mut rest).ok_or(Errno::CORRUPT)?;
        self.at += whole.len() - rest.len();
        Ok(Some((key, value.unwrap_or_default())))
    }

    fn fetch(&mut self) -> Result<bool, Errno> {
        let mut n = Errno::check(host::iter_next_many(self.id, &mut self.buf))? as usize;
        if n > self.buf.len() {
            self.buf.resize(n, 0);
            n = Errno::check(host::iter_next_many(self.id, &mut self.buf))? as usize;
        }
        (self.at, self.end) = (0, n);
        Ok(n > 0)
    }
}

impl Drop for Iter {
    fn drop(&mut self) {
        host::iter_close(self.id);
    }
}

/// Reads a value as Kafka's LongSerializer writes it: 8 bytes, the highest first.
pub fn long_from(value: &[u8]) -> Option<i64> {
    value.try_into().ok().map(i64::from_be_bytes)
}

/// `n` as Kafka's LongSerializer writes it.
pub const fn long_bytes(n: i64) -> [u8; 8] {
    n.to_be_bytes()
}
