package connect

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// singles writes records again, each in a batch of its own, whose batch the broker refused: it names no record, and sound ones must
// not be lost with the one at fault. They are written by a client of their own, one after the other.
//
// The fields are guarded by the task's mu.
type singles struct {
	list   []*sent
	ended  chan struct{} // of the goroutine that works list off, nil while there is none
	client *kgo.Client
}

// isRecordFault tells whether a batch was refused for what is in it.
func isRecordFault(err error) bool {
	for _, e := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// writeAlone has a record written again.
func (t *sourceTask) writeAlone(s *sent) {
	s.alone = true
	t.mu.Lock()
	defer t.mu.Unlock()
	t.singles.list = append(t.singles.list, s)
	if t.singles.ended == nil {
		t.singles.ended = make(chan struct{})
		go t.workSingles()
	}
}

func (t *sourceTask) workSingles() {
	for {
		t.mu.Lock()
		if len(t.singles.list) == 0 {
			close(t.singles.ended)
			t.singles.ended = nil
			t.mu.Unlock()
			return
		}
		s := t.singles.list[0]
		t.singles.list = t.singles.list[1:]
		t.mu.Unlock()
		out := kgo.Record{Topic: s.out.Topic, Partition: s.out.Partition, Key: s.out.Key, Value: s.out.Value, Headers: s.out.Headers, Timestamp: s.out.Timestamp, Context: s}
		cl, err := t.singleClient()
		if err != nil {
			t.produced(&out, err)
			continue
		}
		result := cl.ProduceSync(s, &out)
		t.produced(result[0].Record, result[0].Err)
	}
}

func (t *sourceTask) singleClient() (*kgo.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.singles.client != nil {
		return t.singles.client, nil
	}
	cl, err := kgo.NewClient(t.producer.opts...)
	t.singles.client = cl
	return cl, err
}

// singlesEnded is closed when no record is to be written alone.
func (t *sourceTask) singlesEnded() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.singles.ended != nil {
		return t.singles.ended
	}
	none := make(chan struct{})
	close(none)
	return none
}

func (t *sourceTask) closeSingles() {
	t.mu.Lock()
	cl := t.singles.client
	t.mu.Unlock()
	if cl != nil {
		cl.Close()
	}
}
