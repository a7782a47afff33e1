package bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;

/**
 * One job of the pipeline benchmark as a Kafka Streams application with its defaults. Arguments are key=value: job, in,
 * out, bootstrap, id, guarantee, threads, state, records. It ends when all input is committed and prints one line of JSON with
 * the same fields as the application process of wasmstream bench.
 */
public final class Application {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Serde<String> STRING = Serdes.String();
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();

    private static final Duration WINDOW = Duration.ofMinutes(1);
    private static final Duration JOIN_SPAN = Duration.ofSeconds(10);

    private static volatile long firstRecordNanos;
    private static volatile double cpuAtFirstRecord;

    private Application() { }

    public static void main(String[] args) throws Exception {
        Map<String, String> o = options(args);
        long records = Long.parseLong(o.get("records"));
        AtomicLong runningAt = new AtomicLong();
        KafkaStreams streams = new KafkaStreams(topology(o.get("job"), o.get("in").split(","), o.get("out")), config(o));
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) runningAt.compareAndSet(0, System.currentTimeMillis());
            if (now == KafkaStreams.State.ERROR) {
                System.err.println("the application is in ERROR");
                System.exit(1);
            }
        });
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", o.get("bootstrap")))) {
            streams.start();
            while (!committed(admin, o.get("id"), Set.of(o.get("in").split(",")))) Thread.sleep(20);
            report(records, runningAt.get());
            streams.close();
        }
        System.exit(0);
    }

    static Map<String, String> options(String[] args) {
        Map<String, String> o = new HashMap<>();
        for (String a : args) o.put(a.substring(0, a.indexOf('=')), a.substring(a.indexOf('=') + 1));
        return o;
    }

    /** The milliseconds of a time since this process began. */
    static long sinceStart(long time) { return time - ManagementFactory.getRuntimeMXBean().getStartTime(); }

    private static void report(long records, long runningAt) throws IOException {
        double seconds = (System.nanoTime() - firstRecordNanos) / 1e9, cpu = cpuSeconds() - cpuAtFirstRecord;
        System.out.printf(Locale.ROOT, "{\"records\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"records_per_second\":%.0f,"
                + "\"records_per_cpu_second\":%.0f,\"peak_rss_bytes\":%d,\"start_ms\":%d}%n",
            records, seconds, cpu, records / seconds, records / cpu, peakBytes(),
            sinceStart(runningAt));
    }

    static Properties config(Map<String, String> o) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, o.get("id"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, o.get("bootstrap"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, o.get("guarantee"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, o.getOrDefault("threads", "1"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, o.get("state"));
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        p.put("auto.offset.reset", "earliest");
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        return p;
    }

    private static Topology topology(String job, String[] in, String out) {
        StreamsBuilder b = new StreamsBuilder();
        switch (job) {
            case "copy" -> events(b, in[0]).to(out, Produced.with(STRING, BYTES));
            case "mapvalues" -> events(b, in[0]).mapValues(Application::enrich).to(out, Produced.with(STRING, BYTES));
            case "wordcount" -> b.stream(in[0], Consumed.with(STRING, noting(STRING)))
                .flatMapValues(line -> Arrays.asList(line.toLowerCase(Locale.ROOT).split(" ")))
                .groupBy((key, word) -> word, Grouped.with(STRING, STRING))
                .count()
                .toStream().to(out, Produced.with(STRING, Serdes.Long()));
            case "filter-count" -> events(b, in[0])
                .filter((user, event) -> read(event).path("type").textValue().equals("buy"))
                .groupByKey(Grouped.with(STRING, BYTES))
                .count(Materialized.with(STRING, Serdes.Long()))
                .toStream().to(out, Produced.with(STRING, Serdes.Long()));
            case "tumbling" -> events(b, in[0])
                .groupByKey(Grouped.with(STRING, BYTES))
                .windowedBy(TimeWindows.ofSizeWithNoGrace(WINDOW))
                .count(Materialized.with(STRING, Serdes.Long()))
                .toStream().to(out, Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, WINDOW.toMillis()), Serdes.Long()));
            case "stream-table-join" -> events(b, in[0])
                .join(b.table(in[1], Consumed.with(STRING, BYTES)), Application::withProfile, Joined.with(STRING, BYTES, BYTES))
                .to(out, Produced.with(STRING, BYTES));
            case "stream-stream-join" -> events(b, in[0])
                .join(b.stream(in[1], Consumed.with(STRING, BYTES)), Application::pair,
                    JoinWindows.ofTimeDifferenceWithNoGrace(JOIN_SPAN), StreamJoined.with(STRING, BYTES, BYTES))
                .to(out, Produced.with(STRING, BYTES));
            default -> throw new IllegalArgumentException("no job " + job);
        }
        return b.build();
    }

    private static KStream<String, byte[]> events(StreamsBuilder b, String in) {
        return b.stream(in, Consumed.with(STRING, noting(BYTES)));
    }

    /** Changes three fields: a total with tax, the type in capitals, the agent away. */
    private static byte[] enrich(byte[] value) {
        ObjectNode event = read(value);
        event.put("total", Math.round(event.path("amount").doubleValue() * 119) / 100.0);
        event.put("type", event.path("type").textValue().toUpperCase(Locale.ROOT));
        event.remove("agent");
        return write(event);
    }

    /** The event with its user's profile and without its agent. */
    private static byte[] withProfile(byte[] value, byte[] profile) {
        ObjectNode event = read(value);
        event.set("profile", read(profile));
        event.remove("agent");
        return write(event);
    }

    /** What an event and an order of one user have to say of each other. */
    private static byte[] pair(byte[] value, byte[] other) {
        ObjectNode event = read(value), order = read(other), both = JSON.createObjectNode();
        both.set("user", event.get("user"));
        both.set("event", event.get("amount"));
        both.set("order", order.get("amount"));
        both.put("dt", order.path("ts").longValue() - event.path("ts").longValue());
        return write(both);
    }

    private static ObjectNode read(byte[] value) {
        try {
            return (ObjectNode) JSON.readTree(value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] write(ObjectNode value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The serde, which notes when the first record arrives. */
    private static <T> Serde<T> noting(Serde<T> serde) {
        Deserializer<T> inner = serde.deserializer();
        return Serdes.serdeFrom(serde.serializer(), (topic, bytes) -> {
            if (firstRecordNanos == 0) noteFirstRecord();
            return inner.deserialize(topic, bytes);
        });
    }

    private static synchronized void noteFirstRecord() {
        if (firstRecordNanos != 0) return;
        cpuAtFirstRecord = cpuSeconds();
        firstRecordNanos = System.nanoTime();
    }

    /** Whether the committed offsets are at the end of the input and of all repartition topics, but for a marker. */
    private static boolean committed(Admin admin, String id, Set<String> in) throws Exception {
        List<String> topics = admin.listTopics().names().get().stream()
            .filter(t -> in.contains(t) || t.startsWith(id + "-") && t.endsWith("-repartition")).collect(Collectors.toList());
        List<TopicPartition> partitions = new ArrayList<>();
        admin.describeTopics(topics).allTopicNames().get().values()
            .forEach(d -> d.partitions().forEach(p -> partitions.add(new TopicPartition(d.name(), p.partition()))));
        Map<TopicPartition, OffsetAndMetadata> done = admin.listConsumerGroupOffsets(id).partitionsToOffsetAndMetadata().get();
        var ends = admin.listOffsets(partitions.stream().collect(Collectors.toMap(p -> p, p -> OffsetSpec.latest()))).all().get();
        for (TopicPartition p : partitions) {
            long end = ends.get(p).offset(), marker = in.contains(p.topic()) ? 0 : 1;
            if (end > 0 && (done.get(p) == null || done.get(p).offset() < end - marker)) return false;
        }
        return !partitions.isEmpty();
    }

    static double cpuSeconds() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }

    static long peakBytes() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
        return 0;
    }
}
