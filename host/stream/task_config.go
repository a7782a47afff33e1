package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

const (
	// maxFrameRecords and maxFrameBytes bound the frames that run through a task: enough that the cost of a guest call
	// disappears, little enough that a frame and its results stay in the processor's cache. The ABI promises both.
	maxFrameRecords = 500
	maxFrameBytes   = 256 << 10

	// defaultBufferedRecords is Kafka's buffered.records.per.partition.
	defaultBufferedRecords = 1000
	// defaultBufferedBytes bounds a partition's buffer where records are large: 64 partitions of a process stay below
	// Kafka's input.buffer.max.bytes (512 MiB).
	defaultBufferedBytes = 8 << 20

	// NeverIdle is the MaxTaskIdle that never waits for a partition without records (max.task.idle.ms = -1).
	NeverIdle = -1 * time.Millisecond
)

// ExceptionHandler says what becomes of a record that cannot be read or processed.
type ExceptionHandler int

// Kafka's handlers, by the part of their class names that differs.
const (
	LogAndFail ExceptionHandler = iota
	LogAndContinue
)

// TimestampExtractor says which time a record has.
type TimestampExtractor int

// Kafka's extractors.
const (
	FailOnInvalidTimestamp TimestampExtractor = iota
	LogAndSkipOnInvalidTimestamp
	UsePartitionTimeOnInvalidTimestamp
	WallclockTimestampExtractor
)

// ParseTimestampExtractor reads a class name of Kafka, with or without its package. "" is FailOnInvalidTimestamp.
func ParseTimestampExtractor(name string) (TimestampExtractor, error) {
	switch baseName(name) {
	case "", "FailOnInvalidTimestamp":
		return FailOnInvalidTimestamp, nil
	case "LogAndSkipOnInvalidTimestamp":
		return LogAndSkipOnInvalidTimestamp, nil
	case "UsePartitionTimeOnInvalidTimestamp":
		return UsePartitionTimeOnInvalidTimestamp, nil
	case "WallclockTimestampExtractor":
		return WallclockTimestampExtractor, nil
	}
	return 0, fmt.Errorf("timestamp extractor %q is none of FailOnInvalidTimestamp, LogAndSkipOnInvalidTimestamp, UsePartitionTimeOnInvalidTimestamp, WallclockTimestampExtractor", name)
}

// baseName cuts the package off a Java class name.
func baseName(class string) string {
	for i := len(class) - 1; i >= 0; i-- {
		if class[i] == '.' {
			return class[i+1:]
		}
	}
	return class
}

// TaskConfig is all that a Task is made of.
type TaskConfig struct {
	ID            topology.TaskID
	ApplicationID string
	// Subtopology is what the task runs.
	Subtopology *topology.Subtopology
	// Inputs are the source partitions of the task. A topic with fewer partitions than others has none in the higher
	// tasks.
	Inputs []topology.TopicPartition
	// Collector takes what the sinks write.
	Collector Collector
	// Stores are the open stores of the task by name, in all their layers, restored. The task flushes them and leaves
	// commit and close to their owner.
	Stores map[string]state.Store
	// GlobalStores are those of the application by name; every node may read them.
	GlobalStores map[string]*SharedStore
	// Modules finds the guests; it may be nil if the sub-topology has none.
	Modules Modules
	// Guests are the limits and error policies of the guests; nil leaves all at their defaults.
	Guests GuestRules
	// DeadLetterTopic is errors.dead.letter.queue.topic.name; "" sets no record aside.
	DeadLetterTopic string
	// Faults is what earlier lives of the task have learned; nil knows nothing.
	Faults *FaultPage
	// Wait lets a pause before another try pass. It returns an error if it was interrupted; nil does not wait.
	Wait func(d time.Duration) error
	// Settings are the application's settings as they were given, for Context.AppConfig.
	Settings map[string]string

	// KeySerde and ValueSerde are those of sources without their own; nil is bytes.
	KeySerde, ValueSerde topology.Serde
	// TimestampExtractor is that of sources without their own.
	TimestampExtractor TimestampExtractor
	// Deserialization and Processing handle records that cannot be read, or make a processor fail. With Processing
	// LogAndContinue every processor runs record by record, so that the failed record is known.
	Deserialization, Processing ExceptionHandler
	// Production handles records of sinks that cannot be written for what they are.
	Production ExceptionHandler
	// MaxTaskIdle is max.task.idle.ms: how long to wait for records of a partition known to be caught up, so that
	// partitions are merged by time. 0 waits only for records known to be on the broker; NeverIdle does not wait.
	MaxTaskIdle time.Duration
	// BufferedRecords and BufferedBytes bound what is held of one partition before it is to be paused; 0 takes
	// Kafka's 1000 records, and 8 MiB.
	BufferedRecords int
	BufferedBytes   int64
	// FrameRecords and FrameBytes bound a frame; 0 takes 500 records and 256 KiB, which are also the most.
	FrameRecords, FrameBytes int

	// Metrics counts; nil counts for no one.
	Metrics *TaskMetrics
	// Logger has the task's own fields; nil discards.
	Logger *slog.Logger
}

// Validate reports every fault at once.
func (c *TaskConfig) Validate() error {
	var faults []error
	if c.Subtopology == nil || c.Collector == nil {
		faults = append(faults, errors.New("a task needs a sub-topology and a collector"))
	}
	if c.MaxTaskIdle < NeverIdle {
		faults = append(faults, fmt.Errorf("max.task.idle.ms of %d: at least -1", c.MaxTaskIdle.Milliseconds()))
	}
	if c.BufferedRecords < 0 || c.BufferedBytes < 0 || c.FrameRecords < 0 || c.FrameBytes < 0 {
		faults = append(faults, errors.New("bounds of buffers and frames must not be negative"))
	}
	return errors.Join(faults...)
}

// withDefaults fills what was left zero.
func (c TaskConfig) withDefaults() TaskConfig {
	if c.BufferedRecords == 0 {
		c.BufferedRecords = defaultBufferedRecords
	}
	if c.BufferedBytes == 0 {
		c.BufferedBytes = defaultBufferedBytes
	}
	c.FrameRecords = within(c.FrameRecords, maxFrameRecords)
	c.FrameBytes = within(c.FrameBytes, maxFrameBytes)
	if c.Guests == nil {
		c.Guests = noRules{}
	}
	if c.Faults == nil {
		c.Faults = &FaultPage{}
	}
	if c.Wait == nil {
		c.Wait = func(time.Duration) error { return nil }
	}
	if c.Metrics == nil {
		c.Metrics = NewTaskMetrics()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// within is n, or limit where n is 0 or above it.
func within(n, limit int) int {
	if n == 0 || n > limit {
		return limit
	}
	return n
}
