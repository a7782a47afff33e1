package wasmstream.conformance;

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.VersionedKeyValueStore;
import org.apache.kafka.streams.state.VersionedRecord;
import org.apache.kafka.streams.state.WindowStore;

/** The applications that are taken over and given back. Each reads PREFIX-left and maybe PREFIX-right and writes PREFIX-out. */
final class TakeoverTopologies {
    private static final Serde<String> TEXT = Serdes.String();
    private static final Serde<Long> LONG = Serdes.Long();
    private static final ValueJoiner<String, String, String> PLUS = (l, r) -> l + "+" + r;
    private static final Duration HOUR = Duration.ofHours(1);

    private TakeoverTopologies() {}

    static Topology build(String name, String prefix, Properties p) {
        StreamsBuilder b = new StreamsBuilder();
        String left = prefix + "-left", right = prefix + "-right", out = prefix + "-out";
        Produced<String, Long> longs = Produced.with(TEXT, LONG);
        switch (name) {
            case "count" -> b.<String, String>stream(left).groupBy((k, v) -> part(v), Grouped.with(TEXT, TEXT)).count().toStream().to(out, longs);
            case "tumbling" -> b.<String, String>stream(left).groupByKey(Grouped.with(TEXT, TEXT))
                .windowedBy(TimeWindows.ofSizeAndGrace(millis(1000), HOUR)).count().toStream().to(out);
            case "session" -> b.<String, String>stream(left).groupByKey(Grouped.with(TEXT, TEXT))
                .windowedBy(SessionWindows.ofInactivityGapAndGrace(millis(200), HOUR)).count().toStream().to(out);
            case "leftjoin" -> b.<String, String>stream(left)
                .leftJoin(b.stream(right), PLUS, JoinWindows.ofTimeDifferenceAndGrace(millis(100), millis(5000))).to(out);
            case "foreignkey" -> b.<String, String>table(left)
                .leftJoin(b.<String, String>table(right), TakeoverTopologies::part, PLUS).toStream().to(out);
            case "tables" -> b.<String, String>table(left).outerJoin(b.<String, String>table(right), PLUS)
                .groupBy((k, v) -> KeyValue.pair(part(v), v), Grouped.with(TEXT, TEXT)).count().toStream().to(out, longs);
            case "suppressed" -> b.<String, String>stream(left).groupByKey(Grouped.with(TEXT, TEXT))
                .windowedBy(TimeWindows.ofSizeAndGrace(millis(1000), millis(2000))).count()
                .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded())).toStream().to(out);
            case "finals" -> b.<String, String>stream(left).groupByKey(Grouped.with(TEXT, TEXT))
                .windowedBy(TimeWindows.ofSizeAndGrace(millis(1000), millis(2000)).advanceBy(millis(500)))
                .emitStrategy(EmitStrategy.onWindowClose())
                .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>with(TEXT, LONG).withRetention(HOUR)).toStream().to(out);
            case "sliding" -> b.<String, String>stream(left).groupByKey(Grouped.with(TEXT, TEXT))
                .windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(millis(300), HOUR))
                .reduce((a, v) -> a + "|" + v, Materialized.<String, String, WindowStore<Bytes, byte[]>>as("slides")).toStream().to(out);
            case "versioned" -> b.<String, String>stream(left).leftJoin(versions(b, right), PLUS, Joined.with(TEXT, TEXT, TEXT)).to(out);
            case "waiting" -> b.<String, String>stream(left)
                .leftJoin(versions(b, right), PLUS, Joined.with(TEXT, TEXT, TEXT).withGracePeriod(millis(2000))).to(out);
            case "memory" -> memory(b, left, out);
            case "stores" -> stores(b, left, out);
            default -> throw new IllegalArgumentException("no topology " + name);
        }
        return b.build(p);
    }

    private static KTable<String, String> versions(StreamsBuilder b, String topic) {
        return b.table(topic, Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore("versions", Duration.ofDays(1))));
    }

    private static void memory(StreamsBuilder b, String left, String out) {
        KStream<String, String> in = b.stream(left);
        in.groupByKey(Grouped.with(TEXT, TEXT)).count(Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts")))
            .toStream().to(out, Produced.with(TEXT, LONG));
    }

    private static void stores(StreamsBuilder b, String left, String out) {
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("rows"), TEXT, LONG));
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.lruMap("recent", 1000), TEXT, LONG));
        b.addStateStore(Stores.windowStoreBuilder(Stores.persistentWindowStore("windows", Duration.ofDays(1), millis(1000), false), TEXT, LONG));
        b.addStateStore(Stores.sessionStoreBuilder(Stores.persistentSessionStore("sessions", Duration.ofDays(1)), TEXT, LONG));
        b.addStateStore(Stores.versionedKeyValueStoreBuilder(Stores.persistentVersionedKeyValueStore("versions", Duration.ofDays(1)), TEXT, LONG));
        b.<String, String>stream(left).process(Everywhere::new, Named.as("everywhere"), "rows", "recent", "windows", "sessions", "versions").to(out);
    }

    /** Counts records in stores of each kind, and forwards the counts. */
    private static final class Everywhere implements Processor<String, String, String, String> {
        private ProcessorContext<String, String> context;

        @Override
        public void init(ProcessorContext<String, String> c) {
            context = c;
        }

        @Override
        public void process(Record<String, String> r) {
            long start = r.timestamp() / 1000 * 1000;
            context.forward(r.withValue(count("rows", r.key()) + "," + count("recent", r.key()) + "," + inWindow(r.key(), start)
                + "," + inSession(r.key(), start) + "," + inVersions(r.key(), r.timestamp())));
        }

        private long count(String name, String key) {
            KeyValueStore<String, Long> store = context.getStateStore(name);
            long n = next(store.get(key));
            store.put(key, n);
            return n;
        }

        private long inWindow(String key, long start) {
            WindowStore<String, Long> store = context.getStateStore("windows");
            long n = next(store.fetch(key, start));
            store.put(key, n, start);
            return n;
        }

        private long inSession(String key, long start) {
            SessionStore<String, Long> store = context.getStateStore("sessions");
            long n = next(store.fetchSession(key, start, start + 999));
            store.put(new Windowed<>(key, new SessionWindow(start, start + 999)), n);
            return n;
        }

        private long inVersions(String key, long timestamp) {
            VersionedKeyValueStore<String, Long> store = context.getStateStore("versions");
            VersionedRecord<Long> before = store.get(key, timestamp - 1);
            long n = next(before == null ? null : before.value());
            store.put(key, n, timestamp);
            return n;
        }

        private static long next(Long n) {
            return n == null ? 1 : n + 1;
        }
    }

    /** The part before ':'. */
    private static String part(String value) {
        return value.split(":")[0];
    }

    private static Duration millis(long n) {
        return Duration.ofMillis(n);
    }
}
