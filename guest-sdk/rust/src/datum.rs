//! Values and schemas of Connect (abi/SPEC.md, 12): views of what came in, and a writer of what goes out.

use crate::layout::{append_pair, load32, load64, next_pair, pad8};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

/// The type of a value of Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Type {
    Null,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
    Decimal,
    Date,
    BigInteger,
}

impl Type {
    fn of(byte: u8) -> Self {
        const ALL: [Type; 16] = [
            Type::Null,
            Type::Int8,
            Type::Int16,
            Type::Int32,
            Type::Int64,
            Type::Float32,
            Type::Float64,
            Type::Boolean,
            Type::String,
            Type::Bytes,
            Type::Array,
            Type::Map,
            Type::Struct,
            Type::Decimal,
            Type::Date,
            Type::BigInteger,
        ];
        ALL.get(byte as usize).copied().unwrap_or(Type::Null)
    }
}

const KEEP: u8 = 16;
const PATCH: u8 = 17;
const DATUM_HEADER: usize = 8;
const CELL: usize = 16;

/// A schema. Those of records are shared by all records of the instance; a guest makes its own once, and shares them
/// by [`Rc`].
#[derive(Debug, Default)]
pub struct Schema {
    /// Int8 to Struct, as [`Type`].
    pub ty: u8,
    /// Whether null is allowed.
    pub optional: bool,
    /// The name, empty for none. Logical types are told by it.
    pub name: String,
    /// The version, if there is one.
    pub version: Option<i32>,
    /// The documentation, empty for none.
    pub doc: String,
    /// Parameters in order.
    pub params: Vec<(String, String)>,
    /// Fields of a struct in order.
    pub fields: Vec<(String, Rc<Schema>)>,
    /// The schema of a map's keys.
    pub key: Option<Rc<Schema>>,
    /// The schema of a map's values or an array's elements.
    pub elem: Option<Rc<Schema>>,
    default: Vec<u8>, // a datum, empty for none
    id: Cell<u32>,
}

impl Schema {
    /// A schema of a primitive type.
    pub fn primitive(ty: Type, optional: bool) -> Rc<Self> {
        Rc::new(Self { ty: ty as u8, optional, ..Self::default() })
    }

    /// The schema of a struct.
    pub fn structure(name: &str, fields: Vec<(String, Rc<Schema>)>) -> Rc<Self> {
        Rc::new(Self { ty: Type::Struct as u8, name: name.to_string(), fields, ..Self::default() })
    }

    /// The schema of arrays.
    pub fn array(elem: Rc<Schema>, optional: bool) -> Rc<Self> {
        Rc::new(Self { ty: Type::Array as u8, optional, elem: Some(elem), ..Self::default() })
    }

    /// The schema of maps.
    pub fn map(key: Rc<Schema>, value: Rc<Schema>, optional: bool) -> Rc<Self> {
        Rc::new(Self { ty: Type::Map as u8, optional, key: Some(key), elem: Some(value), ..Self::default() })
    }

    /// A logical type: Kafka's `org.apache.kafka.connect.data.Timestamp` and its like, or one of your own. Values of a
    /// Decimal have the parameter `scale`.
    pub fn logical(ty: Type, name: &str, version: i32, params: &[(&str, &str)], optional: bool) -> Rc<Self> {
        let params = params.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Rc::new(Self {
            ty: ty as u8,
            optional,
            name: name.to_string(),
            version: Some(version),
            params,
            ..Self::default()
        })
    }

    /// This schema with a default, which `write` writes: what stands for null. It is no Struct, and has none inside.
    pub fn with_default(&self, write: impl FnOnce(&mut Writer)) -> Rc<Self> {
        let mut w = Writer::default();
        w.reset(None);
        write(&mut w);
        Rc::new(Self { default: w.buf, ..self.copy() })
    }

    /// The schema of this struct with one more field.
    pub fn with(&self, field: &str, schema: Rc<Schema>) -> Rc<Self> {
        let mut out = self.copy();
        out.fields.push((field.to_string(), schema));
        Rc::new(out)
    }

    /// The schema with a number of its own to come.
    fn copy(&self) -> Self {
        Self {
            ty: self.ty,
            optional: self.optional,
            name: self.name.clone(),
            version: self.version,
            doc: self.doc.clone(),
            params: self.params.clone(),
            fields: self.fields.clone(),
            key: self.key.clone(),
            elem: self.elem.clone(),
            default: self.default.clone(),
            id: Cell::new(0),
        }
    }

