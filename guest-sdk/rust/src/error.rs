use alloc::string::String;
use core::fmt;

/// What becomes of a record that could not be processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Class {
    /// Drop it and count it.
    Skip = 0,
    /// Hand it to the dead letter queue, if there is one.
    DeadLetter = 1,
    /// Stop the task; what an error means without further words.
    Fail = 2,
    /// Run it again later.
    Retry = 3,
}

/// The error of a record, or of a component as a whole. Any error of Rust becomes one of class `Fail` by `?`.
#[derive(Debug)]
pub struct Error {
    /// What becomes of the record.
    pub class: Class,
    /// What happened.
    pub message: String,
}

impl Error {
    /// An error that stops the task.
    pub fn fail(message: impl Into<String>) -> Self {
        Self { class: Class::Fail, message: message.into() }
    }

    /// An error that drops the record.
    pub fn skip(message: impl Into<String>) -> Self {
        Self { class: Class::Skip, message: message.into() }
    }

    /// An error that sends the record to the dead letter queue.
    pub fn dead_letter(message: impl Into<String>) -> Self {
        Self { class: Class::DeadLetter, message: message.into() }
    }

    /// An error that runs the record again.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { class: Class::Retry, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: core::error::Error> From<E> for Error {
    fn from(e: E) -> Self {
        Self::fail(alloc::format!("{e}"))
    }
}

/// A refusal of the host, always negative.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Something else went wrong.
    pub const UNKNOWN: Self = Self(-1);
    /// An argument makes no sense.
    pub const INVALID_ARG: Self = Self(-2);
    /// An answer does not fit.
    pub const BUF_TOO_SMALL: Self = Self(-3);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(-4);
    /// The component may not do this.
    pub const DENIED: Self = Self(-5);
    /// Too much, too long, too many.
    pub const LIMIT: Self = Self(-6);
    /// It was closed before.
    pub const CLOSED: Self = Self(-7);
    /// The host does not offer this.
    pub const UNSUPPORTED: Self = Self(-8);
    /// Try again later.
    pub const RETRY: Self = Self(-9);
    /// Bytes that break the contract.
    pub const CORRUPT: Self = Self(-10);
    /// The task cannot go on.
    pub const FATAL: Self = Self(-11);
    /// The task has moved away.
    pub const FENCED: Self = Self(-12);
    /// In use.
    pub const BUSY: Self = Self(-13);

    /// `Ok` for codes from 0 on.
    pub(crate) fn check(code: i32) -> Result<i32, Self> {
        if code < 0 { Err(Self(code)) } else { Ok(code) }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const TEXTS: [&str; 14] = [
            "no error",
            "unknown error",
            "invalid argument",
            "buffer too small",
            "not found",
            "denied",
            "limit exceeded",
            "closed",
            "not supported",
            "try again",
            "corrupt",
            "fatal",
            "fenced",
            "busy",
        ];
        let text = usize::try_from(self.0.unsigned_abs()).ok().and_then(|i| TEXTS.get(i)).unwrap_or(&TEXTS[1]);
        write!(f, "host: {text}")
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}
