use super::builder::Shared;
use super::call::Function;
use super::grouped::KGroupedTable;
use super::kstream::{KStream, grouped, joiner, with_stores};
use super::object::Object;
use super::params::{Grouped, Materialized, TableJoined};
use super::windows::Suppressed;
use alloc::string::String;

/// A table: the latest value of each key, and the stream of its changes. Each method adds an operator and returns what is
/// behind it.
#[derive(Clone)]
pub struct KTable {
    pub(super) topology: Shared,
    pub(super) id: String,
}

impl KTable {
    /// Names the node of the last operator, as Kafka's `Named.as`.
    pub fn named(self, name: &str) -> Self {
        self.topology.rename(&self.id, name);
        self
    }

    /// Keeps the rows for which `f` says yes. A row for which it says so no more is deleted.
    pub fn filter<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> Self {
        self.call("filter", f.into(), m.into())
    }

    /// Drops the rows for which `f` says yes.
    pub fn filter_not<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> Self {
        self.call("filterNot", f.into(), m.into())
    }

    /// Replaces each value by the one that `f` answers.
    pub fn map_values<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> Self {
        self.call("mapValues", f.into(), m.into())
    }

    fn call(&self, op: &'static str, f: Function, m: Option<Materialized<'_>>) -> Self {
        let f = self.topology.place(f);
        let mut body = Object::default();
        body.fields(&f.fields);
        body.given("value", f.out_value.name());
        m.unwrap_or_default().write(&mut body);
        self.add(op, "", &[], body)
    }

    fn add(&self, op: &'static str, name: &str, others: &[&str], body: Object) -> Self {
        let mut from = alloc::vec![self.id.as_str()];
        from.extend(others);
        Self { topology: self.topology.clone(), id: self.topology.add(op, name, &from, body) }
    }

    /// Replaces each value by the one that `f` answers, which may use stores: then it is a
    /// [`process_values`](crate::process_values). It is asked about deletions too, with a null value.
    pub fn transform_values<'a>(
        &self,
        f: impl Into<Function>,
        stores: &[&str],
        m: impl Into<Option<Materialized<'a>>>,
    ) -> Self {
        let mut body = with_stores(self.topology.place(f), stores);
        m.into().unwrap_or_default().write(&mut body);
        self.add("transformValues", "", &[], body)
    }

    /// The changes of the table as a stream.
    pub fn to_stream(&self) -> KStream {
        let at = self.add("toStream", "", &[], Object::default());
        KStream::of(at.topology, at.id)
    }

    /// The changes of the table as a stream with the keys that `f` answers. `name` names the stream's node, "" does not.
    pub fn to_stream_by(&self, f: impl Into<Function>, name: &str) -> KStream {
        self.to_stream().named(name).select_key(f)
    }

    /// Gives each row the key and the value that `f` answers ([`map`](crate::map)) and groups by the key.
    pub fn group_by<'a>(&self, f: impl Into<Function>, g: impl Into<Option<Grouped<'a>>>) -> KGroupedTable {
        let g = g.into().unwrap_or_default();
        let body = grouped(self.topology.place(f), &g);
        let at = self.add("groupBy", g.name, &[], body);
        KGroupedTable { topology: at.topology, id: at.id }
    }

    /// Joins rows of the same key; `f` sees left and right.
    pub fn join<'a>(&self, other: &KTable, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> Self {
        self.join_table("join", other, f.into(), m.into())
    }

    /// [`KTable::join`] where rows of this table without another come out with a null right value.
    pub fn left_join<'a>(
        &self,
        other: &KTable,
        f: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> Self {
        self.join_table("leftJoin", other, f.into(), m.into())
    }

    /// [`KTable::join`] where rows of both tables come out alone with the other value null.
    pub fn outer_join<'a>(
        &self,
        other: &KTable,
        f: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> Self {
        self.join_table("outerJoin", other, f.into(), m.into())
    }

    fn join_table(&self, op: &'static str, other: &KTable, f: Function, m: Option<Materialized<'_>>) -> Self {
        let mut body = joiner(&self.topology.place(f));
        m.unwrap_or_default().write(&mut body);
        self.add(op, "", &[&other.id], body)
    }

    /// Joins each row with the row of `other` whose key `foreign_key` answers (a [`select_key`](crate::select_key) or an
    /// expression over `key` and `value`).
    pub fn join_foreign_key<'a>(
        &self,
        other: &KTable,
        foreign_key: impl Into<Function>,
        f: impl Into<Function>,
        j: impl Into<Option<TableJoined<'a>>>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> Self {
        self.join_foreign("join", other, foreign_key.into(), f.into(), j.into(), m.into())
    }

    /// [`KTable::join_foreign_key`] where rows without another come out with a null right value.
    pub fn left_join_foreign_key<'a>(
        &self,
        other: &KTable,
        foreign_key: impl Into<Function>,
        f: impl Into<Function>,
        j: impl Into<Option<TableJoined<'a>>>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> Self {
        self.join_foreign("leftJoin", other, foreign_key.into(), f.into(), j.into(), m.into())
    }

    fn join_foreign(
        &self,
        op: &'static str,
        other: &KTable,
        foreign_key: Function,
        f: Function,
        j: Option<TableJoined<'_>>,
        m: Option<Materialized<'_>>,
    ) -> Self {
        let j = j.unwrap_or_default();
        let place = |f: Function| self.topology.place(f);
        let mut body = joiner(&place(f));
        body.function("foreignKey", Some(&place(foreign_key)));
        body.function("partitioner", j.partitioner.map(place).as_ref());
        body.function("otherPartitioner", j.other_partitioner.map(place).as_ref());
        m.unwrap_or_default().write(&mut body);
        self.add(op, j.name, &[&other.id], body)
    }

    /// Holds the changes of the table back.
    pub fn suppress(&self, s: Suppressed<'_>) -> Self {
        let mut body = Object::default();
        s.write(&mut body);
        self.add("suppress", "", &[], body)
    }
}
