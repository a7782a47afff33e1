package wasmstream.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Initializer;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.SessionWindowedDeserializer;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.TimeWindowedDeserializer;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The topologies of the families, by the parameters of their cases. Each writes to the topic out. */
final class Families {
    /** How the keys and values of the output are read. */
    record Keys(Deserializer<?> key, Deserializer<?> value) {}

    private static final Initializer<String> EMPTY = () -> "";
    private static final ValueJoiner<String, String, String> PLUS = (l, r) -> l + "+" + r;

    private Families() {}

    static Keys build(String family, JsonNode s, StreamsBuilder b) {
        return switch (family) {
            case "time-window-aggregate", "sliding-window-aggregate", "session-window-aggregate", "windowed-operation" ->
                Windows.build(family, s, b);
            case "cogroup", "cogroup-windowed" -> Windows.cogroup(s, b);
            case "stream-reduce" -> {
                b.<String, String>stream(text(s, "topic")).groupByKey().reduce((a, v) -> a + "|" + v).toStream().to("out");
                yield strings();
            }
            case "stream-stream-join", "stream-stream-join-rekeyed" -> streamJoin(family, s, b);
            case "stream-self-join" -> {
                KStream<String, String> in = b.stream(text(s, "topic"));
                join(kind(s), in, in, window(s)).to("out");
                yield strings();
            }
            case "stream-stream-join-of-join" -> {
                String[] topics = text(s, "topics").split(",");
                KStream<String, String> left = b.stream(topics[0]);
                KStream<String, String> right = b.stream(topics[1]);
                String[] words = text(s, "topology").split("[() ,]+|Join"); // "", left, inner, "", right, left, "", right, same, window
                KStream<String, String> third = words[7].equals(topics[0]) ? left : right;
                join(words[5], join(words[2], left, right, window(s)), third, window(s)).to("out");
                yield strings();
            }
            case "branches" -> Flows.branches(s, b);
            case "punctuate" -> Flows.punctuate(s, b);
            case "plan" -> Plans.build(s, b);
            default -> Tables.build(family, s, b);
        };
    }

    private static Keys streamJoin(String family, JsonNode s, StreamsBuilder b) {
        KStream<String, String> left = b.stream(text(s, "left_topic"));
        KStream<String, String> right = b.stream(text(s, "right_topic"));
        if (family.endsWith("rekeyed")) {
            left = left.selectKey((k, v) -> part(v));
            right = right.selectKey((k, v) -> part(v));
        }
        JoinWindows w = JoinWindows.ofTimeDifferenceAndGrace(Duration.ofDays(1), millis(s, "grace_ms"))
            .after(millis(s, "after_ms")).before(millis(s, "before_ms"));
        join(kind(s), left, right, w).to("out");
        return strings();
    }

    /** The part before ':', null for n and for null. */
    private static String part(String value) {
        String part = value == null ? null : value.split(":")[0];
        return "n".equals(part) ? null : part;
    }

    private static KStream<String, String> join(String kind, KStream<String, String> l, KStream<String, String> r, JoinWindows w) {
        return switch (kind) {
            case "left" -> l.leftJoin(r, PLUS, w);
            case "outer" -> l.outerJoin(r, PLUS, w);
            default -> l.join(r, PLUS, w);
        };
    }

    private static JoinWindows window(JsonNode s) {
        return JoinWindows.ofTimeDifferenceAndGrace(millis(s, "time_difference_ms"), millis(s, "grace_ms"));
    }

    private static String kind(JsonNode s) {
        return s.has("join") ? text(s, "join") : "inner";
    }

    static Keys strings() {
        return new Keys(new StringDeserializer(), new StringDeserializer());
    }

    static String text(JsonNode s, String key) {
        return s.get(key).asText();
    }

    static Duration millis(JsonNode s, String key) {
        return Duration.ofMillis(s.get(key).asLong());
    }

    /** Aggregations by windows. */
    static final class Windows {
        private static final Aggregator<String, String, String> APPEND = (k, v, a) -> a + "|" + v;
        private static final Reducer<String> REDUCE = (a, v) -> a + "|" + v;
        private static final Merger<String, String> MERGE = (k, a, b) -> a + "&" + b;

