package connectors

import (
	"strconv"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// OneTask is the part of a connector that keeps its settings and gives them to one task. It is to be embedded.
type OneTask struct{ Props config.Props }

// Version is that of Kafka.
func (*OneTask) Version() string { return Version }

// TaskConfigs are the settings, once.
func (o *OneTask) TaskConfigs(int) ([]config.Props, error) {
	return []config.Props{o.Props.Clone()}, nil
}

// Stop does nothing.
func (*OneTask) Stop() error { return nil }

// ManyTasks is OneTask for connectors whose tasks are alike: each has the settings, and its number as task.id.
type ManyTasks struct{ Props config.Props }

// Version is that of Kafka.
func (*ManyTasks) Version() string { return Version }

// TaskConfigs are the settings max times.
func (m *ManyTasks) TaskConfigs(max int) ([]config.Props, error) {
	out := make([]config.Props, max)
	for i := range out {
		out[i] = m.Props.Clone()
		out[i].Set("task.id", strconv.Itoa(i))
	}
	return out, nil
}

// Stop does nothing.
func (*ManyTasks) Stop() error { return nil }
