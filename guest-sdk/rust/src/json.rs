//! Fields of JSON documents, read and changed where they lie, without allocating: one pass over the bytes checks the
//! whole document (RFC 8259, UTF-8) and notes where the wanted fields are, and a second writes it out with them
//! changed.
//!
//! ```
//! use wasmstream::json::Query;
//!
//! let mut order = Query::new();
//! let (amount, total, city) = (order.field("amount"), order.field("total"), order.field("customer.city"));
//!
//! let mut doc = order.parse(br#"{"amount":10.0,"customer":{"city":"Ulm"}}"#)?;
//! let x = doc.float(amount).unwrap_or(0.0);
//! doc.set_float(total, x * 1.5);
//! doc.remove(city);
//! let mut out = Vec::new();
//! doc.write(&mut out)?;
//! assert_eq!(out, br#"{"amount":10.0,"customer":{},"total":15.0}"#);
//! # Ok::<(), wasmstream::Error>(())
//! ```
//!
//! Whitespace, order and the text of everything that is not changed stay as they are. Of a key that occurs twice in one
//! object the first counts.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::ops::Range;

/// Fields of one query.
pub const MAX_FIELDS: usize = 64;
/// Objects and arrays inside of each other.
pub const MAX_NESTING: usize = 1000;

/// The type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    /// The field is not in the document.
    #[default]
    Missing,
    Null,
    Bool,
    Number,
    String,
    Object,
    Array,
}

/// A field that a query looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field(usize);

/// A document is not JSON; the offset at which that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError(pub usize);

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON from byte {}", self.0)
    }
}

impl core::error::Error for SyntaxError {}

/// A field was set whose object is not in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoParent;

impl fmt::Display for NoParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the object to add a field to is not there")
    }
}

impl core::error::Error for NoParent {}

/// Where a field is, in offsets into the document.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    kind: Kind,
    parent_kind: Kind,
    start: usize, // of the key; in arrays of the value
    value: usize,
    end: usize,
    comma: Option<usize>, // before the member
    parent: usize,        // the brackets around it, or around where it would be
    parent_end: usize,
    siblings: usize, // members of the parent, this one included
}

impl Span {
    /// Where an edit begins: at the member, or at the end of the object that it is added to.
    fn place(&self) -> usize {
        if self.kind == Kind::Missing { self.parent_end } else { self.start }
    }
}

/// What is to become of a field.
#[derive(Clone, Debug, Default)]
enum Edit {
    #[default]
    Leave,
    Set(Range<usize>), // in Query::texts
    Remove,
}

/// What the pass knows of an open container that paths lead into.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    mask: u64,    // fields whose paths lead here
    matched: u64, // of them those that have found their next key
    leaves: u64,  // fields that are the current member
    comma: Option<usize>,
    members: usize,
}

/// A set of fields. Its buffers are used again for every document.
#[derive(Debug, Default)]
pub struct Query {
    paths: Vec<Vec<String>>,
    spans: Vec<Span>,
    edits: Vec<Edit>,
    order: Vec<usize>,
    texts: Vec<u8>,
    edited: bool,
    levels: Vec<Level>, // by depth, from 1, as deep as paths go
    depth: usize,
    mask: u64, // fields whose paths lead to the value that comes next
    object: [u64; MAX_NESTING / 64 + 1],
}

/// The fields of a mask.
fn fields(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        (mask != 0).then(|| {
            let f = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            f
        })
    })
}

impl Query {
    /// A query without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field by its path: keys with dots between them, and numbers from 0 for the elements of arrays.
    ///
    /// # Panics
    /// If the query has [`MAX_FIELDS`].
    pub fn field(&mut self, path: &str) -> Field {
        let keys: Vec<&str> = path.split('.').collect();
        self.field_at(&keys)
    }

