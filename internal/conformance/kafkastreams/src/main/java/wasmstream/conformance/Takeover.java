package wasmstream.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Runs applications until its standard input ends, then closes them and has their members leave their groups. Arguments are
 * key=value: bootstrap, prefix (of applications and topics), state (a folder), names (of topologies, by commas), threads. It
 * prints "RUNNING name" for each, and "CLOSED" at the end.
 */
public final class Takeover {
    private Takeover() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> o = new HashMap<>();
        for (String a : args) {
            o.put(a.substring(0, a.indexOf('=')), a.substring(a.indexOf('=') + 1));
        }
        List<KafkaStreams> running = new ArrayList<>();
        for (String name : o.get("names").split(",")) {
            running.add(start(name, o));
        }
        while (System.in.read() >= 0) { }
        for (KafkaStreams streams : running) {
            boolean closed = streams.close(CloseOptions.timeout(Duration.ofSeconds(60))
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            if (!closed) {
                System.err.println("an application does not close");
                System.exit(1);
            }
        }
        System.out.println("CLOSED");
        System.exit(0);
    }

    private static KafkaStreams start(String name, Map<String, String> o) throws IOException {
        String prefix = o.get("prefix") + "-" + name;
        Properties p = settings(prefix, o);
        Topology topology = TakeoverTopologies.build(name, prefix, p);
        Files.createDirectories(Path.of(o.get("state")));
        Files.writeString(Path.of(o.get("state"), name + ".txt"), topology.describe().toString());
        KafkaStreams streams = new KafkaStreams(topology, p);
        AtomicBoolean said = new AtomicBoolean();
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING && said.compareAndSet(false, true)) {
                System.out.println("RUNNING " + name);
            }
        });
        streams.setUncaughtExceptionHandler(e -> {
            synchronized (System.err) {
                System.err.println("application " + name + " fails");
                for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                    System.err.println(cause);
                }
            }
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        return streams;
    }

    private static Properties settings(String application, Map<String, String> o) {
        Properties p = Cases.settings(Cases.JSON.createObjectNode());
        p.remove(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG);
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, o.get("bootstrap"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, o.get("state"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, o.getOrDefault("threads", "1"));
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        return p;
    }
}
