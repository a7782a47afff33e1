use super::builder::{Shared, Store};
use super::call::Function;
use super::kstream::with_stores;
use super::object::Object;
use super::params::{Consumed, Produced};

/// Kafka's low-level API: nodes with names of one's own, on top of what a builder's operators make or without any. Parents
/// are named and stand before their children; a store may be added before or after those that use it. The names of a
/// [`Consumed`] and a [`Produced`] are of no use here.
pub struct Topology {
    topology: Shared,
}

/// The names of a store of a topic and of what fills it.
#[derive(Default)]
pub struct Keeper<'a> {
    /// The store.
    pub store: Store<'a>,
    /// The node that reads the topic.
    pub source_name: &'a str,
    /// How it reads.
    pub consumed: Consumed<'a>,
    /// The topic.
    pub topic: &'a str,
    /// The processor that writes the store.
    pub processor_name: &'a str,
}

impl Topology {
    pub(super) fn of(topology: Shared) -> Self {
        Self { topology }
    }

    /// Adds a node that reads topics.
    pub fn add_source<'a>(&self, name: &str, c: impl Into<Option<Consumed<'a>>>, topics: &[&str]) -> &Self {
        let mut body = named(name);
        body.texts("topics", topics);
        self.topology.consumed(&mut body, c.into().unwrap_or_default());
        self.call("addSource", &body)
    }

    /// Adds a node that reads every topic whose whole name matches the regular expression (RE2 syntax).
    pub fn add_source_pattern<'a>(&self, name: &str, c: impl Into<Option<Consumed<'a>>>, pattern: &str) -> &Self {
        let mut body = named(name);
        body.text("pattern", pattern);
        self.topology.consumed(&mut body, c.into().unwrap_or_default());
        self.call("addSource", &body)
    }

    /// Adds a node that hands what its parents forward to a processor ([`process`](crate::process)). The stores that the
    /// processor names are connected to it.
    pub fn add_processor(&self, name: &str, f: impl Into<Function>, parents: &[&str]) -> &Self {
        let mut body = named(name);
        body.texts("parents", parents);
        body.merge(&with_stores(self.topology.place(f), &[]));
        self.call("addProcessor", &body)
    }

    /// Adds a node that writes what its parents forward to a topic that exists.
    pub fn add_sink<'a>(&self, name: &str, topic: &str, p: impl Into<Option<Produced<'a>>>, parents: &[&str]) -> &Self {
        let mut body = named(name);
        body.texts("parents", parents);
        body.text("topic", topic);
        self.topology.produced(&mut body, p.into().unwrap_or_default());
        self.call("addSink", &body)
    }

    /// Adds a sink that writes each record to the topic that `f` answers for it
    /// ([`topic_name_extractor`](crate::topic_name_extractor)). The topics must exist.
    pub fn add_sink_extracted<'a>(
        &self,
        name: &str,
        f: impl Into<Function>,
        p: impl Into<Option<Produced<'a>>>,
        parents: &[&str],
    ) -> &Self {
        let mut body = named(name);
        body.texts("parents", parents);
        body.function("topicExtractor", Some(&self.topology.place(f)));
        self.topology.produced(&mut body, p.into().unwrap_or_default());
        self.call("addSink", &body)
    }

    /// Adds a store and connects it to processors.
    pub fn add_state_store(&self, s: Store<'_>, processors: &[&str]) -> &Self {
        let mut body = Object::default();
        body.raw("store", &s.json());
        if !processors.is_empty() {
            body.texts("processors", processors);
        }
        self.call("addStateStore", &body)
    }

    /// Lets a processor use stores.
    pub fn connect_processor_and_state_stores(&self, processor: &str, stores: &[&str]) -> &Self {
        let mut body = Object::default();
        body.text("processor", processor);
        body.texts("stores", stores);
        self.call("connectProcessorAndStateStores", &body)
    }

    /// Adds a store of which every instance has the whole, with the node that reads its topic and the processor `f`
    /// ([`process`](crate::process)) that writes it from all partitions. Every processor may read it.
    pub fn add_global_store(&self, k: Keeper<'_>, f: impl Into<Function>) -> &Self {
        self.keeper("addGlobalStore", k, f.into())
    }

    /// Adds a store of a topic (KIP-813), with the node that reads the topic and the processor `f`
    /// ([`process`](crate::process)) that writes the store. The topic is what it is restored from.
    pub fn add_read_only_state_store(&self, k: Keeper<'_>, f: impl Into<Function>) -> &Self {
        self.keeper("addReadOnlyStateStore", k, f.into())
    }

    fn keeper(&self, method: &str, k: Keeper<'_>, f: Function) -> &Self {
        let mut body = Object::default();
        body.raw("store", &k.store.json());
        body.text("sourceName", k.source_name);
        body.text("topic", k.topic);
        body.text("processorName", k.processor_name);
        body.fields(&self.topology.place(f).fields);
        self.topology.consumed(&mut body, k.consumed);
        self.call(method, &body)
    }

    /// Appends a call of a method.
    fn call(&self, method: &str, body: &Object) -> &Self {
        let mut entry = Object::default();
        entry.raw(method, &body.json());
        self.topology.add_node(entry.json());
        self
    }
}

fn named(name: &str) -> Object {
    let mut body = Object::default();
    body.text("name", name);
    body
}
