use super::call::Function;
use super::object::Object;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

/// Names how keys or values are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serde(Cow<'static, str>);

impl Serde {
    /// That of the application, or what the functions before say.
    pub const DEFAULT: Self = Self(Cow::Borrowed(""));
    /// Bytes as they are.
    pub const BYTES: Self = Self(Cow::Borrowed("bytes"));
    /// Text in UTF-8.
    pub const STRING: Self = Self(Cow::Borrowed("string"));
    /// A number of 8 bytes.
    pub const LONG: Self = Self(Cow::Borrowed("long"));
    /// A number of 4 bytes.
    pub const INT: Self = Self(Cow::Borrowed("int"));
    /// A number of 2 bytes.
    pub const SHORT: Self = Self(Cow::Borrowed("short"));
    /// A floating-point number of 4 bytes.
    pub const FLOAT: Self = Self(Cow::Borrowed("float"));
    /// A floating-point number of 8 bytes.
    pub const DOUBLE: Self = Self(Cow::Borrowed("double"));
    /// True or false.
    pub const BOOLEAN: Self = Self(Cow::Borrowed("boolean"));
    /// A UUID as text.
    pub const UUID: Self = Self(Cow::Borrowed("uuid"));
    /// A JSON document.
    pub const JSON: Self = Self(Cow::Borrowed("json"));

    /// Lists of what this one writes.
    pub fn list(&self) -> Self {
        Self(Cow::Owned(format!("list({})", self.0)))
    }

    /// Keys of windows of a size.
    pub fn time_windowed(&self, size: Duration) -> Self {
        Self(Cow::Owned(format!("timeWindowed({},{})", self.0, size.as_millis())))
    }

    /// Keys of sessions.
    pub fn session_windowed(&self) -> Self {
        Self(Cow::Owned(format!("sessionWindowed({})", self.0)))
    }

    /// Its name in documents, "" for [`Serde::DEFAULT`].
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Says how a source reads. What is not given are the application's defaults.
#[derive(Default)]
pub struct Consumed<'a> {
    /// The name of the node.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
    /// Where to begin without a committed offset: `earliest`, `latest`, `none`, or "".
    pub offset_reset: &'a str,
    /// Begins so long before now (Kafka's `AutoOffsetReset.byDuration`), in place of `offset_reset`.
    pub offset_reset_by: Option<Duration>,
    /// Kafka's class name without the package, e.g. `WallclockTimestampExtractor`, or "".
    pub timestamp_extractor: &'a str,
    /// A function of this module in its place ([`timestamp_extractor`](crate::timestamp_extractor)).
    pub timestamps: Option<Function>,
    /// Takes keys out of the form of the topic ([`deserializer`](crate::deserializer)); `key` is the serde of what it gives.
    pub key_deserializer: Option<Function>,
    /// Takes values out of the form of the topic; `value` is the serde of what it gives.
    pub value_deserializer: Option<Function>,
}

impl Consumed<'_> {
    /// Kafka's `Consumed.with`.
    pub fn with(key: Serde, value: Serde) -> Self {
        Self { key, value, ..Self::default() }
    }
}

/// Says how a sink writes. Serdes that are not given are those of the stream, then the application's defaults.
#[derive(Default)]
pub struct Produced<'a> {
    /// The name of the node.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
    /// Is asked for the partitions of each record ([`partitioner`](crate::partitioner)). Without it the key decides.
    pub partitioner: Option<Function>,
    /// Gives keys the form of the topic ([`serializer`](crate::serializer)); `key` is the serde of what it is given.
    pub key_serializer: Option<Function>,
    /// Gives values the form of the topic; `value` is the serde of what it is given.
    pub value_serializer: Option<Function>,
}

impl Produced<'_> {
    /// Kafka's `Produced.with`.
    pub fn with(key: Serde, value: Serde) -> Self {
        Self { key, value, ..Self::default() }
    }
}

/// Says how records are regrouped.
#[derive(Default)]
pub struct Grouped<'a> {
    /// Names the repartition topic, and the node that selects the key.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
}

impl Grouped<'_> {
    /// Kafka's `Grouped.with`.
    pub fn with(key: Serde, value: Serde) -> Self {
        Self { key, value, ..Self::default() }
    }
}

/// Says how records go through a repartition topic.
#[derive(Default)]
pub struct Repartitioned<'a> {
    /// Names the topic.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
    /// How many partitions the topic has; 0 follows the sources.
    pub partitions: u32,
    /// Is asked for the partition of each record. Without it the key decides.
    pub partitioner: Option<Function>,
}

