// Package streamscases runs cases of Kafka Streams topologies: it builds the topology of a family from its parameters by
// the public builder, feeds the inputs through the test driver, and compares what comes out.
//
// families.go is the table of families; the file of a family's name builds it. It knows the builder and the driver, and
// no Kafka.
package streamscases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
	"github.com/wasmstream/wasmstream/topology"
	"github.com/wasmstream/wasmstream/topology/dsl"
)

// testCase is one line of a file.
type testCase struct {
	ID         string          `json:"id"`
	SourcePath string          `json:"source_path"`
	Topology   string          `json:"topology"`
	Spec       json.RawMessage `json:"spec"`
	Inputs     []input         `json:"inputs"`
	Expected   []output        `json:"expected"`
	// Describe is the description of the topology, compared if it is given.
	Describe string `json:"describe,omitempty"`
	// Error is the exception of Kafka's builder where it refuses the topology, which this one has to refuse too.
	Error    string `json:"error,omitempty"`
	Notes    string `json:"notes"`
	Verified string `json:"verified"`
}

// input is a record for a topic. Keys and values are strings.
type input struct {
	Topic     string  `json:"topic"`
	Key       *string `json:"key"`
	Value     *string `json:"value"`
	Timestamp int64   `json:"ts"`
}

// output is a record of a topic, with the input that it came after (from 0). Keys and values are text.
type output struct {
	Topic      string  `json:"topic"`
	Key        *string `json:"key"`
	Value      *string `json:"value"`
	Timestamp  int64   `json:"ts"`
	AfterInput int     `json:"after_input"`
}

// outputTopic is the one that every family writes to.
const outputTopic = "out"

// Run runs the case of a line. The error says what differs.
func Run(line []byte) (id string, err error) {
	var c testCase
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c.ID, fmt.Errorf("  reading the case: %w", err)
	}
	got, free, err := c.run()
	if err != nil {
		return c.ID, fmt.Errorf("  %w", err)
	}
	return c.ID, compare(c.Expected, got, free)
}

// run returns what came out, and whether the order within one input is free.
func (c *testCase) run() (got []output, free bool, err error) {
	f, ok := families()[c.Topology]
	if !ok {
		return nil, false, fmt.Errorf("the family %q is not known", c.Topology)
	}
	s, err := readSpec(c.Spec)
	if err != nil {
		return nil, false, err
	}
	b := dsl.NewStreamsBuilder(dsl.Defaults{Key: topology.String, Value: topology.String})
	if s.has("topology.optimization") {
		b.Optimize(s.text("topology.optimization"))
	}
	if s.flag("ensure.explicit.internal.resource.naming") {
		b.EnsureExplicitNames()
	}
	render := f(b, s)
	free = s.choice("order_within_one_input", "exact", "exact", "set") == "set"
	cache := int64(0)
	if s.has("statestore.cache.max.bytes") {
		cache = s.number("statestore.cache.max.bytes")
	}
	if err := s.done(); err != nil {
		return nil, free, err
	}
	t, err := b.Build()
	if err == nil {
		err = t.Validate()
	}
	if err != nil || c.Error != "" {
		return nil, free, c.refused(err)
	}
	if c.Describe != "" && c.Describe != t.Describe() {
		return nil, free, fmt.Errorf("the topology differs\n  expected\n%s\n  got\n%s", c.Describe, t.Describe())
	}
	got, err = c.feed(t, render, cache)
	return got, free, err
}

// refused holds a refusal to Kafka's.
func (c *testCase) refused(err error) error {
	switch {
	case c.Error == "":
		return err
	case err == nil:
		return fmt.Errorf("the topology was not refused\n  expected %s", c.Error)
	case !strings.Contains(err.Error(), c.Error):
		return fmt.Errorf("the topology was refused\n  expected %s\n  got      %w", c.Error, err)
	}
	return nil
}

func (c *testCase) feed(t *topology.Topology, render rendering, cache int64) (got []output, err error) {
	driver, err := streamtest.New(t, streamtest.Config{
		ApplicationID: "app", KeySerde: topology.String, ValueSerde: topology.String, Start: time.UnixMilli(0), CacheBytes: cache,
		Settings: map[string]string{
			"__emit.interval.ms.kstreams.outer.join.spurious.results.fix__": "0",
			"__emit.interval.ms.kstreams.windowed.aggregation__":            "0",
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, driver.Close()) }()
	for i, in := range c.Inputs {
		if err := pipe(driver, in); err != nil {
			return got, fmt.Errorf("after input %d: %w", i, err)
		}
		for _, r := range driver.ReadOutputs(outputTopic) {
			o, err := render.output(r)
			if err != nil {
				return got, fmt.Errorf("after input %d: %w", i, err)
			}
			o.AfterInput = i
			got = append(got, o)
		}
	}
	return got, nil
}

// wallClock is the topic of an input that stands for wall-clock time going on by its timestamp.
const wallClock = "@wall-clock"

func pipe(driver *streamtest.Driver, in input) error {
	if in.Topic == wallClock {
		return driver.AdvanceWallClockTime(time.Duration(in.Timestamp) * time.Millisecond)
	}
	return driver.Pipe(in.Topic, bytesOf(in.Key), bytesOf(in.Value), in.Timestamp)
}

func bytesOf(s *string) []byte {
	if s == nil {
		return nil
	}
	return append([]byte{}, *s...)
}
