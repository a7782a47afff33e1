package wasmstream.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/** Reads cases, one JSON object a line, and writes them with what Kafka Streams makes of their inputs as expected. */
public final class Cases {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (!line.isBlank()) {
                out.println(JSON.writeValueAsString(run((ObjectNode) JSON.readTree(line))));
                out.flush(); // whoever compares may wait for it
            }
        }
    }

    /** The topic of an input that stands for wall-clock time going on by its timestamp. */
    private static final String WALL_CLOCK = "@wall-clock";

    static ObjectNode run(ObjectNode c) {
        JsonNode spec = c.get("spec");
        Properties p = settings(spec);
        StreamsBuilder builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(p)));
        ArrayNode expected = c.putArray("expected");
        c.remove(List.of("describe", "error"));
        Families.Keys keys;
        Topology topology;
        try {
            keys = Families.build(c.get("topology").asText(), spec, builder);
            topology = builder.build(p);
        } catch (KafkaException | IllegalArgumentException | NullPointerException e) {
            c.put("error", e.getClass().getSimpleName());
            System.err.println(c.get("id") + " " + e);
            return c;
        }
        c.put("describe", topology.describe().toString());
        try (TopologyTestDriver driver = new TopologyTestDriver(topology, p, Instant.EPOCH)) {
            feed(c, driver, keys, expected);
        }
        return c;
    }

    static void feed(ObjectNode c, TopologyTestDriver driver, Families.Keys keys, ArrayNode expected) {
        TestOutputTopic<?, ?> output = driver.createOutputTopic("out", keys.key(), keys.value());
        for (int i = 0; i < c.get("inputs").size(); i++) {
            JsonNode r = c.get("inputs").get(i);
            if (r.get("topic").asText().equals(WALL_CLOCK)) {
                driver.advanceWallClockTime(Duration.ofMillis(r.get("ts").asLong()));
            } else {
                TestInputTopic<String, String> topic =
                    driver.createInputTopic(r.get("topic").asText(), new StringSerializer(), new StringSerializer());
                topic.pipeInput(text(r.get("key")), text(r.get("value")), r.get("ts").asLong());
            }
            while (!output.isEmpty()) {
                TestRecord<?, ?> o = output.readRecord();
                ObjectNode e = expected.addObject();
                e.put("topic", "out");
                e.put("key", o.key() == null ? null : o.key().toString());
                e.put("value", o.value() == null ? null : o.value().toString());
                e.put("ts", o.timestamp());
                e.put("after_input", i);
            }
        }
    }

    static String text(JsonNode n) {
        return n == null || n.isNull() ? null : n.asText();
    }

    static Properties settings(JsonNode spec) {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:1");
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, "org.apache.kafka.common.serialization.Serdes$StringSerde");
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, "org.apache.kafka.common.serialization.Serdes$StringSerde");
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, spec.path(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG).asText("0"));
        p.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
            "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers");
        p.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", "0");
        p.put("__emit.interval.ms.kstreams.windowed.aggregation__", "0");
        p.put("__enable.process.processValue.fix__", true);
        if (spec.has("ensure.explicit.internal.resource.naming")) {
            p.put("ensure.explicit.internal.resource.naming", true);
        }
        if (spec.has("topology.optimization")) {
            p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, spec.get("topology.optimization").asText());
        }
        return p;
    }

    /** Shows strings as they are. */
    static Deserializer<String> strings() {
        return new StringDeserializer();
    }
}
