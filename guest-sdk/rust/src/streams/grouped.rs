use super::builder::Shared;
use super::call::{Function, Placed};
use super::ktable::KTable;
use super::object::{Object, list};
use super::params::Materialized;
use super::windows::{EmitStrategy, SessionWindows, Windows};
use alloc::string::String;
use alloc::vec::Vec;

/// A stream in groups, which waits for an aggregation.
#[derive(Clone)]
pub struct KGroupedStream {
    pub(super) topology: Shared,
    pub(super) id: String,
}

impl KGroupedStream {
    /// Counts the records of each key, in a table of longs.
    pub fn count<'a>(&self, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.topology.count(&self.id, m.into())
    }

    /// Combines the values of each key by `f` ([`reducer`](crate::reducer)).
    pub fn reduce<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.topology.reduce(&self.id, f.into(), m.into())
    }

    /// Aggregates the values of each key, beginning with what `initializer` answers.
    pub fn aggregate<'a>(
        &self,
        initializer: impl Into<Function>,
        aggregator: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let functions = [("initializer", initializer.into()), ("aggregator", aggregator.into())];
        self.topology.aggregate(&self.id, functions, m.into())
    }

    /// Divides the groups into time, unlimited or sliding windows.
    pub fn windowed_by(&self, w: impl Windows) -> TimeWindowedKStream {
        TimeWindowedKStream(Windowed::new(&self.topology, &self.id, w.document()))
    }

    /// Divides the groups into sessions.
    pub fn windowed_by_sessions(&self, w: SessionWindows) -> SessionWindowedKStream {
        SessionWindowedKStream(Windowed::new(&self.topology, &self.id, ("sessionWindows", w.json())))
    }

    /// Begins an aggregation of several grouped streams into one table.
    pub fn cogroup(&self, aggregator: impl Into<Function>) -> CogroupedKStream {
        let empty = CogroupedKStream { topology: self.topology.clone(), from: Vec::new(), aggregators: Vec::new() };
        empty.cogroup(self, aggregator)
    }
}

impl Shared {
    fn table(&self, op: &'static str, from: &str, mut body: Object, m: &Materialized<'_>) -> KTable {
        m.write(&mut body);
        KTable { topology: self.clone(), id: self.add(op, "", &[from], body) }
    }

    fn count(&self, from: &str, m: Option<Materialized<'_>>) -> KTable {
        self.table("count", from, Object::default(), &m.unwrap_or_default())
    }

    fn reduce(&self, from: &str, f: Function, m: Option<Materialized<'_>>) -> KTable {
        let mut body = Object::default();
        body.fields(&self.place(f).fields);
        self.table("reduce", from, body, &m.unwrap_or_default())
    }

    /// Writes the functions of an aggregation; the serde of what the first of them gives that says one is that of the
    /// table, if the store says none.
    fn aggregate<const N: usize>(
        &self,
        from: &str,
        functions: [(&str, Function); N],
        m: Option<Materialized<'_>>,
    ) -> KTable {
        let m = m.unwrap_or_default();
        let mut body = Object::default();
        let placed: Vec<(&str, Placed)> = functions.into_iter().map(|(name, f)| (name, self.place(f))).collect();
        for (name, f) in &placed {
            body.function(name, Some(f));
        }
        if m.value.name().is_empty() {
            let value = placed.iter().map(|(_, f)| f.out_value.name()).find(|v| !v.is_empty());
            body.given("value", value.unwrap_or_default());
        }
        self.table("aggregate", from, body, &m)
    }
}

/// A table whose rows are grouped anew, which waits for an aggregation.
#[derive(Clone)]
pub struct KGroupedTable {
    pub(super) topology: Shared,
    pub(super) id: String,
}

impl KGroupedTable {
    /// Counts the rows of each key, in a table of longs.
    pub fn count<'a>(&self, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.topology.count(&self.id, m.into())
    }

    /// Combines the values of each key: `adder` adds a new one, `subtractor` takes an old one out.
    pub fn reduce<'a>(
        &self,
        adder: impl Into<Function>,
        subtractor: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let mut body = Object::default();
        body.function("adder", Some(&self.topology.place(adder)));
        body.function("subtractor", Some(&self.topology.place(subtractor)));
        self.topology.table("reduce", &self.id, body, &m.into().unwrap_or_default())
    }

    /// Aggregates the values of each key, beginning with what `initializer` answers.
    pub fn aggregate<'a>(
        &self,
        initializer: impl Into<Function>,
        adder: impl Into<Function>,
        subtractor: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let functions =
            [("initializer", initializer.into()), ("adder", adder.into()), ("subtractor", subtractor.into())];
        self.topology.aggregate(&self.id, functions, m.into())
    }
}

/// Several grouped streams that become one table.
pub struct CogroupedKStream {
    topology: Shared,
    from: Vec<String>,
    aggregators: Vec<String>,
}

impl CogroupedKStream {
    /// Adds a grouped stream with its aggregator.
    pub fn cogroup(mut self, g: &KGroupedStream, aggregator: impl Into<Function>) -> Self {
        let mut body = Object::default();
        body.fields(&self.topology.place(aggregator).fields);
        self.from.push(g.id.clone());
        self.aggregators.push(body.json());
        self
    }