    /// The position of a field.
    pub fn index(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|(name, _)| name == field)
    }

    /// The schema's number. One that has not crossed yet is appended to `defs`, after those inside it.
    fn number(&self, defs: &mut Vec<u8>) -> u32 {
        if self.id.get() != 0 {
            return self.id.get();
        }
        static NEXT: AtomicU32 = AtomicU32::new(1 << 31);
        let inner = |s: &Option<Rc<Schema>>, defs: &mut Vec<u8>| s.as_ref().map_or(0, |s| s.number(defs));
        let (key, elem) = (inner(&self.key, defs), inner(&self.elem, defs));
        let fields: Vec<u32> = self.fields.iter().map(|(_, s)| s.number(defs)).collect();
        let id = NEXT.fetch_add(1, Ordering::Relaxed) + 1;
        self.id.set(id);
        let mut b = Vec::new();
        let flags = u32::from(self.optional) | u32::from(self.version.is_some()) << 1;
        let version = self.version.unwrap_or(0) as u32;
        let (fields_n, params_n) = (fields.len() as u32, self.params.len() as u32);
        for word in [id, u32::from(self.ty) | flags << 8, version, key, elem, fields_n, params_n, 0] {
            b.extend_from_slice(&word.to_le_bytes());
        }
        for ((name, _), id) in self.fields.iter().zip(&fields) {
            append_pair(&mut b, name.as_bytes(), Some(&id.to_le_bytes()));
        }
        for (name, value) in &self.params {
            append_pair(&mut b, name.as_bytes(), Some(value.as_bytes()));
        }
        for (key, value) in [("name", &self.name), ("doc", &self.doc)] {
            if !value.is_empty() {
                append_pair(&mut b, key.as_bytes(), Some(value.as_bytes()));
            }
        }
        if !self.default.is_empty() {
            append_pair(&mut b, b"default", Some(&self.default));
        }
        append_pair(defs, b"schema", Some(&b));
        id
    }
}

/// The schemas that have crossed, by number: of the host, and of a guest.
#[derive(Clone, Default)]
pub(crate) struct Schemas([Vec<Option<Rc<Schema>>>; 2]);

impl Schemas {
    /// The list that a number is of, and the place in it.
    fn place(id: u32) -> Option<(usize, usize)> {
        Some(((id >> 31) as usize, ((id & !(1 << 31)) as usize).checked_sub(1)?))
    }

    fn get(&self, id: u32) -> Option<&Rc<Schema>> {
        let (list, i) = Self::place(id)?;
        self.0[list].get(i)?.as_ref()
    }

    /// Has a schema that has crossed found by its number.
    #[cfg(not(target_family = "wasm"))]
    pub fn put(&mut self, s: Rc<Schema>) {
        self.set(s.id.get(), s);
    }

    /// Takes in all schemas of another list.
    #[cfg(not(target_family = "wasm"))]
    pub fn join(&mut self, other: &Self) {
        other.0.iter().flatten().flatten().for_each(|s| self.put(s.clone()));
    }

    fn set(&mut self, id: u32, s: Rc<Schema>) -> Option<()> {
        let (list, i) = Self::place(id)?;
        let list = &mut self.0[list];
        if list.len() <= i {
            list.resize(i + 1, None);
        }
        list[i] = Some(s);
        Some(())
    }

    /// Takes the schemas of an aux block.
    pub fn learn(&mut self, mut aux: &[u8]) {
        while let Some((key, value)) = next_pair(&mut aux) {
            if let (b"schema", Some(def)) = (key, value) {
                self.define(def);
            }
        }
    }

    fn define(&mut self, def: &[u8]) -> Option<()> {
        let word = |at: usize| Some(u32::from_le_bytes(def.get(at..at + 4)?.try_into().ok()?));
        let (id, flags, fields, params) = (word(0)?, word(4)? >> 8, word(20)? as usize, word(24)? as usize);
        let mut s = Schema {
            ty: def[4],
            optional: flags & 1 != 0,
            version: if flags & 2 != 0 { Some(word(8)? as i32) } else { None },
            key: self.get(word(12)?).cloned(),
            elem: self.get(word(16)?).cloned(),
            id: Cell::new(id),
            ..Schema::default()
        };
        let text = |b: &[u8]| String::from_utf8_lossy(b).to_string();
        let (mut rest, mut n) = (def.get(32..)?, 0);
        while let Some((key, value)) = next_pair(&mut rest) {
            let value = value.unwrap_or_default();
            if n < fields {
                let id = u32::from_le_bytes(value.try_into().ok()?);
                s.fields.push((text(key), self.get(id)?.clone()));
            } else if n < fields + params {
                s.params.push((text(key), text(value)));
            } else if key == b"name" {
                s.name = text(value);
            } else if key == b"doc" {
                s.doc = text(value);
            } else if key == b"default" {
                s.default = value.to_vec();
            }
            n += 1;
        }
        self.set(id, Rc::new(s))
    }
}