    /// [`Query::field`] for keys that hold dots themselves.
    ///
    /// # Panics
    /// If the query has [`MAX_FIELDS`].
    pub fn field_at(&mut self, keys: &[&str]) -> Field {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        if let Some(f) = self.paths.iter().position(|p| *p == keys) {
            return Field(f);
        }
        assert!(self.paths.len() < MAX_FIELDS, "more fields than a query has room for");
        self.levels.resize(self.levels.len().max(keys.len() + 1), Level::default());
        self.paths.push(keys);
        self.spans.push(Span::default());
        self.edits.push(Edit::Leave);
        self.order.reserve(self.paths.len());
        Field(self.paths.len() - 1)
    }

    /// Checks `data` and finds the fields in it.
    pub fn parse<'a>(&'a mut self, data: &'a [u8]) -> Result<Document<'a>, SyntaxError> {
        self.edited = false;
        self.spans.fill(Span::default());
        self.depth = 0;
        self.mask = if self.paths.len() == 64 { u64::MAX } else { (1 << self.paths.len()) - 1 };
        self.scan(data).map_err(SyntaxError)?;
        Ok(Document { query: self, data })
    }

    /// Goes over the document once. The error is where it is not JSON.
    fn scan(&mut self, b: &[u8]) -> Result<(), usize> {
        let mut i = skip_space(b, 0);
        loop {
            let c = *b.get(i).ok_or(i)?;
            if c == b'{' || c == b'[' {
                if self.depth == MAX_NESTING {
                    return Err(i);
                }
                self.open(c, i);
                i = skip_space(b, i + 1);
                if *b.get(i).ok_or(i)? != c + 2 {
                    // not the closing bracket, which lies two behind the opening one
                    i = self.enter(b, i).ok_or(i)?;
                    continue;
                }
                self.close(i);
                i += 1;
            } else {
                i = skip_scalar(b, i).ok_or(i)?;
            }
            match self.leave(b, i)? {
                Some(next) => i = self.enter(b, next).ok_or(next)?,
                None => return Ok(()),
            }
        }
    }

    fn in_object(&self) -> bool {
        self.object[self.depth >> 6] >> (self.depth & 63) & 1 != 0
    }

    /// The level of the innermost container, if a path leads there.
    fn top(&mut self) -> Option<&mut Level> {
        self.levels.get_mut(self.depth).filter(|l| l.mask != 0)
    }

    /// Enters the container that begins at `i`.
    fn open(&mut self, bracket: u8, i: usize) {
        self.depth += 1;
        let bit = 1 << (self.depth & 63);
        self.object[self.depth >> 6] &= !bit;
        let mut kind = Kind::Array;
        if bracket == b'{' {
            kind = Kind::Object;
            self.object[self.depth >> 6] |= bit;
        }
        if let Some(level) = self.levels.get_mut(self.depth) {
            *level = Level { mask: self.mask, ..Level::default() };
            for f in fields(self.mask) {
                if self.paths[f].len() == self.depth {
                    (self.spans[f].parent, self.spans[f].parent_kind) = (i, kind);
                }
            }
        }
    }

    /// Leaves the container whose closing bracket is at `i`.
    fn close(&mut self, i: usize) {
        if let Some(&mut Level { mask, members, .. }) = self.top() {
            for f in fields(mask) {
                if self.paths[f].len() == self.depth {
                    (self.spans[f].parent_end, self.spans[f].siblings) = (i, members);
                }
            }
        }
        self.depth -= 1;
    }

    /// Goes from the start of a member to its value.
    fn enter(&mut self, b: &[u8], start: usize) -> Option<usize> {
        let mut i = start;
        let mut key = None;
        if self.in_object() {
            i = skip_string(b, i)?;
            key = Some(&b[start + 1..i - 1]);
            i = skip_space(b, i);
            if b.get(i) != Some(&b':') {
                return None;
            }
            i = skip_space(b, i + 1);
        }
        self.mask = 0;
        let first = *b.get(i)?;
        if self.top().is_some() {
            self.member(key, start, i, first);
        }
        Some(i)
    }

