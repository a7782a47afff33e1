package datagen_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/connectortest"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/datagen"
)

func TestSource(t *testing.T) {
	for _, kind := range []string{"users", "orders", "pageviews"} {
		t.Run(kind, connectortest.SourceSuite{
			New:   func() connectors.SourceConnector { return &datagen.Connector{} },
			Props: map[string]string{"kafka.topic": "t", "quickstart": kind, "max.interval": "0", "batch.size": "7", "random.seed": "3"}, Records: 40,
			Missing: []string{"kafka.topic"},
		}.Run)
	}
}

func TestRefuses(t *testing.T) {
	connectortest.Refusals{
		New:      func() connectors.Connector { return &datagen.Connector{} },
		Settings: map[string]string{"quickstart": "cats", "max.interval": "-1"}, Faulty: []string{"kafka.topic", "quickstart", "max.interval"},
		Props: map[string]string{"kafka.topic": "t"},
		Offsets: []*data.Map{
			data.Of("current.iteration", data.StringValue("1")), data.Of("current.iteration", data.Int64Value(-1)), data.Of("other", data.Int64Value(1)),
		},
	}.Run(t)
}
