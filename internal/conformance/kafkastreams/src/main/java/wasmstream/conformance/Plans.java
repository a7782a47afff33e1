package wasmstream.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.ValueMapper;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Topologies that a case spells out call by call. */
@SuppressWarnings({"unchecked", "rawtypes", "deprecation"})
final class Plans {
    private static final Predicate<String, String> NOT_ROUND = (k, v) -> v == null || !v.endsWith("0");
    private static final Predicate<Object, Object> NOT_ROUND_ROW = (k, v) -> !String.valueOf(v).endsWith("0");
    private static final ValueMapper<String, String> DOTTED = v -> v == null ? null : v + ".";
    private static final ValueJoiner<String, String, String> PLUS = (l, r) -> l + "+" + r;
    private static final Initializer<String> EMPTY = () -> "";
    private static final int AMPLE = 3600000;

    private final StreamsBuilder b;
    private final Map<String, Object> made = new HashMap<>();

    private Plans(StreamsBuilder b) {
        this.b = b;
    }

    static Families.Keys build(JsonNode spec, StreamsBuilder b) {
        Plans p = new Plans(b);
        for (JsonNode step : spec.get("steps")) {
            List<Object> results = p.make(step);
            for (int i = 0; i < results.size() && step.has("ids"); i++) {
                p.made.put(step.get("ids").get(i).asText(), results.get(i));
            }
        }
        return Families.strings();
    }