    /// Notes which fields the member at `start` is, or leads to. There is no key in arrays.
    fn member(&mut self, key: Option<&[u8]>, start: usize, value: usize, first: u8) {
        let depth = self.depth;
        let level = &mut self.levels[depth];
        let n = level.members;
        level.members += 1;
        level.leaves = 0;
        for f in fields(level.mask & !level.matched) {
            let path = &self.paths[f];
            let want = &path[depth - 1];
            if !key.map_or_else(|| is_index(want, n), |k| same_text(k, want)) {
                continue;
            }
            level.matched |= 1 << f;
            if path.len() > depth {
                self.mask |= 1 << f;
                continue;
            }
            level.leaves |= 1 << f;
            let s = &mut self.spans[f];
            (s.kind, s.start, s.value, s.comma) = (kind_of(first), start, value, level.comma);
        }
    }

    /// Goes on behind a value, over a comma or closing brackets, to the next member; `None` at the document's end.
    fn leave(&mut self, b: &[u8], mut i: usize) -> Result<Option<usize>, usize> {
        while self.depth > 0 {
            if let Some(level) = self.top() {
                let leaves = core::mem::take(&mut level.leaves);
                for f in fields(leaves) {
                    self.spans[f].end = i;
                }
            }
            i = skip_space(b, i);
            let c = *b.get(i).ok_or(i)?;
            if c == b',' {
                if let Some(level) = self.top() {
                    level.comma = Some(i);
                }
                return Ok(Some(skip_space(b, i + 1)));
            }
            if c != if self.in_object() { b'}' } else { b']' } {
                return Err(i);
            }
            self.close(i);
            i += 1;
        }
        i = skip_space(b, i);
        if i == b.len() { Ok(None) } else { Err(i) }
    }

    /// Makes sure that there are no edits of an earlier document and returns where the next text begins.
    fn begin(&mut self) -> usize {
        if !self.edited {
            self.edits.fill(Edit::Leave);
            self.texts.clear();
            self.edited = true;
        }
        self.texts.len()
    }
}

/// A document in which a query found its fields.
#[derive(Debug)]
pub struct Document<'a> {
    query: &'a mut Query,
    data: &'a [u8],
}

impl<'a> Document<'a> {
    /// The kind of a field's value.
    pub fn kind(&self, f: Field) -> Kind {
        self.query.spans[f.0].kind
    }

    /// Whether the document as a whole is an object.
    pub fn is_object(&self) -> bool {
        self.data.get(skip_space(self.data, 0)) == Some(&b'{')
    }

