package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// latencyPatience is for how long a measurement waits for its last record, beyond the time in which records come.
const latencyPatience = 5 * time.Minute

// LatencyResult is what was measured of one application whose input comes at a rate, in records a second.
type LatencyResult struct {
	Job        string `json:"job"`
	Guest      string `json:"guest"`
	Guarantee  string `json:"guarantee"`
	Broker     string `json:"broker"`
	Partitions int    `json:"partitions"`
	Rate       int    `json:"rate"`
	Records    int    `json:"records"`
	Latency
}

// latencyTexts are the jobs whose output tells which record it is of, with the values that do: the time at which each is due
// passes as a field, or as a word.
func latencyTexts() map[string]func(dst []byte, due time.Time) []byte {
	return map[string]func([]byte, time.Time) []byte{"copy": appendDue, "mapvalues": appendDue, "wordcount": appendDueLine}
}

// LatencyJobs are the names of the jobs whose latency can be measured.
func LatencyJobs() []string { return slices.Sorted(maps.Keys(latencyTexts())) }

// appendDueLine appends a line of five words, the first of which is new.
func appendDueLine(dst []byte, due time.Time) []byte {
	return append(strconv.AppendInt(append(dst, "due"...), due.UnixNano(), 10), " to be or not"...)
}

// MeasureLatency runs one application while o.Records of input come at a rate, from the time at which each is due to its
// arrival at a reader of what is committed. The first fifth is not counted. The native guest is not for it, since it keeps no field
// that it does not know.
func (s *Session) MeasureLatency(ctx context.Context, o Options, rate int) (r LatencyResult, err error) {
	text, ok := latencyTexts()[o.Job]
	if !ok {
		return r, fmt.Errorf("there is no job %q", o.Job)
	}
	if err := checkBaseline(o.Guest, o.Baseline); err != nil {
		return r, err
	}
	limit := time.Duration(o.Records/rate)*time.Second + latencyPatience
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	id := fmt.Sprintf("bench-%s-%s-%d", o.Job, o.Guest, time.Now().UnixNano())
	defer s.cleanUp(id)
	in, out, err := s.pacedTopics(ctx, id, o)
	if err != nil {
		return r, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.ProducerLinger(0), kgo.DefaultProduceTopic(in[0].Name),
		kgo.ConsumeTopics(out), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return r, err
	}
	defer cl.Close()
	l, err := s.whileRunning(ctx, o, in, id, out, func(ctx context.Context) (*Latency, error) {
		c := &conveyor{text: text, put: putRecords(cl), seen: seenRecords(cl)}
		return c.latency(ctx, rate, o.Records)
	})
	if err != nil {
		return r, err
	}
	return LatencyResult{o.Job, o.Guest, o.Guarantee, s.broker, o.Partitions, rate, o.Records, *l}, nil
}

// pacedTopics makes the output and the inputs. An application ends when all of its input is committed; the second input has a
// record and is read by nobody, so that this one goes on between two records of the first.
func (s *Session) pacedTopics(ctx context.Context, id string, o Options) (in []DataSet, out string, err error) {
	in = []DataSet{{Name: id + "-in", Records: o.Records}, {Name: id + "-hold"}}
	out = id + "-out"
	if err := errors.Join(
		recreate(ctx, s.bootstrap, in[0].Name, o.Partitions),
		recreate(ctx, s.bootstrap, in[1].Name, 1),
		recreate(ctx, s.bootstrap, out, o.Partitions),
	); err != nil {
		return nil, "", err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.DefaultProduceTopic(in[1].Name))
	if err != nil {
		return nil, "", err
	}
	defer cl.Close()
	return in, out, cl.ProduceSync(ctx, kgo.StringRecord("held")).FirstErr()
}

// whileRunning measures beside an application, which is killed afterwards; one that ends before is the error.
func (s *Session) whileRunning(ctx context.Context, o Options, in []DataSet, id, out string, measure func(context.Context) (*Latency, error)) (*Latency, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	running, kill := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := s.output(running, s.application(o, in, id, out))
		if running.Err() == nil {
			cancel(errors.Join(errors.New("the application ended before its input did"), err))
		}
	}()
	l, err := measure(ctx)
	kill()
	<-ended
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	cancel(nil)
	return l, err
}
