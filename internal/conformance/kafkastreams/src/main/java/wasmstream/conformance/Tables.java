package wasmstream.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The families of tables, and of joins with them. */
final class Tables {
    private static final Serde<String> TEXT = Serdes.String();
    private static final ValueJoiner<String, String, String> PLUS = (l, r) -> l + "+" + r;

    private Tables() {}

    static Families.Keys build(String family, JsonNode s, StreamsBuilder b) {
        switch (family) {
            case "stream-table-join" -> joinTable(s, b.stream(text(s, "stream_topic")), b.table(text(s, "table_topic")), null);
            case "stream-table-join-versioned" -> versioned(s, b);
            case "stream-globaltable-join" -> global(s, b);
            case "stream-totable-join" -> {
                KTable<String, String> left = b.<String, String>stream(text(s, "left_topic")).toTable();
                KTable<String, String> right = b.<String, String>stream(text(s, "right_topic")).toTable();
                plain(text(s, "topology").split("[ J]")[1], left, right).toStream().to("out");
            }
            case "table-table-join" -> join(s, b.table(text(s, "left_topic")), b.table(text(s, "right_topic"))).toStream().to("out");
            case "foreign-key-join" -> foreignKey(s, b);
            default -> {
                return changed(family, s, b);
            }
        }
        return Families.strings();
    }

    private static Families.Keys changed(String family, JsonNode s, StreamsBuilder b) {
        switch (family) {
            case "table-table-join-groupby" -> added(plain(text(s, "topology").split(" ")[0],
                b.table(text(s, "left_topic")), b.table(text(s, "right_topic"))));
            case "table-groupby-aggregate" -> added(b.table(text(s, "topic")));
            case "table-filter-tostream" -> filtered(s, flag(s, "source_materialised")
                ? b.table(text(s, "topic"), Materialized.as("source")) : b.table(text(s, "topic"))).toStream().to("out");
            case "table-suppress-time-limit" -> b.<String, String>table(text(s, "topic"))
                .suppress(Suppressed.untilTimeLimit(Families.millis(s, "suppress_time_limit_ms"), buffer(s))).toStream().to("out");
            case "table-filter-groupby-count" -> {
                return counted(filtered(s, b.table(text(s, "topic"))).groupBy((k, v) -> KeyValue.pair(part(v), v), Grouped.with(TEXT, TEXT)));
            }
            case "count-groupby-count" -> {
                return counted(b.<String, String>stream(text(s, "topic")).groupByKey().count()
                    .groupBy((k, v) -> KeyValue.pair(Long.toString(v), v), Grouped.with(TEXT, Serdes.Long())));
            }
            case "window-count-suppress-final" -> {
                return finals(s, b);
            }
            default -> throw new IllegalArgumentException("no family " + family);
        }
        return Families.strings();
    }

    private static Families.Keys counted(KGroupedTable<String, ?> groups) {
        groups.count().toStream().to("out");
        return new Families.Keys(new StringDeserializer(), new LongDeserializer());
    }

    private static void added(KTable<String, String> table) {
        table.groupBy((k, v) -> KeyValue.pair(part(v), v), Grouped.with(TEXT, TEXT))
            .aggregate(() -> "", (k, v, a) -> a + "+" + v, (k, v, a) -> a + "-" + v).toStream().to("out");
    }

    private static KTable<String, String> filtered(JsonNode s, KTable<String, String> table) {
        return flag(s, "filter_result_materialised")
            ? table.filter((k, v) -> !v.endsWith("0"), Materialized.as("filtered")) : table.filter((k, v) -> !v.endsWith("0"));
    }

    private static KTable<String, String> join(JsonNode s, KTable<String, String> left, KTable<String, String> right) {
        if (!flag(s, "result_materialised")) {
            return plain(text(s, "join"), left, right);
        }
        Materialized<String, String, KeyValueStore<Bytes, byte[]>> m = Materialized.as("result");
        return switch (text(s, "join")) {
            case "left" -> left.leftJoin(right, PLUS, m);
            case "outer" -> left.outerJoin(right, PLUS, m);
            default -> left.join(right, PLUS, m);
        };
    }

