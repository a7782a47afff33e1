package bench;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * A table whose topic is empty and whose changelog is not, restored by Kafka Streams with its defaults. Arguments are
 * key=value: in, bootstrap, id, guarantee, threads, state, partitions. It ends once it is RUNNING and prints one line of JSON with
 * the same fields as wasmstream's process of the same benchmark.
 */
public final class Restoration implements StateRestoreListener {
    private final AtomicLong first = new AtomicLong(), last = new AtomicLong(), records = new AtomicLong();
    private final CountDownLatch stores;

    private Restoration(int stores) { this.stores = new CountDownLatch(stores); }

    public static void main(String[] args) throws Exception {
        Map<String, String> o = Application.options(args);
        StreamsBuilder b = new StreamsBuilder();
        b.table(o.get("in"), Consumed.with(Serdes.String(), Serdes.ByteArray()), Materialized.<String, byte[], KeyValueStore<Bytes, byte[]>>as("rows"));
        KafkaStreams streams = new KafkaStreams(b.build(), Application.config(o));
        Restoration restored = new Restoration(Integer.parseInt(o.get("partitions")));
        streams.setGlobalStateRestoreListener(restored);
        CountDownLatch running = new CountDownLatch(1);
        AtomicLong runningAt = new AtomicLong();
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING && runningAt.compareAndSet(0, System.currentTimeMillis())) running.countDown();
            if (now == KafkaStreams.State.ERROR) {
                System.err.println("the application is in ERROR");
                System.exit(1);
            }
        });
        double cpu = Application.cpuSeconds();
        streams.start();
        restored.stores.await();
        running.await();
        System.out.printf(Locale.ROOT, "{\"records\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"peak_rss_bytes\":%d,\"start_ms\":%d}%n",
            restored.records.get(), (restored.last.get() - restored.first.get()) / 1e9, Application.cpuSeconds() - cpu, Application.peakBytes(),
            Application.sinceStart(runningAt.get()));
        streams.close();
        System.exit(0);
    }

    @Override public void onRestoreStart(TopicPartition tp, String store, long from, long to) { first.compareAndSet(0, System.nanoTime()); }

    @Override public void onBatchRestored(TopicPartition tp, String store, long end, long count) { }

    @Override public void onRestoreEnd(TopicPartition tp, String store, long count) {
        records.addAndGet(count);
        last.set(System.nanoTime());
        stores.countDown();
    }
}
