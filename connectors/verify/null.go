package verify

import (
	"context"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// NullConnector is a sink that throws records away, to measure what comes before it.
type NullConnector struct{ connectors.ManyTasks }

// TaskClass names the task.
func (*NullConnector) TaskClass() string { return "io.github.wasmstream.connect.NullSinkTask" }

// ConfigDef defines nothing.
func (*NullConnector) ConfigDef() *config.Def { return config.NewDef() }

// Start keeps the settings.
func (c *NullConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	return nil
}

// NewTask makes a task.
func (*NullConnector) NewTask() connectors.SinkTask { return nullTask{} }

type nullTask struct{}

func (nullTask) Start(connectors.SinkTaskContext, config.Props) error { return nil }
func (nullTask) Put(context.Context, []connectors.SinkRecord) error   { return nil }
func (nullTask) Stop() error                                          { return nil }
func (nullTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	return nil
}

// Plugins are the connectors of this package.
func Plugins() []connectors.Plugin {
	return []connectors.Plugin{
		{Class: "org.apache.kafka.connect.tools.VerifiableSourceConnector", Kind: connectors.KindSource, Version: connectors.Version, Doc: "numbered records", Source: func() connectors.SourceConnector { return &SourceConnector{} }},
		{Class: "org.apache.kafka.connect.tools.VerifiableSinkConnector", Kind: connectors.KindSink, Version: connectors.Version, Doc: "finds missing and doubled numbers", Sink: func() connectors.SinkConnector { return &SinkConnector{} }},
		{Class: "io.github.wasmstream.connect.NullSinkConnector", Kind: connectors.KindSink, Version: connectors.Version, Doc: "throws records away", Sink: func() connectors.SinkConnector { return &NullConnector{} }},
	}
}
