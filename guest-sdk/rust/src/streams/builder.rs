use super::call::{Function, Placed};
use super::kstream::KStream;
use super::ktable::KTable;
use super::object::{Object, list};
use super::params::{Consumed, Materialized, Produced, Serde};
use crate::component::Component;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;

/// Describes the module's topology; [`Module::with_topology`](crate::Module::with_topology) takes it.
pub struct StreamsBuilder {
    pub(super) topology: Shared,
}

/// The topology on its way, which the builder and everything that comes of it share.
#[derive(Clone)]
pub(super) struct Shared(Rc<RefCell<Topology>>);

struct Topology {
    name: String,
    config: Object,
    stores: Vec<String>,
    entries: Vec<Entry>,
    // The calls of the Topology.
    nodes: Vec<String>,
    components: Vec<Component>,
}

/// An operator of the document; `from` are the ids of what it reads.
struct Entry {
    op: &'static str,
    name: String,
    from: Vec<String>,
    body: Object,
    // Of split.
    branches: Vec<String>,
    rest: Option<String>,
}

/// A store for processors.
#[derive(Default)]
pub struct Store<'a> {
    /// Its name.
    pub name: &'a str,
    /// `keyValue` (what "" means), `timestampedKeyValue`, `versionedKeyValue`, `window`, `timestampedWindow`, `session` or `lru`.
    pub kind: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
    /// Keeps the rows in memory.
    pub in_memory: bool,
    /// Writes through a cache.
    pub caching: bool,
    /// Writes no changelog.
    pub logging_disabled: bool,
    /// Settings of the changelog topic.
    pub changelog: &'a [(&'a str, &'a str)],
    /// How many keys an `lru` keeps.
    pub max_entries: u64,
    /// How long windows and sessions are kept.
    pub retention: Duration,
    /// How far back versions are kept.
    pub history_retention: Duration,
    /// The length of windows.
    pub window_size: Duration,
    /// What is dropped at once when it is too old; zero is Kafka's default.
    pub segment_interval: Duration,
    /// Makes every put of a window a row of its own.
    pub retain_duplicates: bool,
}

impl Store<'_> {
    pub(super) fn json(&self) -> String {
        let mut o = Object::default();
        o.text("name", self.name);
        o.given("type", self.kind);
        o.serdes(&self.key, &self.value);
        o.flag("inMemory", self.in_memory);
        o.flag("caching", self.caching);
        o.logged(self.logging_disabled, self.changelog);
        o.positive("maxEntries", self.max_entries);
        for (key, span) in [
            ("retention", self.retention),
            ("historyRetention", self.history_retention),
            ("windowSize", self.window_size),
            ("segmentInterval", self.segment_interval),
        ] {
            o.positive(key, span.as_millis() as u64);
        }
        o.flag("retainDuplicates", self.retain_duplicates);
        o.json()
    }
}

/// A table that every instance has as a whole, for joins.
#[derive(Clone)]
pub struct GlobalKTable {
    pub(super) id: String,
}

impl StreamsBuilder {
    /// The builder of a topology. `application_id` is the `application.id` unless whoever runs the module says another;
    /// "" takes the module's name.
    pub fn new(application_id: &str) -> Self {
        let topology = Topology {
            name: application_id.to_string(),
            config: Object::default(),
            stores: Vec::new(),
            entries: Vec::new(),
            nodes: Vec::new(),
            components: Vec::new(),
        };
        Self { topology: Shared(Rc::new(RefCell::new(topology))) }
    }

    /// Gives a setting of the application, by Kafka's name, such as `processing.guarantee` or `default.key.serde`.
    /// Whoever runs the module may give another. Settings of the machine, the cluster's access and the sandbox are
    /// refused.
    pub fn config(&self, key: &str, value: &str) -> &Self {
        self.topology.0.borrow_mut().config.text(key, value);
        self
    }

    /// Makes a store for processors ([`KStream::process`]) to use.
    pub fn add_state_store(&self, s: Store<'_>) -> &Self {
        self.topology.0.borrow_mut().stores.push(s.json());
        self
    }

