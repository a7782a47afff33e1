package connect_test

import (
	"context"
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// away is a source that cannot be polled at first.
type away struct {
	scripted
	topic string
}

func (a *away) NewTask() connectors.SourceTask { return &awayTask{topic: a.topic} }

type awayTask struct {
	topic string
	polls int
}

func (*awayTask) Start(*connectors.SourceTaskContext, config.Props) error { return nil }
func (*awayTask) Stop() error                                             { return nil }

func (t *awayTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	switch t.polls++; t.polls {
	case 1, 2:
		return nil, fault.Retriable.New("the source is away for a moment")
	case 3:
		value := data.SchemaAndValue{Schema: data.StringSchema, Value: data.StringValue("back")}
		return []connectors.SourceRecord{connectors.NewSourceRecord(scriptedPartition, data.Of("n", data.Int64Value(0)), t.topic, value)}, nil
	}
	<-ctx.Done()
	return nil, nil
}

// TestASourceThatIsAwayIsAskedAgain, though neither a tolerance nor a time for retries is set: as Kafka's
// AbstractWorkerSourceTask does with a RetriableException.
func TestASourceThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	source := &away{}
	inBothModes(t, func() *connectors.Plugins { return withSource(source) },
		func(t *testing.T, b *brokertest.Broker, _ *connect.Herder, create func(string, map[string]string)) {
			source.topic = b.CreateTopic(t, b.Name("out"), 1)
			create("away", map[string]string{
				"connector.class": "Scripted", "value.converter": "StringConverter", "restart.policy": "none",
			})
			await(t, "the record of the third poll", func() bool { return len(b.ReadAll(t, source.topic)) == 1 })
		})
}
