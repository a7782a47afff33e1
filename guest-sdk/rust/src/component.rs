use crate::context::{Context, Timer};
use crate::error::Error;
use crate::output::{KeyValue, KeyValues, Output, Part as OutPart, Values};
use crate::record::{Record, Records};
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

/// Which operator a component is a function for, or that it is a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Filter,
    Map,
    MapValues,
    FlatMap,
    FlatMapValues,
    SelectKey,
    Foreach,
    Process,
    ProcessValues,
    Initializer,
    Aggregator,
    Reducer,
    Merger,
    Joiner,
    TimestampExtractor,
    TopicNameExtractor,
    Partitioner,
    Serializer,
    Deserializer,
    Transformation,
    Predicate,
    Converter,
    HeaderConverter,
    Source,
    Sink,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Map => "map",
            Self::MapValues => "mapValues",
            Self::FlatMap => "flatMap",
            Self::FlatMapValues => "flatMapValues",
            Self::SelectKey => "selectKey",
            Self::Foreach => "foreach",
            Self::Process => "process",
            Self::ProcessValues => "processValues",
            Self::Initializer => "initializer",
            Self::Aggregator => "aggregator",
            Self::Reducer => "reducer",
            Self::Merger => "merger",
            Self::Joiner => "joiner",
            Self::TimestampExtractor => "timestampExtractor",
            Self::TopicNameExtractor => "topicNameExtractor",
            Self::Partitioner => "partitioner",
            Self::Serializer => "serializer",
            Self::Deserializer => "deserializer",
            Self::Transformation => "transformation",
            Self::Predicate => "predicate",
            Self::Converter => "converter",
            Self::HeaderConverter => "headerConverter",
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }

    /// Whether components of this kind are functions of more than a record.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) const fn has_arguments(self) -> bool {
        matches!(self, Self::Aggregator | Self::Reducer | Self::Merger | Self::Joiner)
    }
}

/// A part of a record that a component can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    Key = 1,
    Value = 2,
    Headers = 4,
}

pub(crate) const ALL: u8 = 7;

/// What a module exports: a name, a version and components.
pub struct Module {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) components: Vec<Component>,
    topology: Option<String>,
}

impl Module {
    /// A module without components.
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.to_string(), version: version.to_string(), components: Vec::new(), topology: None }
    }

    /// The module with one more component.
    ///
    /// # Panics
    /// If the name is taken.
    pub fn with(mut self, component: Component) -> Self {
        assert!(self.find(&component.name).is_none(), "component {} is there twice", component.name);
        self.components.push(component);
        self
    }

    /// The module as an application: with the topology that `builder` describes, and with the components that stand in
    /// its operators.
    ///
    /// # Panics
    /// If the module has a topology already, or the name of a component is taken.
    pub fn with_topology(mut self, builder: crate::streams::StreamsBuilder) -> Self {
        assert!(self.topology.is_none(), "the module has a topology already");
        self.topology = Some(builder.json());
        builder.take_components().into_iter().fold(self, Self::with)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Component> {
        self.components.iter().find(|c| c.name == name)
    }

    /// What the module says of itself, as JSON.
    pub fn manifest(&self) -> String {
        let list = |items: &[String]| items.iter().map(|s| quoted(s)).collect::<Vec<_>>().join(",");
        let components: Vec<String> = self
            .components
            .iter()
            .map(|c| {
                let description = if c.description.is_empty() {
                    String::new()
                } else {
                    format!(",\"description\":{}", quoted(&c.description))
                };
                let wants = [(Part::Key, "\"key\""), (Part::Value, "\"value\""), (Part::Headers, "\"headers\"")];
                let wants: Vec<&str> = wants.iter().filter(|(p, _)| c.wants & *p as u8 != 0).map(|(_, s)| *s).collect();
                let description = if c.settings.is_empty() {
                    description
                } else {
                    let list: Vec<String> = c.settings.iter().map(|s| format!("{{{}}}", s.json)).collect();
                    format!("{description},\"config\":[{}]", list.join(","))
                };
                format!(
                    "{{\"name\":{},\"kind\":\"{}\",\"wants\":[{}],\"stores\":[{}],\"buffers\":{}{description}}}",
                    quoted(&c.name),
                    c.kind.name(),
                    wants.join(","),
                    list(&c.stores),
                    c.buffers,
                )
            })
            .collect();
        let topology = self.topology.as_ref().map(|t| format!(",\"topology\":{t}")).unwrap_or_default();
        format!(
            "{{\"abi\":1,\"name\":{},\"version\":{},\"language\":\"rust\",\"sdk\":\"{}\",\"components\":[{}]{topology}}}",
            quoted(&self.name),
            quoted(&self.version),
            crate::SDK,
            components.join(","),
        )
    }
}

pub(crate) fn quoted(s: &str) -> String {
    let mut out = Vec::new();
    crate::json::push_quoted(&mut out, s.as_bytes());
    String::from_utf8(out).unwrap_or_default()
}