    /// A field's value as it stands in the document.
    pub fn raw(&self, f: Field) -> Option<&'a [u8]> {
        let s = &self.query.spans[f.0];
        (s.kind != Kind::Missing).then(|| &self.data[s.value..s.end])
    }

    fn raw_of(&self, f: Field, kind: Kind) -> Option<&'a [u8]> {
        self.raw(f).filter(|_| self.kind(f) == kind)
    }

    /// Appends the text of a string, its escapes resolved, to `out`; false for other kinds.
    pub fn text(&self, f: Field, out: &mut Vec<u8>) -> bool {
        self.raw_of(f, Kind::String).map(|raw| unescape(&raw[1..raw.len() - 1], out)).is_some()
    }

    /// Whether a field is a string with this text.
    pub fn is(&self, f: Field, text: &str) -> bool {
        self.raw_of(f, Kind::String).is_some_and(|raw| same_text(&raw[1..raw.len() - 1], text))
    }

    /// The value of a number without fraction and exponent that fits.
    pub fn int(&self, f: Field) -> Option<i64> {
        core::str::from_utf8(self.raw_of(f, Kind::Number)?).ok()?.parse().ok()
    }

    /// The double nearest to a number, infinite if it is too large.
    pub fn float(&self, f: Field) -> Option<f64> {
        parse_float(self.raw_of(f, Kind::Number)?)
    }

    /// The value of true or false.
    pub fn bool(&self, f: Field) -> Option<bool> {
        Some(self.raw_of(f, Kind::Bool)? == b"true")
    }

    /// Sets a field to a value given as JSON, which is taken as it is and copied. A field that is missing is added at
    /// the end of its object. The getters go on to show the document as it was parsed.
    pub fn set_raw(&mut self, f: Field, value: &[u8]) {
        self.set_with(f, |texts| texts.extend_from_slice(value));
    }

    /// Sets a field to the JSON that `write` appends.
    pub fn set_with(&mut self, f: Field, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.query.begin();
        write(&mut self.query.texts);
        self.query.edits[f.0] = Edit::Set(from..self.query.texts.len());
    }

    /// Sets a field to a string.
    pub fn set_text(&mut self, f: Field, text: impl AsRef<[u8]>) {
        self.set_with(f, |texts| push_quoted(texts, text.as_ref()));
    }

    /// Sets a field to a whole number.
    pub fn set_int(&mut self, f: Field, n: i64) {
        self.set_with(f, |texts| push_display(texts, n));
    }

    /// Sets a field to a number, written as [`push_float`] does.
    pub fn set_float(&mut self, f: Field, x: f64) {
        self.set_with(f, |texts| push_float(texts, x));
    }

    /// Sets a field to true or false.
    pub fn set_bool(&mut self, f: Field, value: bool) {
        self.set_with(f, |texts| push_display(texts, value));
    }

    /// Sets a field to null.
    pub fn set_null(&mut self, f: Field) {
        self.set_raw(f, b"null");
    }

    /// Takes a field out. A field that is missing stays so.
    pub fn remove(&mut self, f: Field) {
        self.query.begin();
        self.query.edits[f.0] = Edit::Remove;
    }

    /// Appends the document with all edits to `out`. An edit inside of a value that another one replaces or removes
    /// has no effect.
    pub fn write(&mut self, out: &mut Vec<u8>) -> Result<(), NoParent> {
        if !self.query.edited {
            out.extend_from_slice(self.data);
            return Ok(());
        }
        self.sort()?;
        let mut w = Writer { query: self.query, data: self.data, out, done: 0, grown: None };
        for k in 0..w.query.order.len() {
            w.edit(w.query.order[k]);
        }
        w.up_to(self.data.len());
        Ok(())
    }

    /// Puts the fields with something to do into the order of their places.
    fn sort(&mut self) -> Result<(), NoParent> {
        let Query { order, spans, edits, .. } = &mut *self.query;
        order.clear();
        for (f, (s, e)) in spans.iter().zip(edits.iter()).enumerate() {
            match e {
                Edit::Leave => continue,
                Edit::Remove if s.kind == Kind::Missing => continue,
                Edit::Set(_) if s.kind == Kind::Missing && s.parent_kind != Kind::Object => return Err(NoParent),
                _ => {}
            }
            let at = order.iter().rposition(|&g| spans[g].place() <= s.place()).map_or(0, |i| i + 1);
            order.insert(at, f);
        }
        Ok(())
    }
}

/// Writes the document once, from edit to edit.
struct Writer<'a> {
    query: &'a Query,
    data: &'a [u8],
    out: &'a mut Vec<u8>,
    done: usize,          // up to where the document is written or dropped
    grown: Option<usize>, // the object that got a member last
}

