use super::builder::{GlobalKTable, Shared};
use super::call::{Function, Placed};
use super::grouped::KGroupedStream;
use super::ktable::KTable;
use super::object::Object;
use super::params::{Grouped, Joined, Materialized, Printed, Produced, Repartitioned, StreamJoined};
use super::windows::JoinWindows;
use alloc::string::String;
use alloc::vec::Vec;

/// A stream of records on its way through the topology. Each method adds an operator and returns the stream behind it; a
/// stream may be used by several operators, which see its records in the order in which they were added.
#[derive(Clone)]
pub struct KStream {
    pub(super) topology: Shared,
    pub(super) id: String,
    // The ids of the streams that `and` has put to this one.
    beside: Vec<String>,
}

/// The end of a stream: nothing comes after it.
pub struct End(KStream);

impl End {
    /// Names the node, as Kafka's `Named.as`.
    pub fn named(self, name: &str) {
        self.0.topology.rename(&self.0.id, name);
    }
}

macro_rules! operators {
    ($($(#[$doc:meta])* $method:ident $op:literal;)*) => {
        $($(#[$doc])*
        pub fn $method(&self, f: impl Into<Function>) -> Self {
            self.call($op, f.into())
        })*
    };
}

impl KStream {
    pub(super) fn of(topology: Shared, id: String) -> Self {
        Self { topology, id, beside: Vec::new() }
    }

    /// This stream and another for one operator that is the child of both, as a `Topology`'s `addProcessor` and `addSink`
    /// take several parents: there is no node between, unlike with [`KStream::merge`]. [`KStream::process`],
    /// [`KStream::process_values`], [`KStream::to`] and [`KStream::to_extracted`] take them so.
    pub fn and(&self, other: &KStream) -> Self {
        let mut both = self.clone();
        both.beside.push(other.id.clone());
        both.beside.extend_from_slice(&other.beside);
        both
    }

    /// Names the node of the last operator, as Kafka's `Named.as`.
    pub fn named(self, name: &str) -> Self {
        self.topology.rename(&self.id, name);
        self
    }

    operators! {
        /// Keeps the records for which `f` says yes.
        filter "filter";
        /// Drops the records for which `f` says yes.
        filter_not "filterNot";
        /// Replaces each value by the one that `f` answers.
        map_values "mapValues";
        /// Replaces each value by any number of values.
        flat_map_values "flatMapValues";
        /// Replaces key and value. Grouping afterwards repartitions.
        map "map";
        /// Replaces each record by any number of records. Grouping afterwards repartitions.
        flat_map "flatMap";
        /// Gives each record the key that `f` answers. Grouping afterwards repartitions.
        select_key "selectKey";
        /// Shows each record to `f` and passes it on.
        peek "peek";
    }

    /// Shows each record to `f`; nothing comes after it.
    pub fn foreach(&self, f: impl Into<Function>) -> End {
        End(self.call("foreach", f.into()))
    }

    /// Prints each record for people; nothing comes after it.
    pub fn print<'a>(&self, p: impl Into<Option<Printed<'a>>>) {
        let p = p.into().unwrap_or_default();
        let mut body = Object::default();
        body.given("label", p.label);
        body.function("mapper", p.mapper.map(|f| self.topology.place(f)).as_ref());
        self.add("print", p.name, &[], body);
    }

    fn call(&self, op: &'static str, f: Function) -> Self {
        let f = self.topology.place(f);
        let mut body = Object::default();
        body.fields(&f.fields);
        body.serdes(&f.out_key, &f.out_value);
        self.add(op, "", &[], body)
    }

    fn add(&self, op: &'static str, name: &str, others: &[&str], body: Object) -> Self {
        let mut from = alloc::vec![self.id.as_str()];
        from.extend(self.beside.iter().map(String::as_str));
        from.extend(others);
        Self::of(self.topology.clone(), self.topology.add(op, name, &from, body))
    }

    /// The records of both streams, in no order between them.
    pub fn merge(&self, other: &KStream) -> Self {
        self.add("merge", "", &[&other.id], Object::default())
    }

    /// Divides the stream: each record goes to the first branch whose function says yes. Branches are called `name`
    /// followed by their own name or number; "" takes a generated one.
    pub fn split(&self, name: &str) -> BranchedKStream {
        BranchedKStream { split: self.add("split", name, &[], Object::default()) }
    }

    /// Gives each record the key that `f` answers and groups by it. An aggregation afterwards repartitions.
    pub fn group_by<'a>(&self, f: impl Into<Function>, g: impl Into<Option<Grouped<'a>>>) -> KGroupedStream {
        let g = g.into().unwrap_or_default();
        let body = grouped(self.topology.place(f), &g);
        let at = self.add("groupBy", g.name, &[], body);
        KGroupedStream { topology: at.topology, id: at.id }
    }

    /// Groups by the key as it is. An aggregation afterwards repartitions only if the key was changed before.
    pub fn group_by_key<'a>(&self, g: impl Into<Option<Grouped<'a>>>) -> KGroupedStream {
        let g = g.into().unwrap_or_default();
        let mut body = Object::default();
        body.serdes(&g.key, &g.value);
        let at = self.add("groupByKey", g.name, &[], body);
        KGroupedStream { topology: at.topology, id: at.id }
    }

    /// Writes the stream to a topic of its own, by key, and reads it from there.
    pub fn repartition<'a>(&self, r: impl Into<Option<Repartitioned<'a>>>) -> Self {
        let r = r.into().unwrap_or_default();
        let mut body = Object::default();
        if r.partitions > 0 {
            body.number("partitions", r.partitions.into());
        }
        body.serdes(&r.key, &r.value);
        body.function("partitioner", r.partitioner.map(|f| self.topology.place(f)).as_ref());
        self.add("repartition", r.name, &[], body)
    }

    /// Makes a table of the stream: a null value deletes.
    pub fn to_table<'a>(&self, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        let mut body = Object::default();
        m.into().unwrap_or_default().write(&mut body);
        let at = self.add("toTable", "", &[], body);
        KTable { topology: at.topology, id: at.id }
    }

    /// Joins records of both streams that are close in time; `f` sees left and right.
    pub fn join<'a>(
        &self,
        other: &KStream,
        f: impl Into<Function>,
        w: JoinWindows,
        j: impl Into<Option<StreamJoined<'a>>>,
    ) -> Self {
        self.join_stream("join", other, f.into(), w, j.into())
    }

    /// [`KStream::join`] where a record of this stream that is left alone comes out with a null right value.
    pub fn left_join<'a>(
        &self,
        other: &KStream,
        f: impl Into<Function>,
        w: JoinWindows,
        j: impl Into<Option<StreamJoined<'a>>>,
    ) -> Self {
        self.join_stream("leftJoin", other, f.into(), w, j.into())
    }

    /// [`KStream::join`] where records of both streams come out alone with the other value null.
    pub fn outer_join<'a>(
        &self,
        other: &KStream,
        f: impl Into<Function>,
        w: JoinWindows,
        j: impl Into<Option<StreamJoined<'a>>>,
    ) -> Self {
        self.join_stream("outerJoin", other, f.into(), w, j.into())
    }

    fn join_stream(
        &self,
        op: &'static str,
        other: &KStream,
        f: Function,
        w: JoinWindows,
        j: Option<StreamJoined<'_>>,
    ) -> Self {
        let j = j.unwrap_or_default();
        let mut body = joiner(&self.topology.place(f));
        body.raw("windows", &w.json());
        j.write(&mut body);
        self.add(op, j.name, &[&other.id], body)
    }

    /// Joins each record with the row of its key; `f` sees left and right.
    pub fn join_table<'a>(&self, t: &KTable, f: impl Into<Function>, j: impl Into<Option<Joined<'a>>>) -> Self {
        self.with_table("join", t, f.into(), j.into())
    }

    /// [`KStream::join_table`] where records without a row come out with a null right value.
    pub fn left_join_table<'a>(&self, t: &KTable, f: impl Into<Function>, j: impl Into<Option<Joined<'a>>>) -> Self {
        self.with_table("leftJoin", t, f.into(), j.into())
    }

    fn with_table(&self, op: &'static str, t: &KTable, f: Function, j: Option<Joined<'_>>) -> Self {
        let j = j.unwrap_or_default();
        let mut body = joiner(&self.topology.place(f));
        body.serdes(&j.key, &j.value);
        if let Some(d) = j.grace_period {
            body.duration("gracePeriod", d);
        }
        self.add(op, j.name, &[&t.id], body)
    }

    /// Joins each record with the row of the key that `keys` answers.
    pub fn join_global_table(&self, t: &GlobalKTable, keys: impl Into<Function>, f: impl Into<Function>) -> Self {
        self.with_global("join", t, keys.into(), f.into())
    }

    /// [`KStream::join_global_table`] where records without a row come out with a null right value.
    pub fn left_join_global_table(&self, t: &GlobalKTable, keys: impl Into<Function>, f: impl Into<Function>) -> Self {
        self.with_global("leftJoin", t, keys.into(), f.into())
    }

    fn with_global(&self, op: &'static str, t: &GlobalKTable, keys: Function, f: Function) -> Self {
        let mut body = joiner(&self.topology.place(f));
        body.function("keyMapper", Some(&self.topology.place(keys)));
        self.add(op, "", &[&t.id], body)
    }

    /// Hands the records to a processor ([`process`](crate::process)), with the stores that it may use; without any
    /// those that the processor names. The key counts as changed, but a stateful operator afterwards does not
    /// repartition: say [`KStream::repartition`].
    pub fn process(&self, f: impl Into<Function>, stores: &[&str]) -> Self {
        let body = with_stores(self.topology.place(f), stores);
        self.add("process", "", &[], body)
    }

    /// [`KStream::process`] for a processor that leaves keys alone ([`process_values`](crate::process_values)).
    pub fn process_values(&self, f: impl Into<Function>, stores: &[&str]) -> Self {
        let body = with_stores(self.topology.place(f), stores);
        self.add("processValues", "", &[], body)
    }

    /// Writes the stream to a topic that exists.
    pub fn to<'a>(&self, topic: &str, p: impl Into<Option<Produced<'a>>>) {
        let mut body = Object::default();
        body.text("topic", topic);
        self.sink(body, p.into());
    }

    /// Writes each record to the topic that `f` answers for it
    /// ([`topic_name_extractor`](crate::topic_name_extractor)). The topics must exist.
    pub fn to_extracted<'a>(&self, f: impl Into<Function>, p: impl Into<Option<Produced<'a>>>) {
        let mut body = Object::default();
        body.function("topicExtractor", Some(&self.topology.place(f)));
        self.sink(body, p.into());
    }

    fn sink(&self, mut body: Object, p: Option<Produced<'_>>) {
        let p = p.unwrap_or_default();
        let name = p.name;
        self.topology.produced(&mut body, p);
        self.add("to", name, &[], body);
    }
}

