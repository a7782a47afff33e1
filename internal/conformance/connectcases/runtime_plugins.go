package connectcases

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// caseSource is a source that does nothing but what its settings say: how many tasks it makes (case.tasks), whether it fails
// to start (case.start=fail) or to stop, and what alterOffsets returns (case.alter).
type caseSource struct{ props config.Props }

func (*caseSource) Version() string        { return connectors.Version }
func (*caseSource) ConfigDef() *config.Def { return config.NewDef() }
func (*caseSource) TaskClass() string      { return "CaseSourceTask" }

func (c *caseSource) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.props = props
	if props.Or("case.start", "") == "fail" {
		return errors.New("told to fail at the start")
	}
	return nil
}

func (c *caseSource) Stop() error {
	if c.props.Or("case.stop", "") == "fail" {
		return errors.New("told to fail at the end")
	}
	return nil
}

func (c *caseSource) TaskConfigs(most int) ([]config.Props, error) {
	n, err := strconv.Atoi(c.props.Or("case.tasks", strconv.Itoa(most)))
	tasks := make([]config.Props, n)
	for i := range tasks {
		tasks[i] = config.PropsOf(map[string]string{"case.task": strconv.Itoa(i)})
	}
	return tasks, err
}

func (c *caseSource) NewTask() connectors.SourceTask { return caseSourceTask{} }

// AlterOffsets implements connectors.SourceOffsetAlterer.
func (c *caseSource) AlterOffsets(props config.Props, _ []connectors.SourceOffset) (bool, error) {
	return props.Or("case.alter", "") == "true", nil
}

// caseSourceTask never has anything.
type caseSourceTask struct{}

func (caseSourceTask) Start(*connectors.SourceTaskContext, config.Props) error { return nil }
func (caseSourceTask) Stop() error                                             { return nil }
func (caseSourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	<-ctx.Done()
	return nil, nil
}

// caseSink is a sink that forgets what it gets.
type caseSink struct{ caseSource }

func (c *caseSink) TaskClass() string            { return "CaseSinkTask" }
func (c *caseSink) NewTask() connectors.SinkTask { return caseSinkTask{} }
func (c *caseSink) TaskConfigs(int) ([]config.Props, error) {
	return []config.Props{{}}, nil
}

// AlterOffsets implements connectors.SinkOffsetAlterer.
func (c *caseSink) AlterOffsets(props config.Props, _ map[connectors.TopicPartition]*int64) (bool, error) {
	return props.Or("case.alter", "") == "true", nil
}

type caseSinkTask struct{}

func (caseSinkTask) Start(connectors.SinkTaskContext, config.Props) error { return nil }

func (caseSinkTask) Stop() error { return nil }

func (caseSinkTask) Put(context.Context, []connectors.SinkRecord) error               { return nil }
func (caseSinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func casePlugins() []connectors.Plugin {
	return []connectors.Plugin{
		{Class: "CaseSource", Kind: connectors.KindSource, Version: connectors.Version, Source: func() connectors.SourceConnector { return &caseSource{} }},
		{Class: "CaseSink", Kind: connectors.KindSink, Version: connectors.Version, Sink: func() connectors.SinkConnector { return &caseSink{} }},
	}
}

// patience bounds what a case waits for.
const patience = 30 * time.Second