    private List<Object> make(JsonNode s) {
        String op = s.get("op").asText();
        if (op.equals("split")) {
            return split(s);
        }
        if (op.equals("to")) {
            stream(s).to("out", has(s, "name") ? Produced.as(text(s, "name")) : Produced.with(null, null));
            return List.of();
        }
        if (op.equals("addStateStore")) {
            b.addStateStore(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(text(s, "store")), Serdes.String(), Serdes.String()));
            return List.of();
        }
        return List.of(switch (op) {
            case "stream", "table", "globalTable" -> source(op, s);
            case "groupByKey", "groupBy", "tableGroupBy", "cogroup" -> group(op, s);
            case "count", "reduce", "aggregate" -> aggregate(op, s);
            case "join", "joinTable", "joinGlobalTable", "tableJoin", "foreignKeyJoin" -> join(op, s);
            case "toStream", "unwindow", "tableFilter", "tableFilterNot", "tableMapValues", "numbers", "transformValues", "suppress" -> table(op, s);
            default -> stateless(op, s);
        });
    }

    private Object source(String op, JsonNode s) {
        List<String> topics = new ArrayList<>();
        s.get("topics").forEach(t -> topics.add(t.asText()));
        Consumed c = has(s, "name") ? Consumed.as(text(s, "name")) : Consumed.with(null, (Serde) null);
        return switch (op) {
            case "stream" -> b.stream(topics, c);
            case "table" -> has(s, "store") ? b.table(topics.get(0), c, named(s)) : b.table(topics.get(0), c);
            default -> has(s, "store") ? b.globalTable(topics.get(0), c, Materialized.as(text(s, "store"))) : b.globalTable(topics.get(0), c);
        };
    }

    private KStream<String, String> stream(JsonNode s) {
        return (KStream<String, String>) of(s, 0);
    }

    private Object of(JsonNode s, int i) {
        return made.get(s.get("of").get(i).asText());
    }

    private Object stateless(String op, JsonNode s) {
        KStream<String, String> in = stream(s);
        Named n = has(s, "name") ? Named.as(text(s, "name")) : null;
        String[] stores = has(s, "store") ? new String[] {text(s, "store")} : new String[0];
        return switch (op) {
            case "filter" -> n == null ? in.filter(NOT_ROUND) : in.filter(NOT_ROUND, n);
            case "filterNot" -> n == null ? in.filterNot(NOT_ROUND) : in.filterNot(NOT_ROUND, n);
            case "mapValues" -> n == null ? in.mapValues(DOTTED) : in.mapValues(DOTTED, n);
            case "map" -> n == null ? in.map((k, v) -> KeyValue.pair(part(v), v)) : in.map((k, v) -> KeyValue.pair(part(v), v), n);
            case "selectKey" -> n == null ? in.selectKey((k, v) -> part(v)) : in.selectKey((k, v) -> part(v), n);
            case "flatMapValues" -> n == null ? in.flatMapValues(v -> List.of("." + v, "'" + v)) : in.flatMapValues(v -> List.of("." + v, "'" + v), n);
            case "peek" -> n == null ? in.peek((k, v) -> {}) : in.peek((k, v) -> {}, n);
            case "merge" -> n == null ? in.merge((KStream<String, String>) of(s, 1)) : in.merge((KStream<String, String>) of(s, 1), n);
            case "repartition" -> repartition(in, s);
            case "process" -> n == null ? in.process(() -> new Numbering(s), stores) : in.process(() -> new Numbering(s), n, stores);
            case "processValues" -> n == null ? in.processValues(() -> new FixedNumbering(s), stores) : in.processValues(() -> new FixedNumbering(s), n, stores);
            case "toTable" -> toTable(in, n, s);
            default -> throw new UnsupportedOperationException(op);
        };
    }

    private static KStream<String, String> repartition(KStream<String, String> in, JsonNode s) {
        Repartitioned<String, String> r = has(s, "name") ? Repartitioned.as(text(s, "name")) : Repartitioned.with(null, (Serde) null);
        return in.repartition(has(s, "partitions") ? r.withNumberOfPartitions(s.get("partitions").asInt()) : r);
    }

    private static KTable<String, String> toTable(KStream<String, String> in, Named n, JsonNode s) {
        Materialized m = kept(s, Serdes.String());
        return n == null ? m == null ? in.toTable() : in.toTable(m) : m == null ? in.toTable(n) : in.toTable(n, m);
    }

    private List<Object> split(JsonNode s) {
        KStream<String, String> in = stream(s);
        var split = has(s, "name") ? in.split(Named.as(text(s, "name"))) : in.split();
        if (has(s, "grouped")) {
            Map<String, KStream<String, String>> parts = split.branch(NOT_ROUND, Branched.as(text(s, "grouped")))
                .defaultBranch(Branched.as(text(s, "grouped") + "-not"));
            return new ArrayList<>(parts.entrySet().stream().sorted(Map.Entry.comparingByKey()).map(Map.Entry::getValue).toList());
        }
        Map<String, KStream<String, String>> parts = split.branch(NOT_ROUND).defaultBranch();
        return new ArrayList<>(parts.entrySet().stream()
            .sorted(Map.Entry.comparingByKey(Comparator.reverseOrder())).map(Map.Entry::getValue).toList());
    }

    /** The store that is named or wanted, or null. */
    private static Materialized kept(JsonNode s, Serde value) {
        boolean wanted = s.path("kept").asBoolean();
        Materialized m = has(s, "store") ? named(s) : wanted ? Materialized.with(Serdes.String(), value) : null;
        if (m != null && wanted) {
            m = m.withKeySerde(Serdes.String()).withValueSerde(value);
        }
        return m == null || !has(s, "windows") ? m : m.withRetention(Duration.ofMillis(AMPLE));
    }

    private static Materialized named(JsonNode s) {
        return has(s, "history_ms") ? Materialized.as(Stores.persistentVersionedKeyValueStore(text(s, "store"), ms(s, "history_ms")))
            : Materialized.as(text(s, "store"));
    }

    private Object table(String op, JsonNode s) {
        KTable in = (KTable) of(s, 0);
        Named n = has(s, "name") ? Named.as(text(s, "name")) : null;
        Materialized m = kept(s, Serdes.String());
        ValueMapper<Object, String> shown = v -> v == null ? null : String.valueOf(v);
        return switch (op) {
            case "toStream" -> n == null ? in.toStream() : in.toStream(n);
            case "unwindow" -> unwindow(in, n);
            case "tableFilter" -> filter(in, n, m, false);
            case "tableFilterNot" -> filter(in, n, m, true);
            case "tableMapValues" -> mapValues(in, DOTTED, n, m);
            case "numbers" -> mapValues(in, shown, n, m);
            case "transformValues" -> transformValues(in, n, m);
            default -> in.suppress(suppressed(s));
        };
    }

    private static KStream unwindow(KTable<Windowed<String>, ?> in, Named n) {
        return n == null ? in.toStream((k, v) -> k.toString()) : in.toStream((k, v) -> k.toString(), n);
    }

    private static KTable filter(KTable in, Named n, Materialized m, boolean not) {
        if (not) {
            return n == null ? m == null ? in.filterNot(NOT_ROUND_ROW) : in.filterNot(NOT_ROUND_ROW, m)
                : m == null ? in.filterNot(NOT_ROUND_ROW, n) : in.filterNot(NOT_ROUND_ROW, n, m);
        }
        return n == null ? m == null ? in.filter(NOT_ROUND_ROW) : in.filter(NOT_ROUND_ROW, m)
            : m == null ? in.filter(NOT_ROUND_ROW, n) : in.filter(NOT_ROUND_ROW, n, m);
    }

    private static KTable mapValues(KTable in, ValueMapper f, Named n, Materialized m) {
        return n == null ? m == null ? in.mapValues(f) : in.mapValues(f, m) : m == null ? in.mapValues(f, n) : in.mapValues(f, n, m);
    }

    private static KTable transformValues(KTable in, Named n, Materialized m) {
        var f = (org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier<String, String, String>) Dots::new;
        return n == null ? m == null ? in.transformValues(f) : in.transformValues(f, m)
            : m == null ? in.transformValues(f, n) : in.transformValues(f, m, n);
    }

    private static Suppressed suppressed(JsonNode s) {
        Suppressed<?> how = s.path("closes").asBoolean() ? Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())
            : Suppressed.untilTimeLimit(Duration.ofMillis(s.path("size_ms").asLong()), Suppressed.BufferConfig.unbounded());
        return has(s, "name") ? how.withName(text(s, "name")) : how;
    }

    private Object group(String op, JsonNode s) {
        Grouped g = has(s, "grouped") ? Grouped.as(text(s, "grouped")) : Grouped.with(null, null);
        return switch (op) {
            case "groupByKey" -> stream(s).groupByKey(g);
            case "groupBy" -> stream(s).groupBy((k, v) -> part(v), g);
            case "tableGroupBy" -> ((KTable<String, String>) of(s, 0)).groupBy((k, v) -> KeyValue.pair(part(v), v), g);
            default -> {
                CogroupedKStream<String, String> all = ((KGroupedStream<String, String>) of(s, 0)).cogroup(append("0"));
                for (int i = 1; i < s.get("of").size(); i++) {
                    all = all.cogroup((KGroupedStream<String, String>) of(s, i), append(Integer.toString(i)));
                }
                yield all;
            }
        };
    }

    private static Aggregator<String, String, String> append(String separator) {
        return (k, v, a) -> a + separator + v;
    }

    private Object aggregate(String op, JsonNode s) {
        Named n = has(s, "name") ? Named.as(text(s, "name")) : null;
        Materialized m = kept(s, op.equals("count") ? Serdes.Long() : Serdes.String());
        Object of = of(s, 0);
        if (of instanceof KGroupedTable g) {
            return regrouped(op, g, n, m);
        }
        if (of instanceof CogroupedKStream k) {
            return cogrouped(k, s, n, m);
        }
        KGroupedStream<String, String> g = (KGroupedStream<String, String>) of;
        if (has(s, "windows")) {
            return text(s, "windows").equals("session") ? sessions(op, g, s, n, m) : windows(op, g, s, n, m);
        }
        return switch (op) {
            case "count" -> n == null ? m == null ? g.count() : g.count(m) : m == null ? g.count(n) : g.count(n, m);
            case "reduce" -> n == null && m == null ? g.reduce((a, v) -> a + "|" + v)
                : n == null ? g.reduce((a, v) -> a + "|" + v, m) : g.reduce((a, v) -> a + "|" + v, n, some(m));
            default -> n == null && m == null ? g.aggregate(EMPTY, append("|"))
                : n == null ? g.aggregate(EMPTY, append("|"), m) : g.aggregate(EMPTY, append("|"), n, some(m));
        };
    }

    /** Where Kafka has no method with a name alone. */
    private static Materialized some(Materialized m) {
        return m == null ? Materialized.with(null, null) : m;
    }

    private static Object regrouped(String op, KGroupedTable g, Named n, Materialized m) {
        Aggregator<String, String, String> add = append("+");
        Aggregator<String, String, String> take = append("-");
        org.apache.kafka.streams.kstream.Reducer<String> plus = (a, v) -> a + "+" + v;
        org.apache.kafka.streams.kstream.Reducer<String> minus = (a, v) -> a + "-" + v;
        return switch (op) {
            case "count" -> n == null ? m == null ? g.count() : g.count(m) : m == null ? g.count(n) : g.count(n, m);
            case "reduce" -> n == null ? m == null ? g.reduce(plus, minus) : g.reduce(plus, minus, m) : g.reduce(plus, minus, n, some(m));
            default -> n == null ? m == null ? g.aggregate(EMPTY, add, take) : g.aggregate(EMPTY, add, take, m)
                : m == null ? g.aggregate(EMPTY, add, take, n) : g.aggregate(EMPTY, add, take, n, m);
        };
    }

    private static Object cogrouped(CogroupedKStream k, JsonNode s, Named n, Materialized m) {
        org.apache.kafka.streams.kstream.Merger<String, String> merge = (key, a, c) -> a + "&" + c;
        if (!has(s, "windows")) {
            return n == null ? m == null ? k.aggregate(EMPTY) : k.aggregate(EMPTY, m) : m == null ? k.aggregate(EMPTY, n) : k.aggregate(EMPTY, n, m);
        }
        return switch (text(s, "windows")) {
            case "session" -> n == null ? k.windowedBy(session(s)).aggregate(EMPTY, merge, m) : k.windowedBy(session(s)).aggregate(EMPTY, merge, n, m);
            case "sliding" -> n == null ? k.windowedBy(sliding(s)).aggregate(EMPTY, m) : k.windowedBy(sliding(s)).aggregate(EMPTY, n, m);
            default -> n == null ? k.windowedBy(time(s)).aggregate(EMPTY, m) : k.windowedBy(time(s)).aggregate(EMPTY, n, m);
        };
    }

    private static Object windows(String op, KGroupedStream<String, String> g, JsonNode s, Named n, Materialized m) {
        var w = (text(s, "windows").equals("sliding") ? g.windowedBy(sliding(s)) : g.windowedBy(time(s))).emitStrategy(emission(s));
        return switch (op) {
            case "count" -> n == null ? w.count(m) : w.count(n, m);
            case "reduce" -> n == null ? w.reduce((a, v) -> a + "|" + v, m) : w.reduce((a, v) -> a + "|" + v, n, m);
            default -> n == null ? w.aggregate(EMPTY, append("|"), m) : w.aggregate(EMPTY, append("|"), n, m);
        };
    }

    private static Object sessions(String op, KGroupedStream<String, String> g, JsonNode s, Named n, Materialized m) {
        var w = g.windowedBy(session(s)).emitStrategy(emission(s));
        return switch (op) {
            case "count" -> n == null ? w.count(m) : w.count(n, m);
            case "reduce" -> n == null ? w.reduce((a, v) -> a + "|" + v, m) : w.reduce((a, v) -> a + "|" + v, n, m);
            default -> n == null ? w.aggregate(EMPTY, append("|"), (k, a, c) -> a + "&" + c, m)
                : w.aggregate(EMPTY, append("|"), (k, a, c) -> a + "&" + c, n, m);
        };
    }

    private static EmitStrategy emission(JsonNode s) {
        return s.path("closes").asBoolean() ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate();
    }

    private static TimeWindows time(JsonNode s) {
        return TimeWindows.ofSizeAndGrace(ms(s, "size_ms"), ms(s, "grace_ms")).advanceBy(ms(s, "step_ms"));
    }

    private static SlidingWindows sliding(JsonNode s) {
        return SlidingWindows.ofTimeDifferenceAndGrace(ms(s, "size_ms"), ms(s, "grace_ms"));
    }

    private static SessionWindows session(JsonNode s) {
        return SessionWindows.ofInactivityGapAndGrace(ms(s, "size_ms"), ms(s, "grace_ms"));
    }

    private Object join(String op, JsonNode s) {
        String kind = text(s, "join");
        Named n = has(s, "name") ? Named.as(text(s, "name")) : null;
        return switch (op) {
            case "join" -> joinStreams(kind, s);
            case "joinTable" -> {
                Joined<String, String, String> j = has(s, "name") ? Joined.as(text(s, "name")) : Joined.with(null, null, null);
                KTable<String, String> t = (KTable<String, String>) of(s, 1);
                j = s.path("graceful").asBoolean() ? j.withGracePeriod(ms(s, "grace_ms")) : j;
                yield kind.equals("left") ? stream(s).leftJoin(t, PLUS, j) : stream(s).join(t, PLUS, j);
            }
            case "joinGlobalTable" -> {
                GlobalKTable<String, String> t = (GlobalKTable<String, String>) of(s, 1);
                yield kind.equals("left") ? n == null ? stream(s).leftJoin(t, (k, v) -> part(v), PLUS) : stream(s).leftJoin(t, (k, v) -> part(v), PLUS, n)
                    : n == null ? stream(s).join(t, (k, v) -> part(v), PLUS) : stream(s).join(t, (k, v) -> part(v), PLUS, n);
            }
            case "tableJoin" -> joinTables(kind, (KTable) of(s, 0), (KTable) of(s, 1), n, kept(s, Serdes.String()));
            default -> foreignKey(kind, (KTable<String, String>) of(s, 0), (KTable<String, String>) of(s, 1), s);
        };
    }

    private KStream<String, String> joinStreams(String kind, JsonNode s) {
        JoinWindows w = JoinWindows.ofTimeDifferenceAndGrace(ms(s, "size_ms"), ms(s, "grace_ms"));
        StreamJoined<String, String, String> j = StreamJoined.with(null, null, null); // as() would name the stores
        if (has(s, "name")) {
            j = j.withName(text(s, "name"));
        }
        if (has(s, "store")) {
            j = j.withStoreName(text(s, "store"));
        }
        KStream<String, String> other = (KStream<String, String>) of(s, 1);
        return switch (kind) {
            case "left" -> stream(s).leftJoin(other, PLUS, w, j);
            case "outer" -> stream(s).outerJoin(other, PLUS, w, j);
            default -> stream(s).join(other, PLUS, w, j);
        };
    }

    private static KTable joinTables(String kind, KTable l, KTable r, Named n, Materialized m) {
        return switch (kind) {
            case "left" -> n == null ? m == null ? l.leftJoin(r, PLUS) : l.leftJoin(r, PLUS, m) : m == null ? l.leftJoin(r, PLUS, n) : l.leftJoin(r, PLUS, n, m);
            case "outer" -> n == null ? m == null ? l.outerJoin(r, PLUS) : l.outerJoin(r, PLUS, m)
                : m == null ? l.outerJoin(r, PLUS, n) : l.outerJoin(r, PLUS, n, m);
            default -> n == null ? m == null ? l.join(r, PLUS) : l.join(r, PLUS, m) : m == null ? l.join(r, PLUS, n) : l.join(r, PLUS, n, m);
        };
    }

    private static KTable foreignKey(String kind, KTable<String, String> l, KTable<String, String> r, JsonNode s) {
        TableJoined<String, String> j = has(s, "name") ? TableJoined.as(text(s, "name")) : TableJoined.with(null, null);
        Materialized m = has(s, "store") ? Materialized.as(text(s, "store")) : null;
        if (kind.equals("left")) {
            return m == null ? l.leftJoin(r, Plans::part, PLUS, j) : l.leftJoin(r, Plans::part, PLUS, j, m);
        }
        return m == null ? l.join(r, Plans::part, PLUS, j) : l.join(r, Plans::part, PLUS, j, m);
    }

    /** The part before ':', null for n and for null. */
    private static String part(String value) {
        if (value == null) {
            return null;
        }
        int end = value.indexOf(':');
        String part = end < 0 ? value : value.substring(0, end);
        return part.equals("n") ? null : part;
    }

    private static boolean has(JsonNode s, String key) {
        return s.has(key) && !s.get(key).asText().isEmpty();
    }

    private static String text(JsonNode s, String key) {
        return s.get(key).asText();
    }

    private static Duration ms(JsonNode s, String key) {
        return Duration.ofMillis(s.path(key).asLong());
    }

    private static final class Dots implements org.apache.kafka.streams.kstream.ValueTransformerWithKey<String, String, String> {
        @Override
        public void init(org.apache.kafka.streams.processor.ProcessorContext c) {}

        @Override
        public String transform(String key, String value) {
            return value == null ? null : value + ".";
        }

        @Override
        public void close() {}
    }

    /** The mark behind the values of a key. */
    private static String mark(KeyValueStore<String, String> rows, String key) {
        if (rows == null || key == null) {
            return "p";
        }
        String before = rows.get(key);
        String mark = (before == null ? "" : before) + "p";
        rows.put(key, mark);
        return mark;
    }

    private static final class Numbering implements Processor<String, String, String, String> {
        private final JsonNode spec;
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, String> rows;

        Numbering(JsonNode spec) {
            this.spec = spec;
        }

        @Override
        public void init(ProcessorContext<String, String> c) {
            context = c;
            rows = has(spec, "store") ? c.getStateStore(text(spec, "store")) : null;
        }

        @Override
        public void process(Record<String, String> r) {
            context.forward(r.withValue(r.value() + mark(rows, r.key())));
        }
    }

    private static final class FixedNumbering implements FixedKeyProcessor<String, String, String> {
        private final JsonNode spec;
        private FixedKeyProcessorContext<String, String> context;
        private KeyValueStore<String, String> rows;

        FixedNumbering(JsonNode spec) {
            this.spec = spec;
        }

        @Override
        public void init(FixedKeyProcessorContext<String, String> c) {
            context = c;
            rows = has(spec, "store") ? c.getStateStore(text(spec, "store")) : null;
        }

        @Override
        public void process(FixedKeyRecord<String, String> r) {
            context.forward(r.withValue(r.value() + mark(rows, r.key())));
        }
    }
}
