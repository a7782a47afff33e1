package wasmstream.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The families of branches and of processors. */
final class Flows {
    private Flows() {}

    static Families.Keys branches(JsonNode s, StreamsBuilder b) {
        KStream<String, String> in = b.stream(s.get("topic").asText());
        List<String> names = new ArrayList<>();
        BranchedKStream<String, String> split = in.split(Named.as("split-"));
        for (JsonNode first : s.get("branches")) {
            String letter = first.asText();
            names.add("split-" + letter);
            split = split.branch((k, v) -> v != null && v.startsWith(letter), Branched.as(letter));
        }
        Map<String, KStream<String, String>> parts;
        if (s.get("default").asBoolean()) {
            names.add("split-rest");
            parts = split.defaultBranch(Branched.as("rest"));
        } else {
            parts = split.noDefaultBranch();
        }
        KStream<String, String> merged = null;
        for (String name : names) {
            KStream<String, String> part = parts.get(name).flatMapValues(v -> List.of(name + "." + v, name + "'" + v));
            merged = merged == null ? part : s.get("merge").asText().equals("forward") ? merged.merge(part) : part.merge(merged);
        }
        merged.to("out");
        if (s.get("direct").asBoolean()) {
            in.to("out");
        }
        return Families.strings();
    }

    static Families.Keys punctuate(JsonNode s, StreamsBuilder b) {
        b.addStateStore(Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("rows"), Serdes.String(), Serdes.String()));
        b.<String, String>stream(s.get("topic").asText()).process(() -> new Collecting(s), Named.as("collect"), "rows").to("out");
        return Families.strings();
    }

    /** Appends the values of each key, and forwards and forgets the rows when it is time. */
    private static final class Collecting implements Processor<String, String, String, String> {
        private final JsonNode spec;
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, String> rows;

        Collecting(JsonNode spec) {
            this.spec = spec;
        }

        @Override
        public void init(ProcessorContext<String, String> c) {
            context = c;
            rows = c.getStateStore("rows");
            c.schedule(Families.millis(spec, "interval_ms"),
                spec.get("type").asText().equals("stream-time") ? PunctuationType.STREAM_TIME : PunctuationType.WALL_CLOCK_TIME, this::punctuate);
        }

        @Override
        public void process(Record<String, String> r) {
            if (r.key() == null) {
                context.forward(r.withValue("no key"));
                return;
            }
            String before = rows.get(r.key());
            rows.put(r.key(), (before == null ? "" : before) + "|" + r.value());
        }

        private void punctuate(long now) {
            List<KeyValue<String, String>> all = new ArrayList<>();
            try (KeyValueIterator<String, String> it = rows.all()) {
                it.forEachRemaining(all::add);
            }
            for (KeyValue<String, String> row : all) {
                context.forward(new Record<>(row.key, row.value, now));
                rows.delete(row.key);
            }
        }
    }
}