/// One component of a module. The functions of this crate that are called like operators make it.
pub struct Component {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) wants: u8,
    pub(crate) stores: Vec<String>,
    buffers: bool,
    description: String,
    settings: Vec<crate::connect::Setting>,
    open: Box<dyn Fn() -> Box<dyn Node>>,
}

impl Component {
    pub(crate) fn new(name: &str, kind: Kind, wants: u8, open: impl Fn() -> Box<dyn Node> + 'static) -> Self {
        Self {
            name: name.to_string(),
            kind,
            wants,
            stores: Vec::new(),
            buffers: false,
            description: String::new(),
            settings: Vec::new(),
            open: Box::new(open),
        }
    }

    /// Says which parts of a record the component reads; the others are not copied into the guest. By default it gets
    /// all that its function can see.
    pub fn wants(mut self, parts: &[Part]) -> Self {
        self.wants = parts.iter().fold(0, |all, p| all | *p as u8);
        self
    }

    /// Names the stores that a processor may open.
    pub fn stores(mut self, names: &[&str]) -> Self {
        self.stores.extend(names.iter().map(ToString::to_string));
        self
    }

    /// Says that a processor holds records back until [`Processor::flush`].
    pub fn buffers(mut self) -> Self {
        self.buffers = true;
        self
    }

    /// Defines what a plugin of Connect can be told.
    pub fn settings(mut self, list: &[crate::connect::Setting]) -> Self {
        self.settings.extend_from_slice(list);
        self
    }

    /// Says in one line what the component does.
    pub fn describe(mut self, text: &str) -> Self {
        self.description = text.to_string();
        self
    }

    pub(crate) fn open(&self) -> Box<dyn Node> {
        (self.open)()
    }

    pub(crate) fn keeps_keys(&self) -> bool {
        self.kind == Kind::ProcessValues
    }
}

/// A component that is open: what a handle stands for.
pub(crate) trait Node {
    fn init(&mut self, _ctx: &mut Context) -> Result<(), Error> {
        Ok(())
    }
    fn process(&mut self, ctx: &mut Context, records: Records<'_>);
    fn punctuate(&mut self, _ctx: &mut Context, _timer: Timer, _time: i64) -> Result<(), Error> {
        Ok(())
    }
    fn flush(&mut self, _ctx: &mut Context) -> Result<(), Error> {
        Ok(())
    }
    /// Gives records; `None` of what is no source.
    fn poll(&mut self, _ctx: &mut Context, _budget: usize) -> Option<Result<(), Error>> {
        None
    }
    fn close(&mut self) {}
}

/// What a function may return: a plain value, or a `Result` with [`Error`].
pub trait IntoOutcome<T> {
    /// The value, or why there is none.
    fn into_outcome(self) -> Result<T, Error>;
}

impl IntoOutcome<()> for () {
    fn into_outcome(self) -> Result<(), Error> {
        Ok(self)
    }
}

impl IntoOutcome<bool> for bool {
    fn into_outcome(self) -> Result<bool, Error> {
        Ok(self)
    }
}

impl IntoOutcome<i64> for i64 {
    fn into_outcome(self) -> Result<i64, Error> {
        Ok(self)
    }
}

impl<T> IntoOutcome<T> for Result<T, Error> {
    fn into_outcome(self) -> Result<T, Error> {
        self
    }
}

/// A function of one record. All handles of a component share it: they never run at the same time.
struct Function<F>(Rc<RefCell<F>>);

impl<F: FnMut(&Record<'_>, &mut Output) -> Result<(), Error>> Node for Function<F> {
    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        let f = &mut *self.0.borrow_mut();
        for rec in records {
            if let Err(e) = f(&rec, &mut ctx.out) {
                ctx.out.fail(rec.index, &e);
            }
        }
    }
}

pub(crate) fn function<F>(name: &str, kind: Kind, wants: u8, f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut Output) -> Result<(), Error> + 'static,
{
    let shared = Rc::new(RefCell::new(f));
    Component::new(name, kind, wants, move || Box::new(Function(shared.clone())))
}

/// Keeps the records for which `f` is true. `f` returns `bool` or `Result<bool, Error>`.
pub fn filter<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>) -> R + 'static,
    R: IntoOutcome<bool>,
{
    function(name, Kind::Filter, ALL, move |rec, out| {
        if f(rec).into_outcome()? {
            out.keep(rec.index);
        }
        Ok(())
    })
}

/// Replaces the value of each record by what `f` leaves in its second argument, which begins as empty bytes. `f`
/// returns `()` or `Result<(), Error>`.
pub fn map_values<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    let mut value = OutPart::default();
    function(name, Kind::MapValues, Part::Value as u8, move |rec, out| {
        value.reset();
        f(rec.value, &mut value).into_outcome()?;
        if value.is_kept() {
            out.keep(rec.index);
        } else {
            out.value(rec.index, value.resolve(None));
        }
        Ok(())
    })
}