/// A view of one value of Connect, borrowed from the frame. What it is asked for and is not, it answers with zero, empty
/// or null.
#[derive(Clone, Copy)]
pub struct Datum<'a> {
    part: &'a [u8], // empty is null
    cell: usize,
    schemas: &'a Schemas,
}

impl<'a> Datum<'a> {
    pub(crate) fn root(part: Option<&'a [u8]>, schemas: &'a Schemas) -> Self {
        Self { part: part.unwrap_or_default(), cell: DATUM_HEADER, schemas }
    }

    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        // SAFETY: the host writes whole cells, and part is not empty where this is called.
        unsafe { load64(self.part.as_ptr(), self.cell + at) }
    }

    /// The value's type.
    #[inline(always)]
    pub fn ty(&self) -> Type {
        if self.part.is_empty() { Type::Null } else { Type::of(self.word(0) as u8) }
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.ty() == Type::Null
    }

    /// The schema of the value as a whole, or of a struct.
    pub fn schema(&self) -> Option<&'a Rc<Schema>> {
        if self.ty() == Type::Struct {
            return self.schemas.get((self.word(8) >> 32) as u32);
        }
        if self.part.is_empty() || self.cell != DATUM_HEADER {
            return None;
        }
        // SAFETY: a datum begins with the number of its schema.
        self.schemas.get(unsafe { load32(self.part.as_ptr(), 0) })
    }

    /// A number of Int8 to Int64, or the milliseconds of a Date.
    pub fn int(&self) -> i64 {
        let t = self.ty();
        if (Type::Int8..=Type::Int64).contains(&t) || t == Type::Date { self.word(8) as i64 } else { 0 }
    }

    /// A number of any primitive type.
    pub fn float(&self) -> f64 {
        match self.ty() {
            Type::Float64 => f64::from_bits(self.word(8)),
            Type::Float32 => f32::from_bits(self.word(8) as u32).into(),
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => self.word(8) as i64 as f64,
            _ => 0.0,
        }
    }

    /// A Boolean.
    pub fn bool(&self) -> bool {
        self.ty() == Type::Boolean && self.word(8) != 0
    }

    /// The bytes of Bytes or String, or the unscaled number of a Decimal or BigInteger.
    pub fn bytes(&self) -> &'a [u8] {
        match self.ty() {
            Type::String | Type::Bytes | Type::Decimal | Type::BigInteger => {
                let (at, n) = (self.word(8) as u32 as usize, (self.word(0) >> 32) as usize);
                self.part.get(at..at + n).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// A String.
    pub fn str(&self) -> &'a str {
        if self.ty() != Type::String {
            return "";
        }
        // SAFETY: the host writes strings as UTF-8.
        unsafe { core::str::from_utf8_unchecked(self.bytes()) }
    }

    /// The digits behind the point of a Decimal.
    pub fn scale(&self) -> i32 {
        if self.ty() == Type::Decimal { (self.word(8) >> 32) as i32 } else { 0 }
    }

    /// The number of elements, entries or fields.
    pub fn len(&self) -> usize {
        if (Type::Array..=Type::Struct).contains(&self.ty()) { (self.word(0) >> 32) as usize } else { 0 }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn child(&self, i: usize) -> Self {
        Self { cell: self.word(8) as u32 as usize + i * CELL, ..*self }
    }

    fn null(&self) -> Self {
        Self { part: &[], ..*self }
    }

    /// Element i of an Array, the value of entry i of a Map, field i of a Struct.
    #[inline]
    pub fn at(&self, i: usize) -> Self {
        match self.ty() {
            _ if i >= self.len() => self.null(),
            Type::Map => self.child(2 * i + 1),
            _ => self.child(i),
        }
    }

    /// The key of entry i of a Map.
    pub fn key(&self, i: usize) -> Self {
        if self.ty() == Type::Map && i < self.len() { self.child(2 * i) } else { self.null() }
    }

    /// The position of the field of a Struct, or of the entry of a Map, with this name.
    #[inline]
    pub fn index(&self, name: &str) -> Option<usize> {
        match self.ty() {
            Type::Struct => self.schema()?.index(name),
            Type::Map => (0..self.len()).find(|i| {
                let key = self.child(2 * i);
                key.ty() == Type::String && key.bytes() == name.as_bytes()
            }),
            _ => None,
        }
    }

    /// The field of a Struct, or the value of a Map, with this name; null if there is none.
    pub fn field(&self, name: &str) -> Self {
        self.index(name).map_or_else(|| self.null(), |i| self.at(i))
    }
}

#[cfg(not(target_family = "wasm"))]
impl<'a> Datum<'a> {
    /// The answer `self` with what it keeps of the same part of the input filled in, as its bytes.
    pub(crate) fn resolved(self, from: Self) -> Vec<u8> {
        let mut w = Writer::default();
        w.begin(self.number());
        if self.part.is_empty() || self.word(0) as u8 != PATCH {
            w.fill(self, from);
            return w.buf;
        }
        w.begin(from.number());
        let n = from.children();
        w.container(from.ty() as u8, from.len(), n, (from.word(8) >> 32) as u32);
        (0..n).for_each(|i| w.fill(self.patch(from, i), from));
        w.buf
    }

    /// The number of the schema that stands in the header.
    fn number(&self) -> u32 {
        // SAFETY: a datum begins with the number of its schema.
        if self.part.is_empty() { 0 } else { unsafe { load32(self.part.as_ptr(), 0) } }
    }

    fn children(&self) -> usize {
        if self.ty() == Type::Map { 2 * self.len() } else { self.len() }
    }

    /// Child i of an input that `self` patches.
    fn patch(self, from: Self, i: usize) -> Self {
        let (mut child, mut at) = (from.child(i), self.word(8) as u32 as usize);
        while at != 0 {
            let patch = Self { cell: at, ..self };
            if patch.word(8) as usize == i {
                child = Self { cell: at + CELL, ..self };
            }
            at = (patch.word(0) >> 32) as usize;
        }
        child
    }
}

#[cfg(not(target_family = "wasm"))]
impl Writer {
    /// [`Writer::copy`] of a value that may keep children of an input.
    fn fill(&mut self, d: Datum<'_>, from: Datum<'_>) {
        match d.ty() {
            _ if !d.part.is_empty() && d.word(0) as u8 == KEEP => self.copy(from.child(d.word(8) as usize)),
            ty @ (Type::Array | Type::Map | Type::Struct) => {
                let n = d.children();
                self.container(ty as u8, d.len(), n, (d.word(8) >> 32) as u32);
                (0..n).for_each(|i| self.fill(d.child(i), from));
            }
            _ => self.copy(d),
        }
    }
}

/// Makes one value. After [`Writer::reset`] it takes one: a scalar, or a container and then its children in order.
/// What is left out is null; what is too much is not written.
#[derive(Default)]
pub struct Writer {
    pub(crate) buf: Vec<u8>,
    next: usize,
    left: usize,
    stack: Vec<(usize, usize)>,
    patch: usize, // where the last patch stands, 0 for none
    /// Pairs of schemas that are to cross.
    pub(crate) defs: Vec<u8>,
}

impl Writer {
    /// Begins a value with a schema, `None` for none.
    pub fn reset(&mut self, schema: Option<&Rc<Schema>>) {
        let id = schema.map_or(0, |s| s.number(&mut self.defs));
        self.begin(id);
    }

    fn begin(&mut self, schema: u32) {
        self.buf.clear();
        self.buf.resize(DATUM_HEADER + CELL, 0);
        self.buf[..4].copy_from_slice(&schema.to_le_bytes());
        self.stack.clear();
        (self.next, self.left) = (DATUM_HEADER, 1);
    }

    fn take(&mut self) -> Option<usize> {
        while self.left == 0 {
            (self.next, self.left) = self.stack.pop()?;
        }
        let at = self.next;
        self.next += CELL;
        self.left -= 1;
        Some(at)
    }

    #[inline(always)]
    fn put(&mut self, at: usize, ty: u8, n: usize, v: u64) {
        let head = u64::from(ty) | (n as u64) << 32;
        self.buf[at..at + 8].copy_from_slice(&head.to_le_bytes());
        self.buf[at + 8..at + CELL].copy_from_slice(&v.to_le_bytes());
    }

    fn scalar(&mut self, ty: u8, v: u64) {
        if let Some(at) = self.take() {
            self.put(at, ty, 0, v);
        }
    }

    /// Writes null.
    pub fn null(&mut self) {
        self.scalar(Type::Null as u8, 0);
    }
    /// Writes an Int8.
    pub fn int8(&mut self, v: i8) {
        self.scalar(Type::Int8 as u8, v as i64 as u64);
    }
    /// Writes an Int16.
    pub fn int16(&mut self, v: i16) {
        self.scalar(Type::Int16 as u8, v as i64 as u64);
    }
    /// Writes an Int32.
    pub fn int32(&mut self, v: i32) {
        self.scalar(Type::Int32 as u8, v as i64 as u64);
    }
    /// Writes an Int64.
    pub fn int64(&mut self, v: i64) {
        self.scalar(Type::Int64 as u8, v as u64);
    }
    /// Writes a Float32.
    pub fn float32(&mut self, v: f32) {
        self.scalar(Type::Float32 as u8, v.to_bits().into());
    }
    /// Writes a Float64.
    pub fn float64(&mut self, v: f64) {
        self.scalar(Type::Float64 as u8, v.to_bits());
    }
    /// Writes a Boolean.
    pub fn bool(&mut self, v: bool) {
        self.scalar(Type::Boolean as u8, v.into());
    }
    /// Writes the value of a Date, Time or Timestamp, in milliseconds.
    pub fn date(&mut self, ms: i64) {
        self.scalar(Type::Date as u8, ms as u64);
    }
    /// Writes a String.
    pub fn str(&mut self, v: &str) {
        self.blob(Type::String as u8, v.as_bytes(), 0);
    }
    /// Writes Bytes.
    pub fn bytes(&mut self, v: &[u8]) {
        self.blob(Type::Bytes as u8, v, 0);
    }
    /// Writes a Decimal: its unscaled number, big-endian in two's complement, and the digits behind the point.
    pub fn decimal(&mut self, unscaled: &[u8], scale: i32) {
        self.blob(Type::Decimal as u8, unscaled, scale as u32);
    }

    fn blob(&mut self, ty: u8, b: &[u8], high: u32) {
        let Some(at) = self.take() else { return };
        let to = self.buf.len();
        self.buf.extend_from_slice(b);
        self.buf.resize(to + pad8(b.len()), 0);
        self.put(at, ty, b.len(), to as u64 | u64::from(high) << 32);
    }

    /// Writes a struct, whose fields follow.
    pub fn structure(&mut self, schema: &Rc<Schema>) {
        let id = schema.number(&mut self.defs);
        self.container(Type::Struct as u8, schema.fields.len(), schema.fields.len(), id);
    }
    /// Writes a map of `n` entries: a key and a value follow for each.
    pub fn map(&mut self, n: usize) {
        self.container(Type::Map as u8, n, 2 * n, 0);
    }
    /// Writes an array, whose `n` elements follow.
    pub fn array(&mut self, n: usize) {
        self.container(Type::Array as u8, n, n, 0);
    }

    pub(crate) fn container(&mut self, ty: u8, n: usize, children: usize, high: u32) {
        let Some(at) = self.take() else { return };
        let first = self.buf.len();
        self.buf.resize(first + children * CELL, 0);
        self.put(at, ty, n, first as u64 | u64::from(high) << 32);
        if self.left > 0 {
            self.stack.push((self.next, self.left));
        }
        (self.next, self.left) = (first, children);
    }

    /// Writes child `i` of the root of the part that is replaced - of a map 2i for a key, 2i+1 for a value - without its
    /// bytes crossing.
    pub fn keep(&mut self, i: usize) {
        self.scalar(KEEP, i as u64);
    }

    /// Writes a value with all that is in it.
    pub fn copy(&mut self, d: Datum<'_>) {
        let ty = d.ty();
        match ty {
            Type::String | Type::Bytes | Type::Decimal | Type::BigInteger => {
                self.blob(ty as u8, d.bytes(), (d.word(8) >> 32) as u32);
            }
            Type::Array | Type::Map | Type::Struct => {
                let n = if ty == Type::Map { 2 * d.len() } else { d.len() };
                self.container(ty as u8, d.len(), n, (d.word(8) >> 32) as u32);
                (0..n).for_each(|i| self.copy(d.child(i)));
            }
            Type::Null => self.null(),
            _ => self.scalar(ty as u8, d.word(8)),
        }
    }

    /// Begins a value that is the record's own, but for the children that are written.
    pub(crate) fn edit(&mut self) {
        self.begin(0);
        self.put(DATUM_HEADER, PATCH, 0, 0);
        self.patch = 0;
    }

    /// Has the next value written in place of child `i` of the root.
    pub(crate) fn child(&mut self, i: usize) {
        let at = self.buf.len();
        self.buf.resize(at + 2 * CELL, 0);
        self.put(at, Type::Int32 as u8, 0, i as u64);
        let link = if self.patch == 0 { DATUM_HEADER + 8 } else { self.patch + 4 };
        self.buf[link..link + 4].copy_from_slice(&(at as u32).to_le_bytes());
        self.stack.clear();
        (self.patch, self.next, self.left) = (at, at + CELL, 1);
    }
}