    /// Makes a store of which every instance has the whole: `f`, a [`process`](crate::process), writes it from all
    /// partitions of a topic, also when the instance starts. Every processor may read it.
    pub fn add_global_store<'a>(
        &self,
        s: Store<'_>,
        topic: &str,
        c: impl Into<Option<Consumed<'a>>>,
        f: impl Into<Function>,
    ) -> &Self {
        self.store_of_topic("addGlobalStore", s, topic, c.into(), f.into())
    }

    /// Makes a store of a topic (KIP-813): `f`, a [`process`](crate::process), writes it, the processors that name it may
    /// read it, and the topic is what it is restored from.
    pub fn add_read_only_state_store<'a>(
        &self,
        s: Store<'_>,
        topic: &str,
        c: impl Into<Option<Consumed<'a>>>,
        f: impl Into<Function>,
    ) -> &Self {
        self.store_of_topic("addReadOnlyStateStore", s, topic, c.into(), f.into())
    }

    fn store_of_topic(
        &self,
        op: &'static str,
        s: Store<'_>,
        topic: &str,
        c: Option<Consumed<'_>>,
        f: Function,
    ) -> &Self {
        let c = c.unwrap_or_default();
        let name = c.name;
        let mut body = Object::default();
        body.text("topic", topic);
        body.raw("store", &s.json());
        body.fields(&self.topology.place(f).fields);
        self.topology.consumed(&mut body, c);
        self.topology.add(op, name, &[], body);
        self
    }

    /// Reads a topic.
    pub fn stream<'a>(&self, topic: &str, c: impl Into<Option<Consumed<'a>>>) -> KStream {
        let mut body = Object::default();
        body.text("topic", topic);
        self.source(body, c.into())
    }

    /// Reads several topics as one stream.
    pub fn stream_topics<'a>(&self, topics: &[&str], c: impl Into<Option<Consumed<'a>>>) -> KStream {
        let mut body = Object::default();
        body.texts("topics", topics);
        self.source(body, c.into())
    }

    /// Reads every topic whose whole name matches the regular expression (RE2 syntax).
    pub fn stream_pattern<'a>(&self, pattern: &str, c: impl Into<Option<Consumed<'a>>>) -> KStream {
        let mut body = Object::default();
        body.text("pattern", pattern);
        self.source(body, c.into())
    }

    fn source(&self, mut body: Object, c: Option<Consumed<'_>>) -> KStream {
        let c = c.unwrap_or_default();
        let name = c.name;
        self.topology.consumed(&mut body, c);
        let id = self.topology.add("stream", name, &[], body);
        KStream::of(self.topology.clone(), id)
    }

    /// Reads a topic as a table: a null value deletes.
    pub fn table<'a>(
        &self,
        topic: &str,
        c: impl Into<Option<Consumed<'a>>>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let id = self.table_source("table", topic, c.into(), m.into());
        KTable { topology: self.topology.clone(), id }
    }

    /// Reads a topic as a table that every instance has as a whole.
    pub fn global_table<'a>(
        &self,
        topic: &str,
        c: impl Into<Option<Consumed<'a>>>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> GlobalKTable {
        GlobalKTable { id: self.table_source("globalTable", topic, c.into(), m.into()) }
    }

    fn table_source(
        &self,
        op: &'static str,
        topic: &str,
        c: Option<Consumed<'_>>,
        m: Option<Materialized<'_>>,
    ) -> String {
        let c = c.unwrap_or_default();
        let name = c.name;
        let mut body = Object::default();
        body.text("topic", topic);
        self.topology.consumed(&mut body, c);
        m.unwrap_or_default().write(&mut body);
        self.topology.add(op, name, &[], body)
    }

    /// The [`Topology`](super::Topology) of what the builder describes, also of what it is told afterwards.
    pub fn build(&self) -> super::Topology {
        super::Topology::of(self.topology.clone())
    }

    /// The topology as the manifest has it.
    pub fn json(&self) -> String {
        self.topology.0.borrow().json()
    }

    /// The components that stand in operators.
    pub(crate) fn take_components(&self) -> Vec<Component> {
        core::mem::take(&mut self.topology.0.borrow_mut().components)
    }
}

impl Shared {
    /// Appends an operator. The ids are numbers, in the order of the calls, which is the order of Kafka's numbering.
    pub(super) fn add(&self, op: &'static str, name: &str, from: &[&str], body: Object) -> String {
        let mut t = self.0.borrow_mut();
        let from = from.iter().map(ToString::to_string).collect();
        t.entries.push(Entry { op, name: name.to_string(), from, body, branches: Vec::new(), rest: None });
        t.entries.len().to_string()
    }