impl Writer<'_> {
    fn up_to(&mut self, i: usize) {
        self.out.extend_from_slice(&self.data[self.done..i]);
        self.done = i;
    }

    fn edit(&mut self, f: usize) {
        let s = &self.query.spans[f];
        match &self.query.edits[f] {
            Edit::Set(text) if s.kind == Kind::Missing => self.add(f, s, text.clone()),
            _ if s.start < self.done && s.value < self.done => {} // inside of what another edit has replaced
            Edit::Set(text) => {
                self.up_to(s.value);
                self.out.extend_from_slice(&self.query.texts[text.clone()]);
                self.done = s.end;
            }
            _ => self.remove(s),
        }
    }

    /// Writes a new member at the end of its object.
    fn add(&mut self, f: usize, s: &Span, text: Range<usize>) {
        if s.parent_end < self.done {
            return;
        }
        self.up_to(s.parent_end);
        if self.grown == Some(s.parent) || self.others(s) {
            self.out.push(b',');
        }
        self.grown = Some(s.parent);
        if let Some(key) = self.query.paths[f].last() {
            push_quoted(self.out, key.as_bytes());
        }
        self.out.push(b':');
        self.out.extend_from_slice(&self.query.texts[text]);
    }

    /// Whether members of the object stay that an added one must be set apart from by a comma.
    fn others(&self, added: &Span) -> bool {
        let removed = self
            .query
            .spans
            .iter()
            .zip(&self.query.edits)
            .filter(|(s, e)| matches!(e, Edit::Remove) && s.kind != Kind::Missing && s.parent == added.parent);
        added.siblings > removed.count()
    }

    /// Drops a member with the comma before it, or the one behind it if all before it is gone.
    fn remove(&mut self, s: &Span) {
        if let Some(comma) = s.comma.filter(|c| *c >= self.done) {
            self.up_to(comma);
            self.done = s.end;
            return;
        }
        self.up_to(s.start);
        self.done = s.end;
        let behind = skip_space(self.data, s.end);
        if self.data.get(behind) == Some(&b',') {
            self.done = behind + 1;
        }
    }
}

fn kind_of(first: u8) -> Kind {
    match first {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::String,
        b't' | b'f' => Kind::Bool,
        b'n' => Kind::Null,
        _ => Kind::Number,
    }
}

/// Whether `key` is `n` in decimal.
fn is_index(key: &str, mut n: usize) -> bool {
    let mut rest = key.as_bytes();
    loop {
        match rest.split_last() {
            Some((last, before)) if *last == b'0' + (n % 10) as u8 => rest = before,
            _ => return false,
        }
        n /= 10;
        if n == 0 {
            return rest.is_empty();
        }
    }
}

#[inline(always)]
fn skip_space(b: &[u8], mut i: usize) -> usize {
    while i < b.len() && matches!(b[i], b' ' | b'\n' | b'\r' | b'\t') {
        i += 1;
    }
    i
}

/// The end of the string, number or word at `i`.
fn skip_scalar(b: &[u8], i: usize) -> Option<usize> {
    match b[i] {
        b'"' => skip_string(b, i),
        b't' => b[i..].starts_with(b"true").then_some(i + 4),
        b'f' => b[i..].starts_with(b"false").then_some(i + 5),
        b'n' => b[i..].starts_with(b"null").then_some(i + 4),
        _ => skip_number(b, i),
    }
}

/// Has a high bit set if one of the 8 bytes of `v` is a quote, a backslash, below 0x20 or above 0x7F. The lowest set bit
/// is that of the first such byte; those above it may be set without need.
#[inline(always)]
const fn special(v: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (quote, slash) = (v ^ (ONES * b'"' as u64), v ^ (ONES * b'\\' as u64));
    (v | v.wrapping_sub(ONES * 0x20) | quote.wrapping_sub(ONES) | slash.wrapping_sub(ONES)) & HIGHS
}

/// The end of the string whose quote should be at `i`.
#[inline]
fn skip_string(b: &[u8], mut i: usize) -> Option<usize> {
    if *b.get(i)? != b'"' {
        return None;
    }
    i += 1;
    loop {
        while let Some(eight) = b.get(i..).and_then(|rest| rest.first_chunk::<8>()) {
            let s = special(u64::from_le_bytes(*eight));
            if s != 0 {
                i += (s.trailing_zeros() >> 3) as usize;
                break;
            }
            i += 8;
        }
        match *b.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i = skip_escape(b, i)?,
            0x80.. => i += utf8_len(&b[i..])?,
            0..0x20 => return None,
            _ => i += 1,
        }
    }
}

