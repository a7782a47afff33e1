package stream

import (
	"fmt"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

// partitionCounter is a Collector that knows how many partitions a topic has. One that does not has one of each.
type partitionCounter interface {
	Partitions(topic string) (int32, error)
}

// send gives the records of a frame to the collector.
func (n *node) send(frame []topology.Record) error {
	for i := range frame {
		rec := &frame[i]
		if err := n.sendOne(rec); err != nil {
			if err := n.unwritable(rec, n.ended(err, frame[i:i+1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *node) sendOne(rec *topology.Record) error {
	if rec.Timestamp < 0 {
		return errs.RecordTimestamp.New(n.topic, fmt.Sprintf("a record for the topic has the timestamp %d", rec.Timestamp), "give records made in punctuators a timestamp of 0 or more")
	}
	topic, err := n.topicFor(rec)
	if err != nil {
		return err
	}
	formed, none, err := n.formed(rec)
	if err != nil || none {
		return err
	}
	if n.partitioner != nil {
		return n.sendPartitioned(topic, rec, formed)
	}
	partition, err := n.partitionFor(topic, rec)
	if err != nil {
		return err
	}
	return n.task.config.Collector.Send(topic, partition, formed)
}

// topicFor is the topic of a record: the sink's, or what its extractor answers.
func (n *node) topicFor(rec *topology.Record) (string, error) {
	if n.extractor == nil {
		return n.topic, nil
	}
	answers, _, err := n.ask(n.extractor, rec)
	switch {
	case err != nil:
		return "", err
	case len(answers) != 1 || len(answers[0].Value) == 0:
		return "", errs.GuestAnswer.New(n.spec.Name, "topicNameExtractor: the function must answer one name of a topic", "")
	}
	return n.topicNamed(answers[0].Value), nil
}

// keptTopics bounds the names of topics that a sink has at hand.
const keptTopics = 1000

// topicNamed is a name that an extractor has answered; mostly it has before, and nothing is made then.
func (n *node) topicNamed(name []byte) string {
	if topic, ok := n.extracted[string(name)]; ok {
		return topic
	}
	if n.extracted == nil || len(n.extracted) == keptTopics {
		n.extracted = map[string]string{}
	}
	topic := string(name)
	n.extracted[topic] = topic
	return topic
}

// partitionFor is the partition that a record has been given, or for a windowed key that of the key inside (Kafka's
// WindowedStreamPartitioner), else -1.
func (n *node) partitionFor(topic string, rec *topology.Record) (int32, error) {
	if p := partitionOf(rec); p >= 0 {
		return p, nil
	}
	if rec.Key == nil || n.spec.KeySerde == nil {
		return -1, nil
	}
	_, key, ok := topology.Windowed(n.spec.KeySerde, rec.Key)
	if !ok {
		return -1, nil
	}
	partitions, err := n.partitions(topic)
	if err != nil {
		return 0, err
	}
	return topology.PartitionForKey(key, partitions), nil
}

func (n *node) partitions(topic string) (int32, error) {
	if c, ok := n.task.config.Collector.(partitionCounter); ok {
		return c.Partitions(topic)
	}
	return 1, nil
}

// sendPartitioned sends a record, in the form of the topic, to the partitions that the sink's partitioner answers.
func (n *node) sendPartitioned(topic string, rec, formed *topology.Record) error {
	partitions, err := n.partitions(topic)
	if err != nil {
		return err
	}
	n.target.Topic = topic
	n.single[0] = *rec
	n.single[0].Index, n.single[0].Dest, n.single[0].Origin = 0, partitions, &n.target
	answers, err := n.partitioner.Call(n.single[:], n.answers[:0])
	n.answers = answers
	if err != nil {
		return err
	}
	if len(answers) == 0 {
		n.Dropped(1, "the partitioner answered no partition")
		return nil
	}
	for i := range answers {
		p := answers[i].Dest
		if p < -1 || p >= partitions {
			return errs.GuestAnswer.New(n.spec.Name, fmt.Sprintf("partitioner: partition %d of %d", p, partitions), "answer partitions from 0 to one less than their number")
		}
		if p == -1 {
			if p, err = n.partitionFor(topic, rec); err != nil {
				return err
			}
		}
		if err := n.task.config.Collector.Send(topic, p, formed); err != nil {
			return err
		}
	}
	return nil
}
