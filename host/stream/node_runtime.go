package stream

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/state"
	"github.com/wasmstream/wasmstream/topology"
)

// node is a node of the topology as it runs in a task. It is also the topology.Context of its processor (context.go).
type node struct {
	task       *Task
	spec       *topology.Node
	framing    framing
	children   []*node
	childNames []string
	stores     map[string]state.Store
	processor  topology.Processor // of processor nodes
	topic      string             // of sinks, with the application's prefix where internal
	guests     []*guestFunction   // opened by the processor
	metrics    *NodeMetrics
	log        *slog.Logger

	// of sinks: who chooses topics and partitions, nil for none
	extractor, partitioner topology.Function
	// of sources: who says when records happened, nil for none
	timestamps topology.Function
	// of sources and sinks: the form of the topic, nil where it is that of the records
	keyForm, valueForm topology.Function
	shaped             topology.Record
	answers            []topology.Record
	single             [1]topology.Record
	target             topology.TopicPartition
	extracted          map[string]string // names of topics
}

func newNode(t *Task, spec *topology.Node, f framing) (*node, error) {
	n := &node{
		task: t, spec: spec, framing: f, metrics: t.metrics.node(spec.Name),
		log: t.log.With(slog.String("node", spec.Name)),
	}
	switch spec.Kind {
	case topology.SinkNode:
		if spec.TopicExtractor == nil {
			n.topic = spec.Topics[0]
		}
		if spec.Internal {
			n.topic = topology.DecorateTopic(t.config.ApplicationID, n.topic)
		}
	case topology.ProcessorNode:
		n.stores = make(map[string]state.Store, len(spec.Stores))
		for _, name := range spec.Stores {
			s := t.config.Stores[name]
			if s == nil {
				return nil, fmt.Errorf("store %s of node %s is not open", name, spec.Name)
			}
			n.stores[name] = s
		}
		var err error
		if n.processor, err = spec.Supplier.New(); err != nil {
			return nil, fmt.Errorf("making the processor of node %s: %w", spec.Name, err)
		}
	}
	return n, nil
}

func (n *node) init() error {
	if n.spec.Kind != topology.ProcessorNode {
		return n.initEdge()
	}
	if n.processor == nil {
		return nil
	}
	if err := n.processor.Init(n); err != nil {
		return fmt.Errorf("node %s: %w", n.spec.Name, err)
	}
	return nil
}