    /// Writes the cogroup and returns its id.
    fn entry(&self) -> String {
        let mut body = Object::default();
        body.raw("aggregators", &list(&self.aggregators));
        let from: Vec<&str> = self.from.iter().map(String::as_str).collect();
        self.topology.add("cogroup", "", &from, body)
    }

    /// Aggregates the values of all streams, beginning with what `initializer` answers.
    pub fn aggregate<'a>(&self, initializer: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.topology.aggregate(&self.entry(), [("initializer", initializer.into())], m.into())
    }

    /// Divides the groups into time, unlimited or sliding windows.
    pub fn windowed_by(&self, w: impl Windows) -> TimeWindowedCogroupedKStream {
        TimeWindowedCogroupedKStream(Windowed::new(&self.topology, &self.entry(), w.document()))
    }

    /// Divides the groups into sessions.
    pub fn windowed_by_sessions(&self, w: SessionWindows) -> SessionWindowedCogroupedKStream {
        SessionWindowedCogroupedKStream(Windowed::new(&self.topology, &self.entry(), ("sessionWindows", w.json())))
    }
}

/// Groups in windows. The operator is written with the aggregation, so that an emit strategy that is said before counts.
#[derive(Clone)]
struct Windowed {
    topology: Shared,
    from: String,
    kind: &'static str,
    windows: String,
    emit: Option<EmitStrategy>,
}

impl Windowed {
    fn new(topology: &Shared, from: &str, (kind, windows): (&'static str, String)) -> Self {
        Self { topology: topology.clone(), from: from.into(), kind, windows, emit: None }
    }

    fn entry(&self) -> String {
        let mut body = Object::default();
        body.raw(self.kind, &self.windows);
        body.given("emit", self.emit.map_or("", EmitStrategy::name));
        self.topology.add("windowedBy", "", &[&self.from], body)
    }

    fn emitting(&self, s: EmitStrategy) -> Self {
        Self { emit: Some(s), ..self.clone() }
    }
}

/// A grouped stream divided into windows.
pub struct TimeWindowedKStream(Windowed);

impl TimeWindowedKStream {
    /// Says when results are forwarded. It holds for the aggregations that are added afterwards.
    pub fn emit_strategy(&self, s: EmitStrategy) -> Self {
        Self(self.0.emitting(s))
    }

    /// Counts the records of each window, in a table of longs.
    pub fn count<'a>(&self, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.0.topology.count(&self.0.entry(), m.into())
    }

    /// Combines the values of each window by `f`.
    pub fn reduce<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.0.topology.reduce(&self.0.entry(), f.into(), m.into())
    }

    /// Aggregates the values of each window, beginning with what `initializer` answers.
    pub fn aggregate<'a>(
        &self,
        initializer: impl Into<Function>,
        aggregator: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let functions = [("initializer", initializer.into()), ("aggregator", aggregator.into())];
        self.0.topology.aggregate(&self.0.entry(), functions, m.into())
    }
}

/// A grouped stream divided into sessions.
pub struct SessionWindowedKStream(Windowed);

impl SessionWindowedKStream {
    /// Says when results are forwarded. It holds for the aggregations that are added afterwards.
    pub fn emit_strategy(&self, s: EmitStrategy) -> Self {
        Self(self.0.emitting(s))
    }

    /// Counts the records of each session, in a table of longs.
    pub fn count<'a>(&self, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.0.topology.count(&self.0.entry(), m.into())
    }

    /// Combines the values of each session by `f`, and those of sessions that become one.
    pub fn reduce<'a>(&self, f: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.0.topology.reduce(&self.0.entry(), f.into(), m.into())
    }

    /// Aggregates the values of each session; `merger` combines the aggregates of sessions that become one.
    pub fn aggregate<'a>(
        &self,
        initializer: impl Into<Function>,
        aggregator: impl Into<Function>,
        merger: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let functions =
            [("initializer", initializer.into()), ("aggregator", aggregator.into()), ("merger", merger.into())];
        self.0.topology.aggregate(&self.0.entry(), functions, m.into())
    }
}

/// Several grouped streams divided into windows.
pub struct TimeWindowedCogroupedKStream(Windowed);

impl TimeWindowedCogroupedKStream {
    /// Aggregates the values of each window, beginning with what `initializer` answers.
    pub fn aggregate<'a>(&self, initializer: impl Into<Function>, m: impl Into<Option<Materialized<'a>>>) -> KTable {
        self.0.topology.aggregate(&self.0.entry(), [("initializer", initializer.into())], m.into())
    }
}

/// Several grouped streams divided into sessions.
pub struct SessionWindowedCogroupedKStream(Windowed);

impl SessionWindowedCogroupedKStream {
    /// Aggregates the values of each session; `merger` combines the aggregates of sessions that become one.
    pub fn aggregate<'a>(
        &self,
        initializer: impl Into<Function>,
        merger: impl Into<Function>,
        m: impl Into<Option<Materialized<'a>>>,
    ) -> KTable {
        let functions = [("initializer", initializer.into()), ("merger", merger.into())];
        self.0.topology.aggregate(&self.0.entry(), functions, m.into())
    }
}
