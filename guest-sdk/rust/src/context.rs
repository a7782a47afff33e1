use crate::error::{Errno, Error};
use crate::host;
use crate::layout::*;
use crate::output::Output;
use crate::record::{Record, frame_topic};
use crate::rows::{self, SessionStore, TimestampedKeyValueStore, VersionedKeyValueStore, WindowStore};
use crate::store::KeyValueStore;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// The level of a line in the host's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Debug = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
}

/// Which time a schedule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PunctuationType {
    StreamTime = 0,
    WallClockTime = 1,
}

/// A schedule of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer(pub i32);

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter = 0,
    /// It goes up and down.
    Gauge = 1,
}

/// A number that the host shows under the component's name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metric(i32);

impl Metric {
    /// Adds to the metric. Every call crosses to the host: add up within a frame where it matters.
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, delta: i64) -> Result<(), Errno> {
        Errno::check(host::metric_add(self.0, delta)).map(drop)
    }
}

/// Writes a line to the host's log. Components log what happens to them, not records.
pub fn log(level: Level, message: &str) {
    host::log(level as i32, message);
}

/// Whether lines of the level are kept; ask before building a costly message.
pub fn log_enabled(level: Level) -> bool {
    host::log_enabled(level as i32) > 0
}

/// What a processor knows of the task it runs in, and what it does there. It is the same from `init` to `close`.
#[derive(Default)]
pub struct Context {
    pub(crate) out: Output,
    pub(crate) keeps_keys: bool,
    pub(crate) epoch: i64,
    // The record and the frame that are in work. They are used within the call only, in which their bytes live.
    input: Option<Record<'static>>,
    frame: Option<*const [u8]>,
    application: String,
    task: String,
    node: String,
    mode: String,
    direction: String,
    children: Vec<String>,
    config: Vec<(String, String)>,
    // Of plugins of Connect: schemas that have crossed, and why the call as a whole failed.
    pub(crate) schemas: crate::connect::SharedSchemas,
    pub(crate) failed: Option<crate::error::Error>,
}

impl Context {
    /// Reads an open frame; the component's name comes with it.
    pub(crate) fn from_open(frame: &[u8]) -> Option<(Self, String)> {
        let mut ctx = Self::default();
        let mut component = String::new();
        let (magic, mut block) = frame.split_at_checked(PAIR_HEADER)?;
        if magic[..4] != OPEN_MAGIC.to_le_bytes() {
            return None;
        }
        while let Some((key, value)) = next_pair(&mut block) {
            let value = String::from_utf8_lossy(value.unwrap_or_default()).to_string();
            match key {
                b"component" => component = value,
                b"application.id" => ctx.application = value,
                b"task.id" => ctx.task = value,
                b"node" => ctx.node = value,
                b"mode" => ctx.mode = value,
                b"direction" => ctx.direction = value,
                b"epoch" => ctx.epoch = value.parse().unwrap_or(0),
                b"child" => ctx.children.push(value),
                _ => {
                    if let Some(rest) = key.strip_prefix(b"config.") {
                        ctx.config.push((String::from_utf8_lossy(rest).to_string(), value));
                    }
                }
            }
        }
        Some((ctx, component))
    }

    /// The record that is in work from now on.
    #[inline(always)]
    pub(crate) fn enter(&mut self, rec: &Record<'_>) {
        // SAFETY: leave() drops the record before the call ends, and with it the frame.
        self.input = Some(unsafe { core::mem::transmute::<Record<'_>, Record<'static>>(*rec) });
    }

    pub(crate) fn leave(&mut self) {
        self.input = None;
    }

    pub(crate) fn set_frame(&mut self, frame: Option<&[u8]>) {
        self.frame = frame.map(core::ptr::from_ref);
    }

    /// The application.id.
    pub fn application_id(&self) -> &str {
        &self.application
    }

    /// The task, as "0_1".
    pub fn task_id(&self) -> &str {
        &self.task
    }

    /// The name of the component's node in the topology.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// "normal", "replay", "shadow" or "validate".
    pub fn mode(&self) -> &str {
        &self.mode
    }

    /// The number of the transaction as the component was opened or last flushed.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The name of the connector that a plugin works for.
    pub fn connector(&self) -> &str {
        &self.application
    }

    /// What a converter is opened for.
    pub(crate) fn direction(&self) -> &str {
        &self.direction
    }

    /// The names of the node's children, in order.
    pub fn children(&self) -> &[String] {
        &self.children
    }

    /// One setting of the node.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.config.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The topic that the current frame was read from.
    pub fn topic(&self) -> Option<&[u8]> {
        // SAFETY: the frame is set for the length of the call only.
        self.frame.and_then(|f| frame_topic(unsafe { &*f }))
    }

