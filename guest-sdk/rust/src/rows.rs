use crate::error::Errno;
use crate::host;
use crate::store::{Entry, Iter, KeyValueStore, long_bytes};
use alloc::vec::Vec;

pub(crate) const WINDOW: i32 = 1;
pub(crate) const SESSION: i32 = 2;
pub(crate) const VERSIONED: i32 = 3;
/// The flag of `state_open_as` for values with timestamps.
pub(crate) const TIMESTAMPS: i32 = 1;
/// The size of a time in a row's key and before a value.
pub(crate) const TIME: usize = 8;

/// The time in the first 8 bytes, and what follows.
fn first_time(b: &[u8]) -> Result<(i64, &[u8]), Errno> {
    let (time, rest) = b.split_first_chunk::<TIME>().ok_or(Errno::CORRUPT)?;
    Ok((i64::from_be_bytes(*time), rest))
}

/// What stands before the time in the last 8 bytes, and that.
fn last_time(b: &[u8]) -> Result<(&[u8], i64), Errno> {
    let (rest, time) = b.split_last_chunk::<TIME>().ok_or(Errno::CORRUPT)?;
    Ok((rest, i64::from_be_bytes(*time)))
}

/// Takes the timestamp off a value of a store that was opened with timestamps.
pub fn split_timestamped(value: &[u8]) -> Option<(&[u8], i64)> {
    first_time(value).ok().map(|(time, rest)| (rest, time))
}

/// A store of rows with times: whole rows go to the store under it.
#[derive(Debug, Default)]
struct Rows {
    id: i32,
    store: KeyValueStore,
    row: Vec<u8>,
    value: Vec<u8>,
}

impl Rows {
    fn new(id: i32) -> Self {
        Self { id, store: KeyValueStore::new(id), row: Vec::new(), value: Vec::new() }
    }

    /// Makes the key of a row.
    fn at(&mut self, key: &[u8], times: &[i64]) {
        self.row.clear();
        self.row.extend_from_slice(key);
        for t in times {
            self.row.extend_from_slice(&long_bytes(*t));
        }
    }

    fn get(&mut self, key: &[u8], times: &[i64]) -> Result<Option<&[u8]>, Errno> {
        self.at(key, times);
        self.store.get(&self.row)
    }

    fn put(&mut self, key: &[u8], times: &[i64], value: Option<&[u8]>) -> Result<(), Errno> {
        self.at(key, times);
        self.store.put(&self.row, value)
    }

    fn put_timestamped(
        &mut self,
        key: &[u8],
        times: &[i64],
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<(), Errno> {
        let Some(value) = value else { return self.put(key, times, None) };
        self.at(key, times);
        self.value.clear();
        self.value.extend_from_slice(&long_bytes(timestamp));
        self.value.extend_from_slice(value);
        self.store.put(&self.row, Some(&self.value))
    }

    fn span(
        &self,
        key_from: Option<&[u8]>,
        key_to: Option<&[u8]>,
        from: i64,
        to: i64,
        reverse: bool,
    ) -> Result<Iter, Errno> {
        Iter::opened(host::iter_open_span(self.id, key_from, key_to, from, to, reverse.into(), 0))
    }
}

/// A store of values by key and start of a window, in milliseconds, as long as its retention: older rows are not there, and
/// a put of one does nothing. Opened by [`crate::Context::timestamped_window_store`], its values begin with their
/// timestamps ([`split_timestamped`]).
#[derive(Debug, Default)]
pub struct WindowStore {
    rows: Rows,
}

impl WindowStore {
    pub(crate) fn new(id: i32) -> Self {
        Self { rows: Rows::new(id) }
    }

    /// Sets the value of the window of `key` that begins at `start`; `None` deletes it. A store that retains duplicates
    /// adds a row instead, and `None` does nothing.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>, start: i64) -> Result<(), Errno> {
        self.rows.put(key, &[start], value)
    }

    /// [`WindowStore::put`] of a value with its timestamp, into a store that was opened with timestamps.
    pub fn put_timestamped(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        start: i64,
        timestamp: i64,
    ) -> Result<(), Errno> {
        self.rows.put_timestamped(key, &[start], value, timestamp)
    }

    /// The value of the window of `key` that begins at `start`.
    pub fn fetch(&mut self, key: &[u8], start: i64) -> Result<Option<&[u8]>, Errno> {
        self.rows.get(key, &[start])
    }

