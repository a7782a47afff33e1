package kafka_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/wasmstream/wasmstream/internal/brokertest"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// TestDrainedSeesWhatACommitInBetweenWrites lets a commit of the application fall between the two questions: the input is
// done then, and what came of it waits in the repartition topic.
func TestDrainedSeesWhatACommitInBetweenWrites(t *testing.T) {
	b := brokertest.Fake(t)
	asking := kadm.NewClient(b.Client(t))
	client := b.Client(t) // the application, on connections of its own
	adm := kadm.NewClient(client)
	const in, repartition = "in", "app-words-repartition"
	if _, err := adm.CreateTopics(t.Context(), 1, 1, nil, in, repartition); err != nil {
		t.Fatal(err)
	}
	write := func(topic string) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("a")}).FirstErr(); err != nil {
			t.Error(err)
		}
	}
	commit := func(topic string, at int64) {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, at, -1)
		if err := adm.CommitAllOffsets(t.Context(), "app", offsets); err != nil {
			t.Error(err)
		}
	}
	write(in)
	commit(in, 0)

	// The first question is answered; before the second one the application commits its work on the input.
	var once sync.Once
	asked := 0
	questions := []int16{kmsg.OffsetFetch.Int16(), kmsg.ListOffsets.Int16()}
	b.Fake.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		if slices.Contains(questions, req.Key()) {
			if asked++; asked == 2 {
				once.Do(func() {
					b.Fake.SleepControl(func() {
						write(repartition)
						write(repartition)
						commit(in, 1)
					})
				})
			}
		}
		return nil, nil, false
	})
	drained, err := kafka.Drained(t.Context(), asking, "app", 1, in)
	if err != nil || drained {
		t.Errorf("drained is %v (%v), and two records wait in %s", drained, err, repartition)
	}
	commit(repartition, 2)
	if drained, err = kafka.Drained(t.Context(), asking, "app", 1, in); err != nil || !drained {
		t.Errorf("drained is %v (%v), and nothing is left", drained, err)
	}
}
