package connectors

import (
	"log/slog"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Connector plans the work: it reads settings and splits them into settings of tasks. A connector is used by one
// goroutine at a time, but may watch its source with goroutines of its own between Start and Stop.
//
// The order of calls is Start, then TaskConfigs any number of times, then Stop. A connector that is only validated or whose
// offsets are altered is never started.
type Connector interface {
	// Version is shown in REST answers.
	Version() string
	// ConfigDef defines the connector's own settings.
	ConfigDef() *config.Def
	// Start begins with the settings given, which hold those of the framework too.
	Start(ctx ConnectorContext, props config.Props) error
	// TaskConfigs are the settings of at most max tasks.
	TaskConfigs(max int) ([]config.Props, error)
	// Stop ends what Start began. It is called once, also after Start failed.
	Stop() error
}

// SourceConnector plans the copying of data into Kafka.
type SourceConnector interface {
	Connector
	// NewTask makes a task that has not been started.
	NewTask() SourceTask
	// TaskClass is the Java name of the task, as it stands in the config topic under task.class.
	TaskClass() string
}

// SinkConnector plans the copying of data out of Kafka.
type SinkConnector interface {
	Connector
	// NewTask makes a task that has not been started.
	NewTask() SinkTask
	// TaskClass is the Java name of the task, as it stands in the config topic under task.class.
	TaskClass() string
}

// ConnectorContext is what a connector may ask of the runtime. The zero value of each field does nothing.
type ConnectorContext struct {
	// RequestTaskReconfiguration has TaskConfigs called again and tasks restarted when they differ. Any goroutine may call it.
	RequestTaskReconfiguration func()
	// RaiseError fails the connector from one of its own goroutines.
	RaiseError func(error)
	// Offsets reads what tasks of a source have committed; nil for sinks.
	Offsets OffsetReader
	// Log carries connector's name.
	Log *slog.Logger
}

// What follows is optional: a connector that has the method is asked.

// Validator checks settings beyond what ConfigDef can say. The default is ConfigDef().Validate.
type Validator interface {
	Validate(props config.Props) []*config.Value
}

// Reconfigurer changes settings of a running connector. The default is Stop and Start.
type Reconfigurer interface {
	Reconfigure(props config.Props) error
}

// Support is the answer to a question about exactly-once.
type Support int

// The answers. Unknown is Kafka's null: the connector does not say.
const (
	Unknown Support = iota
	Supported
	Unsupported
)

// ExactlyOnceSupporter says whether a source can deliver exactly once with these settings (KIP-618).
type ExactlyOnceSupporter interface {
	ExactlyOnceSupport(props config.Props) Support
}

// BoundaryDefiner says whether a source's tasks can define transaction boundaries with these settings (KIP-618).
type BoundaryDefiner interface {
	CanDefineTransactionBoundaries(props config.Props) Support
}

// SourceOffset is one entry of an offsets request. A nil Offset resets the partition.
type SourceOffset struct{ Partition, Offset *data.Map }

// SourceOffsetAlterer checks (and where the source itself keeps offsets, makes) changes of offsets (KIP-875). True says that
// everything is done or checked; the default is false. Integers arrive as INT64.
type SourceOffsetAlterer interface {
	AlterOffsets(props config.Props, offsets []SourceOffset) (bool, error)
}

// SinkOffsetAlterer is SourceOffsetAlterer for sinks. A nil offset resets the partition.
type SinkOffsetAlterer interface {
	AlterOffsets(props config.Props, offsets map[TopicPartition]*int64) (bool, error)
}