/// The length of the character of several bytes at the front of `b`.
fn utf8_len(b: &[u8]) -> Option<usize> {
    let n = match b[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    core::str::from_utf8(b.get(..n)?).ok().map(|_| n)
}

/// The end of the escape at `i`.
fn skip_escape(b: &[u8], i: usize) -> Option<usize> {
    match b.get(i + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(i + 2),
        b'u' if b.get(i + 2..i + 6)?.iter().all(u8::is_ascii_hexdigit) => Some(i + 6),
        _ => None,
    }
}

/// The end of the number at `i`.
fn skip_number(b: &[u8], mut i: usize) -> Option<usize> {
    if b[i] == b'-' {
        i += 1;
    }
    let start = i;
    i = skip_digits(b, i);
    if i == start || b[start] == b'0' && i > start + 1 {
        return None;
    }
    if b.get(i) == Some(&b'.') {
        let start = i + 1;
        i = skip_digits(b, start);
        if i == start {
            return None;
        }
    }
    if matches!(b.get(i), Some(b'e' | b'E')) {
        i += 1;
        if matches!(b.get(i), Some(b'+' | b'-')) {
            i += 1;
        }
        let start = i;
        i = skip_digits(b, i);
        if i == start {
            return None;
        }
    }
    Some(i)
}

#[inline(always)]
fn skip_digits(b: &[u8], mut i: usize) -> usize {
    while i < b.len() && b[i].is_ascii_digit() {
        i += 1;
    }
    i
}

/// Whether `s`, the sound inside of a string, has this text.
fn same_text(s: &[u8], text: &str) -> bool {
    if !s.contains(&b'\\') {
        return s == text.as_bytes();
    }
    let mut rest = text.as_bytes();
    let mut s = s;
    let mut buf = [0; 4];
    while let Some(&c) = s.first() {
        let one: &[u8] = if c == b'\\' {
            unescape_one(&mut s, &mut buf)
        } else {
            s = &s[1..];
            core::slice::from_ref({
                buf[0] = c;
                &buf[0]
            })
        };
        match rest.strip_prefix(one) {
            Some(r) => rest = r,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Appends the text of `s`, the sound inside of a string.
fn unescape(mut s: &[u8], out: &mut Vec<u8>) {
    let mut buf = [0; 4];
    while let Some(plain) = s.iter().position(|c| *c == b'\\') {
        out.extend_from_slice(&s[..plain]);
        s = &s[plain..];
        out.extend_from_slice(unescape_one(&mut s, &mut buf));
    }
    out.extend_from_slice(s);
}

/// Cuts the escape at the front of `s` off and returns its text. Half of a surrogate pair is U+FFFD.
fn unescape_one<'b>(s: &mut &[u8], buf: &'b mut [u8; 4]) -> &'b [u8] {
    let kind = s[1];
    let code = match kind {
        b'b' => 8,
        b'f' => 12,
        b'n' => u32::from(b'\n'),
        b'r' => u32::from(b'\r'),
        b't' => u32::from(b'\t'),
        b'u' => hex4(&s[2..6]),
        c => c.into(),
    };
    *s = &s[if kind == b'u' { 6 } else { 2 }..];
    let mut code = code;
    if (0xD800..0xDC00).contains(&code) && s.starts_with(b"\\u") {
        let low = hex4(&s[2..6]);
        if (0xDC00..0xE000).contains(&low) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            *s = &s[6..];
        }
    }
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(buf).as_bytes()
}

fn hex4(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |v, c| v << 4 | char::from(*c).to_digit(16).unwrap_or(0))
}

/// Appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is JSON.
pub fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        chunk.valid().bytes().for_each(|c| push_byte(out, c));
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