    /// The windows of `key` that begin in `[from, to]`, by their start.
    pub fn fetch_range(&self, key: &[u8], from: i64, to: i64, reverse: bool) -> Result<WindowIter, Errno> {
        self.fetch_keys(Some(key), Some(key), from, to, reverse)
    }

    /// The windows with `key_from <= key <= key_to` that begin in `[from, to]`; `None` is an open end.
    pub fn fetch_keys(
        &self,
        key_from: Option<&[u8]>,
        key_to: Option<&[u8]>,
        from: i64,
        to: i64,
        reverse: bool,
    ) -> Result<WindowIter, Errno> {
        self.rows.span(key_from, key_to, from, to, reverse).map(|iter| WindowIter { iter })
    }

    /// All windows that begin in `[from, to]`.
    pub fn fetch_all(&self, from: i64, to: i64, reverse: bool) -> Result<WindowIter, Errno> {
        self.fetch_keys(None, None, from, to, reverse)
    }
}

/// A row of a window store, borrowed from an iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Where the window begins.
    pub start: i64,
    /// Its value.
    pub value: &'a [u8],
}

/// An iterator over windows. It is closed when it is dropped; it ends with the call in which it was opened.
#[derive(Debug)]
pub struct WindowIter {
    iter: Iter,
}

impl WindowIter {
    /// The next window, borrowed until the next call; `None` at the end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Window<'_>>, Errno> {
        let Some((row, value)): Option<Entry<'_>> = self.iter.next()? else { return Ok(None) };
        let (key, start) = last_time(row)?;
        Ok(Some(Window { key, start, value }))
    }
}

/// A store of values by key, start and end of a session, both inclusive and in milliseconds, as long as its retention, which
/// counts from the end.
#[derive(Debug, Default)]
pub struct SessionStore {
    rows: Rows,
}

impl SessionStore {
    pub(crate) fn new(id: i32) -> Self {
        Self { rows: Rows::new(id) }
    }

    /// Sets the aggregate of the session of `key` from `start` to `end`; `None` removes the session.
    pub fn put(&mut self, key: &[u8], start: i64, end: i64, aggregate: Option<&[u8]>) -> Result<(), Errno> {
        self.rows.put(key, &[end, start], aggregate)
    }

    /// Removes a session.
    pub fn remove(&mut self, key: &[u8], start: i64, end: i64) -> Result<(), Errno> {
        self.put(key, start, end, None)
    }

    /// The aggregate of a session.
    pub fn fetch_session(&mut self, key: &[u8], start: i64, end: i64) -> Result<Option<&[u8]>, Errno> {
        self.rows.get(key, &[end, start])
    }

    /// All sessions of `key`.
    pub fn fetch(&self, key: &[u8]) -> Result<SessionIter, Errno> {
        self.find_sessions(key, 0, i64::MAX, false)
    }

    /// The sessions of `key` that end at `earliest_end` or later and start at `latest_start` or earlier, by their end.
    pub fn find_sessions(
        &self,
        key: &[u8],
        earliest_end: i64,
        latest_start: i64,
        reverse: bool,
    ) -> Result<SessionIter, Errno> {
        self.find_sessions_of_keys(Some(key), Some(key), earliest_end, latest_start, reverse)
    }

    /// [`SessionStore::find_sessions`] for `key_from <= key <= key_to`; `None` is an open end.
    pub fn find_sessions_of_keys(
        &self,
        key_from: Option<&[u8]>,
        key_to: Option<&[u8]>,
        earliest_end: i64,
        latest_start: i64,
        reverse: bool,
    ) -> Result<SessionIter, Errno> {
        self.rows.span(key_from, key_to, earliest_end, latest_start, reverse).map(|iter| SessionIter { iter })
    }
}

/// A row of a session store, borrowed from an iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Where the session begins.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// Its aggregate.
    pub value: &'a [u8],
}

/// An iterator over sessions. It is closed when it is dropped; it ends with the call in which it was opened.
#[derive(Debug)]
pub struct SessionIter {
    iter: Iter,
}

impl SessionIter {
    /// The next session, borrowed until the next call; `None` at the end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Session<'_>>, Errno> {
        let Some((row, value)): Option<Entry<'_>> = self.iter.next()? else { return Ok(None) };
        let (row, start) = last_time(row)?;
        let (key, end) = last_time(row)?;
        Ok(Some(Session { key, start, end, value }))
    }
}

/// What putting a version came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionPut {
    /// It is the latest version of its key.
    Latest,
    /// It holds until this time, at which the next version begins that is known.
    ValidTo(i64),
    /// It is older than the history: nothing was put.
    NotPut,
}