        static Keys build(String family, JsonNode s, StreamsBuilder b) {
            String windows = family.equals("windowed-operation") ? text(s, "windows") : family.replace("-window-aggregate", "");
            String operation = s.has("operation") ? text(s, "operation") : "aggregate";
            KGroupedStream<String, String> grouped = b.<String, String>stream(text(s, "topic")).groupByKey();
            KTable<Windowed<String>, ?> table = windows.equals("session") ? sessions(grouped, operation, s) : windows(grouped, windows, operation, s);
            Deserializer<?> key = keys(windows, s);
            table.toStream().to("out");
            return new Keys(key, operation.equals("count") ? new LongDeserializer() : new StringDeserializer());
        }

        private static Deserializer<?> keys(String windows, JsonNode s) {
            return switch (windows) {
                case "session" -> new SessionWindowedDeserializer<>(new StringDeserializer());
                case "sliding" -> new TimeWindowedDeserializer<>(new StringDeserializer(), s.get("time_difference_ms").asLong());
                default -> new TimeWindowedDeserializer<>(new StringDeserializer(), s.get("size_ms").asLong());
            };
        }

        private static KTable<Windowed<String>, ?> windows(KGroupedStream<String, String> g, String windows, String operation, JsonNode s) {
            var w = (windows.equals("sliding") ? g.windowedBy(sliding(s)) : g.windowedBy(time(s))).emitStrategy(emit(s));
            return switch (operation) {
                case "count" -> w.count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.Long()).withRetention(retention(s)));
                case "reduce" -> w.reduce(REDUCE, Materialized.<String, String, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
                default -> w.aggregate(EMPTY, APPEND, Materialized.<String, String, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
            };
        }

        private static KTable<Windowed<String>, ?> sessions(KGroupedStream<String, String> g, String operation, JsonNode s) {
            var w = g.windowedBy(session(s)).emitStrategy(emit(s));
            return switch (operation) {
                case "count" -> w.count(Materialized.<String, Long, SessionStore<Bytes, byte[]>>with(Serdes.String(), Serdes.Long()).withRetention(retention(s)));
                case "reduce" -> w.reduce(REDUCE, Materialized.<String, String, SessionStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
                default -> w.aggregate(EMPTY, APPEND, MERGE, Materialized.<String, String, SessionStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
            };
        }

        static Keys cogroup(JsonNode s, StreamsBuilder b) {
            String[] topics = text(s, "topics").split(",");
            var grouped = b.<String, String>stream(topics[0]).groupByKey().<String>cogroup((k, v, a) -> a + "l" + v)
                .cogroup(b.<String, String>stream(topics[1]).groupByKey(), (k, v, a) -> a + "r" + v);
            if (!s.has("windows")) {
                grouped.aggregate(EMPTY).toStream().to("out");
                return strings();
            }
            String windows = text(s, "windows");
            var table = switch (windows) {
                case "session" -> grouped.windowedBy(session(s)).aggregate(EMPTY, MERGE, Materialized.<String, String, SessionStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
                case "sliding" -> grouped.windowedBy(sliding(s)).aggregate(EMPTY, Materialized.<String, String, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
                default -> grouped.windowedBy(time(s)).aggregate(EMPTY, Materialized.<String, String, WindowStore<Bytes, byte[]>>with(Serdes.String(), Serdes.String()).withRetention(retention(s)));
            };
            table.toStream().to("out");
            return new Keys(keys(windows, s), new StringDeserializer());
        }

        static TimeWindows time(JsonNode s) {
            return TimeWindows.ofSizeAndGrace(millis(s, "size_ms"), millis(s, "grace_ms")).advanceBy(millis(s, "advance_ms"));
        }

        static SlidingWindows sliding(JsonNode s) {
            return SlidingWindows.ofTimeDifferenceAndGrace(millis(s, "time_difference_ms"), millis(s, "grace_ms"));
        }

        static SessionWindows session(JsonNode s) {
            return SessionWindows.ofInactivityGapAndGrace(millis(s, "inactivity_gap_ms"), millis(s, "grace_ms"));
        }

        static Duration retention(JsonNode s) {
            return millis(s, "store_retention_ms");
        }

        static EmitStrategy emit(JsonNode s) {
            return s.has("emit") && text(s, "emit").equals("on-window-close") ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate();
        }
    }
}