// process takes a frame through the node and its subtree.
func (n *node) process(frame []topology.Record) error {
	switch {
	case n.framing.single || n.task.config.Processing == LogAndContinue && len(n.spec.Guests) == 0:
		for i := range frame {
			if err := n.run(frame[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	case n.framing.byTime:
		return n.processByTime(frame)
	}
	return n.run(frame)
}

// processByTime runs the frame in runs of equal timestamps.
func (n *node) processByTime(frame []topology.Record) error {
	for len(frame) > 0 {
		k := 1
		for k < len(frame) && frame[k].Timestamp == frame[0].Timestamp {
			k++
		}
		if err := n.run(frame[:k]); err != nil {
			return err
		}
		frame = frame[k:]
	}
	return nil
}

func (n *node) run(frame []topology.Record) error {
	if len(frame) == 0 {
		return nil
	}
	n.metrics.Processed.Add(int64(len(frame)))
	switch n.spec.Kind {
	case topology.SourceNode:
		return n.Forward(frame)
	case topology.SinkNode:
		return n.send(frame)
	}
	var err error
	if len(n.stores) > 0 {
		err = n.runNoted(frame)
	} else {
		err = n.processor.Process(frame)
	}
	if err != nil {
		return n.failure(err, frame)
	}
	return nil
}

// runNoted runs the processor with its stores noting the frame's first record. Afterwards they note what they did
// before: the node may run inside a write of another node, whose cache it is that forwards.
func (n *node) runNoted(frame []topology.Record) error {
	return n.noting(frame[0].Context(), func() error { return n.processor.Process(frame) })
}

func (n *node) noting(c state.RecordContext, f func() error) error {
	contexts := n.task.contexts
	if len(contexts) == 0 {
		return f()
	}
	before := *contexts[0]
	for _, p := range contexts {
		*p = c
	}
	err := f()
	for _, p := range contexts {
		*p = before
	}
	return err
}

// unwritable decides on an output that the collector does not take: one that is too large, or that the broker refused
// before, may be dropped.
func (n *node) unwritable(rec *topology.Record, err error) error {
	if passes(err) || !errs.RecordTooLarge.Is(err) && !errs.RecordProduction.Is(err) {
		return err
	}
	if fault := n.deadLetter(rec, err); fault != nil {
		return errors.Join(err, fault)
	}
	if n.task.config.Production == LogAndContinue {
		n.drop(1, "production", err)
		return nil
	}
	return err
}

// partitionOf is the partition that the record was made for, -1 if that is left to its key.
func partitionOf(rec *topology.Record) int32 {
	if rec.Extra == nil {
		return -1
	}
	return rec.Extra.Partition - 1
}

// flush forwards what the node holds back, then what its stores' caches do.
func (n *node) flush() error {
	if f, ok := n.processor.(topology.Flusher); ok {
		if err := f.Flush(); err != nil {
			return n.ended(err, nil)
		}
	}
	for _, f := range n.guests {
		if err := f.flush(); err != nil {
			return n.ended(err, nil)
		}
	}
	for _, name := range n.spec.Stores {
		if err := n.stores[name].Flush(); err != nil {
			return n.ended(fmt.Errorf("flushing store %s: %w", name, err), nil)
		}
	}
	return nil
}

// punctuate calls a schedule's punctuator at now (ms of its kind of time).
func (n *node) punctuate(s *PunctuationSchedule, now int64) error {
	c := state.RecordContext{Timestamp: now, Offset: -1}
	err := n.noting(c, func() error { return s.call(now) })
	if err != nil {
		return n.ended(err, nil)
	}
	return nil
}

func (n *node) close() error {
	if n.processor == nil {
		return nil
	}
	if err := n.processor.Close(); err != nil {
		return fmt.Errorf("node %s: %w", n.spec.Name, err)
	}
	return nil
}

// failure decides on an error of the processor: the handler may have the record skipped, which frame then is alone.
// Failures of guests were decided on already. Whatever the handler says, the record goes to the dead-letter topic, if
// there is one.
func (n *node) failure(err error, frame []topology.Record) error {
	if isFinal(err) {
		return n.ended(err, frame)
	}
	ended := n.ended(err, frame)
	if len(frame) == 1 {
		if err := n.deadLetter(&frame[0], ended); err != nil {
			return errors.Join(ended, err)
		}
	}
	if n.task.config.Processing == LogAndContinue && len(frame) == 1 {
		n.drop(1, "processing", ended)
		return nil
	}
	return ended
}

// ended says where err ended the task, once: it passes through the parents as it is. Errors of guests say it themselves.
func (n *node) ended(err error, frame []topology.Record) error {
	if isLocated(err) {
		return err
	}
	e := &ProcessingError{Task: n.task.config.ID, Node: n.spec.Name, First: -1, Last: -1}
	if len(frame) > 0 {
		e.Origin, e.First, e.Last = frame[0].Origin, frame[0].Offset, frame[len(frame)-1].Offset
	}
	e.Cause = coded(err, e)
	return e
}

// coded gives err a code for users, unless it has one or is about the task as such.
func coded(err error, e *ProcessingError) error {
	if _, ok := errors.AsType[*errs.Error](err); ok || isFinal(err) {
		return err
	}
	return errs.RecordProcessing.New(placeOf(e.Origin, e.First, e.Last), "node "+e.Node+" failed", "").WithCause(err)
}