    /// Names the node of an operator.
    pub(super) fn rename(&self, id: &str, name: &str) {
        let Ok(n) = id.parse::<usize>() else { return };
        self.0.borrow_mut().entries[n - 1].name = name.to_string();
    }

    /// Adds a branch to a split, and returns its id.
    pub(super) fn branch(&self, split: &str, f: Option<Placed>, name: &str) -> String {
        let n = split.parse::<usize>().unwrap_or(1);
        let entry = &mut self.0.borrow_mut().entries[n - 1];
        let mut body = Object::default();
        let id = match f {
            Some(_) => format!("{split}.{}", entry.branches.len() + 1),
            None => format!("{split}.default"),
        };
        body.text("id", &id);
        body.given("name", name);
        match f {
            Some(f) => {
                body.fields(&f.fields);
                entry.branches.push(body.json());
            }
            None => entry.rest = Some(body.json()),
        }
        id
    }

    /// Takes a function in; a component in place becomes one of the module. Without a name it gets one of its kind and of
    /// how many there are before it.
    pub(super) fn place(&self, f: impl Into<Function>) -> Placed {
        let mut f = f.into();
        let Some(mut c) = f.component.take() else { return f.placed("") };
        let mut t = self.0.borrow_mut();
        if c.name.is_empty() {
            c.name = format!("{}-{}", c.kind.name(), t.components.len() + 1);
        }
        let mut placed = f.placed(&c.name);
        placed.stores = c.stores.clone();
        t.components.push(c);
        placed
    }

    /// Adds a call of the Topology.
    pub(super) fn add_node(&self, call: String) {
        self.0.borrow_mut().nodes.push(call);
    }

    pub(super) fn produced(&self, body: &mut Object, p: Produced<'_>) {
        body.topic_serde("key", &p.key, p.key_serializer.map(|f| self.place(f)));
        body.topic_serde("value", &p.value, p.value_serializer.map(|f| self.place(f)));
        body.function("partitioner", p.partitioner.map(|f| self.place(f)).as_ref());
    }

    pub(super) fn consumed(&self, body: &mut Object, c: Consumed<'_>) {
        body.topic_serde("key", &c.key, c.key_deserializer.map(|f| self.place(f)));
        body.topic_serde("value", &c.value, c.value_deserializer.map(|f| self.place(f)));
        if let Some(d) = c.offset_reset_by {
            let mut by = Object::default();
            by.duration("byDuration", d);
            body.raw("offsetReset", &by.json());
        } else {
            body.given("offsetReset", c.offset_reset);
        }
        body.given("timestampExtractor", c.timestamp_extractor);
        body.function("timestampExtractor", c.timestamps.map(|f| self.place(f)).as_ref());
    }
}

impl Topology {
    fn json(&self) -> String {
        let mut doc = Object::default();
        doc.text("apiVersion", "wasmstream/v1");
        doc.text("kind", "Application");
        if !self.name.is_empty() {
            let mut metadata = Object::default();
            metadata.text("name", &self.name);
            doc.raw("metadata", &metadata.json());
        }
        if !self.config.is_empty() {
            doc.raw("config", &self.config.json());
        }
        if !self.stores.is_empty() {
            doc.raw("stores", &list(&self.stores));
        }
        if !self.entries.is_empty() || self.nodes.is_empty() {
            let operators: Vec<String> = self.entries.iter().enumerate().map(|(i, e)| e.json(i + 1)).collect();
            doc.raw("operators", &list(&operators));
        }
        if !self.nodes.is_empty() {
            doc.raw("topology", &list(&self.nodes));
        }
        doc.json()
    }
}

impl Entry {
    fn json(&self, id: usize) -> String {
        let mut o = Object::default();
        o.text("id", &id.to_string());
        match self.from.as_slice() {
            [] => {}
            [one] => o.text("from", one),
            several => o.texts("from", several),
        }
        o.given("name", &self.name);
        if self.branches.is_empty() && self.rest.is_none() {
            o.raw(self.op, &self.body.json());
            return o.json();
        }
        let mut body = Object::default();
        if !self.branches.is_empty() {
            body.raw("branches", &list(&self.branches));
        }
        if let Some(rest) = &self.rest {
            body.raw("default", rest);
        }
        o.raw(self.op, &body.json());
        o.json()
    }
}
