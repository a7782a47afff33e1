use super::object::Object;
use alloc::string::String;
use core::time::Duration;

/// Time, unlimited or sliding windows.
pub trait Windows {
    #[doc(hidden)]
    fn document(&self) -> (&'static str, String);
}

/// Windows of a size: tumbling, or hopping with an advance.
#[derive(Clone, Copy, Debug)]
pub struct TimeWindows {
    size: Duration,
    advance: Option<Duration>,
    grace: Duration,
}

impl TimeWindows {
    /// Tumbling windows that take no record after their end.
    pub fn of_size_with_no_grace(size: Duration) -> Self {
        Self::of_size_and_grace(size, Duration::ZERO)
    }

    /// Tumbling windows that take records for some time after their end.
    pub fn of_size_and_grace(size: Duration, after_window_end: Duration) -> Self {
        Self { size, advance: None, grace: after_window_end }
    }

    /// Lets a window begin each `advance`.
    pub fn advance_by(self, advance: Duration) -> Self {
        Self { advance: Some(advance), ..self }
    }
}

impl Windows for TimeWindows {
    fn document(&self) -> (&'static str, String) {
        let mut o = Object::default();
        o.duration("size", self.size);
        if let Some(advance) = self.advance {
            o.duration("advance", advance);
        }
        o.duration("grace", self.grace);
        ("timeWindows", o.json())
    }
}

/// All windows of a time difference that hold different records.
#[derive(Clone, Copy, Debug)]
pub struct SlidingWindows {
    difference: Duration,
    grace: Duration,
}

impl SlidingWindows {
    /// Sliding windows that take no record after their end.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self { difference, grace: Duration::ZERO }
    }

    /// Sliding windows that take records for some time after their end.
    pub fn of_time_difference_and_grace(difference: Duration, after_window_end: Duration) -> Self {
        Self { difference, grace: after_window_end }
    }
}

impl Windows for SlidingWindows {
    fn document(&self) -> (&'static str, String) {
        let mut o = Object::default();
        o.duration("timeDifference", self.difference);
        o.duration("grace", self.grace);
        ("slidingWindows", o.json())
    }
}

/// One window without an end, from `start` (milliseconds since 1970) on.
#[derive(Clone, Copy, Debug)]
pub struct UnlimitedWindows {
    /// Where it begins.
    pub start: i64,
}

impl Windows for UnlimitedWindows {
    fn document(&self) -> (&'static str, String) {
        let mut o = Object::default();
        o.number("start", self.start);
        ("unlimitedWindows", o.json())
    }
}

/// Sessions of records no further apart than a gap.
#[derive(Clone, Copy, Debug)]
pub struct SessionWindows {
    gap: Duration,
    grace: Duration,
}

impl SessionWindows {
    /// Sessions that take no record after their end.
    pub fn of_inactivity_gap_with_no_grace(gap: Duration) -> Self {
        Self { gap, grace: Duration::ZERO }
    }

    /// Sessions that take records for some time after their end.
    pub fn of_inactivity_gap_and_grace(gap: Duration, after_window_end: Duration) -> Self {
        Self { gap, grace: after_window_end }
    }

    pub(super) fn json(&self) -> String {
        let mut o = Object::default();
        o.duration("inactivityGap", self.gap);
        o.duration("grace", self.grace);
        o.json()
    }
}

/// Says which records of two streams belong together.
#[derive(Clone, Copy, Debug)]
pub struct JoinWindows {
    difference: Duration,
    before: Option<Duration>,
    after: Option<Duration>,
    grace: Duration,
}

impl JoinWindows {
    /// Records no further apart than a difference, none of them late.
    pub fn of_time_difference_with_no_grace(difference: Duration) -> Self {
        Self::of_time_difference_and_grace(difference, Duration::ZERO)
    }

    /// Records no further apart than a difference, late ones for some time.
    pub fn of_time_difference_and_grace(difference: Duration, after_window_end: Duration) -> Self {
        Self { difference, before: None, after: None, grace: after_window_end }
    }

    /// Says how much earlier the right record may be.
    pub fn before(self, difference: Duration) -> Self {
        Self { before: Some(difference), ..self }
    }

    /// Says how much later the right record may be.
    pub fn after(self, difference: Duration) -> Self {
        Self { after: Some(difference), ..self }
    }

    pub(super) fn json(&self) -> String {
        let mut o = Object::default();
        o.duration("timeDifference", self.difference);
        for (key, d) in [("before", self.before), ("after", self.after)] {
            if let Some(d) = d {
                o.duration(key, d);
            }
        }
        o.duration("grace", self.grace);
        o.json()
    }
}

/// Says when the results of windows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitStrategy {
    /// With every update.
    OnWindowUpdate,
    /// Once, when the window takes no more records.
    OnWindowClose,
}

impl EmitStrategy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OnWindowUpdate => "on-window-update",
            Self::OnWindowClose => "on-window-close",
        }
    }
}

/// How much is held back. The default is without a bound. A full buffer ends the application, or with `emit_early` lets
/// go of what has waited longest.
#[derive(Clone, Copy, Debug, Default)]
pub struct BufferConfig<'a> {
    /// How many records; 0 for any number.
    pub max_records: u64,
    /// How many bytes; 0 for any number.
    pub max_bytes: u64,
    /// Lets go of what has waited longest.
    pub emit_early: bool,
    /// Writes no changelog.
    pub logging_disabled: bool,
    /// Settings of the changelog topic.
    pub changelog: &'a [(&'a str, &'a str)],
}

/// Says which changes of a table are held back, and how many.
#[derive(Clone, Copy, Debug)]
pub struct Suppressed<'a> {
    limit: Option<Duration>,
    buffer: BufferConfig<'a>,
}

impl<'a> Suppressed<'a> {
    /// Holds changes of a row back for a time, and gives the last.
    pub fn until_time_limit(limit: Duration, buffer: BufferConfig<'a>) -> Self {
        Self { limit: Some(limit), buffer }
    }

    /// Gives the final result of each window only.
    pub fn until_window_closes(buffer: BufferConfig<'a>) -> Self {
        Self { limit: None, buffer }
    }

    pub(super) fn write(&self, o: &mut Object) {
        match self.limit {
            Some(limit) => o.duration("untilTimeLimit", limit),
            None => o.flag("untilWindowCloses", true),
        }
        o.positive("maxRecords", self.buffer.max_records);
        o.positive("maxBytes", self.buffer.max_bytes);
        o.flag("emitEarly", self.buffer.emit_early);
        o.logged(self.buffer.logging_disabled, self.buffer.changelog);
    }
}