    private static KTable<String, String> plain(String kind, KTable<String, String> left, KTable<String, String> right) {
        return switch (kind) {
            case "left" -> left.leftJoin(right, PLUS);
            case "outer" -> left.outerJoin(right, PLUS);
            default -> left.join(right, PLUS);
        };
    }

    private static void foreignKey(JsonNode s, StreamsBuilder b) {
        KTable<String, String> left = b.table(text(s, "left_topic"));
        KTable<String, String> right = b.table(text(s, "right_topic"));
        Materialized<String, String, KeyValueStore<Bytes, byte[]>> m = Materialized.as("result");
        boolean kept = flag(s, "result_materialised");
        KTable<String, String> joined = text(s, "join").equals("left")
            ? kept ? left.leftJoin(right, Tables::foreign, PLUS, m) : left.leftJoin(right, Tables::foreign, PLUS)
            : kept ? left.join(right, Tables::foreign, PLUS, m) : left.join(right, Tables::foreign, PLUS);
        joined.toStream().to("out");
    }

    private static void global(JsonNode s, StreamsBuilder b) {
        KStream<String, String> stream = b.stream(text(s, "stream_topic"));
        GlobalKTable<String, String> table = b.globalTable(text(s, "global_table_topic"));
        if (text(s, "join").equals("left")) {
            stream.leftJoin(table, (k, v) -> v == null ? null : part(v), PLUS).to("out");
        } else {
            stream.join(table, (k, v) -> v == null ? null : part(v), PLUS).to("out");
        }
    }

    private static void versioned(JsonNode s, StreamsBuilder b) {
        KStream<String, String> stream = b.stream(text(s, "stream_topic"));
        KTable<String, String> table = b.table(text(s, "table_topic"), Materialized.<String, String>as(
            Stores.persistentVersionedKeyValueStore("versions", Families.millis(s, "history_retention_ms"))));
        Joined<String, String, String> how = Joined.with(TEXT, TEXT, TEXT);
        joinTable(s, stream, table, s.has("grace_ms") ? how.withGracePeriod(Families.millis(s, "grace_ms")) : how);
    }

    private static void joinTable(JsonNode s, KStream<String, String> stream, KTable<String, String> table, Joined<String, String, String> how) {
        Joined<String, String, String> j = how == null ? Joined.with(TEXT, TEXT, TEXT) : how;
        if (text(s, "join").equals("left")) {
            stream.leftJoin(table, PLUS, j).to("out");
        } else {
            stream.join(table, PLUS, j).to("out");
        }
    }

    private static Families.Keys finals(JsonNode s, StreamsBuilder b) {
        b.<String, String>stream(text(s, "topic")).groupByKey().windowedBy(Families.Windows.time(s))
            .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>with(TEXT, Serdes.Long()).withRetention(Families.Windows.retention(s)))
            .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())).toStream().to("out");
        return new Families.Keys(new TimeWindowedDeserializer<>(new StringDeserializer(), s.get("size_ms").asLong()), new LongDeserializer());
    }

    private static Suppressed.BufferConfig<?> buffer(JsonNode s) {
        var early = Suppressed.BufferConfig.maxRecords(limit(s, "max_records"));
        if (limit(s, "max_bytes") != Long.MAX_VALUE) {
            early = early.withMaxBytes(limit(s, "max_bytes"));
        }
        return text(s, "when_full").equals("emit early") ? early : early.shutDownWhenFull();
    }

    private static long limit(JsonNode s, String key) {
        return s.has(key) && s.get(key).isNumber() ? s.get(key).asLong() : Long.MAX_VALUE;
    }

    /** The part before ':'. */
    private static String part(String value) {
        return value.split(":")[0];
    }

    /** The part before ':', null for n. */
    private static String foreign(String value) {
        return "n".equals(part(value)) ? null : part(value);
    }

    private static boolean flag(JsonNode s, String key) {
        return s.get(key).asBoolean();
    }

    private static String text(JsonNode s, String key) {
        return Families.text(s, key);
    }
}