fn push_byte(out: &mut Vec<u8>, c: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let short = match c {
        b'"' | b'\\' => c,
        8 => b'b',
        12 => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x20.. => return out.push(c),
        _ => {
            return out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(c >> 4)],
                HEX[usize::from(c & 15)],
            ]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Text that fits into 32 bytes, for numbers.
#[derive(Default)]
struct Short {
    buf: [u8; 32],
    len: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let place = self.buf.get_mut(self.len..self.len + s.len()).ok_or(fmt::Error)?;
        place.copy_from_slice(s.as_bytes());
        self.len += s.len();
        Ok(())
    }
}

fn push_display(out: &mut Vec<u8>, v: impl fmt::Display) {
    let mut text = Short::default();
    // What is written here is shorter than the buffer.
    let _ = write!(text, "{v}");
    out.extend_from_slice(&text.buf[..text.len]);
}

/// The powers of ten that a double holds exactly, as far as they are needed.
const POW10: [f64; 17] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16];

/// Reads a sound number. Up to 15 digits and a point give an exact quotient; all else is the library's.
fn parse_float(raw: &[u8]) -> Option<f64> {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    let (mut u, mut places, mut point) = (0u64, 0, false);
    if digits.len() <= 16 && digits.iter().all(|c| c.is_ascii_digit() || *c == b'.') {
        for c in digits {
            if *c == b'.' {
                point = true;
            } else {
                u = 10 * u + u64::from(c - b'0');
                places += usize::from(point);
            }
        }
        if u <= 1 << 53 {
            let x = u as f64 / POW10[places];
            return Some(if digits.len() < raw.len() { -x } else { x });
        }
    }
    core::str::from_utf8(raw).ok()?.parse().ok()
}

/// Appends `x` with the fewest digits that are read as `x` again, in the form of Java's Double.toString: plainly from
/// 0.001 to 10^7 and with an exponent beyond, with at least one digit on both sides of the point. NaN and infinities,
/// which JSON has no text for, become null.
pub fn push_float(out: &mut Vec<u8>, mut x: f64) {
    if !x.is_finite() {
        return out.extend_from_slice(b"null");
    }
    if x.is_sign_negative() {
        out.push(b'-');
        x = -x;
    }
    let mut text = Short::default();
    // Few digits behind the point need no search: two numbers of up to 15 digits are never the same double.
    for places in (0..=6).take_while(|_| x < 1e9) {
        let t = x * POW10[places];
        let n = t as i64;
        if t == n as f64 && t / POW10[places] == x {
            let _ = write!(text, "{n}");
            let point = if n == 0 { 1 } else { text.len as i32 - places as i32 };
            return push_digits(out, &text.buf[..text.len], point);
        }
    }
    let _ = write!(text, "{x:e}");
    let all = &text.buf[..text.len];
    let e = all.iter().position(|c| *c == b'e').unwrap_or(all.len());
    let exponent: i32 =
        all.get(e + 1..).and_then(|s| core::str::from_utf8(s).ok()).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut digits = [0; 24];
    let mut n = 0;
    for c in all[..e].iter().filter(|c| **c != b'.') {
        digits[n] = *c;
        n += 1;
    }
    push_digits(out, &digits[..n], exponent + 1);
}

/// Appends digits with the point behind the first `point` of them.
fn push_digits(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    let trimmed = digits.iter().rposition(|c| *c != b'0').map_or(1, |i| i + 1);
    let digits = &digits[..trimmed];
    let plain = (-2..=7).contains(&point);
    let shown = if plain { point } else { 1 };
    if shown <= 0 {
        out.extend_from_slice(&b"0.00"[..(2 - shown) as usize]);
        out.extend_from_slice(digits);
    } else {
        let shown = shown as usize;
        let whole = digits.len().min(shown);
        out.extend_from_slice(&digits[..whole]);
        out.extend(core::iter::repeat_n(b'0', shown - whole));
        out.push(b'.');
        out.extend_from_slice(if digits.len() > shown { &digits[shown..] } else { b"0" });
    }
    if !plain {
        out.push(b'E');
        push_display(out, point - 1);
    }
}