    /// Hands `rec` to every child of the node. Its bytes are copied, except for those parts that are still the ones of
    /// the current record: those the host takes from there.
    #[inline(always)]
    pub fn forward(&mut self, rec: &Record<'_>) {
        self.forward_dest(rec, 0);
    }

    /// Hands `rec` to the child with this name.
    pub fn forward_to(&mut self, child: &str, rec: &Record<'_>) -> Result<(), Errno> {
        let i = self.children.iter().position(|c| c == child).ok_or(Errno::NOT_FOUND)?;
        self.forward_dest(rec, i as u32 + 1);
        Ok(())
    }

    #[inline(always)]
    fn forward_dest(&mut self, rec: &Record<'_>, dest: u32) {
        let key = match &self.input {
            Some(input) if self.keeps_keys => input.key,
            _ => rec.key,
        };
        self.out.record(&Record { key, ..*rec }, self.input.as_ref(), dest);
    }

    /// The number of the current record in its frame, -1 for none.
    fn index(&self) -> i32 {
        self.input.map_or(-1, |r| r.index as i32)
    }

    /// Opens a store that the component declared.
    pub fn store(&mut self, name: &str) -> Result<KeyValueStore, Error> {
        opened(name, host::state_open(name)).map(KeyValueStore::new)
    }

    /// Opens a window store that the component declared. Of a store with timestamps the values are bare.
    pub fn window_store(&mut self, name: &str) -> Result<WindowStore, Error> {
        opened(name, host::state_open_as(name, rows::WINDOW, 0)).map(WindowStore::new)
    }

    /// Opens a window store whose values have timestamps.
    pub fn timestamped_window_store(&mut self, name: &str) -> Result<WindowStore, Error> {
        opened(name, host::state_open_as(name, rows::WINDOW, rows::TIMESTAMPS)).map(WindowStore::new)
    }

    /// Opens a session store that the component declared.
    pub fn session_store(&mut self, name: &str) -> Result<SessionStore, Error> {
        opened(name, host::state_open_as(name, rows::SESSION, 0)).map(SessionStore::new)
    }

    /// Opens a versioned store that the component declared.
    pub fn versioned_store(&mut self, name: &str) -> Result<VersionedKeyValueStore, Error> {
        opened(name, host::state_open_as(name, rows::VERSIONED, 0)).map(VersionedKeyValueStore::new)
    }

    /// Opens a store of keys and values with timestamps; [`Context::store`] opens the same without them.
    pub fn timestamped_store(&mut self, name: &str) -> Result<TimestampedKeyValueStore, Error> {
        opened(name, host::state_open_as(name, 0, rows::TIMESTAMPS)).map(TimestampedKeyValueStore::new)
    }

    /// Calls [`crate::Processor::punctuate`] every `interval`, rounded down to milliseconds; missed intervals collapse
    /// into one call.
    pub fn schedule(&mut self, interval: Duration, typ: PunctuationType) -> Result<Timer, Errno> {
        self.schedule_at(-1, interval, typ)
    }

    /// [`Context::schedule`] with the time of the first call, in milliseconds of the time that `typ` names.
    pub fn schedule_at(&mut self, start: i64, interval: Duration, typ: PunctuationType) -> Result<Timer, Errno> {
        let ms = i64::try_from(interval.as_millis()).map_err(|_| Errno::INVALID_ARG)?;
        Errno::check(host::schedule(ms, typ as i32, start)).map(Timer)
    }

    /// Ends a schedule.
    pub fn cancel(&mut self, timer: Timer) -> Result<(), Errno> {
        Errno::check(host::cancel(timer.0)).map(drop)
    }

    /// Asks for a commit soon; it does not wait for it.
    pub fn commit(&mut self) -> Result<(), Errno> {
        Errno::check(host::request_commit()).map(drop)
    }

    /// The task's stream time in milliseconds as the current record was taken, that record included.
    pub fn stream_time(&self) -> i64 {
        host::time(1, self.index())
    }

    /// The wall clock in milliseconds.
    pub fn time(&self) -> i64 {
        host::time(0, self.index())
    }

    /// Fills `buf` with random bytes. They are a function of the current record and the number of the call, so a
    /// replay sees the same.
    pub fn random(&self, buf: &mut [u8]) -> Result<(), Errno> {
        Errno::check(host::random(self.index(), buf)).map(drop)
    }

    /// The metric with this name, which the host makes at the first call. Ask for it once, in `init`.
    pub fn metric(&mut self, kind: MetricKind, name: &str) -> Result<Metric, Errno> {
        Errno::check(host::metric(kind as i32, name)).map(Metric)
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: Level, message: &str) {
        log(level, message);
    }
}

/// The store that the host opened, or its refusal.
fn opened(name: &str, id: i32) -> Result<i32, Error> {
    Errno::check(id).map_err(|e| Error::fail(format!("store {name}: {e}")))
}