/// A value with the time from which it holds and the one from which it holds no more, in milliseconds; the latest has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// The value.
    pub value: &'a [u8],
    /// Since when it holds.
    pub timestamp: i64,
    /// From when it holds no more.
    pub valid_to: Option<i64>,
}

impl<'a> Version<'a> {
    fn read(b: &'a [u8]) -> Result<Self, Errno> {
        let (timestamp, rest) = first_time(b)?;
        let (valid_to, value) = first_time(rest)?;
        Ok(Self { value, timestamp, valid_to: (valid_to != i64::MAX).then_some(valid_to) })
    }
}

/// A store of the versions of each key's value over time: the latest, and those that held at some moment of its history.
#[derive(Debug, Default)]
pub struct VersionedKeyValueStore {
    rows: Rows,
}

impl VersionedKeyValueStore {
    pub(crate) fn new(id: i32) -> Self {
        Self { rows: Rows::new(id) }
    }

    /// Has `key` be `value` from `timestamp` on until the next version that is known; `None`: be absent.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<VersionPut, Errno> {
        match host::state_put_version(self.rows.id, key, value, timestamp) {
            i64::MAX => Ok(VersionPut::Latest),
            to if to >= 0 => Ok(VersionPut::ValidTo(to)),
            e if e == i64::from(Errno::NOT_FOUND.0) => Ok(VersionPut::NotPut),
            e => Err(Errno(e as i32)),
        }
    }

    /// Has `key` be absent from `timestamp` on, and returns the version that held then.
    pub fn delete(&mut self, key: &[u8], timestamp: i64) -> Result<Option<Version<'_>>, Errno> {
        let held = self.rows.get(key, &[timestamp])?.map(<[u8]>::to_vec);
        self.rows.put(key, &[timestamp], None)?;
        let Some(held) = held else { return Ok(None) };
        self.rows.value = held;
        Version::read(&self.rows.value).map(Some)
    }

    /// The latest version.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Version<'_>>, Errno> {
        self.get_as_of(key, i64::MAX)
    }

    /// The version that held at `as_of`; there is none if the key was absent then or `as_of` is before the history.
    pub fn get_as_of(&mut self, key: &[u8], as_of: i64) -> Result<Option<Version<'_>>, Errno> {
        self.rows.get(key, &[as_of])?.map(Version::read).transpose()
    }

    /// The versions of `key` that held at some time in `[from, to]`, by time.
    pub fn range(&self, key: &[u8], from: i64, to: i64, reverse: bool) -> Result<VersionIter, Errno> {
        self.rows.span(Some(key), Some(key), from, to, reverse).map(|iter| VersionIter { iter })
    }
}

/// An iterator over versions. It is closed when it is dropped; it ends with the call in which it was opened.
#[derive(Debug)]
pub struct VersionIter {
    iter: Iter,
}

impl VersionIter {
    /// The next version, borrowed until the next call; `None` at the end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Version<'_>>, Errno> {
        let next = self.iter.next()?;
        next.map(|(_, value)| Version::read(value)).transpose()
    }
}

/// A value and its timestamp, borrowed from a store.
pub type Timestamped<'a> = (&'a [u8], i64);

/// A store of keys and values that have timestamps.
#[derive(Debug, Default)]
pub struct TimestampedKeyValueStore {
    rows: Rows,
}

impl TimestampedKeyValueStore {
    pub(crate) fn new(id: i32) -> Self {
        Self { rows: Rows::new(id) }
    }

    /// The value of `key` and its timestamp.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Timestamped<'_>>, Errno> {
        Ok(self.rows.store.get(key)?.and_then(split_timestamped))
    }

    /// Sets the value of `key` and its timestamp; `None` deletes it.
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) -> Result<(), Errno> {
        self.rows.put_timestamped(key, &[], value, timestamp)
    }

    /// Removes `key` and returns the value that it had, with its timestamp.
    pub fn delete(&mut self, key: &[u8]) -> Result<Option<Timestamped<'_>>, Errno> {
        Ok(self.rows.store.delete(key)?.and_then(split_timestamped))
    }

    /// Iterates over the keys from `from` up to, but without, `to`; `None` is an open end. The values begin with their
    /// timestamps ([`split_timestamped`]).
    pub fn range(&self, from: Option<&[u8]>, to: Option<&[u8]>, reverse: bool) -> Result<Iter, Errno> {
        self.rows.store.range(from, to, reverse)
    }
}