/// A stream that is being divided.
pub struct BranchedKStream {
    split: KStream,
}

impl BranchedKStream {
    /// The stream of the records for which `f` says yes and no branch before it did; "" numbers it.
    pub fn branch(&self, f: impl Into<Function>, name: &str) -> KStream {
        let f = self.split.topology.place(f);
        KStream::of(self.split.topology.clone(), self.split.topology.branch(&self.split.id, Some(f), name))
    }

    /// The stream of the records that no branch wants; without it they are dropped.
    pub fn default_branch(&self, name: &str) -> KStream {
        KStream::of(self.split.topology.clone(), self.split.topology.branch(&self.split.id, None, name))
    }
}

/// The body of an operator that joins.
pub(super) fn joiner(f: &Placed) -> Object {
    let mut body = Object::default();
    body.fields(&f.fields);
    body.given("result", f.out_value.name());
    body
}

/// The body of a groupBy: serdes that are not given are those of what the function makes.
pub(super) fn grouped(f: Placed, g: &Grouped<'_>) -> Object {
    let mut body = Object::default();
    body.fields(&f.fields);
    body.serdes(
        if g.key.name().is_empty() { &f.out_key } else { &g.key },
        if g.value.name().is_empty() { &f.out_value } else { &g.value },
    );
    body
}

pub(super) fn with_stores(f: Placed, stores: &[&str]) -> Object {
    let mut body = Object::default();
    body.fields(&f.fields);
    if !stores.is_empty() {
        body.texts("stores", stores);
    } else if !f.stores.is_empty() {
        body.texts("stores", &f.stores);
    }
    body
}