/// Replaces each record by any number of records with the same key. `f` returns `()` or `Result<(), Error>`.
pub fn flat_map_values<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(Option<&[u8]>, &mut Values<'_>) -> R + 'static,
    R: IntoOutcome<()>,
{
    function(name, Kind::FlatMapValues, Part::Value as u8, move |rec, out| {
        f(rec.value, &mut Values { out, index: rec.index }).into_outcome()
    })
}

/// Replaces key and value of each record by what `f` leaves in its second argument, whose parts begin as those that
/// came. `f` returns `()` or `Result<(), Error>`.
pub fn map<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut KeyValue) -> R + 'static,
    R: IntoOutcome<()>,
{
    let mut answer = KeyValue::default();
    function(name, Kind::Map, ALL, move |rec, out| {
        answer.key.keep();
        answer.value.keep();
        f(rec, &mut answer).into_outcome()?;
        let changed = Record { key: answer.key.resolve(rec.key), value: answer.value.resolve(rec.value), ..*rec };
        out.record(&changed, Some(rec), 0);
        Ok(())
    })
}

/// Replaces each record by any number of others. `f` returns `()` or `Result<(), Error>`.
pub fn flat_map<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut KeyValues<'_>) -> R + 'static,
    R: IntoOutcome<()>,
{
    function(name, Kind::FlatMap, ALL, move |rec, out| f(rec, &mut KeyValues { out, input: *rec }).into_outcome())
}

/// Gives each record the key that `f` leaves in its second argument, which begins as empty bytes. `f` returns `()` or
/// `Result<(), Error>`.
pub fn select_key<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>, &mut OutPart) -> R + 'static,
    R: IntoOutcome<()>,
{
    let mut key = OutPart::default();
    function(name, Kind::SelectKey, ALL, move |rec, out| {
        key.reset();
        f(rec, &mut key).into_outcome()?;
        if key.is_kept() {
            out.keep(rec.index);
        } else {
            out.key(rec.index, key.resolve(None));
        }
        Ok(())
    })
}

/// Calls `f` with each record and answers nothing. `f` returns `()` or `Result<(), Error>`.
pub fn foreach<F, R>(name: &str, mut f: F) -> Component
where
    F: FnMut(&Record<'_>) -> R + 'static,
    R: IntoOutcome<()>,
{
    function(name, Kind::Foreach, ALL, move |rec, _| f(rec).into_outcome())
}

/// The general form of a component: it has a context, may use stores and schedules, and forwards what and where it
/// likes.
///
/// An error fails the task with its text, except in [`Processor::process`], where it fails the record by its class.
/// What a record forwarded and wrote before its error stays, as in Kafka Streams.
pub trait Processor {
    /// Called once, before the first record: open stores and schedule here.
    fn init(&mut self, _ctx: &mut Context) -> Result<(), Error> {
        Ok(())
    }
    /// Called for each record.
    fn process(&mut self, ctx: &mut Context, rec: &Record<'_>) -> Result<(), Error>;
    /// Called when `timer` is due, at `time` in milliseconds.
    fn punctuate(&mut self, _ctx: &mut Context, _timer: Timer, _time: i64) -> Result<(), Error> {
        Ok(())
    }
    /// Called before each commit; a component with [`Component::buffers`] forwards what it holds.
    fn flush(&mut self, _ctx: &mut Context) -> Result<(), Error> {
        Ok(())
    }
    /// Called once at the end, if the instance still lives.
    fn close(&mut self) {}
}

/// A processor as a node.
struct Running<P>(P);

impl<P: Processor> Node for Running<P> {
    fn init(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.0.init(ctx)
    }

    fn process(&mut self, ctx: &mut Context, records: Records<'_>) {
        for rec in records {
            ctx.enter(&rec);
            if let Err(e) = self.0.process(ctx, &rec) {
                ctx.out.fail(rec.index, &e);
            }
        }
        ctx.leave();
    }

    fn punctuate(&mut self, ctx: &mut Context, timer: Timer, time: i64) -> Result<(), Error> {
        self.0.punctuate(ctx, timer, time)
    }

    fn flush(&mut self, ctx: &mut Context) -> Result<(), Error> {
        self.0.flush(ctx)
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// A processor; `new` makes one for each handle.
pub fn process<P: Processor + 'static>(name: &str, new: impl Fn() -> P + 'static) -> Component {
    Component::new(name, Kind::Process, ALL, move || Box::new(Running(new())))
}

/// A processor that does not change keys, so that no repartitioning follows it: whatever it forwards while it
/// processes a record has that record's key.
pub fn process_values<P: Processor + 'static>(name: &str, new: impl Fn() -> P + 'static) -> Component {
    Component::new(name, Kind::ProcessValues, ALL, move || Box::new(Running(new())))
}