/// Describes the store of a table. The default is Kafka's: persistent, cached, logged, under a generated name.
#[derive(Clone, Default)]
pub struct Materialized<'a> {
    /// The name of the store, "" for a generated one.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of values.
    pub value: Serde,
    /// Keeps the rows in memory, Kafka's `StoreType.IN_MEMORY`.
    pub in_memory: bool,
    /// Keeps the rows on disk, Kafka's `StoreType.ROCKS_DB`; without either `dsl.store.suppliers.class` says.
    pub persistent: bool,
    /// Forwards every update.
    pub caching_disabled: bool,
    /// Writes no changelog.
    pub logging_disabled: bool,
    /// Settings of the changelog topic.
    pub changelog: &'a [(&'a str, &'a str)],
    /// How long windows or sessions stay in the store; otherwise as long as they take records.
    pub retention: Option<Duration>,
    /// Keeps the versions of each row for this long (KIP-889); there is no cache then.
    pub history_retention: Option<Duration>,
}

impl<'a> Materialized<'a> {
    /// Kafka's `Materialized.as`.
    pub fn named(name: &'a str) -> Self {
        Self { name, ..Self::default() }
    }

    /// Kafka's `Materialized.with`.
    pub fn with(key: Serde, value: Serde) -> Self {
        Self { key, value, ..Self::default() }
    }

    pub(super) fn write(&self, o: &mut Object) {
        let mut body = Object::default();
        body.given("name", self.name);
        body.serdes(&self.key, &self.value);
        body.flag("inMemory", self.in_memory);
        if self.persistent {
            body.text("storeType", "ROCKS_DB");
        }
        body.unless("caching", self.caching_disabled);
        body.logged(self.logging_disabled, self.changelog);
        if let Some(d) = self.retention {
            body.duration("retention", d);
        }
        if let Some(d) = self.history_retention {
            body.duration("historyRetention", d);
        }
        if !body.is_empty() {
            o.raw("materialized", &body.json());
        }
    }
}

/// Says how a stream is joined with a table.
#[derive(Default)]
pub struct Joined<'a> {
    /// The name of the node.
    pub name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of the stream's values.
    pub value: Serde,
    /// Holds records of the stream back until the versioned table is complete up to their time (KIP-923).
    pub grace_period: Option<Duration>,
}

/// A store that a join of streams is given (Kafka's `WindowBytesStoreSupplier`).
#[derive(Clone, Copy, Default)]
pub struct JoinStore<'a> {
    /// Its name.
    pub name: &'a str,
    /// How long records stay in it: that of the join's windows and grace.
    pub retention: Duration,
    /// The length of the join's windows.
    pub window_size: Duration,
    /// Keeps the records in memory.
    pub in_memory: bool,
}

impl JoinStore<'_> {
    fn json(&self) -> String {
        let mut o = Object::default();
        o.text("name", self.name);
        o.duration("retention", self.retention);
        o.duration("windowSize", self.window_size);
        o.flag("inMemory", self.in_memory);
        o.json()
    }
}

/// Says how two streams are joined.
#[derive(Default)]
pub struct StreamJoined<'a> {
    /// The name of the nodes.
    pub name: &'a str,
    /// The name of the stores.
    pub store_name: &'a str,
    /// The serde of keys.
    pub key: Serde,
    /// The serde of the left values.
    pub value: Serde,
    /// The serde of the right values.
    pub other_value: Serde,
    /// Keeps the windows in memory.
    pub in_memory: bool,
    /// Writes no changelogs.
    pub logging_disabled: bool,
    /// Settings of the changelog topics.
    pub changelog: &'a [(&'a str, &'a str)],
    /// The store of this stream, in place of the generated one.
    pub this_store: Option<JoinStore<'a>>,
    /// The store of the other stream.
    pub other_store: Option<JoinStore<'a>>,
}

impl StreamJoined<'_> {
    pub(super) fn write(&self, o: &mut Object) {
        o.serdes(&self.key, &self.value);
        o.given("otherValue", self.other_value.name());
        o.given("storeName", self.store_name);
        o.flag("inMemory", self.in_memory);
        o.logged(self.logging_disabled, self.changelog);
        for (key, store) in [("thisStore", self.this_store), ("otherStore", self.other_store)] {
            if let Some(s) = store {
                o.raw(key, &s.json());
            }
        }
    }
}

/// Says how tables are joined by a foreign key.
#[derive(Default)]
pub struct TableJoined<'a> {
    /// The name of nodes, topics and store.
    pub name: &'a str,
    /// Is asked for the partitions of the subscriptions.
    pub partitioner: Option<Function>,
    /// Is asked for the partitions of the responses.
    pub other_partitioner: Option<Function>,
}

/// Says where records are printed, for people.
#[derive(Default)]
pub struct Printed<'a> {
    /// The name of the node.
    pub name: &'a str,
    /// Stands before each record.
    pub label: &'a str,
    /// Gives the text of a record ([`map_values`](crate::map_values)); without it that is "key, value".
    pub mapper: Option<Function>,
}
