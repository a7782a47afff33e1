package brokertest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

func TestWhatIsProducedIsRead(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b *brokertest.Broker) {
		topic := b.CreateTopic(t, b.Name("t"), 2)
		b.Produce(t, &kgo.Record{Topic: topic, Value: []byte("a")}, &kgo.Record{Topic: topic, Partition: 1, Value: []byte("b")})
		for _, got := range [][]*kgo.Record{b.Read(t, topic, 2), b.ReadAll(t, topic)} {
			values := map[string]int32{}
			for _, r := range got {
				values[string(r.Value)] = r.Partition
			}
			if len(got) != 2 || values["a"] != 0 || values["b"] != 1 {
				t.Errorf("got %v", values)
			}
		}
	})
}
